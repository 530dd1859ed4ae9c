"""Checkpoints by shard: a folder per epoch, which counts once its manifest is there."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from fewfire.distributed.shard import Shard
from fewfire.distributed.trainer import ShardTrainer
from fewfire.errors import DataError
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.files import write_atomically
from fewfire.training.checkpoint import State

MANIFEST, SHARD = "manifest.json", "neurons-{first:08}-{end:08}.safetensors"


def save(trainer: ShardTrainer, folder: Path) -> None:
    """Write the state of each process; that of the epoch before goes once this one is whole."""
    network, group = trainer.network, trainer.group
    assert isinstance(network, Shard)
    place = folder / f"epoch-{len(trainer.history):05}"
    place.mkdir(parents=True, exist_ok=True)
    first, end = network.first, network.first + network.width
    name = SHARD.format(first=first, end=end)
    trainer.save(place / name)
    shards = group.told({"file": name, "first": first, "end": end})
    if group.rank == 0:
        content = {"epoch": len(trainer.history), "width": network.whole, "shards": shards}
        write_atomically(place / MANIFEST, json.dumps(content, indent=1) + "\n")
        for older in folder.glob("epoch-*"):
            if older != place:
                shutil.rmtree(older)
    group.wait()


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint in a folder, if there is one."""
    return max((manifest.parent for manifest in folder.glob(f"epoch-*/{MANIFEST}")), default=None)


def restore(trainer: ShardTrainer, place: Path) -> None:
    """Go on from a checkpoint of any number of processes.

    Raises
    ------
    DataError
        A file is missing, cut off or changed, or is of other data or settings. Nothing changes.
    """
    network = trainer.network
    assert isinstance(network, Shard)
    trainer.restore(_state(place, network.first, network.first + network.width))


def joined(folder: Path) -> TwoLayerNetwork:
    """The whole network of the newest checkpoint in a folder.

    Raises
    ------
    DataError
        There is none, or it is damaged.
    """
    place = latest(folder)
    if place is None:
        raise DataError(f"a checkpoint must hold a {MANIFEST}. Got {folder} without. Give another folder.")
    state = _state(place, 0, None)
    terms, rows = state.terms, state.rows
    n_features, n_outputs = int(terms["n_features"]), int(terms["n_outputs"])
    weights, output_weights = rows["weights"][:, :n_features], rows["output_weights"][:, :n_outputs]
    return TwoLayerNetwork(weights, output_weights, terms["threshold"], weights.dtype)


def _state(place: Path, first: int, end: int | None) -> State:
    """The state of the neurons from first to end, out of the shards that hold them."""
    parts = list(_parts(place, first, end))
    _require_alike(place, [state for state, _ in parts])
    rows = {
        name: np.concatenate([state.rows[name][cut] for state, cut in parts]) for name in parts[0][0].rows
    }
    return replace(parts[0][0], rows=rows, origin=str(place))


def _require_alike(place: Path, states: list[State]) -> None:
    """Raise DataError unless all shards are of one training, after the same epoch."""
    for state in states:
        if state.terms != states[0].terms or len(state.history) != len(states[0].history):
            raise DataError(
                f"the shards of a checkpoint must be of one training. Got {place} with {state.origin} of "
                "another. Give another folder, or train anew."
            )


def _parts(place: Path, first: int, end: int | None) -> Iterator[tuple[State, slice]]:
    """The states that hold these neurons, and which of their rows they are."""
    try:
        manifest = json.loads((place / MANIFEST).read_text())
        end = manifest["width"] if end is None else end
        ends = [0, *(shard["end"] for shard in manifest["shards"])]
        if [shard["first"] for shard in manifest["shards"]] != ends[:-1] or ends[-1] < end:
            raise ValueError(f"shards that end at {ends[1:]} do not hold neurons {first} to {end}")
        for shard in manifest["shards"]:
            begin, stop = max(first, shard["first"]), min(end, shard["end"])
            if begin < stop:
                cut = slice(begin - shard["first"], stop - shard["first"])
                yield State.load(place / shard["file"]), cut
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"a checkpoint must be a folder that fewfire.distributed wrote. Got {place}: {error}. Give "
            "another one, or train anew."
        ) from error

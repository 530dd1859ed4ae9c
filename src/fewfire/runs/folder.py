"""The folder that a training run leaves: all that prediction needs, and what happened.

model.safetensors    weights, output weights, threshold
scaling.safetensors  how inputs were scaled
settings.json        what was asked for; in the end also the features and the classes
history.jsonl        one record an epoch
result.json          the figures of the whole run: it is finished
history.png          loss, accuracy, fire rate and work by epoch

Until it is finished, checkpoint-NUMBER.safetensors hold what training knows after so many epochs: the last
two are kept. All but the history, the result and the picture are sealed by a checksum.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.prepare import Classes, Features, InputScaling
from fewfire.errors import DataError
from fewfire.system.files import OutputFolder, remove_temporaries, write_atomically
from fewfire.core.inputs import Inputs
from fewfire.networks.losses import predicted_classes
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.tensors import read_tensors, sha256, write_tensors
from fewfire.training import EpochRecord, GaussNewtonRecord, State
from fewfire.api import predict

SCALING = "fewfire scaling"  # the kind of file
KEPT = 2  # checkpoints
FILES = ("*.safetensors", "settings.json", "history.jsonl", "history.png", "result.json")

NEEDED = {"data", "width", "n_features", "index", "epochs"}  # of the settings, to report on a run
N_BEST = 5  # predictions for a row that may have several labels


@dataclass(frozen=True)
class Model:
    """A network with the way into it and out of it: from features as read to labels as written."""

    network: TwoLayerNetwork
    features: Features
    scaling: InputScaling
    classes: Classes

    def labels(self, samples: NDArray) -> NDArray:
        """Predicted labels (n,) of samples (n, features.n_inputs) as read.

        Where a row may have several labels: the best five (n, 5) or all of them, the likeliest first.
        """
        inputs = Inputs.of(self.scaling.transform(samples, self.network.dtype), self.network.dtype)
        outputs = predict(self.network, inputs)
        if self.classes.several:
            return self.classes.decode(np.argsort(-outputs, axis=1, kind="stable")[:, :N_BEST])
        return self.classes.decode(predicted_classes(outputs))


@dataclass(frozen=True)
class Run:
    """What a run folder says of its run; result is None where the run did not finish."""

    path: Path
    settings: dict[str, Any]
    history: list[EpochRecord]
    result: dict[str, Any] | None


class RunFolder(OutputFolder):
    """Reads and writes one run folder; each file is whole or absent."""

    kind = "run"

    @property
    def picture(self) -> Path:
        return self.path / "history.png"

    @property
    def how_to_go_on(self) -> str:
        return f"; `fewfire resume {self.path}` goes on"

    @property
    def finished(self) -> bool:
        return (self.path / "result.json").exists()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile no other process trains the run. What a killed one had half written is removed."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataError(
                    f"a run must be trained by one process at a time. Got {self.path}, which another one "
                    "trains now. Wait for it, or end it first."
                ) from error
            except OSError:
                pass  # a file system without locks
            remove_temporaries(self.path, *FILES)
            yield
        finally:
            os.close(handle)

    def require_free(self) -> None:
        """An earlier run is never overwritten."""
        if (self.path / "settings.json").exists():
            raise DataError(
                f"the run folder must not hold another run. Got {self.path}, which has a settings.json. "
                "Give another --out, or remove that folder."
            )

    def take_back(self) -> None:
        """Undo `create` and the first `save_settings`, where nothing else was saved."""
        if not self.checkpoints() and not (self.path / "model.safetensors").exists():
            (self.path / "settings.json").unlink()
        self.remove_if_empty()

    def save_settings(self, settings: dict[str, Any]) -> None:
        write_atomically(self.path / "settings.json", _sealed(settings))

    def load_settings(self) -> dict[str, Any]:
        """What `save_settings` wrote.

        Raises
        ------
        ValueError
            It is not that, or was changed since.
        OSError
            It cannot be read.
        """
        path = self.path / "settings.json"
        try:
            content = path.read_bytes()
            settings = dict(json.loads(content))
            del settings["sha256"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"{path} is not what `fewfire train` wrote, or cut off: {error}") from error
        if _sealed(settings).encode() != content:
            raise ValueError(f"{path} has another checksum than when it was written: it was changed")
        return settings

    def save_model(self, model: Model, settings: dict[str, Any]) -> None:
        model.network.save(self.path / "model.safetensors")
        write_tensors(self.path / "scaling.safetensors", SCALING, model.scaling.state())
        outcome = {
            "features": model.features.state(),
            "classes": model.classes.state(),
            "several_labels": model.classes.several,
        }
        self.save_settings(settings | outcome)

    def checkpoints(self) -> list[Path]:
        """Their files, the newest last."""
        return sorted(self.path.glob("checkpoint-*.safetensors"))

    def save_checkpoint(self, state: State) -> None:
        """Write a checkpoint; only once it is in its place the oldest is removed.

        Raises
        ------
        DataError
            It cannot be written. Those before it are as they were.
        """
        path = self.path / f"checkpoint-{state.epochs:06}.safetensors"
        try:
            state.save(path)
        except OSError as error:
            raise DataError(
                f"a checkpoint must fit on its disk. Got {path}: {error.strerror or error}. Make room, then "
                f"`fewfire resume {self.path}` goes on from the one before."
            ) from error
        for old in self.checkpoints()[:-KEPT]:
            old.unlink()

    def newest_checkpoint(self, say: Callable[[str], None]) -> State | None:
        """The newest checkpoint that is whole, or None where none was written yet.

        Training from an older one ends with the same bits: those that are damaged are passed over, and told
        of.

        Raises
        ------
        DataError
            All of them are damaged.
        """
        damaged = []
        for path in reversed(self.checkpoints()):
            try:
                state = State.load(path)
            except DataError as error:
                damaged.append(error)
                continue
            for error in damaged:
                say(f"{error}\n{path.name} takes its place.")
            return state
        if damaged:
            raise DataError(
                f"a run that goes on must have a checkpoint that is whole. Got {len(damaged)} that are not. "
                f"{damaged[0]} Without any of them, the run would begin anew."
            ) from damaged[0]
        return None

    def remove_checkpoints(self) -> None:
        for path in self.checkpoints():
            path.unlink()

    def save_history(self, history: Sequence[EpochRecord]) -> None:
        lines = [json.dumps(record.as_dict()) + "\n" for record in history]
        write_atomically(self.path / "history.jsonl", "".join(lines))

    def save_result(self, result: dict[str, Any]) -> None:
        write_atomically(self.path / "result.json", json.dumps(result, indent=2) + "\n")

    def load_model(self) -> Model:
        """The model of a finished run.

        Raises
        ------
        DataError
            The folder is not a run folder, or one of its files cannot be read.
        """
        try:
            network = TwoLayerNetwork.load(self.path / "model.safetensors")
            scaling = self._load_scaling()
            settings = self.load_settings()
            features = Features.from_state(settings["features"])
            classes = Classes.from_state(settings["classes"], several=settings["several_labels"])
            _require_fitting(network, features, scaling, classes)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"a run folder must hold a model that `fewfire train` saved. Got {self.path}: {error}. "
                "Give the folder named by --out of a finished run."
            ) from error
        return Model(network, features, scaling, classes)

    def _load_scaling(self) -> InputScaling:
        path = self.path / "scaling.safetensors"
        try:
            return InputScaling.from_state(read_tensors(path, SCALING)[0])
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path} is not what `fewfire train` wrote: {error}") from error

    def load_result(self) -> dict[str, Any]:
        return json.loads((self.path / "result.json").read_text())

    def load_history(self) -> list[EpochRecord]:
        lines = (self.path / "history.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [(GaussNewtonRecord if "damping" in record else EpochRecord)(**record) for record in records]

    def load_run(self) -> Run:
        """What happened in a run: finished, interrupted, failed, or still under way.

        Raises
        ------
        DataError
            The folder is not a run folder, or one of its files cannot be read.
        """
        result, history = self.path / "result.json", self.path / "history.jsonl"
        try:
            settings = self.load_settings()
            if not settings.keys() >= NEEDED:
                raise ValueError(f"its settings.json lacks one of {', '.join(sorted(NEEDED))}")
            figures = json.loads(result.read_text()) if result.exists() else None
            return Run(self.path, settings, self.load_history() if history.exists() else [], figures)
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                f"a run folder must hold what `fewfire train` saved. Got {self.path}: {error}. Give the "
                "folder named by --out of a run that has ended."
            ) from error


def _sealed(settings: dict[str, Any]) -> str:
    """As text, with a checksum."""
    seal = sha256(json.dumps(settings).encode())
    return json.dumps(settings | {"sha256": seal}, indent=2) + "\n"


def _require_fitting(
    network: TwoLayerNetwork, features: Features, scaling: InputScaling, classes: Classes
) -> None:
    """The files are of one run: as many features and outputs in each."""
    n_outputs = {1, 2} if len(classes) == 2 else {len(classes)}
    n_inputs = {features.n_inputs + 1, len(scaling.mean) + 1}
    if n_inputs != {network.n_features} or network.n_outputs not in n_outputs:
        raise ValueError(
            f"a model of {network.n_features} features and {network.n_outputs} outputs beside a scaling of "
            f"{len(scaling.mean)} and the constant, features for {features.n_inputs}, {len(classes)} classes"
        )


def scores(predicted: NDArray, labels: NDArray) -> dict[str, float]:
    """How good predictions are: "accuracy", or "precision at k" for the best five of several labels.

    Parameters
    ----------
    predicted : (n,), or (n, 5) columns of labels
        What `Model.labels` gives.
    labels : (n,), compared as texts: one that training never saw is predicted wrongly; or (n, k) booleans

    Notes
    -----
    Precision at k is the share of the first k predictions that are labels of their row, over all rows.
    """
    if predicted.ndim == 1:
        return {"accuracy": float(np.mean(labels.astype(str) == predicted.astype(str)))}
    right = np.take_along_axis(labels, predicted, axis=1)
    return {f"precision at {k}": float(right[:, :k].mean()) for k in (1, 3, 5) if k <= right.shape[1]}


def targets_of(classes: Classes, labels: NDArray, loss: str) -> NDArray[np.float32]:
    """One-hot targets of labels; a single column of 0 and 1 for two classes with the logistic loss.

    Labels of booleans (n, k) become 0 and 1 each.
    """
    if classes.several:
        return labels.astype(np.float32)
    codes = classes.encode(labels)
    if loss == "logistic" and len(classes) == 2:
        return codes[:, None].astype(np.float32)
    return classes.one_hot(codes, np.float32)

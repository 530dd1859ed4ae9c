"""`fewfire train`: from data to a run folder, with what happened on the way."""

import json
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console

import fewfire
from fewfire.cli.display import TrainingDisplay, print_result
from fewfire.data import Classes, Dataset, InputScaling, load_dataset
from fewfire.errors import MemoryLimitError
from fewfire.inputs import Inputs
from fewfire.memory import peak_bytes, resident_bytes, written
from fewfire.network import TwoLayerNetwork
from fewfire.run_folder import Model, RunFolder, targets_of
from fewfire.training import Trainer

INTERRUPTED = 130
SPARE_BYTES = 256_000_000  # batches, fire sets and work arrays, beside the arrays that are counted


@dataclass(frozen=True)
class TrainOptions:
    """What `fewfire train` was asked for; memory_limit in bytes."""

    data: str
    width: int
    index: str
    epochs: int
    batch_size: int
    learning_rate: float | str
    loss: str
    threshold: float | str
    fire_rate: float | None
    train_output_weights: bool
    test_fraction: float
    seed: int
    threads: int
    memory_limit: int | None
    out: Path | None
    compare_dense: int
    json: bool


def train_command(options: TrainOptions) -> None:
    """Load, build, train, save, test and compare; leaves a run folder."""
    start = perf_counter()
    console = Console(stderr=options.json, highlight=False)
    _check(options)
    fewfire.set_threads(options.threads)
    dataset = load_dataset(options.data, test_fraction=options.test_fraction, seed=options.seed)
    folder = RunFolder(options.out or Path("runs") / f"{dataset.name}-{datetime.now():%Y%m%d-%H%M%S}")
    folder.create()
    model, trainer = _prepare(options, dataset)
    settings = _settings(options, dataset, trainer)
    console.print(_headline(dataset, trainer))

    with TrainingDisplay(console, options.epochs) as display:
        try:
            build_start = perf_counter()
            trainer.build(display.built)
            build_seconds = perf_counter() - build_start
            training_start = perf_counter()
            for _ in range(options.epochs):
                display.epoch_done(trainer.epoch(display.stepped))
            training_seconds = perf_counter() - training_start
        except KeyboardInterrupt:
            display.stop()
            _save(folder, model, trainer, settings | {"interrupted": True})
            console.print(f"Interrupted after {len(trainer.history)} whole epochs. Saved in {folder.path}")
            sys.exit(INTERRUPTED)
    _save(folder, model, trainer, settings)

    result = _figures(trainer, build_seconds, training_seconds)
    test_start = perf_counter()
    result["test_accuracy"] = _test_accuracy(model, dataset)
    result["test_seconds"] = perf_counter() - test_start
    result["peak_memory_bytes"] = peak_bytes()
    result["total_seconds"] = perf_counter() - start
    if options.compare_dense:
        result |= _comparison(console, trainer, options.compare_dense, build_seconds + training_seconds)
    result = settings | result
    folder.save_result(result)
    print_result(console, result, folder.path)
    if options.json:
        print(json.dumps(result))


def _check(options: TrainOptions) -> None:
    """What can be known to fail before anything is read."""
    for name in ("width", "epochs", "batch_size"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be >= 1. Got {getattr(options, name)}.")
    if options.compare_dense and find_spec("torch") is None:
        raise ValueError(
            "--compare-dense needs PyTorch. Got none installed. Run pip install 'fewfire[torch]', or leave "
            "the comparison out."
        )


def _prepare(options: TrainOptions, dataset: Dataset) -> tuple[Model, Trainer]:
    scaling = InputScaling.fit(dataset.inputs, standardise=dataset.tabular)
    classes = Classes.of(dataset.labels)
    targets = targets_of(classes, classes.encode(dataset.labels), options.loss)
    network = TwoLayerNetwork.initialise(
        options.width,
        dataset.inputs.shape[1] + 1,
        targets.shape[1],
        threshold=options.threshold,
        fire_rate=options.fire_rate,
        seed=options.seed,
    )
    inputs = Inputs.of(scaling.transform(dataset.inputs, network.dtype), network.dtype)
    try:
        trainer = Trainer(
            network,
            inputs,
            targets,
            index=options.index,
            loss=options.loss,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            train_output_weights=options.train_output_weights,
            seed=options.seed,
            memory_limit=_index_limit(options, network),
        )
    except MemoryLimitError as error:
        raise MemoryLimitError(f"--memory-limit is too low for this run: {error}") from error
    return Model(network, scaling, classes), trainer


def _index_limit(options: TrainOptions, network: TwoLayerNetwork) -> int | None:
    """What the limit on the process leaves to the index."""
    if options.memory_limit is None:
        return None
    used = resident_bytes() + network.weight_rows.nbytes + SPARE_BYTES  # a copy of the last good weights
    if used >= options.memory_limit:
        raise MemoryLimitError(
            f"--memory-limit must be more than {written(used)}, which data and network need before any "
            f"index. Got {written(options.memory_limit)}. Raise it, or lower --width."
        )
    return options.memory_limit - used


def _settings(options: TrainOptions, dataset: Dataset, trainer: Trainer) -> dict[str, Any]:
    asked = asdict(options)
    for name in ("out", "json", "compare_dense"):
        del asked[name]
    return asked | {
        "fewfire": fewfire.__version__,
        "instruction_set": fewfire.instruction_set(),
        "n_samples": len(trainer.inputs),
        "n_features": trainer.network.n_features,
        "n_outputs": trainer.network.n_outputs,
        "n_test": len(dataset.test_inputs),
        "threshold": trainer.network.threshold,
        "learning_rate": trainer.learning_rate,
    }


def _headline(dataset: Dataset, trainer: Trainer) -> str:
    network = trainer.network
    return (
        f"[bold]{dataset.name}[/bold]: {len(trainer.inputs):,} samples, {network.n_features} features "
        f"(one constant), {network.n_outputs} outputs. Width {network.width:,}, threshold "
        f"{network.threshold:.3f}, learning rate {trainer.learning_rate:g}, {fewfire.threads()} threads, "
        f"{fewfire.instruction_set()}."
    )


def _save(folder: RunFolder, model: Model, trainer: Trainer, settings: dict[str, Any]) -> None:
    folder.save_model(model, settings)
    folder.save_history(trainer.history)
    if trainer.history and find_spec("matplotlib") is not None:
        from fewfire.report.picture import draw_history

        title = f"{settings['data']}: width {settings['width']:,}, {settings['index']} index"
        draw_history(trainer.history, folder.picture, title)


def _figures(trainer: Trainer, build_seconds: float, training_seconds: float) -> dict[str, Any]:
    history, work = trainer.history, trainer.index.work
    steps = sum(record.steps for record in history)
    return {
        "train_loss": history[-1].loss,
        "train_accuracy": history[-1].accuracy,
        "fire_rate": work.fired / work.asked,
        "work_share": work.share_of_dense(trainer.network.n_features),
        "refreshes": work.refreshed,
        "steps": steps,
        "seconds_per_step": training_seconds / steps,
        "build_seconds": build_seconds,
        "training_seconds": training_seconds,
        "index_bytes": trainer.index.nbytes,
    }


def _test_accuracy(model: Model, dataset: Dataset) -> float:
    codes = model.classes.encode(dataset.test_labels)
    return float(np.mean(model.classes.encode(model.labels(dataset.test_inputs)) == codes))


def _comparison(console: Console, trainer: Trainer, steps: int, run_seconds: float) -> dict[str, Any]:
    """Figures of further steps taken in turn with dense PyTorch; the saved model does not see them."""
    from fewfire.torch import compare_dense

    with console.status("beside dense PyTorch") as status:
        comparison = compare_dense(
            trainer, steps, lambda message: status.update(f"beside dense PyTorch: {message}")
        )
    total_steps = sum(record.steps for record in trainer.history)
    return comparison.as_dict() | {
        "whole_run_speedup": comparison.dense_seconds_per_step * total_steps / run_seconds,
    }

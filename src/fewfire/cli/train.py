"""`fewfire train`: from data to a run folder, with what happened on the way."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console

import fewfire
from fewfire.cli.display import (
    GaussNewtonDisplay,
    TrainingDisplay,
    console_of,
    print_comparison,
    print_result,
)
from fewfire.core.inputs import Inputs
from fewfire.core.rows import stride_of
from fewfire.data import Dataset, load_dataset
from fewfire.data.load import DIGITS
from fewfire.diagnose.exactness import check_exactness
from fewfire.errors import MemoryLimitError, TrainingError
from fewfire.indexes import DriftIndex, arrange, index_named
from fewfire.indexes.predict import PREDICT_BATCH
from fewfire.networks.losses import loss_named
from fewfire.networks.momentum import Momentum
from fewfire.networks.near_kernel import near_kernel_network, near_kernel_ridge
from fewfire.networks.threshold import fire_rate_at, paper_threshold, threshold_for_fire_rate, threshold_of
from fewfire.networks.two_layer import TwoLayerNetwork, require_init
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling
from fewfire.runs.folder import Model, RunFolder, scores, targets_of
from fewfire.runs.tensorboard import require_tensorboard, tensorboard_log
from fewfire.system import machine
from fewfire.system.files import OutputFolder
from fewfire.system.memory import peak_bytes, resident_bytes, written
from fewfire.training import Constant, EpochRecord, GaussNewton, GradientDescent, Method, Trainer
from fewfire.training.methods.schedules import Schedule, schedule_named

INTERRUPTED, AUTO = 130, "auto"
SGD, GAUSS_NEWTON = OPTIMIZERS = ("sgd", "gauss-newton")
OF_GRADIENT_DESCENT = {  # and what each is where it is left out
    "learning_rate": "auto", "schedule": "constant", "momentum": 0.0, "nesterov": False, "weight_decay": 0.0,
    "train_output_weights": False, "compare_dense": 0,
}  # fmt: skip
SPARE_BYTES = 256_000_000  # batches, work arrays and libraries, beside what is counted
FIRING_PAIR_BYTES = 16  # in a fire set and while it is made
STRUCTURE_BYTES, CODE_BYTES = 20, 16  # of a neuron: signs, scale and place; codes that a thread has in hand
LEAST = {"width": 1, "epochs": 1, "batch_size": 1, "seed": 0, "threads": 1, "compare_dense": 0,
         "checkpoint_every": 0}  # fmt: skip
COMPARED = ("dense_seconds_per_step", "speedup", "max_weight_difference")  # None without --compare-dense


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What `fewfire train` was asked for; memory_limit in bytes. The defaults are those of a study."""

    data: str
    target: str | None = None
    categories: tuple[str, ...] = ()
    width: int
    index: str = "drift"
    optimizer: str = SGD
    epochs: int
    batch_size: int | None
    learning_rate: float | str
    schedule: str
    decay_every: int | None
    decay_gamma: float | None
    momentum: float
    nesterov: bool
    weight_decay: float
    ridge: float = 0.0
    loss: str
    threshold: float | str
    fire_rate: float | None = None
    init: str = "gaussian"
    train_output_weights: bool = False
    test_fraction: float = 0.2
    seed: int
    threads: int
    memory_limit: int | None
    checkpoint_every: int = 0
    out: Path | None
    compare_dense: int = 0
    tensorboard: Path | None = None
    json: bool
    quiet: bool


def train_command(options: TrainOptions) -> None:
    """Load, build, train, save, test and compare; leaves a run folder."""
    start = perf_counter()
    console = console_of(json=options.json, quiet=options.quiet)
    dataset = check_and_load(options)
    folder = RunFolder(options.out or default_folder(dataset.name))
    folder.require_free()
    model, trainer = prepare(options, dataset)
    settings = settings_of(options, dataset, trainer)
    folder.create()
    with folder.held():
        folder.save_settings(settings)
        try:
            run(console, options, dataset, folder, model, trainer, settings, start)
        except MemoryError:
            folder.take_back()
            raise


def run(
    console: Console,
    options: TrainOptions,
    dataset: Dataset,
    folder: RunFolder,
    model: Model,
    trainer: Trainer,
    settings: dict[str, Any],
    start: float,
) -> None:
    """Train on from where the trainer is, save, test and compare."""
    console.print(headline(dataset, trainer), soft_wrap=True)
    before = sum(record.seconds for record in trainer.history)  # of a run that goes on

    kind = GaussNewtonDisplay if options.optimizer == GAUSS_NEWTON else TrainingDisplay
    display = kind(console, options.epochs, len(trainer.history))
    save = partial(_save, folder, model, trainer, settings)
    log_folder = options.tensorboard and options.tensorboard / folder.path.resolve().name
    with tensorboard_log(log_folder) as log:

        def after_epoch(record: EpochRecord) -> None:
            log(record)
            if options.checkpoint_every and record.epoch % options.checkpoint_every == 0:
                folder.save_checkpoint(trainer.state())

        build_seconds, training_seconds = train_and_save(display, trainer, folder, save, after_epoch)
    training_seconds += before
    result = settings | _figures(trainer, build_seconds, training_seconds)
    test_start = perf_counter()
    result |= _test_scores(model, dataset)
    result["test_seconds"] = perf_counter() - test_start
    result["peak_memory_bytes"] = peak_bytes()
    exactness = check_exactness(trainer)
    result["exactness"] = None if exactness is None else exactness.as_dict()
    result["total_seconds"] = perf_counter() - start + before
    result |= dict.fromkeys(COMPARED)
    folder.save_result(result)
    folder.remove_checkpoints()
    print_result(console, result, folder.path)
    if exactness is not None:
        exactness.require_equal(trainer.index.name)
    if options.compare_dense:  # moves the network on: after all else
        result |= _comparison(console, trainer, options.compare_dense, build_seconds + training_seconds)
        folder.save_result(result)
        print_comparison(console, result)
    if options.json:
        print(json.dumps(result))


def default_folder(name: str) -> Path:
    return Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def check_and_load(options: TrainOptions) -> Dataset:
    """Check what can be known to fail before anything is read, then read the data."""
    _check(options)
    fewfire.set_threads(options.threads)
    return load_dataset(
        options.data,
        target=options.target,
        categories=options.categories,
        test_fraction=options.test_fraction,
        seed=options.seed,
    )


def _check(options: TrainOptions) -> None:
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{option} must be >= {least}. Got {value}. Leave it out for the default.")
    _check_optimizer(options)
    if options.index != "auto":
        index_named(options.index)
    if options.loss != AUTO:
        loss_named(options.loss)
    _schedule(options)
    optimizer = Momentum(options.momentum, options.nesterov, options.weight_decay)
    if not isinstance(options.learning_rate, str):
        optimizer.require_stable(options.learning_rate)
    require_init(options.init)
    if options.fire_rate is not None:
        threshold_for_fire_rate(options.fire_rate)
    if options.compare_dense and find_spec("torch") is None:
        raise ValueError(
            "--compare-dense needs PyTorch. Got none installed. Run pip install 'fewfire[torch]', or leave "
            "the comparison out."
        )
    if options.tensorboard is not None:
        require_tensorboard()


def _check_optimizer(options: TrainOptions) -> None:
    """Each option goes with its optimizer."""
    if options.optimizer not in OPTIMIZERS:
        raise ValueError(
            f"--optimizer must be one of {', '.join(OPTIMIZERS)}. Got {options.optimizer!r}. Choose one."
        )
    if options.optimizer == SGD:
        given = ["ridge"] if options.ridge else []
    else:
        given = [name for name, default in OF_GRADIENT_DESCENT.items() if getattr(options, name) != default]
    if given:
        raise ValueError(
            f"--{given[0].replace('_', '-')} must go with another optimizer. Got it with --optimizer "
            f"{options.optimizer}. Leave out either."
        )


def _schedule(options: TrainOptions) -> Schedule:
    every, gamma = options.decay_every, options.decay_gamma
    return schedule_named(options.schedule, options.epochs, every=every, gamma=gamma)


def prepare(options: TrainOptions, dataset: Dataset) -> tuple[Model, Trainer]:
    """The network at its start, with the way into it and out of it, and what will train it."""
    scaling = InputScaling.fit(dataset.inputs, standardize=dataset.tabular)
    classes = Classes.of(dataset.labels)
    loss = _loss(options.loss, classes)
    targets = targets_of(classes, dataset.labels, loss)
    inputs = Inputs.of(scaling.transform(dataset.inputs))
    second_order = options.optimizer == GAUSS_NEWTON
    threshold = threshold_of(
        options.threshold, options.width, fire_rate=options.fire_rate, second_order=second_order
    )
    index_limit = _index_limit(options, inputs, targets.shape[1])
    make = near_kernel_network if second_order else TwoLayerNetwork.initialize
    network = make(
        options.width,
        inputs.n_features,
        targets.shape[1],
        threshold=threshold,
        init=options.init,
        seed=options.seed,
    )
    arrange(network, inputs)
    trainer = plan_trainer(
        network,
        inputs,
        targets,
        method=_method(options),
        index=options.index,
        loss=loss,
        batch_size=options.batch_size,
        seed=options.seed,
        memory_limit=index_limit,
        epochs=options.epochs,
    )
    return Model(network, dataset.features, scaling, classes), trainer


def _method(options: TrainOptions) -> Method:
    if options.optimizer == GAUSS_NEWTON:
        return GaussNewton(ridge=near_kernel_ridge(options.ridge))
    return GradientDescent(
        learning_rate=options.learning_rate,
        schedule=_schedule(options),
        momentum=options.momentum,
        nesterov=options.nesterov,
        weight_decay=options.weight_decay,
        train_output_weights=options.train_output_weights,
    )


def _loss(name: str, classes: Classes) -> str:
    """The loss of this name, or the one that suits."""
    if name == AUTO:
        return "logistic" if classes.several else "squared"
    if classes.several and name == "softmax":
        raise ValueError(
            "the loss softmax must have one label a row. Got data with several. Use --loss logistic."
        )
    return name


def _index_limit(options: TrainOptions, inputs: Inputs, n_outputs: int) -> int | None:
    """What the limit on the process leaves to the index, once the network is there too."""
    if options.memory_limit is None:
        return None
    a_neuron = 4 * (stride_of(inputs.n_features, np.float32) + stride_of(n_outputs, np.float32))
    networks = 2 * options.width * a_neuron  # the last good weights as well
    if options.momentum:
        networks *= 2  # velocities
    if options.init == "structured":
        networks += options.width * (STRUCTURE_BYTES + CODE_BYTES * options.threads)
    threshold = paper_threshold(options.width) if options.threshold == "paper" else float(options.threshold)
    fire_rate = fire_rate_at(threshold) if options.fire_rate is None else options.fire_rate
    batch = max(min(options.batch_size or len(inputs), len(inputs)), PREDICT_BATCH)
    fire_set = int(FIRING_PAIR_BYTES * fire_rate * options.width * batch)
    used = resident_bytes() + networks + fire_set + SPARE_BYTES
    if used >= options.memory_limit:
        raise MemoryLimitError(
            f"--memory-limit must be more than {written(used)}, which data and network need before any "
            f"index. Got {written(options.memory_limit)}. Raise it, or lower --width."
        )
    return options.memory_limit - used


def train_and_save(
    display: TrainingDisplay,
    trainer: Trainer,
    folder: OutputFolder,
    save: Callable[..., None],
    after_epoch: Callable[[EpochRecord], None] = lambda _: None,
) -> tuple[float, float]:
    """Build the index, train and save: also where training fails or is interrupted.

    Parameters
    ----------
    save : callable
        Saves what there is in the folder; told `failed="why"` or `interrupted=True` where it was so.
    after_epoch : callable
        Told the record of each.

    Returns
    -------
    (build_seconds, training_seconds)
    """
    try:
        with display:
            start = perf_counter()
            trainer.build(display.built)
            if trainer.choice is not None:
                display.console.print(f"{trainer.choice}\n", soft_wrap=True)
            built = perf_counter()
            while len(trainer.history) < display.epochs and not trainer.finished:
                record = trainer.epoch(display.stepped)
                display.epoch_done(record)
                after_epoch(record)
            if trainer.finished:
                display.console.print("No step decreases the loss any more: finished.")
            trained = perf_counter()
        save()
    except MemoryError as error:
        folder.remove_if_empty()
        if not isinstance(error, MemoryLimitError):
            raise
        raise MemoryLimitError(
            f"--memory-limit must leave the index enough beside data and network: {error}"
        ) from error
    except TrainingError as error:
        save(failed=str(error))
        raise TrainingError(f"{error} Saved in {folder.path}") from error
    except KeyboardInterrupt:
        trainer.settle()
        save(interrupted=True)
        done = f"Interrupted after {len(trainer.history)} whole epochs. Saved in {folder.path}"
        display.console.print(done + folder.how_to_go_on, soft_wrap=True)
        sys.exit(INTERRUPTED)
    return built - start, trained - built


def settings_of(options: TrainOptions, dataset: Dataset, trainer: Trainer) -> dict[str, Any]:
    asked, method = asdict(options), trainer.method
    if options.data != DIGITS and Path(options.data).exists():
        asked["data"] = str(Path(options.data).absolute())
    for name in ("out", "json", "quiet", "compare_dense", "tensorboard", "decay_every", "decay_gamma"):
        del asked[name]
    return asked | {
        "fewfire": fewfire.__version__,
        "instruction_set": machine.instruction_set(),
        "n_samples": len(trainer.problem),
        "n_features": trainer.network.n_features,
        "n_outputs": trainer.network.n_outputs,
        "n_test": len(dataset.test_inputs),
        "loss": trainer.problem.loss.name,
        "threshold": trainer.network.threshold,
        "learning_rate": method.learning_rate if isinstance(method, GradientDescent) else 1.0,
        "schedule": (method.schedule if isinstance(method, GradientDescent) else Constant()).as_dict(),
        "batch_size": trainer.problem.batch_size,
        "training_data": trainer.problem.data_checksum,
    }


def options_of(settings: dict[str, Any], **others: Any) -> TrainOptions:
    """What a run was asked for, the inverse of `settings_of`; what depended on the data is as it was found.

    Parameters
    ----------
    others : options that settings do not hold, or that replace them
    """
    asked = {option.name: settings[option.name] for option in fields(TrainOptions) if option.name in settings}
    schedule = settings["schedule"]
    asked |= {
        "schedule": schedule["name"],
        "decay_every": schedule.get("every"),
        "decay_gamma": schedule.get("gamma"),
        "categories": tuple(settings["categories"]),
        "fire_rate": None,  # the threshold is known
    }
    if asked["optimizer"] == GAUSS_NEWTON:
        asked |= OF_GRADIENT_DESCENT
    return TrainOptions(**asked | others)


def headline(dataset: Dataset, trainer: Trainer) -> str:
    network = trainer.network
    return (
        f"{dataset.name}: {len(trainer.problem):,} samples, {network.n_features} features (one constant), "
        f"{network.n_outputs} outputs\n"
        f"width {network.width:,}, threshold {network.threshold:.3f}, {trainer.stepper.description}, "
        f"{fewfire.threads()} threads, {machine.instruction_set()}\n"
    )


def _save(
    folder: RunFolder, model: Model, trainer: Trainer, settings: dict[str, Any], **outcome: object
) -> None:
    if "interrupted" in outcome and trainer.history:
        folder.save_checkpoint(trainer.state())
    folder.save_model(model, settings | outcome)
    folder.save_history(trainer.history)
    if trainer.history and find_spec("matplotlib") is not None:
        from fewfire.report.pictures.history import draw_history

        title = f"{Path(settings['data']).name}: width {settings['width']:,}, {settings['index']} index"
        draw_history(trainer.history, folder.picture, title)


def _figures(trainer: Trainer, build_seconds: float, training_seconds: float) -> dict[str, Any]:
    history, index, work = trainer.history, trainer.index, trainer.index.work
    has_table = isinstance(index, DriftIndex)
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
        "index_bytes": index.nbytes,
        "table_bits": index.table_bits if has_table else None,
        "tabled_share": index.tabled_share if has_table else None,
        "chosen_index": index.name,
        "index_reason": None if trainer.choice is None else str(trainer.choice),
        "oracle_queries": work.oracle_queries or None,
    }


def _test_scores(model: Model, dataset: Dataset) -> dict[str, float | None]:
    """Accuracy; or its place left empty, and precisions."""
    found = scores(model.labels(dataset.test_inputs), dataset.test_labels)
    accuracy = found.pop("accuracy", None)
    return {"test_accuracy": accuracy} | {name.replace(" ", "_"): score for name, score in found.items()}


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

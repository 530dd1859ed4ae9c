"""A whole run: train, save, checkpoint, test, compare; and how an interrupted one is resumed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.work import Work
from fewfire.data import Dataset
from fewfire.diagnose.exactness import check_exactness
from fewfire.diagnose.regime import Start
from fewfire.errors import DataError, FewfireError, MemoryLimitError, TrainingError
from fewfire.indexes import DriftIndex
from fewfire.indexes.approximate import approximate_text
from fewfire.prepare.link import Link
from fewfire.prepare.model import Model, sides
from fewfire.prepare.scores import baseline_accuracy, confusion, scores
from fewfire.prepare.targets import TargetScaling
from fewfire.runs.aside import aside
from fewfire.runs.folder import Run, RunFolder
from fewfire.runs.observer import RunObserver
from fewfire.runs.options import AS_ESTIMATOR, TrainOptions
from fewfire.runs.prepare import Prepared, load, prepare
from fewfire.runs.result import PRECISIONS, Result
from fewfire.runs.settings import Settings
from fewfire.runs.tables import prepare_as_estimator, resolved
from fewfire.runs.tensorboard import tensorboard_log
from fewfire.system.files import OutputFolder
from fewfire.system.memory import peak_bytes
from fewfire.system.signals import uninterrupted
from fewfire.system.words import why
from fewfire.training import EpochRecord, Observer, Observers, Trainer, train_epochs
from fewfire.training.accounts import work_figures


def train_run(options: TrainOptions, observer: RunObserver | None = None) -> Run:
    """Read data, train a network, test it, and leave a run folder.

    Parameters
    ----------
    options : TrainOptions
    observer : RunObserver, optional
        Called while the run goes on.

    Returns
    -------
    Run
        Settings, history and result, as the folder holds them.

    Raises
    ------
    DataError
        The data cannot be used, or the folder holds another run or cannot be written to.
    ExactnessError
        The index did not find what exhaustive search finds.
    KeyboardInterrupt
        The run was interrupted (Ctrl-C). It was saved, and can be resumed.
    MemoryLimitError
        The memory limit is less than the run needs. No folder is left.
    TrainingError
        The loss or a weight is not finite. The weights of the last whole epoch were saved.
    ValueError
        The options contradict each other or the data.

    Examples
    --------
    >>> run = train_run(TrainOptions(data="digits", width=4096, epochs=3))  # doctest: +SKIP
    >>> run.result.test_accuracy  # doctest: +SKIP
    0.97
    """
    start, observer = perf_counter(), observer or RunObserver()
    dataset = load(options)
    folder = RunFolder(options.out or default_folder(dataset.name))
    folder.require_free()
    options = resolved(options, dataset)
    prepared = _prepared(options, dataset, observer)
    folder.create()
    with folder.held():
        try:
            folder.save_settings(prepared.settings)
            return _carry_out(prepared, Start.of(prepared.trainer), options, folder, observer, start)
        except (Exception, KeyboardInterrupt):
            if not prepared.trainer.history:
                folder.take_back()
            raise


def resume_run(path: Path, *, threads: int | None = None, observer: RunObserver | None = None) -> Run:
    """Resume a run that was interrupted or killed from its last checkpoint, and train it to its end.

    It ends with the weights of a run without a break, bit for bit. A run that is finished stays as it is.

    Parameters
    ----------
    path : Path
        The run folder.
    threads : int, optional
        By default as many as the run began with.
    observer : RunObserver, optional
        Called while the run goes on.

    Raises
    ------
    DataError
        The folder holds no run, or one that failed; the data are others than when it began; all checkpoints
        are damaged; or another process trains the run.

    And what `train_run` raises.
    """
    start, observer = perf_counter(), observer or RunObserver()
    folder = RunFolder(path)
    settings = _resumable(folder)
    options = settings.to_resume if threads is None else replace(settings.to_resume, threads=threads)
    with folder.held():
        if folder.finished:
            run = folder.load_run()
            folder.remove_checkpoints()
            observer.remarked(f"The run in {path} is finished.")
            return run
        prepared = replace(_prepared(options, load(options), observer), settings=settings)
        if prepared.trainer.problem.data_checksum != settings.training_data:
            raise DataError(
                f"a run must go on with the data that it began with. Got others in {options.data}, as their "
                "checksum shows. Bring back the file as it was, or train anew."
            )
        first = Start.of(prepared.trainer)
        state = folder.newest_checkpoint(observer.remarked)
        if state is None:
            observer.remarked("No checkpoint was written yet: from the beginning.\n")
        else:
            prepared.trainer.restore(state)
            observer.remarked(f"From {state.origin}, after {state.epochs} epochs.\n")
        return _carry_out(prepared, first, options, folder, observer, start)


def default_folder(name: str) -> Path:
    """Where a run goes that was not given a folder: named by its data and the time."""
    return Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def _prepared(options: TrainOptions, dataset: Dataset, observer: RunObserver) -> Prepared:
    """A run that may begin, by the optimizer that the options name."""
    if options.optimizer == AS_ESTIMATOR:
        return prepare_as_estimator(options, dataset, observer.remarked)
    return prepare(options, dataset)


def train_and_save(
    prepared: Prepared,
    folder: OutputFolder,
    save: Callable[..., None],
    observer: RunObserver,
    *others: Observer,
) -> tuple[float, float]:
    """Train each network and save: also where training fails or is interrupted.

    Parameters
    ----------
    prepared : Prepared
    folder : OutputFolder
    save : callable
        Saves what there is; called with `failed="why"` or `interrupted=True` where it was so.
    observer, others
        Called while training goes on; the others first, and for the first network alone.

    Returns
    -------
    (build_seconds, training_seconds)

    Raises
    ------
    KeyboardInterrupt, MemoryLimitError, TrainingError
        See `train_epochs`.
    """
    watch, trainer = _StopWatch(), prepared.trainer
    try:
        with prepared.surroundings():
            jobs = zip(prepared.trainers, prepared.watches, strict=True)
            for number, (trainer, until) in enumerate(jobs, 1):
                if trainer is not prepared.trainer:
                    watch.restarted()
                    observer.went_on(trainer, number, len(prepared.trainers))
                first = others if trainer is prepared.trainer else ()
                observers = Observers(watch, *first, until, observer)
                train_epochs(trainer, prepared.epochs, observers, prepared.measured)
        seconds = watch.build_seconds, watch.seconds - watch.build_seconds
        save()
        return seconds
    except MemoryLimitError as error:
        folder.remove_if_empty()
        raise MemoryLimitError(
            f"--memory-limit must leave the index enough beside data and network: {error}"
        ) from error
    except TrainingError as error:
        save(failed=str(error))
        raise TrainingError(f"{error} Saved in {folder.path}") from error
    except KeyboardInterrupt:
        with uninterrupted():
            save(interrupted=True)
        observer.interrupted(len(trainer.history), folder.path, folder.how_to_go_on)
        raise
    except FewfireError:
        raise
    except Exception:
        folder.remove_if_empty()
        if trainer.history:
            observer.warned(f"training broke off after {len(trainer.history)} epochs{folder.how_to_go_on}.")
        raise


class _StopWatch(Observer):
    """How long builds took, and how long it is since the first began."""

    def __init__(self) -> None:
        self._first = self._begin = perf_counter()
        self.build_seconds = 0.0

    @property
    def seconds(self) -> float:
        return perf_counter() - self._first

    def restarted(self) -> None:
        """Another build begins."""
        self._begin = perf_counter()

    def started(self, trainer: Trainer) -> None:
        self.build_seconds += perf_counter() - self._begin


class CheckpointWriter(Observer):
    """Writes a checkpoint into a run folder after every few epochs; with 0, after none."""

    def __init__(self, folder: RunFolder, every: int) -> None:
        self.folder, self.every = folder, every

    def epoch_done(self, record: EpochRecord, trainer: Trainer) -> None:
        if self.every and record.epoch % self.every == 0:
            with self.folder.saving():
                self.folder.save_checkpoint(trainer.state())


def _carry_out(
    prepared: Prepared,
    first: Start,
    options: TrainOptions,
    folder: RunFolder,
    observer: RunObserver,
    start: float,
) -> Run:
    """Train on from where the trainer is, save, test and compare."""
    trainer, settings = prepared.trainer, prepared.settings
    before = sum(record.seconds for record in trainer.history)  # of a run that goes on
    observer.prepared(prepared)
    if not trainer.index.is_exact:
        observer.warned(approximate_text(trainer.index))

    test = _Test(prepared)

    def save(**outcome: Any) -> None:
        ended = replace(settings, **outcome)
        with folder.saving():
            if ended.interrupted and trainer.history and options.optimizer != AS_ESTIMATOR:
                folder.save_checkpoint(trainer.state())
            folder.save_model(test.model, ended)
            folder.save_history(trainer.history)
        observer.saved(folder.path, ended, trainer.history)

    checkpoints = CheckpointWriter(folder, options.checkpoint_every)
    log_folder = options.tensorboard and options.tensorboard / folder.path.resolve().name
    with tensorboard_log(log_folder, observer.warned) as log:
        build_seconds, seconds = train_and_save(prepared, folder, save, observer, log, checkpoints)
    if trainer.choice is not None:
        build_seconds += trainer.choice.probe_seconds
    if trainer.best_rate is not None:
        build_seconds += trainer.best_rate.seconds
    result = _result(prepared, first, test, build_seconds, seconds + before, start - before)
    run = Run(folder.path, settings, trainer.history, result)
    with folder.saving():
        folder.save_result(run)
    with aside(
        "checkpoints are left", f"The model and the result are saved in {folder.path}.", observer.warned
    ):
        folder.remove_checkpoints()
    observer.tested(run)
    if result.exactness is not None:
        result.exactness.require_equal(result.chosen_index)
    if options.compare_dense:  # moves the network on: after all else
        run = replace(run, result=_comparison(trainer, result, options.compare_dense, observer))
        folder.save_result(run)
        observer.compared(run)
    return run


class _Test:
    """What the trained model says of the test part, computed once, and the model that has learned from it how
    sure it may be."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared

    @cached_property
    def _outputs_and_seconds(self) -> tuple[NDArray, float]:
        begin = perf_counter()
        outputs = self._prepared.model.outputs(self._prepared.dataset.test_rows)
        return outputs, perf_counter() - begin

    @property
    def outputs(self) -> NDArray:
        return self._outputs_and_seconds[0]

    @property
    def seconds(self) -> float:
        return self._outputs_and_seconds[1]

    @cached_property
    def model(self) -> Model:
        """The trained model; where its link is not known, with the one that suits the test part."""
        model, targets = self._prepared.model, self._prepared.model.targets
        if (
            isinstance(targets, TargetScaling)
            or model.link is not None
            or not np.isfinite(self.outputs).all()
        ):
            return model
        labels = self._prepared.dataset.test_labels
        codes = labels.ravel().astype(np.int64) if targets.several else targets.encode(labels)
        link = Link.fit(sides(self.outputs, model.boundary, several=targets.several), codes)
        return replace(model, link=link)


def _result(
    prepared: Prepared,
    first: Start,
    test: _Test,
    build_seconds: float,
    training_seconds: float,
    begin: float,
) -> Result:
    """The figures of a run that began at this time; the work is counted before exactness is checked."""
    trainer, dataset = prepared.trainer, prepared.dataset
    index = trainer.index
    by_layer = zip(*(one.stepper.works for one in prepared.trainers), strict=True)
    works = [sum(of_layer, Work()) for of_layer in by_layer]
    shares = work_figures(works, [layer.n_features for layer in trainer.network.layers])
    steps = sum(record.steps for one in prepared.trainers for record in one.history)
    predicted = prepared.model.labels_of(test.outputs)
    found: dict[str, Any] = scores(predicted, dataset.test_labels)
    has_table = isinstance(index, DriftIndex)
    return Result(
        train_loss=_mean_loss(prepared.trainers if prepared.model.division else (trainer,)),
        **_fitted(prepared),
        fire_rate=shares["fire_rate"],
        work_share=shares["work_share"],
        refreshes=works[0].refreshed,
        steps=steps,
        seconds_per_step=training_seconds / steps,
        build_seconds=build_seconds,
        training_seconds=training_seconds,
        index_bytes=sum(one.index.nbytes for one in prepared.trainers),
        table_bits=index.table_bits if has_table else None,
        tabled_share=index.tabled_share if has_table else None,
        chosen_index=index.name,
        index_reason=None if trainer.choice is None else str(trainer.choice),
        oracle_queries=works[0].oracle_queries or None,
        test_accuracy=found.get("accuracy"),
        baseline_accuracy=baseline_accuracy(dataset.labels, dataset.test_labels),
        confusion=confusion(prepared.model.targets, predicted, dataset.test_labels),
        test_r2=found.get("R2"),
        test_rmse=found.get("RMSE"),
        **{name: found.get(name.replace("_", " ")) for name in PRECISIONS},
        robust_accuracy=getattr(trainer.history[-1], "robust_accuracy", None),
        test_seconds=test.seconds,
        peak_memory_bytes=peak_bytes(),
        exactness=check_exactness(trainer),
        regime=first.regime(trainer.network),
        total_seconds=perf_counter() - begin,
    )


def _mean_loss(trainers: Sequence[Trainer]) -> float:
    """The mean loss of the samples at the end, each in its own network's training."""
    counts = [len(trainer.problem) for trainer in trainers]
    return float(np.average([trainer.history[-1].loss for trainer in trainers], weights=counts))


def _fitted(prepared: Prepared) -> dict[str, Any]:
    """Scores of the training part: as the first network counted them, or of all parts together."""
    if prepared.model.division is None:
        last = prepared.trainer.history[-1]
        return {"train_accuracy": last.accuracy, "train_r2": last.r2, "train_rmse": last.rmse}
    found = scores(prepared.model.labels(prepared.dataset.rows), prepared.dataset.labels)
    return {
        "train_accuracy": found.get("accuracy"),
        "train_r2": found.get("R2"),
        "train_rmse": found.get("RMSE"),
    }


def _comparison(trainer: Trainer, result: Result, steps: int, observer: RunObserver) -> Result:
    """The result with figures of further steps taken in turn with dense PyTorch; the saved model does not see
    them."""
    from fewfire.torch import compare_dense

    compared = compare_dense(trainer, steps, observer.comparing)
    figures: dict[str, Any] = compared.as_dict()
    run_seconds = result.build_seconds + result.training_seconds
    rounded = compared.bfloat16_seconds_per_step
    return replace(
        result,
        whole_run_speedup=compared.dense_seconds_per_step * result.steps / run_seconds,
        bfloat16_whole_run_speedup=None if rounded is None else rounded * result.steps / run_seconds,
        **figures,
    )


def _resumable(folder: RunFolder) -> Settings:
    """The settings of a run as it began."""
    try:
        settings = folder.load_settings()
    except (OSError, ValueError) as error:
        raise DataError(
            f"a run that goes on must be one that `fewfire train` began. Got {folder.path}: {why(error)}. "
            "Give the folder named by its --out."
        ) from error
    if settings.failed is not None:
        raise DataError(
            f"this run failed and would fail again: {settings.failed} Got {folder.path}. Train anew, with "
            "other settings."
        )
    return settings.begun()

"""The loop over epochs: the one place that decides when training stops."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from fewfire.training.observer import Observer
from fewfire.training.trainer import Trainer


def train_epochs(
    trainer: Trainer,
    epochs: int,
    observer: Observer | None = None,
    held_out: Callable[[], Mapping[str, float | None]] | None = None,
) -> None:
    """Build the index of a trainer and train until its history has so many epochs, or nothing is left to do.

    Training stops before that where the trainer is finished or the observer says so.

    Parameters
    ----------
    trainer : Trainer
        Resumes from where it is.
    epochs : int
        Epochs of the whole history, those before a break included.
    observer : Observer, optional
        Called while the index is built, after each step and after each epoch.
    held_out : callable, optional
        Called after each epoch; what it gives are further fields of its record.

    Raises
    ------
    KeyboardInterrupt
        Training was interrupted (Ctrl-C). The weights of the network are settled: as they were at the last
        step.
    MemoryLimitError
        The index needs more than its memory limit.
    TrainingError
        The loss or a weight is not finite. The network holds the weights of the last whole epoch.
    """
    observer = observer or Observer()
    try:
        trainer.build(observer.built)
        observer.started(trainer)
        while len(trainer.history) < epochs and not trainer.finished:
            record = trainer.epoch(observer.stepped)
            if held_out is not None:
                record = trainer.history[-1] = replace(record, **held_out())  # type: ignore[arg-type]
            if observer.epoch_done(record, trainer):
                break
    except KeyboardInterrupt:
        trainer.settle()
        raise

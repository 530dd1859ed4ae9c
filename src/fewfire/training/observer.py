"""Who watches training: displays, logs, checkpoint writers and studies listen, and training never prints."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fewfire.training.history import EpochRecord

if TYPE_CHECKING:
    from fewfire.training.trainer import Trainer


class Observer:
    """What is called while a trainer is at work; this one does nothing.

    Examples
    --------
    >>> class Losses(Observer):
    ...     def epoch_done(self, record, trainer):
    ...         print(f"{record.loss:.3g}")
    """

    def built(self, share: float) -> None:
        """Called while the index is built, with the share of the build that is done."""

    def started(self, trainer: "Trainer") -> None:
        """Called once the index is built, before the first epoch."""

    def stepped(self, done: int, steps: int) -> None:
        """Called after each step, with the steps done in this epoch and the steps that an epoch has."""

    def epoch_done(self, record: EpochRecord, trainer: "Trainer") -> bool | None:
        """Called after each epoch; training stops where this returns True."""


class Observers(Observer):
    """Several observers, called in turn; training stops where any of them says so."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def built(self, share: float) -> None:
        for observer in self.observers:
            observer.built(share)

    def started(self, trainer: "Trainer") -> None:
        for observer in self.observers:
            observer.started(trainer)

    def stepped(self, done: int, steps: int) -> None:
        for observer in self.observers:
            observer.stepped(done, steps)

    def epoch_done(self, record: EpochRecord, trainer: "Trainer") -> bool:
        return any([observer.epoch_done(record, trainer) for observer in self.observers])


class AfterEpoch(Observer):
    """Calls a function `on_epoch(record, trainer)` after each epoch; training stops where it returns True."""

    def __init__(self, on_epoch: "Callable[[EpochRecord, Trainer], bool | None]") -> None:
        self.on_epoch = on_epoch

    def epoch_done(self, record: EpochRecord, trainer: "Trainer") -> bool | None:
        return self.on_epoch(record, trainer)

"""When an estimator's training stops: once the loss, or the error on held-out samples, improves no more."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from fewfire.system.deadline import NEVER, Deadline
from fewfire.training import EpochRecord, GaussNewtonRecord, Observer, Trainer


class UntilNothingImproves(Observer):
    """Stops training, and remembers the weights that fitted held-out samples best.

    Parameters
    ----------
    tol : float
        Share by which the loss must decrease to count as better, and by which a Gauss-Newton step must lower
        the objective for another to follow.
    patience : int
        Epochs without a better one that end training.
    held_error : callable, optional
        The error on held-out samples, which counts in place of the loss.
    deadline : Deadline
        No epoch begins that would end after it, if it took as long as the one before.
    say : callable, optional
        Called with a line for each epoch.

    Attributes
    ----------
    best_rows : list of (width, stride), or None
        The weights of each hidden layer with the least error on held-out samples.
    """

    def __init__(
        self,
        *,
        tol: float,
        patience: int,
        held_error: Callable[[], float] | None = None,
        deadline: Deadline = NEVER,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.tol, self.patience, self.held_error, self.say = tol, patience, held_error, say
        self.deadline = deadline
        self.best_rows: list[NDArray] | None = None
        self._best, self._since = np.inf, 0

    def epoch_done(self, record: EpochRecord, trainer: Trainer) -> bool:
        held_error = None if self.held_error is None else self.held_error()
        value = record.loss if held_error is None else held_error
        if self.say is not None:
            self.say(_line(record, held_error))
        self._since = 0 if value < self._best * (1 - self.tol) else self._since + 1
        if held_error is not None and value < self._best:
            self.best_rows = [layer.weight_rows.copy() for layer in trainer.network.layers]
        self._best = min(self._best, value)
        too_late = self.deadline.left < record.seconds
        return too_late or self._since >= self.patience or self._has_converged(record, len(trainer.problem))

    def _has_converged(self, record: EpochRecord, n_samples: int) -> bool:
        """Whether a pass of Gauss-Newton steps lowered the objective by less than a share of `tol`."""
        if not isinstance(record, GaussNewtonRecord):
            return False
        return record.actual <= self.tol * (n_samples * record.loss + record.actual)


def _line(record: EpochRecord, held_error: float | None) -> str:
    parts = [f"epoch {record.epoch}: loss {record.loss:.3g}"]
    if held_error is not None:
        parts.append(f"error of samples held out {held_error:.3g}")
    parts.append(f"{record.fire_rate:.1%} fired, {record.seconds:.1f} s")
    return ", ".join(parts)


def held_out(classes: NDArray, fraction: float, seed: int) -> tuple[NDArray, NDArray]:
    """Samples to train on and to hold out: each class (n,) in its share, where none has a single sample.

    Raises
    ------
    ValueError
        There are too few samples for a share of each class in both parts.
    """
    sizes = np.unique(classes, return_counts=True)[1]
    try:
        ids, held_ids = train_test_split(
            np.arange(len(classes)), test_size=fraction,
            stratify=classes if len(sizes) > 1 and sizes.min() > 1 else None, random_state=seed,
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(
            "early_stopping must leave a sample of each class to train on and one to hold out. Got "
            f"{len(classes)} samples (classes: {len(sizes)}) with validation_fraction={fraction}. Change "
            "validation_fraction, or set early_stopping=False."
        ) from error
    return np.asarray(ids), np.asarray(held_ids)

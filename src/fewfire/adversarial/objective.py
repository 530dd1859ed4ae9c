"""What an attack drives up: the training loss, or a margin of the outputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.networks.losses import Loss

Floats = NDArray[np.float64]
NAMES = ("loss", "margin", "dlr")


@dataclass(frozen=True, eq=False)
class Objective:
    """Values and derivatives of what is driven up, for some samples.

    Attributes
    ----------
    name : "loss", "margin" or "dlr"
        The training loss; the largest output of another class minus that of the label; or that, divided by
        the distance of the first to the third largest output (Croce, Hein, ICML 2020, arXiv 2003.01690).
    loss : Loss
    targets : (n, c)
        One-hot, or real values.
    aims : (n,) int, optional
        Classes to be reached in place of any but the label's.

    Raises
    ------
    ValueError
        There are too few outputs: "margin" compares two, and "dlr" three.
    """

    name: str
    loss: Loss
    targets: NDArray
    aims: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        needed = {"loss": 1, "margin": 2, "dlr": 3}[self.name]
        if self.targets.shape[1] < needed:
            raise ValueError(
                f"the objective {self.name} needs {needed} outputs at least. Got {self.targets.shape[1]}. "
                "Use 'loss', or 'margin' with two outputs."
            )

    def part(self, ids: NDArray) -> "Objective":
        """The same of some samples."""
        aims = None if self.aims is None else self.aims[ids]
        return Objective(self.name, self.loss, self.targets[ids], aims)

    def values(self, outputs: NDArray) -> Floats:
        """(n,)"""
        outputs = np.asarray(outputs, np.float64)
        if self.name == "loss":
            sign, targets = self._of_loss
            return sign * self.loss.values(outputs, targets)
        margins = np.sum(self._directions(outputs) * outputs, axis=1)
        return margins if self.name == "margin" else margins / _spread(outputs)

    def directions(self, outputs: NDArray) -> Floats:
        """The derivative by the outputs (n, c), each row divided by its largest size: only directions count.

        So the residuals of the softmax loss, which vanish where it is sure, keep their meaning.
        """
        outputs = np.asarray(outputs, np.float64)
        if self.name == "loss":
            sign, targets = self._of_loss
            residuals = sign * self.loss.residuals(outputs, targets)
            if self.loss.name == "softmax":  # p - 1 rounds to 0 before the others do
                label = targets.argmax(axis=1)[:, None]
                np.put_along_axis(residuals, label, 0.0, axis=1)
                np.put_along_axis(residuals, label, -residuals.sum(axis=1, keepdims=True), axis=1)
        else:
            residuals = self._directions(outputs)
            if self.name == "dlr":  # the derivative of a ratio
                residuals = _spread(outputs)[:, None] * residuals
                residuals -= np.sum(self._directions(outputs) * outputs, axis=1)[:, None] * _widest(outputs)
        largest = np.abs(residuals).max(axis=1, keepdims=True)
        return residuals / np.where(largest > 0, largest, 1.0)

    @property
    def _of_loss(self) -> tuple[float, NDArray]:
        """The sign of the loss, and the targets in it."""
        if self.aims is None:
            return 1.0, self.targets
        return -1.0, np.eye(self.targets.shape[1])[self.aims]

    def _directions(self, outputs: Floats) -> Floats:
        """1 for the output that is to rise, -1 for the one that is to fall."""
        rows, label = np.arange(len(outputs)), self.targets.argmax(axis=1)
        fixed = label if self.aims is None else self.aims
        others = outputs.copy()
        others[rows, fixed] = -np.inf
        best = others.argmax(axis=1)
        rising, falling = (best, fixed) if self.aims is None else (fixed, best)
        directions = np.zeros_like(outputs)
        directions[rows, rising] = 1.0
        directions[rows, falling] -= 1.0
        return directions


def _spread(outputs: Floats) -> Floats:
    """The largest minus the third largest output."""
    return np.maximum(np.sum(_widest(outputs) * outputs, axis=1), np.finfo(float).tiny)


def _widest(outputs: Floats) -> Floats:
    """1 for the largest output, -1 for the third largest; of two outputs, for the second."""
    ranks, rows = np.argsort(-outputs, axis=1), np.arange(len(outputs))
    directions = np.zeros_like(outputs)
    directions[rows, ranks[:, 0]] = 1.0
    directions[rows, ranks[:, min(2, outputs.shape[1] - 1)]] = -1.0
    return directions

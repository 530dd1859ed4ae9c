"""Losses: the value of each sample, and the residual, its derivative by the outputs.

Targets are (n, c) arrays: real values, or one-hot (one column of 0 and 1 for a single logistic output).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire.system.words import require_one_of

LEAST_PROBABILITY = 1e-12  # a smaller one has no curvature to divide by


@dataclass(frozen=True)
class Curvature:
    """The second derivative of each sample's loss by its outputs, as a product C = L L^T.

    L = diag(scales) (I - q q^T), with a unit vector q for each sample, or none (0).

    Attributes
    ----------
    scales : (n, c) float64, >= 0
    directions : (n, c) float64
        q.
    whitened : (n, c) float64
        The residuals are L times these.
    """

    scales: NDArray[np.float64]
    directions: NDArray[np.float64]
    whitened: NDArray[np.float64]

    def weighted(self, weights: NDArray[np.float64]) -> "Curvature":
        """The curvature of the losses times these weights (n,)."""
        roots = np.sqrt(weights)[:, None]
        return Curvature(roots * self.scales, self.directions, roots * self.whitened)

    def factor(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """L v for each sample, (n, c)."""
        return self.scales * self._across(values)

    def transposed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """L^T v for each sample, (n, c)."""
        return self._across(self.scales * values)

    def _across(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        along = np.sum(self.directions * values, axis=1, keepdims=True)
        return values - along * self.directions


class Loss(ABC):
    """A loss of the outputs f (n, c) and the targets y (n, c), sample by sample.

    Attributes
    ----------
    name : str
    curvature : float
        Upper bound on the second derivative in any direction of the outputs; sets the largest stable
        learning rate.
    """

    name: ClassVar[str]
    curvature: ClassVar[float]

    @abstractmethod
    def values(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Loss of each sample, (n,)."""

    @abstractmethod
    def residuals(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Derivative of each sample's loss by its outputs, (n, c)."""

    @abstractmethod
    def second(self, outputs: NDArray[np.float64], targets: NDArray) -> Curvature:
        """Second derivative of each sample's loss by its outputs, and the residuals seen through it."""


class SquaredLoss(Loss):
    """1/2 |f - y|^2."""

    name = "squared"
    curvature = 1.0

    def values(self, outputs: NDArray, targets: NDArray) -> NDArray:
        difference = outputs - targets
        return 0.5 * (difference * difference).sum(axis=1)

    def residuals(self, outputs: NDArray, targets: NDArray) -> NDArray:
        return outputs - targets

    def second(self, outputs: NDArray[np.float64], targets: NDArray) -> Curvature:
        return Curvature(np.ones_like(outputs), np.zeros_like(outputs), outputs - targets)


class SoftmaxLoss(Loss):
    """Cross-entropy after a softmax: log sum_k exp f_k - <y, f> for one-hot y."""

    name = "softmax"
    curvature = 0.5

    def values(self, outputs: NDArray, targets: NDArray) -> NDArray:
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        return np.log(np.exp(shifted).sum(axis=1)) - (targets * shifted).sum(axis=1)

    def residuals(self, outputs: NDArray, targets: NDArray) -> NDArray:
        weights = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True) - targets

    def second(self, outputs: NDArray[np.float64], targets: NDArray) -> Curvature:
        residuals = self.residuals(outputs, targets)  # p - y, which sums to 0: so it lies across q
        roots = np.sqrt(np.maximum(residuals + targets, LEAST_PROBABILITY))
        directions = roots / np.linalg.norm(roots, axis=1, keepdims=True)
        return Curvature(roots, directions, residuals / roots)


class LogisticLoss(Loss):
    """Cross-entropy after a sigmoid, summed over the outputs: log(1 + exp f) - y f."""

    name = "logistic"
    curvature = 0.25

    def values(self, outputs: NDArray, targets: NDArray) -> NDArray:
        return (np.logaddexp(0, outputs) - targets * outputs).sum(axis=1)

    def residuals(self, outputs: NDArray, targets: NDArray) -> NDArray:
        return 0.5 * (1 + np.tanh(0.5 * outputs)) - targets

    def second(self, outputs: NDArray[np.float64], targets: NDArray) -> Curvature:
        residuals = self.residuals(outputs, targets)  # p - y
        p = np.clip(residuals + targets, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        roots = np.sqrt(p * (1 - p))
        return Curvature(roots, np.zeros_like(roots), residuals / roots)


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (SquaredLoss(), SoftmaxLoss(), LogisticLoss())}


def loss_named(name: str) -> Loss:
    """The loss of this name: squared, softmax or logistic.

    Raises
    ------
    ValueError
        No loss has this name.
    """
    require_one_of(name, LOSSES, "the loss")
    return LOSSES[name]


def predicted_classes(outputs: NDArray) -> NDArray[np.int64]:
    """Class codes from outputs (n, c): the largest output, or its sign where there is only one."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(np.int64)
    return outputs.argmax(axis=1)

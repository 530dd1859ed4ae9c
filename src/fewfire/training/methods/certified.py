"""Certified training: learn the samples, and the worst outputs that are possible near them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.ball import Ball
from fewfire.certify.region import Region
from fewfire.certify.worst import WorstMargins
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import ROWS_AT_A_TIME
from fewfire.networks.descent import Step
from fewfire.networks.losses import SoftmaxLoss
from fewfire.system.machine import one_blas_thread
from fewfire.training.asking import Asking
from fewfire.training.methods.attacked import Adversary, AttackedStepper
from fewfire.training.methods.base import Taken
from fewfire.training.methods.gradient_descent import GradientDescent
from fewfire.training.problem import Problem

LONGER = 1 + 1e-6  # than a length in float64: an upper bound


@dataclass(frozen=True)
class Robust:
    """How much the worst outputs count in certified training.

    Attributes
    ----------
    share : float in (0, 1]
        Of the loss, in the end: (1 - share) of it is that of the samples as they are.
    ramp : (float, float)
        Epochs between which share and radius grow from 0 to what they are in the end.

    Raises
    ------
    ValueError
        A number is out of its range.
    """

    share: float = 0.5
    ramp: tuple[float, float] = (1.0, 4.0)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"the share of worst outputs must be in (0, 1]. Got {self.share}. Use 0.5.")
        begin, end = self.ramp
        if not 0 <= begin <= end < np.inf:
            raise ValueError(
                f"a ramp must begin at an epoch >= 0 and not end before. Got {self.ramp}. Use a quarter and "
                "three quarters of all epochs."
            )

    def risen(self, epochs: float) -> float:
        """What share and radius are after so many epochs, over what they are in the end."""
        begin, end = self.ramp
        return (
            float(np.clip((epochs - begin) / (end - begin), 0, 1)) if end > begin else float(epochs >= begin)
        )


class CertifiedStepper(AttackedStepper):
    """Steps down (1 - share) loss(outputs) + share loss(worst outputs).

    The worst outputs of a sample are 0 for its label, and minus the least margin for each other class. A step
    touches only the neurons that may fire: it is a step of descent, and one that NumPy takes for the worst
    outputs, from the same weights.
    """

    def __init__(
        self, method: GradientDescent, adversary: Adversary, problem: Problem, asking: Asking, robust: Robust
    ) -> None:
        super().__init__(method, adversary, problem, asking)
        if problem.loss.name != SoftmaxLoss.name or problem.classes is None or self.network.n_outputs < 2:
            raise ValueError(
                "certified training must have classes and the softmax loss. Got the loss "
                f"{problem.loss.name!r}, or targets that are no classes. Use loss='softmax'."
            )
        self._robust, self._scaling = robust, adversary.scaling
        self._region: Region | None = None  # of the batch, once worst outputs count
        self._near: FireSet | None = None  # the pairs that may fire in it, and others
        self._gradient: tuple[NDArray, NDArray] | None = None  # neurons, and the derivative by their weights

    @property
    def _risen(self) -> float:
        return self._robust.risen(self.steps_taken / self.problem.steps_per_epoch)

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """The samples as they are and who fires on them; and who may fire near them."""
        batch, fires = self.asking.batch(ids)
        self._region = self._near = self._gradient = None
        if self._risen > 0:
            with self._attacking():
                self._region = self._region_of(ids)
                lowered = self.network.threshold - self._longest_reach(self._region)
                self._near = self._surface.index.pairs_above(batch, lowered)
        return batch, fires

    def _region_of(self, ids: NDArray[np.int64]) -> Region:
        attack = self._attack
        ball = Ball(self._samples[ids], attack.norm, attack.radius, attack.box)
        return Region.of(ball, self._scaling, self.network.dtype, self._risen)

    def _longest_reach(self, region: Region) -> float:
        """How far any pre-activation moves in any of the balls, or more: m d multiply-adds."""
        half, longest = region.half.max(axis=0), 0.0
        for first in range(0, self.network.width, ROWS_AT_A_TIME):
            rows = self.network.layer.weights[first : first + ROWS_AT_A_TIME].astype(np.float64)
            moves = region.by_columns(rows)
            reach = (
                np.abs(moves) @ half
                if region.radius is None
                else region.radius.max() * np.sqrt(np.square(moves) @ half)
            )
            longest = max(longest, float(reach.max()))
        return longest + self.network.threshold * float(region.reach(region.tilt).max())

    def judge(self, outputs: NDArray, ids: NDArray[np.int64]) -> tuple[float, NDArray, NDArray | int]:
        """The loss with its worst outputs, and what the samples as they are add to its derivative."""
        loss, residuals, tally = super().judge(outputs, ids)
        if self._region is None or self._near is None:
            return loss, residuals, tally
        share = self._robust.share * self._risen
        with one_blas_thread():  # small products come in turn
            worst, neurons, gradient = self._worst(self._region, self._near, ids)
        self._gradient = neurons, share * gradient
        return (1 - share) * loss + share * worst, (1 - share) * residuals, tally

    def _worst(
        self, region: Region, near: FireSet, ids: NDArray[np.int64]
    ) -> tuple[float, NDArray[np.int32], NDArray[np.float64]]:
        """The mean loss of the worst outputs, and its derivative by the weights of the neurons that count."""
        network, problem, classes = self.network, self.problem, self.problem.classes
        assert classes is not None
        begins, by_sample, _ = near.by_sample()
        neurons, places = np.unique(by_sample, return_inverse=True)
        rows = network.layer.weights[neurons].astype(np.float64)
        sums = network.scale * network.output_weights[neurons].astype(np.float64)
        gradient, logits = np.zeros_like(rows), np.zeros((len(ids), network.n_outputs))
        for sample, (first, last) in enumerate(zip(begins[:-1], begins[1:], strict=True)):
            here, label = places[first:last], classes[ids[sample]]
            others = np.delete(np.arange(network.n_outputs), label)
            weights = (sums[here, label, None] - sums[here][:, others]).T
            worst = WorstMargins.of(region, sample, rows[here], network.threshold, weights)
            logits[sample, others] = -worst.values
            residuals = problem.residuals(logits[[sample]], ids[[sample]])[0]
            gradient[here] += worst.gradients(-residuals[others])
        return float(problem.losses(logits, ids).mean()), neurons, gradient / len(ids)

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        rate = self.rate_of(self.steps_taken)
        taken = super().step(ids, next_ids)
        if self._gradient is not None:
            self._move(*self._gradient, rate)
        return taken

    def _move(self, neurons: NDArray[np.int32], gradient: NDArray[np.float64], rate: float) -> None:
        """Take the step of the worst outputs, and tell the index."""
        weights, width = self.network.layer.weights, self.network.width
        before = weights[neurons].astype(np.float64)
        weights[neurons] = before - rate * gradient
        lengths = np.zeros(width)
        lengths[neurons] = LONGER * np.linalg.norm(weights[neurons] - before, axis=1)
        nothing = np.empty(0, weights.dtype)
        fires = FireSet(np.zeros(width + 1, np.int64), np.empty(0, np.int32), nothing, len(self.problem))
        self.asking.moved(Step(fires, nothing, lengths, self.problem.inputs))

"""TRADES: learn the samples as they are, and keep attacks from carrying the outputs away from there."""

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.objective import Objective
from fewfire.adversarial.surface import Surface
from fewfire.networks.losses import Loss, SoftmaxLoss, SquaredLoss
from fewfire.training.asking import Asking
from fewfire.training.methods.attacked import Adversary, AttackedStepper
from fewfire.training.methods.gradient_descent import GradientDescent
from fewfire.training.problem import Problem


class TradesStepper(AttackedStepper):
    """Learns from each batch as it is, and from where its outputs can be carried: 2 B samples per step.

    The distance of outputs f and f' is the Kullback-Leibler divergence of their shares with the softmax loss,
    and half of |f - f'|^2 with any other.
    """

    def __init__(
        self, method: GradientDescent, adversary: Adversary, problem: Problem, asking: Asking, beta: float
    ) -> None:
        super().__init__(method, adversary, problem, asking)
        self._beta = beta

    def _objective(self, near: Surface, samples: NDArray, ids: NDArray[np.int64]) -> Objective:
        """The distance from the outputs at the samples, which are exact: all that fire there are near."""
        loss, outputs = self._distance, near.at(samples).outputs
        aim = np.exp(_log_shares(outputs)) if loss.name == SoftmaxLoss.name else outputs
        return Objective("loss", loss, aim)

    def _learned(self, samples: NDArray, points: NDArray) -> NDArray:
        return np.concatenate([samples, points])

    def judge(self, outputs: NDArray, ids: NDArray[np.int64]) -> tuple[float, NDArray, NDArray | int]:
        """The loss of both halves; residuals count double, because a step divides by 2 B."""
        clean, moved = np.split(np.asarray(outputs, np.float64), 2)
        loss, residuals, tally = super().judge(outputs[: len(ids)], ids)
        weight = self.problem.sample_weight
        by_clean, by_moved, distances = distance(clean, moved, self._distance.name)
        scale = np.full(len(ids), self._beta) if weight is None else self._beta * weight[ids]
        both = np.concatenate([residuals + scale[:, None] * by_clean, scale[:, None] * by_moved])
        return loss + float((scale * distances).mean()), 2 * both, tally

    @property
    def _distance(self) -> Loss:
        """The loss whose residual is the derivative of the distance by the attacked outputs."""
        return self.problem.loss if self.problem.loss.name == SoftmaxLoss.name else SquaredLoss()


def _log_shares(outputs: NDArray) -> NDArray[np.float64]:
    """The logarithm of softmax."""
    below = outputs - outputs.max(axis=1, keepdims=True)
    return below - np.log(np.exp(below, dtype=np.float64).sum(axis=1, keepdims=True))


def distance(clean: NDArray, moved: NDArray, loss: str) -> tuple[NDArray, NDArray, NDArray]:
    """Derivatives of the distances by both outputs (n, c), and the distances (n,)."""
    if loss != SoftmaxLoss.name:
        apart = clean - moved
        return apart, -apart, 0.5 * np.square(apart).sum(axis=1)
    log_p, log_q = _log_shares(clean), _log_shares(moved)
    p, logs = np.exp(log_p), log_p - log_q
    distances = (p * logs).sum(axis=1)
    return p * (logs - distances[:, None]), np.exp(log_q) - p, distances

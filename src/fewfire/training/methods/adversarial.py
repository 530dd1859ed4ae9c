"""Gradient descent on attacked samples: a batch is moved against the network, which then learns from it."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.attack import Attack
from fewfire.adversarial.ball import as_floats
from fewfire.adversarial.objective import Objective
from fewfire.adversarial.surface import Surface
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.networks.losses import Loss, SoftmaxLoss, SquaredLoss
from fewfire.prepare.scaling import InputScaling
from fewfire.system.tensors import sha256
from fewfire.training.asking import Asking
from fewfire.training.methods.gradient_descent import DescentStepper, GradientDescent
from fewfire.training.problem import Problem


@dataclass(frozen=True, kw_only=True, eq=False)
class Adversarial(GradientDescent):
    """Adversarial training: steps down the gradient at points that an attack has found.

    Parameters
    ----------
    attack : Attack
        Of one run; its restarts are for evaluation.
    samples : (n, p) float array, optional
        The training samples in the user's units, in which radius and box are given; by default the network's
        inputs themselves.
    scaling : InputScaling, optional
        The way from those units to the network's inputs.
    trades : float > 0, optional
        With it TRADES: the loss of the samples as they are, and so many times how far an attack can carry the
        outputs from what they are there. Without, the loss at the attacked samples alone.

    And the settings of `GradientDescent`.

    Raises
    ------
    ValueError
        Samples are given without their scaling, or the other way round; or the learning rate is "measured",
        which tries rates on samples that are not attacked.

    Notes
    -----
    All inputs are new, so the index must be an open one ("screened" or "exhaustive"). Cost of a step: `steps`
    fire sets and gradients by the inputs, then a fire set and a step of descent.

    Random starts come from the seed and the number of the step: a run that goes on after a break has the bits
    of one without.

    Sources: Madry et al., arXiv 1706.06083; Zhang et al., arXiv 1901.08573 (TRADES); Gao, Qin, Song, Wang,
    arXiv 2208.05395, where the adversary may be any and its cost is left out.
    """

    name: ClassVar[str] = "adversarial"
    attack: Attack = field(default_factory=Attack)
    samples: NDArray | None = None
    scaling: InputScaling | None = None
    trades: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trades is not None and not (np.isfinite(self.trades) and self.trades >= 0):
            raise ValueError(f"trades must be a finite number >= 0. Got {self.trades}. Use 6 for a start.")
        if self.trades is not None and not (self.attack.random_start and self.attack.objective == "loss"):
            raise ValueError(
                "TRADES must have an attack with a random start and the objective 'loss': at the sample its "
                f"distance has no gradient. Got random_start={self.attack.random_start} and "
                f"{self.attack.objective!r}. Leave both out."
            )
        if self.learning_rate == "measured":
            raise ValueError(
                "the learning rate of adversarial training must be a number or 'auto'. Got 'measured', which "
                "tries rates without an attack. Use 'auto'."
            )
        if (self.samples is None) != (self.scaling is None):
            raise ValueError(
                "samples in the user's units and their scaling must be given together. Got one without the "
                "other. Give both, or neither to attack the network's own inputs."
            )

    @property
    def terms(self) -> dict[str, Any]:
        attack = self.attack
        own = {
            "attack": f"{attack.norm}, {attack.steps} steps, {attack.objective}",
            "radius": np.asarray(attack.radius).tolist(),
            "step_size": attack.size.tolist(),
            "random_start": attack.random_start,
            "box": [
                None if part is None else np.asarray(part).tolist() for part in vars(attack.box).values()
            ],
            "trades": self.trades,
        }
        data = None if self.samples is None else sha256(np.ascontiguousarray(self.samples).data)[:16]
        return super().terms | own | {"attacked_samples": data}

    def stepper(self, problem: Problem, asking: Asking) -> "AdversarialStepper":
        kind = AdversarialStepper if self.trades is None else TradesStepper
        return kind(self, problem, asking)


class AdversarialStepper(DescentStepper):
    """Attacks each batch before it learns from it."""

    method: Adversarial

    def __init__(self, method: Adversarial, problem: Problem, asking: Asking) -> None:
        super().__init__(method, problem, asking)
        self._surface = Surface(problem.network, method.scaling, asking.index)
        self._samples = as_floats(problem.inputs.samples if method.samples is None else method.samples)
        if len(self._samples) != len(problem):
            raise ValueError(
                f"the samples to attack must be those of training, {len(problem)} of them. Got "
                f"{len(self._samples)}. Give the rows that the inputs were made of."
            )

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """The points that the attack leads these samples to, and who fires there."""
        objective = Objective(self.method.attack.objective, self.problem.loss, self.problem.targets[ids])
        batch = self._surface.inputs_at(self._attacked(ids, objective))
        return batch, self.asking.fire_set(batch)

    def _attacked(self, ids: NDArray[np.int64], objective: Objective) -> NDArray:
        """The points that the attack leads these samples to."""
        self.asking.freshen()
        random = np.random.default_rng([self.problem.seed, self.steps_taken])
        return self.method.attack.points(self._surface, self._samples[ids], objective, random)

    def ahead(self, next_ids: NDArray[np.int64] | None) -> None:
        """None: where the next samples will be led to depends on this step."""
        return None


class TradesStepper(AdversarialStepper):
    """Learns from each batch as it is, and from where its outputs can be carried: 2 B samples per step.

    The distance of outputs f and f' is the Kullback-Leibler divergence of their shares with the softmax loss,
    and half of |f - f'|^2 with any other.
    """

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """The samples, then the points that the attack leads them to, and who fires on them."""
        self.asking.freshen()
        samples, loss = self._samples[ids], self._distance
        outputs = self._surface.at(samples).outputs
        aim = np.exp(_log_shares(outputs)) if loss.name == SoftmaxLoss.name else outputs
        points = self._attacked(ids, Objective("loss", loss, aim))
        batch = self._surface.inputs_at(np.concatenate([samples, points]))
        return batch, self.asking.fire_set(batch)

    def judge(self, outputs: NDArray, ids: NDArray[np.int64]) -> tuple[float, NDArray, NDArray | int]:
        """The loss of both halves; residuals count double, because a step divides by 2 B."""
        clean, moved = np.split(np.asarray(outputs, np.float64), 2)
        loss, residuals, tally = super().judge(outputs[: len(ids)], ids)
        weight, beta = self.problem.sample_weight, float(self.method.trades or 0)
        by_clean, by_moved, distances = _distance(clean, moved, self._distance.name)
        scale = np.full(len(ids), beta) if weight is None else beta * weight[ids]
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


def _distance(clean: NDArray, moved: NDArray, loss: str) -> tuple[NDArray, NDArray, NDArray]:
    """Derivatives of the distances by both outputs (n, c), and the distances (n,)."""
    if loss != SoftmaxLoss.name:
        apart = clean - moved
        return apart, -apart, 0.5 * np.square(apart).sum(axis=1)
    log_p, log_q = _log_shares(clean), _log_shares(moved)
    p, logs = np.exp(log_p), log_p - log_q
    distances = (p * logs).sum(axis=1)
    return p * (logs - distances[:, None]), np.exp(log_q) - p, distances

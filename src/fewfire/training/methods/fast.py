"""Fast adversarial training: one step of an attack, and a watch for when that no longer attacks anything."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.objective import Objective
from fewfire.adversarial.surface import Surface
from fewfire.networks.losses import predicted_classes
from fewfire.training.asking import Asking
from fewfire.training.methods.attacked import Adversary, AttackedStepper
from fewfire.training.methods.gradient_descent import GradientDescent
from fewfire.training.problem import Problem

STEP = 1.25  # times the radius
WATCHED, WATCH_STEPS = 256, 10  # training samples, and steps against them
COLLAPSE = 0.2  # by which robust accuracy falls


class FastStepper(AttackedStepper):
    """Attacks each batch by one step of 1.25 radius from anywhere in the ball.

    A network may learn to turn just this step into one that does no harm, and be as fragile as ever to any
    other. So 256 training samples are attacked by 10 steps after each epoch. Where the share that stays right
    lies 0.2 below the best since the step was last changed, the step is halved.

    Attributes
    ----------
    share : float
        Of the first step, that the present one has.
    best : float
        Share of the watched samples that stayed right, at the best with this step.
    """

    def __init__(
        self, method: GradientDescent, adversary: Adversary, problem: Problem, asking: Asking
    ) -> None:
        super().__init__(method, adversary, problem, asking)
        if problem.classes is None:
            raise ValueError(
                "fast adversarial training must have targets of classes, for its watch counts what stays "
                "right. Got other targets. Use the scheme 'pgd'."
            )
        self.share, self.best = 1.0, 0.0
        self._watched_accuracy: float | None = None
        chosen = np.random.default_rng(problem.seed).permutation(len(problem))[:WATCHED]
        self._watched = np.sort(chosen)
        size = STEP * np.asarray(self._attack.radius) if self._attack.step_size is None else self._attack.size
        self._size = np.asarray(size, np.float64)

    def _points(self, surface: Surface, samples: NDArray, objective: Objective) -> NDArray:
        return self._attack.points(surface, samples, objective, self._random(), self.share * self._size)

    def end_epoch(self) -> None:
        """Halve the step where attacks of many steps have begun to succeed."""
        with self._attacking():
            accuracy = self._watched_accuracy = self._stays_right()
        if accuracy < self.best - COLLAPSE:
            self.share, self.best = self.share / 2, accuracy
        self.best = max(self.best, accuracy)

    def _stays_right(self) -> float:
        """The share of the watched samples that are right where an attack of many steps ends."""
        ids, problem = self._watched, self.problem
        assert problem.classes is not None
        attack = replace(self._attack, steps=WATCH_STEPS, step_size=None)
        objective = Objective(attack.objective, problem.loss, problem.targets[ids])
        points = attack.points(self._surface, self._samples[ids], objective, self._random(1))
        right = predicted_classes(self._surface.at(points).outputs) == problem.classes[ids]
        return float(right.mean())

    def figures(self) -> dict[str, Any]:
        return super().figures() | {"watched_accuracy": self._watched_accuracy, "step_share": self.share}

    @property
    def numbers(self) -> dict[str, Any]:
        return super().numbers | {"share": self.share, "best": self.best}

"""Steps on samples that an attack has moved: the attack of many steps (PGD), and what other schemes share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.attack import Attack
from fewfire.adversarial.ball import as_floats
from fewfire.adversarial.candidates import candidate_slack
from fewfire.adversarial.objective import Objective
from fewfire.adversarial.surface import Surface
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.work import Work
from fewfire.prepare.scaling import InputScaling
from fewfire.training.asking import Asking
from fewfire.training.methods.base import Taken
from fewfire.training.methods.gradient_descent import DescentStepper, GradientDescent
from fewfire.training.problem import Problem


@dataclass(frozen=True, eq=False)
class Adversary:
    """What moves samples against a network; see `Adversarial`, whose fields these are."""

    attack: Attack
    samples: NDArray | None
    scaling: InputScaling | None
    search: str

    def samples_of(self, problem: Problem) -> NDArray:
        """The training samples in the units of the attack."""
        samples = as_floats(problem.inputs.samples if self.samples is None else self.samples)
        if len(samples) != len(problem):
            raise ValueError(
                f"the samples to attack must be those of training, {len(problem)} of them. Got "
                f"{len(samples)}. Give the rows that the inputs were made of."
            )
        return samples


class AttackedStepper(DescentStepper):
    """Attacks each batch before it learns from it.

    Attributes
    ----------
    attack_work : Work
        Of the attacks of this epoch, which the index counts too.
    slack : float or None
        How far below the threshold candidates lie; None where the attack searches all neurons.
    """

    def __init__(
        self, method: GradientDescent, adversary: Adversary, problem: Problem, asking: Asking
    ) -> None:
        super().__init__(method, problem, asking)
        self._attack, self._samples = adversary.attack, adversary.samples_of(problem)
        self._surface = Surface(self.network, adversary.scaling, asking.index)
        self.slack: float | None = None
        if adversary.search == "candidates":
            self.slack = candidate_slack(self.network, self._attack, self._samples, adversary.scaling)
        self.seconds["attack"] = 0.0
        self.attack_work = Work()
        self._losses: tuple[float, float] | None = None  # of both searches, on one batch of an epoch

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """The points that the attack leads these samples to, and who fires there."""
        samples = self._samples[ids]
        with self._attacking():
            near = self._surface if self.slack is None else self._surface.near(samples, self.slack)
            points = self._attacked(near, samples, self._objective(near, samples, ids))
        batch = self._surface.inputs_at(self._learned(samples, points))
        return batch, self.asking.fire_set(batch)

    def _objective(self, near: Surface, samples: NDArray, ids: NDArray[np.int64]) -> Objective:
        """What the attack drives up."""
        return Objective(self._attack.objective, self.problem.loss, self.problem.targets[ids])

    def _learned(self, samples: NDArray, points: NDArray) -> NDArray:
        """What the step learns from."""
        return points

    def _attacked(self, near: Surface, samples: NDArray, objective: Objective) -> NDArray:
        """The points that the attack leads these samples to; once an epoch, beside those of a full search."""
        points = self._points(near, samples, objective)
        if self.slack is not None and self._losses is None:
            exact = self._points(self._surface, samples, objective)
            self._losses = self._mean(objective, points), self._mean(objective, exact)
        return points

    def _points(self, surface: Surface, samples: NDArray, objective: Objective) -> NDArray:
        """Where the attack ends, from a start that seed and step decide."""
        return self._attack.points(surface, samples, objective, self._random())

    def _random(self, *use: int) -> np.random.Generator:
        return np.random.default_rng([self.problem.seed, self.steps_taken, *use])

    def _mean(self, objective: Objective, points: NDArray) -> float:
        return float(objective.values(self._surface.at(points).outputs).mean())

    @contextmanager
    def _attacking(self) -> Iterator[None]:
        """Meanwhile time and work are those of the attack."""
        self.asking.freshen()
        begin, work = perf_counter(), self.asking.index.work.copy()
        yield
        self.seconds["attack"] += perf_counter() - begin
        self.attack_work = self.attack_work + (self.asking.index.work - work)

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        before = self.seconds["attack"]
        taken = super().step(ids, next_ids)
        self.seconds["find"] -= self.seconds["attack"] - before  # in which it was counted
        return taken

    def ahead(self, next_ids: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """None: where the next samples will be led to depends on this step."""
        return None

    def begin_epoch(self) -> None:
        self.attack_work, self._losses = Work(), None

    def figures(self) -> dict[str, Any]:
        found = {"attack_work_share": self.attack_work.share_of_dense(self.problem.network.n_features)}
        if self._losses is not None:
            found |= dict(zip(("attack_loss", "exact_attack_loss"), self._losses, strict=True))
        return found

    @property
    def numbers(self) -> dict[str, Any]:
        numbers = super().numbers
        return numbers if self.slack is None else numbers | {"slack": self.slack}

"""Gradient descent on attacked samples: a batch is moved against the network, which then learns from it."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.attack import Attack
from fewfire.adversarial.objective import Objective
from fewfire.adversarial.surface import Surface
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
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

    Sources: Madry et al., arXiv 1706.06083; Gao, Qin, Song, Wang, arXiv 2208.05395, where the adversary may
    be any and its cost is left out.
    """

    name: ClassVar[str] = "adversarial"
    attack: Attack = field(default_factory=Attack)
    samples: NDArray | None = None
    scaling: InputScaling | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
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
        attack = {
            name: np.asarray(getattr(self.attack, name)).tolist() for name in ("norm", "radius", "steps")
        }
        own = {"random_start": self.attack.random_start, "step_size": self.attack.size.tolist()}
        data = None if self.samples is None else sha256(np.ascontiguousarray(self.samples).data)[:16]
        return super().terms | {"attack": attack | own, "attacked_samples": data}

    def stepper(self, problem: Problem, asking: Asking) -> "AdversarialStepper":
        return AdversarialStepper(self, problem, asking)


class AdversarialStepper(DescentStepper):
    """Attacks each batch before it learns from it."""

    method: Adversarial

    def __init__(self, method: Adversarial, problem: Problem, asking: Asking) -> None:
        super().__init__(method, problem, asking)
        self._surface = Surface(problem.network, method.scaling, asking.index)
        self._samples = problem.inputs.samples if method.samples is None else method.samples

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """The points that the attack leads these samples to, and who fires there."""
        problem = self.problem
        self.asking.freshen()
        random = np.random.default_rng([problem.seed, self.steps_taken])
        objective = Objective(self.method.attack.objective, problem.loss, problem.targets[ids])
        points = self.method.attack.points(self._surface, self._samples[ids], objective, random)
        batch = self._surface.inputs_at(points)
        return batch, self.asking.fire_set(batch)

    def ahead(self, next_ids: NDArray[np.int64] | None) -> None:
        """None: where the next samples will be led to depends on this step."""
        return None

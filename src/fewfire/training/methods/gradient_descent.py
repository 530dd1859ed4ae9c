"""Gradient descent over batches, with momentum, weight decay and a schedule, as torch.optim.SGD."""

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded_zeros
from fewfire.core.work import Work
from fewfire.indexes.later_layers import Firing, LaterLayers
from fewfire.networks.deep import DeepNetwork
from fewfire.networks.descent import Descent
from fewfire.networks.layer_descent import LayerDescent, move_output_weights, output_pulls
from fewfire.networks.momentum import Momentum
from fewfire.networks.velocities import Velocities
from fewfire.training.asking import Asking
from fewfire.training.methods.base import Method, Stepper, Taken
from fewfire.training.methods.schedules import Constant, Schedule
from fewfire.training.problem import Problem

RATES = ("auto", "measured")  # names of rates that are found before training


@dataclass(frozen=True, kw_only=True)
class GradientDescent(Method):
    """Steps down the gradient of the mean loss of a batch.

    Parameters
    ----------
    learning_rate : float > 0, "auto" or "measured"
        The base rate, which the schedule takes a share of. The names are for `fewfire.train` and
        `fewfire.plan.plan_trainer`, which replace them: "auto" by `stable_learning_rate`, the largest safe
        one at the start, and "measured" by `best_rate`, which lowers the loss most in some trial steps.
    schedule : Schedule
        How the rate changes from step to step; by default not at all.
    momentum : float in [0, 1)
    nesterov : bool
        Nesterov's momentum in place of a heavy ball's.
    weight_decay : float >= 0
        What is added to the gradient for each 1 of a weight.
    train_output_weights : bool
        Whether the output weights move too, at the same rate and by the same rules.

    Raises
    ------
    ValueError
        A setting is out of its range, or decay alone would turn weights around.

    Notes
    -----
    Momentum, Nesterov's momentum and weight decay are those of `torch.optim.SGD`. A neuron that does not fire
    coasts; its row in `network.weights` is brought up to date when it fires, at the end of an epoch, and by
    `Trainer.settle`. Momentum needs twice the memory for weights. A `DeepNetwork` of several layers is
    trained without either.

    Examples
    --------
    >>> GradientDescent(learning_rate=0.5, momentum=0.9, nesterov=True).rule.momentum
    0.9
    """

    name: ClassVar[str] = "sgd"
    learning_rate: float | str = "auto"
    schedule: Schedule = Constant()
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    train_output_weights: bool = False

    def __post_init__(self) -> None:
        rate = self.learning_rate
        if rate not in RATES and (isinstance(rate, str) or not (np.isfinite(rate) and rate > 0)):
            raise ValueError(
                f"learning_rate must be a finite number > 0, 'auto' or 'measured'. Got {rate!r}. "
                "Use 'auto' for the largest safe one."
            )
        if not isinstance(self.schedule, Schedule):
            raise ValueError(
                f"schedule must be a Schedule. Got {self.schedule!r}. Use for example "
                "fewfire.training.Cosine(epochs=10)."
            )
        rule = self.rule  # which checks the other numbers
        if not isinstance(rate, str):
            rule.require_stable(rate)

    @property
    def rule(self) -> Momentum:
        return Momentum(self.momentum, self.nesterov, self.weight_decay)

    @property
    def terms(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "schedule": self.schedule.as_dict(),
            **asdict(self.rule),
            "train_output_weights": self.train_output_weights,
        }

    def stepper(self, problem: Problem, asking: Asking) -> Stepper:
        network = problem.network
        if isinstance(network, DeepNetwork) and network.depth > 1:
            return DeepDescentStepper(self, problem, asking, network)
        return DescentStepper(self, problem, asking)


class RatedStepper(Stepper):
    """Steps before which a learning rate stands."""

    def __init__(self, method: GradientDescent, problem: Problem, asking: Asking) -> None:
        if isinstance(method.learning_rate, str):
            raise ValueError(
                f"a trainer must have a learning rate that is a number. Got {method.learning_rate!r}. Let "
                "fewfire.plan.plan_trainer or fewfire.train find it."
            )
        super().__init__(problem, asking)
        self.method, self.rule, self.learning_rate = method, method.rule, float(method.learning_rate)

    @property
    def description(self) -> str:
        return f"learning rate {self.learning_rate:g}"

    @property
    def remedy(self) -> str:
        return f" at learning_rate={self.learning_rate:g}. Use a smaller one, or 'auto'."

    def rate_of(self, step: int) -> float:
        return self.learning_rate * self.method.schedule.share(step, self.problem.steps_per_epoch)

    def judge(self, outputs: NDArray, ids: NDArray[np.int64]) -> tuple[float, NDArray, NDArray | int]:
        """Mean loss, its derivative by the outputs, and tally of these samples."""
        problem = self.problem
        loss = float(problem.losses(outputs, ids).mean())
        return loss, problem.residuals(outputs, ids), problem.tally(outputs, ids)


class DescentStepper(RatedStepper):
    """Takes gradient steps; gives the layer velocities where the rule needs them."""

    def __init__(self, method: GradientDescent, problem: Problem, asking: Asking) -> None:
        super().__init__(method, problem, asking)
        self.network = network = problem.two_layers("this method")
        self.output_velocities: NDArray | None = None
        if self.rule.coasts:
            with_momentum = self.rule.momentum > 0
            network.layer.velocities = Velocities(network.layer.weight_rows, with_momentum=with_momentum)
            rows = network.width if with_momentum else 0
            self.output_velocities = padded_zeros(rows, network.output_rows.shape[1], network.dtype)

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """What the step learns from: the samples with these ids, and who fires on them."""
        return self.asking.batch(ids)

    def ahead(self, next_ids: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        """Whose samples may be asked about in the step before."""
        return next_ids

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        """One gradient step; loss and tally are those before it."""
        start = perf_counter()
        # An overflow is reported below, with its cause, rather than as a warning of NumPy's.
        with np.errstate(over="ignore", invalid="ignore"):
            batch, fires = self.look(ids)
            found = perf_counter()
            loss, residuals, tally = self.judge(self.network.outputs(fires), ids)
        self.require_finite("the loss", loss)
        decided = perf_counter()
        rate = self.rate_of(self.steps_taken)
        output_rate = rate if self.method.train_output_weights else 0.0
        coasts = self.rule.coasts
        descent = Descent(
            self.network, batch, fires, residuals, rate, output_rate,
            flow=self.rule.flow(rate) if coasts else None,
            gain=self.rule.gain(rate) if coasts else 1.0,
            output_velocities=self.output_velocities,
        )  # fmt: skip
        self.asking.descend(descent, self.ahead(next_ids))
        self.steps_taken += 1
        velocities = self.network.layer.velocities
        if velocities is not None and velocities.due:
            self.settle()
        taken = perf_counter()
        self.seconds["find"] += found - start
        self.seconds["forward"] += decided - found
        self.seconds["move"] += taken - decided
        return loss, tally

    @property
    def moving_rows(self) -> dict[str, NDArray]:
        rows = super().moving_rows
        velocities = self.network.layer.velocities
        if velocities is not None and self.output_velocities is not None:
            rows |= {"velocities": velocities.rows, "output_velocities": self.output_velocities}
        return rows

    def go_on_from(self, numbers: Any) -> None:
        super().go_on_from(numbers)
        velocities = self.network.layer.velocities
        if velocities is not None:
            velocities.restart()


class DeepDescentStepper(RatedStepper):
    """Takes gradient steps of a network of several hidden layers, each over the pairs that fire.

    The first layer moves through its index, as in a two-layer network. The layers above are moved in the pass
    over their weights that finds who fires on the next batch.

    Raises
    ------
    ValueError
        The method has momentum or weight decay, which would move every weight of the layers above the first.
    """

    def __init__(
        self, method: GradientDescent, problem: Problem, asking: Asking, network: DeepNetwork
    ) -> None:
        if method.rule.coasts:
            raise ValueError(
                "a network of several hidden layers must be trained without momentum and weight decay, which "
                "would move every weight of a neuron that fires. Got "
                f"momentum={method.momentum:g} and weight_decay={method.weight_decay:g}. Leave them out."
            )
        super().__init__(method, problem, asking)
        self.network, self.later = network, LaterLayers(network)
        self._ahead: Firing | None = None  # found in the step before
        self._dead = np.zeros(network.depth, np.int64)

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, Firing]:
        """The samples with these ids, and who fires on them in all layers: found before, or now."""
        batch, fires = self.asking.batch(ids)
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.fires[0] is not fires:
            ahead = self.later.firing(fires)
        return batch, ahead

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        """One gradient step; loss and tally are those before it."""
        start = perf_counter()
        with np.errstate(over="ignore", invalid="ignore"):
            batch, firing = self.look(ids)
            found = perf_counter()
            loss, residuals, tally = self.judge(self.network.outputs(firing.fires[-1]), ids)
        self.require_finite("the loss", loss)
        decided = perf_counter()
        self._dead += firing.dead_samples
        self._move(batch, firing, residuals, next_ids)
        self.steps_taken += 1
        taken = perf_counter()
        self.seconds["find"] += found - start
        self.seconds["forward"] += decided - found
        self.seconds["move"] += taken - decided
        return loss, tally

    def _move(
        self, batch: Inputs, firing: Firing, residuals: NDArray, next_ids: NDArray[np.int64] | None
    ) -> None:
        """Move all layers, and find who fires on the next batch."""
        network, rate = self.network, self.rate_of(self.steps_taken)
        of_outputs = output_pulls(network.top, firing.fires[-1], residuals)
        pulls, descents = self.later.descents(firing, of_outputs, rate)
        for one in (pulls, *(descent.pulls for descent in descents)):
            if not np.isfinite(one).all():  # of a hidden vector that is too short to divide by
                self.require_finite("every gradient", np.inf)
        if self.method.train_output_weights:
            move_output_weights(network.top, firing.fires[-1], residuals, rate / len(batch))
        descent = LayerDescent(network.layer, batch, firing.fires[0], pulls, rate)
        next_fires = self.asking.descend(descent, next_ids)
        if next_fires is None:
            self.later.take(descents)
        else:
            self._ahead = self.later.firing(next_fires, descents)

    def begin_epoch(self) -> None:
        self._dead[:] = 0

    @property
    def works(self) -> list[Work]:
        return [self.asking.index.work, *(index.work for index in self.later.indexes)]

    @property
    def dead_samples(self) -> list[int]:
        return self._dead.tolist()

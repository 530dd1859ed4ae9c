"""Trials whose answers are known: one number, drawn to zero by descent on a parabola."""

from collections.abc import Callable

import numpy as np

from fewfire.errors import TrainingError
from fewfire.plan import Attempt, Seen, Trials


class ToyAttempt(Attempt):
    """Each step multiplies the error by a factor; half of the samples are right below half of the loss."""

    def __init__(self, factor: float) -> None:
        self.factor, self.error, self.steps = factor, 1.0, 0

    def step(self) -> Seen:
        loss, self.error, self.steps = self.error**2 / 2, self.error * self.factor, self.steps + 1
        if not np.isfinite(self.error):
            raise TrainingError("the loss must be finite")
        return Seen(loss, 10 if loss < 0.1 else 0, 10)

    def outputs(self, inputs):
        return np.full((len(inputs), 1), self.error)


class ToyTrials(Trials):
    """Descent on a parabola: it succeeds below 2 / curvature, or where `succeeds(rate)` says so."""

    n_samples, batch_size, n_parameters = 40, 10, 1
    has_classes, loss_name = True, "squared"

    def __init__(
        self,
        curvature: float = 1.0,
        rate: float = 0.1,
        width: int | None = 64,
        depth: int | None = 1,
        succeeds: Callable[[float], bool] | None = None,
    ) -> None:
        self.curvature, self.rate, self.width, self.depth = curvature, rate, width, depth
        self.sharpness, self.succeeds, self.begun = curvature, succeeds, 0

    def begin(self, rate: float, seed: int) -> ToyAttempt:
        self.begun += 1
        if self.succeeds is not None:
            return ToyAttempt(0.5 if self.succeeds(rate) else 1.0)
        return ToyAttempt(1 - rate * self.curvature)

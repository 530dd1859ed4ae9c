"""Free adversarial training: each step moves the weights and the attack by the same fire set."""

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.ball import Ball, Box
from fewfire.adversarial.objective import Objective
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.training.asking import Asking
from fewfire.training.methods.attacked import Adversary, AttackedStepper
from fewfire.training.methods.base import Taken
from fewfire.training.methods.gradient_descent import GradientDescent
from fewfire.training.problem import Problem


class FreeStepper(AttackedStepper):
    """Takes some steps on each batch, one after the other, while the batch moves against the network.

    The moves stay where the steps on a batch left them, and are what the next batch begins with. They lie in
    the ball of the attack around 0; the box counts for the moved samples alone.

    Attributes
    ----------
    moves : (batch size, p)
        In the units of the attack; 0 at first.
    """

    def __init__(
        self, method: GradientDescent, adversary: Adversary, problem: Problem, asking: Asking
    ) -> None:
        super().__init__(method, adversary, problem, asking)
        attack = self._attack
        self.replays = attack.steps
        self.moves = np.zeros((problem.batch_size, self._samples.shape[1]), self._samples.dtype)
        box = Box(movable=attack.box.movable)
        self._around = Ball(np.zeros_like(self.moves), attack.norm, attack.radius, box)
        self._size = np.asarray(attack.radius if attack.step_size is None else attack.size, np.float64)

    def rate_of(self, step: int) -> float:
        """A schedule counts batches."""
        return super().rate_of(step // self.replays)

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        """All steps on this batch; loss and tally are the means over them."""
        losses, tallies = zip(*[super(FreeStepper, self).step(ids) for _ in range(self.replays)], strict=True)
        return float(np.mean(losses)), sum(tallies) / self.replays

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """The samples where their moves have led them, and who fires there; the moves go on from there."""
        self.asking.freshen()
        attack, moves = self._attack, self.moves[: len(ids)]
        ball = Ball(self._samples[ids], attack.norm, attack.radius, attack.box)
        seen = self._surface.at(ball.rounded(ball.project(ball.samples + moves)))
        with self._attacking():
            objective = Objective(attack.objective, self.problem.loss, self.problem.targets[ids])
            gradients = self._surface.gradients(seen, objective.directions(seen.outputs))
            around = self._around.part(np.arange(len(ids)))
            moves[:] = around.step(moves, gradients, self._size)
        return seen.inputs, seen.fires

    @property
    def moving_rows(self) -> dict[str, NDArray]:
        return super().moving_rows | {"moves": self.moves}

"""One step that solves for the output weights: ridge regression to what the neurons give.

With the hidden weights as they are drawn, the outputs are linear in the output weights A,

    f(x) = phi(x) A,     phi_r(x) = scale max(<w_r, x> - b, 0),

so that one system of m equations serves any number of outputs (docs/theory/many_outputs.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire.core.fire_set import FireSet
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.deep import Network, two_layers_of
from fewfire.networks.losses import SquaredLoss
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.memory import require_within
from fewfire.tangent.centres import least_ridge
from fewfire.tangent.whole_ridge import whole_ridge
from fewfire.training.asking import Asking
from fewfire.training.methods.base import Method, SolvingStepper, Taken
from fewfire.training.problem import Problem

ROWS = 2048  # samples whose activations stand side by side


@dataclass(frozen=True, kw_only=True)
class OutputRidge(Method):
    """One step, with the squared loss: the best output weights for the neurons as they are.

    Parameters
    ----------
    ridge : float > 0
        Adds ridge/2 |A|^2 to the sum of the losses. It is raised to ten times what rounding to float32 adds
        to the matrix of the system.

    Raises
    ------
    ValueError
        The ridge is out of its range.

    Notes
    -----
    Cost: n m^2 / 2 + m^3 / 6 + m (n + m) c multiply-adds, or n^2 m / 2 + n^3 / 6 + n (m + n) c for fewer
    samples than neurons. Memory: 12 bytes per entry of the matrix of neurons; for fewer samples 24 per entry
    of that of samples, and 8 per activation.
    """

    name: ClassVar[str] = "output-ridge"
    ridge: float

    def __post_init__(self) -> None:
        if not 0 < self.ridge < np.inf:
            raise ValueError(f"ridge must be a finite number > 0. Got {self.ridge}. Use 0.1.")

    def sized(
        self, network: Network, n_samples: int, batch_size: int | None, memory_limit: int | None
    ) -> tuple["OutputRidge", int | None, int]:
        width = two_layers_of(network, "a ridge regression to neurons").width
        item = network.dtype.itemsize
        needed = item * ROWS * width + (8 + item) * width**2
        if n_samples < width:  # all activations at one time, and three matrices of pairs of samples
            needed = 2 * item * n_samples * width + 24 * n_samples**2
        require_within(
            memory_limit, needed, f"the matrices of {width:,} neurons",
            "Take fewer neurons, or raise the limit.",
        )  # fmt: skip
        return self, None, needed

    @property
    def terms(self) -> dict[str, Any]:
        return {"ridge": self.ridge}

    def stepper(self, problem: Problem, asking: Asking) -> "OutputRidgeStepper":
        return OutputRidgeStepper(self, problem, asking)


class OutputRidgeStepper(SolvingStepper):
    """Takes the step.

    Raises
    ------
    ValueError
        The loss is another.
    """

    def __init__(self, method: OutputRidge, problem: Problem, asking: Asking) -> None:
        super().__init__(problem, asking)
        if problem.loss.name != SquaredLoss.name:
            raise ValueError(
                f"the output weights are solved for with loss='squared'. Got {problem.loss.name!r}. Use "
                "GradientDescent(train_output_weights=True)."
            )
        self.network, self.ridge = problem.two_layers("a ridge regression to neurons"), method.ridge

    @property
    def description(self) -> str:
        return f"ridge regression to {self.network.width:,} neurons"

    def end_epoch(self) -> None:
        self.finished = True

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        """The step over all samples; see `Stepper.step`."""
        problem, network, begin = self.problem, self.network, perf_counter()
        solution = self._by_samples() if len(problem) < network.width else self._by_neurons()
        solved = perf_counter()
        self.require_finite("the output weights", float(np.abs(solution).max()))
        network.output_weights[:] = solution
        self.steps_taken += 1
        outputs = predicted_outputs(network, problem.inputs)
        self.seconds["forward"] += solved - begin
        self.seconds["move"] += perf_counter() - solved
        return float(problem.losses(outputs, ids).mean()), problem.tally(outputs, ids)

    def _by_neurons(self) -> NDArray[np.float64]:
        """(Phi^T D Phi + ridge)^(-1) Phi^T D Y."""
        from scipy.linalg import cho_factor, cho_solve

        problem, width = self.problem, self.network.width
        gram = np.zeros((width, width))
        right = np.zeros((width, self.network.n_outputs))
        for part, rows in self._activations():
            targets = problem.targets[part].astype(rows.dtype)
            if problem.sample_weight is not None:
                roots = np.sqrt(problem.sample_weight[part]).astype(rows.dtype)
                rows, targets = rows * roots, roots[:, None] * targets
            gram += rows @ rows.T
            right += rows @ targets
        gram.flat[:: width + 1] += max(self.ridge, least_ridge(gram, len(problem)))
        factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        return cho_solve(factor, right, overwrite_b=True, check_finite=False)

    def _by_samples(self) -> NDArray[np.float64]:
        """Phi^T (Phi Phi^T + ridge D^(-1))^(-1) Y."""
        problem = self.problem
        rows = np.concatenate([rows for _, rows in self._activations()], axis=1)
        weights = problem.sample_weight
        alpha = whole_ridge(
            (rows.T @ rows).astype(np.float32),
            problem.targets.astype(np.float64),
            [self.ridge],
            weights=None if weights is None else weights.astype(np.float64),
        )
        return rows @ alpha

    def _activations(self) -> Iterator[tuple[NDArray[np.int64], NDArray]]:
        """Some samples after others, with phi of all neurons, (m, samples)."""
        for first in range(0, len(self.problem), ROWS):
            part = np.arange(first, min(first + ROWS, len(self.problem)))
            yield part, activations(self.network, self.asking.batch(part)[1])


def activations(network: TwoLayerNetwork, fires: FireSet) -> NDArray:
    """phi (m, samples), 0 where a neuron does not fire."""
    rows = np.zeros((network.width, fires.n_samples), network.dtype)
    above = fires.values - network.dtype.type(network.threshold)
    rows[fires.neurons(), fires.samples] = network.scale * above
    return rows

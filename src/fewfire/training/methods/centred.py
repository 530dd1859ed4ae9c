"""One Gauss-Newton step through centres: for more samples than a matrix of all pairs can hold.

The weights move by J_C^T alpha, J_C the derivative of the outputs at M of the samples: in the limit of great
width that is kernel ridge regression through centres (docs/theory/large_tables.md). Its kernel is that of the
network,

    K(x, z) = scale^2 <x, z> sum_r |a_r|^2 over the neurons that fire on both,

one for all outputs, where the output weights are orthogonal over the copies of a neuron
(`fewfire.networks.near_kernel.orthogonal_network`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.rows import BLOCK
from fewfire.indexes import index_for_new_inputs
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.deep import Network
from fewfire.networks.descent import Descent
from fewfire.networks.losses import SquaredLoss
from fewfire.networks.near_kernel import copies_for
from fewfire.system.memory import require_within
from fewfire.system.words import bytes_text
from fewfire.tangent.centres import CentredRidge, least_ridge_error
from fewfire.tangent.whole_ridge import whole_ridge
from fewfire.training.asking import Asking
from fewfire.training.methods.base import Method, SolvingStepper, Taken
from fewfire.training.problem import Problem

KERNEL_BYTES = 2_500_000_000  # at the most, where no limit is given
ROWS = 2048  # asked about at one time
SHARES = 0.5 ** np.arange(8)  # of the step, tried in turn


@dataclass(frozen=True, kw_only=True)
class CentredGaussNewton(Method):
    """One step, with the squared loss, for a network of `orthogonal_network` as it is drawn.

    Parameters
    ----------
    ridges : sequence of float > 0
        Adds ridge/2 |w - w_0|^2 to the sum of the losses. Of several, from large to small, the one that errs
        least on samples that are held out; each takes a solution more.
    n_centres : int
        M, at most; fewer where the kernel would take more than 2.5 GB, or a third of the memory limit.
        With all samples as centres the solution is direct.

    Raises
    ------
    ValueError
        A setting is out of its range.

    Notes
    -----
    Cost: a fire set of all samples, n M comparisons of m bits, M^3, and some twenty products of n M (c + 1)
    multiply-adds; with all samples as centres M^3 / 3 for each ridge in place of the last two. Memory: 4 n M
    bytes, and n m / 8 for who fires.
    """

    name: ClassVar[str] = "centred-gauss-newton"
    ridges: Sequence[float]
    n_centres: int = 6_000

    def __post_init__(self) -> None:
        if not (len(self.ridges) and np.isfinite(self.ridges).all() and min(self.ridges) > 0):
            raise ValueError(f"ridges must be finite numbers > 0. Got {self.ridges}. Use (0.01,).")
        if self.n_centres < 1:
            raise ValueError(f"n_centres must be a whole number >= 1. Got {self.n_centres}. Use 6000.")

    def sized(
        self, network: Network, n_samples: int, batch_size: int | None, memory_limit: int | None
    ) -> tuple["CentredGaussNewton", int | None, int]:
        limit = KERNEL_BYTES if memory_limit is None else memory_limit // 3
        count = min(self.n_centres, n_samples, max(1, limit // (4 * n_samples)))
        needed = 4 * n_samples * count + 24 * count * count
        require_within(memory_limit, needed, f"the kernel of {n_samples:,} samples", "Raise the limit.")
        return replace(self, n_centres=count), None, needed

    @property
    def terms(self) -> dict[str, Any]:
        return {"ridges": list(self.ridges), "n_centres": self.n_centres}

    def stepper(self, problem: Problem, asking: Asking) -> "CentredStepper":
        return CentredStepper(self, problem, asking)


class CentredStepper(SolvingStepper):
    """Takes the step.

    Raises
    ------
    ValueError
        The loss is another, or the network is no longer one of `orthogonal_network` as it is drawn.
    """

    def __init__(self, method: CentredGaussNewton, problem: Problem, asking: Asking) -> None:
        super().__init__(problem, asking)
        if problem.loss.name != SquaredLoss.name:
            raise ValueError(
                f"centred steps are for loss='squared'. Got {problem.loss.name!r}. Use GaussNewton()."
            )
        self.network = network = problem.two_layers("a centred step")
        copies = copies_for(network.n_outputs)
        rows = network.weights
        if len(rows) % copies or any((rows[::copies] != rows[k::copies]).any() for k in range(1, copies)):
            raise ValueError(
                f"centred steps need each neuron {copies} times, next to each other. Got a network that was "
                "made or trained otherwise. Begin with orthogonal_network()."
            )
        self.method, self.copies = method, copies
        self.count = min(method.n_centres, len(problem))

    @property
    def description(self) -> str:
        needed = bytes_text(4 * len(self.problem) * self.count)
        return f"Gauss-Newton through {self.count:,} centres: a kernel of {needed}"

    def end_epoch(self) -> None:
        self.finished = True

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        """The step over all samples; a half, a quarter .. of it where it does not decrease the loss.

        Returns
        -------
        (loss, tally)
            Mean loss of all samples after it, and how good the outputs are then; see `Problem.tally`.
        """
        problem, layer = self.problem, self.network.layer
        start = perf_counter()
        outputs = predicted_outputs(self.network, problem.inputs).astype(np.float64)
        before = float(problem.losses(outputs, ids).sum())
        self.require_finite("the loss", before)
        centres = np.random.default_rng(problem.seed).choice(len(ids), self.count, replace=False)
        centres.sort()
        kernel = self._kernel(centres)
        found = perf_counter()
        alpha = self._solution(kernel, centres, problem.targets - outputs)
        del kernel
        solved = perf_counter()
        after = outputs
        batch, fires = self.asking.batch(centres)
        base = layer.weight_rows.copy()
        try:
            for share in SHARES:
                step = Descent(self.network, batch, fires, -share * alpha, float(self.count)).take()
                moved = predicted_outputs(self.network, problem.inputs).astype(np.float64)
                if problem.losses(moved, ids).sum() < before:
                    self.asking.moved(step)
                    self.steps_taken += 1
                    after = moved
                    break
                layer.weight_rows[:] = base
        except BaseException:
            layer.weight_rows[:] = base
            self.asking.forget()
            raise
        self.seconds["find"] += found - start
        self.seconds["forward"] += solved - found
        self.seconds["move"] += perf_counter() - solved
        return float(problem.losses(after, ids).mean()), problem.tally(after, ids)

    def _solution(
        self, kernel: NDArray[np.float32], centres: NDArray[np.int64], missed: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """alpha (M, c) for what the outputs miss (n, c); 0 where nothing fires."""
        if not kernel[centres, np.arange(self.count)].any():
            return np.zeros((self.count, missed.shape[1]))
        weights = self.problem.sample_weight
        weights = None if weights is None else weights.astype(np.float64)
        ridges, seed = self.method.ridges, self.problem.seed
        if self.count == len(self.problem):
            return whole_ridge(kernel, missed, ridges, weights=weights, seed=seed)
        solver, ridge, start = CentredRidge(kernel, centres, weights), ridges[0], None
        if len(ridges) > 1:
            ridge, start = least_ridge_error(solver, missed, ridges, seed)
        return solver.solve(missed, ridge, start=start)

    def _kernel(self, centres: NDArray[np.int64]) -> NDArray[np.float32]:
        """K of all samples with the centres, (n, M)."""
        network, inputs = self.network, self.problem.inputs
        one_of_each = network.layer.part(slice(None, None, self.copies))
        index = index_for_new_inputs(one_of_each, inputs)
        bits = np.zeros((len(inputs), -(-one_of_each.width // BLOCK)), np.uint64)
        for first in range(0, len(inputs), ROWS):
            part = np.arange(first, min(first + ROWS, len(inputs)))
            _core.fire_bits(index.fire_set(inputs.batch(part)).core_view, bits[part[0] : part[-1] + 1])
        kernel = np.empty((len(inputs), len(centres)), np.float32)
        _core.common_counts(bits, bits[centres], kernel)
        squares = float(np.square(network.output_weights[: self.copies, 0], dtype=np.float64).sum())
        samples = inputs.samples.astype(np.float32)
        columns = np.float32(squares * network.scale**2) * samples[centres].T
        for first in range(0, len(inputs), ROWS):
            kernel[first : first + ROWS] *= samples[first : first + ROWS] @ columns
        return kernel

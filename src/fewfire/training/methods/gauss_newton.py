"""Gauss-Newton training: near zero loss in a handful of steps (docs/theory/gauss_newton.md).

Around the weights w the outputs are f + J delta, J their derivative. With the loss's second derivative C by
the outputs, the objective is nearly

    q(delta) = sum_i loss_i + <residuals, J delta> + 1/2 <J delta, C J delta>
               + ridge/2 |w + delta - w_0|^2 + damping/2 |delta|^2,

and delta = -J^T g - kappa (w - w_0) makes it least, where g is the solution of a system of n c numbers with
the Gram matrix G = J J^T. J is met only through the fire set, or those of all layers of a deep network.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.core.work import Work
from fewfire.networks.deep import Network
from fewfire.networks.losses import Curvature
from fewfire.system.machine import one_blas_thread
from fewfire.system.memory import require_within
from fewfire.system.words import bytes_text, require_one_of
from fewfire.tangent.conjugate_gradients import Linear, conjugate_gradients
from fewfire.tangent.gram import FiringGram, Floats
from fewfire.training.asking import Asking
from fewfire.training.history import EpochRecord
from fewfire.training.methods.base import Method, SolvingStepper, Taken
from fewfire.training.methods.linearized import linearized
from fewfire.training.methods.ridge import Gram, OfOwnPart, Ridge, ToStart
from fewfire.training.problem import Problem

PRECONDITIONERS = ("exact", "shared", "sketch")
MATRIX_LIMIT = 4_000_000_000  # bytes of all matrices, where no limit is given
EXACT_SIZE = 1024  # samples x outputs: beyond it several outputs are solved by iteration
MATRICES = 4  # that are held at one time, of (n c)^2 or n^2 numbers each
SKETCH_ROWS = 4  # for each sample
PRODUCTS = 200  # with the Gram matrix that a solution may take
LEAST_DAMPING, MOST_TRIALS = 1e-12, 16
THREADED_ROWS = 4096  # of a smaller matrix threads mostly wait for one another
GOOD_RATIO, POOR_RATIO, CHANGE = 0.75, 0.25, 10.0
NOTHING = {"predicted": 0.0, "actual": 0.0, "products": 0}


@dataclass(frozen=True, kw_only=True)
class GaussNewtonRecord(EpochRecord):
    """Figures of one pass over the training set; loss and accuracy are those after each step.

    Attributes
    ----------
    damping : of the last step, in units of the mean of the diagonal of G
    predicted, actual : decrease of the objective that the model foresaw, and that came; summed over the steps
    products : with the Gram matrix
    """

    damping: float
    predicted: float
    actual: float
    products: int


@dataclass(frozen=True)
class Move:
    """delta = -J^T pulls - share (w - w_0)."""

    pulls: Floats
    share: float
    predicted: float
    products: int


@dataclass(frozen=True, kw_only=True)
class GaussNewton(Method):
    """Levenberg-Marquardt: Gauss-Newton steps, damped so that the loss never grows.

    Parameters
    ----------
    ridge : float >= 0
        Adds ridge/2 |w - w_0|^2 to the sum of the losses; for several batches see `methods.ridge`. In the
        limit of great width and with the squared loss that is kernel ridge regression with the firing kernel,
        whose diagonal is about the fire rate.
    damping : float > 0
        The first damping, in units of the mean of the diagonal of G.
    tolerance : float in (0, 1)
        Relative residual at which the linear system counts as solved; a factor of the exact matrix leaves far
        less.
    preconditioner : "auto", "exact", "shared" or "sketch"
        "exact": G is formed and factored (Cholesky). "shared": conjugate gradients, preconditioned by the
        kernel that all outputs share. "sketch": by an estimate of it, as in the paper. "auto": exact up to
        1,024 samples x outputs and for one output, else shared.

    Raises
    ------
    ValueError
        A setting is out of its range.

    Notes
    -----
    A step is over all samples unless a batch size is given, or over as many as the memory limit allows (4 GB
    of matrices where there is none); a pass over the training set is as many steps as there are batches.
    Training is finished once a pass finds no step that decreases the loss.

    Cost of a step: a fire set, the sum over neurons of their squared firing counts, 1/3 s^3 for a matrix of s
    rows (n, or n c if exact), and 2 (d + c) multiply-adds per firing pair for each product. With a ridge all
    neurons move, and the index is built anew after each step but the first.

    Bits: the same with every exact index. Factors come from LAPACK, whose last bits may depend on its own
    number of threads.

    Sources: Deng, Hu, Song, Weinstein, Zhuo, "Training Overparametrized Neural Networks in Sublinear Time"
    (arXiv 2208.04508); the damping is that of Levenberg 1944 and Marquardt 1963.
    """

    name: ClassVar[str] = "gauss-newton"
    record_type: ClassVar[type[EpochRecord]] = GaussNewtonRecord
    ridge: float = 0.0
    damping: float = 1e-2
    tolerance: float = 0.1
    preconditioner: str = "auto"

    def __post_init__(self) -> None:
        ridge, damping, tolerance = self.ridge, self.damping, self.tolerance
        _require(ridge >= 0, f"ridge must be a finite number >= 0. Got {ridge}. Use 0 for none.", ridge)
        _require(damping > 0, f"damping must be a finite number > 0. Got {damping}. Use 0.01.", damping)
        _require(0 < tolerance < 1, f"tolerance must lie between 0 and 1. Got {tolerance}. Use 0.1.")
        require_one_of(self.preconditioner, ("auto", *PRECONDITIONERS), "preconditioner")

    def sized(
        self, network: Network, n_samples: int, batch_size: int | None, memory_limit: int | None
    ) -> tuple["GaussNewton", int | None, int]:
        limit = MATRIX_LIMIT if memory_limit is None else memory_limit
        if batch_size is None:
            batch_size = min(n_samples, _largest_batch(limit))
        size, n_outputs = min(batch_size, n_samples), network.n_outputs
        preconditioner = self.preconditioner
        if preconditioner == "auto":
            preconditioner = _suited_preconditioner(size, n_outputs, limit)
        needed = _matrix_bytes(preconditioner, size, n_outputs)
        fewer = _largest_batch(limit)
        remedy = f"Use batches of {fewer:,}, or raise the limit." if fewer < size else "Raise the limit."
        require_within(limit, needed, f"the matrices of a batch of {size:,} samples", remedy)
        return replace(self, preconditioner=preconditioner), batch_size, needed

    @property
    def terms(self) -> dict[str, Any]:
        return {"ridge": self.ridge, "tolerance": self.tolerance, "preconditioner": self.preconditioner}

    def stepper(self, problem: Problem, asking: Asking) -> "GaussNewtonStepper":
        return GaussNewtonStepper(self, problem, asking)


class GaussNewtonStepper(SolvingStepper):
    """Takes Gauss-Newton steps.

    Attributes
    ----------
    damping : float
        Damping of the next step, in units of the mean of the diagonal of G.
    linear : Linearized
        The network, as a step sees it.
    """

    def __init__(self, method: GaussNewton, problem: Problem, asking: Asking) -> None:
        super().__init__(problem, asking)
        n, c, size = len(problem), problem.network.n_outputs, problem.batch_size
        self.linear = linearized(problem, asking)
        self.ridge, self.tolerance = method.ridge, method.tolerance
        self.damping = float(method.damping)
        self.preconditioner = method.preconditioner
        if self.preconditioner == "auto":
            self.preconditioner = _suited_preconditioner(size, c, MATRIX_LIMIT)
        rows = size * c if self.preconditioner == "exact" else size
        how = (
            "Cholesky"
            if self.preconditioner == "exact"
            else f"conjugate gradients, {self.preconditioner} kernel"
        )
        needed = bytes_text(_matrix_bytes(self.preconditioner, size, c))
        self._description = f"Gauss-Newton by {how}: matrices of {rows:,} x {rows:,}, {needed}"
        self._ridge = Ridge()
        if self.ridge:
            one_batch = problem.steps_per_epoch == 1
            self._ridge = ToStart(problem.network.layers) if one_batch else OfOwnPart(n, c)
        self._steps_before = 0
        self._tally: dict[str, Any] = dict(NOTHING)
        self._dead = np.zeros(len(problem.network.layers), np.int64)
        if len(self._dead) > 1 and self.preconditioner == "sketch":
            raise ValueError(
                "a network of several hidden layers must be solved for with the preconditioner 'exact' or "
                "'shared'. Got 'sketch', which is of one layer. Use 'auto'."
            )

    @property
    def description(self) -> str:
        return self._description

    def begin_epoch(self) -> None:
        self._tally, self._steps_before = dict(NOTHING), self.steps_taken
        self._dead[:] = 0

    def end_epoch(self) -> None:
        self.finished = self.steps_taken == self._steps_before

    def figures(self) -> dict[str, Any]:
        return {"damping": self.damping, **self._tally}

    @property
    def moving_rows(self) -> dict[str, NDArray]:
        return super().moving_rows | self._ridge.moving_rows

    @property
    def fixed_rows(self) -> dict[str, NDArray]:
        return self._ridge.fixed_rows

    @property
    def works(self) -> list[Work]:
        return [self.asking.index.work, *self.linear.later_works]

    @property
    def dead_samples(self) -> list[int]:
        return self._dead.tolist()

    @property
    def numbers(self) -> dict[str, Any]:
        return super().numbers | {"damping": self.damping}

    def go_on_from(self, numbers: Mapping[str, Any]) -> None:
        super().go_on_from(numbers)
        self._ridge.go_on_after(self.steps_taken)

    def step(self, ids: NDArray[np.int64], next_ids: NDArray[np.int64] | None = None) -> Taken:
        """One step on these samples, tried with more and more damping until it decreases the objective.

        Returns
        -------
        (loss, tally)
            Mean loss of the batch after the step, and how good its outputs are then; see `Problem.tally`.
        """
        start = perf_counter()
        linear = self.linear
        batch, seen = linear.look(ids)
        self.seconds["find"] += perf_counter() - start
        self._dead += linear.dead_samples(seen)
        base = [layer.weight_rows.copy() for layer in linear.layers]
        try:
            seen = self._descend(batch, seen, ids, base)
        except BaseException:
            linear.restore(base)
            self.asking.forget()
            raise
        if next_ids is ids:
            linear.keep(ids, batch, seen)
        outputs = linear.outputs(seen)
        return float(self.problem.losses(outputs, ids).mean()), self.problem.tally(outputs, ids)

    def _descend(self, batch: Inputs, seen: Any, ids: NDArray[np.int64], base: list[NDArray]) -> Any:
        """Take the step; who fires after it."""
        start = perf_counter()
        outputs = self.linear.outputs(seen)
        gram = self.linear.gram(batch, seen)
        response = self._ridge.response(gram, ids)
        distance = self._ridge.distance()
        before = self._objective(outputs, ids, distance)
        self.require_finite("the loss", before)
        if gram.size == 0 or before <= self._rounding(outputs):
            return seen
        curvature = self.problem.loss.second(outputs, self.problem.targets[ids])
        if self.problem.sample_weight is not None:
            curvature = curvature.weighted(self.problem.sample_weight[ids].astype(np.float64))
        matrix = self._matrix(gram, curvature)
        self.seconds["forward"] += perf_counter() - start
        for _ in range(MOST_TRIALS):
            start = perf_counter()
            try:
                move = self._solve(gram, curvature, matrix, response, distance)
            except np.linalg.LinAlgError:  # not positive definite, but for rounding
                self.damping *= CHANGE
                continue
            solved = perf_counter()
            pulls = self._ridge.draw(move.pulls, move.share).astype(self.problem.network.dtype)
            self.linear.take(batch, seen, pulls, all_moved=self._ridge.moves_all)
            taken = perf_counter()
            found = self.linear.see(batch)
            outputs = self.linear.outputs(found)
            actual = before - self._objective(outputs, ids, self._ridge.distance())
            self.seconds["forward"] += solved - start
            self.seconds["move"] += taken - solved
            self.seconds["find"] += perf_counter() - taken
            self._tally["products"] += move.products
            if actual > GOOD_RATIO * move.predicted:
                self.damping = max(self.damping / CHANGE, LEAST_DAMPING)
            elif not actual > POOR_RATIO * move.predicted:
                self.damping *= CHANGE
            if actual > 0:
                self._tally["predicted"] += move.predicted
                self._tally["actual"] += actual
                self.steps_taken += 1
                self._ridge.keep()
                return found
            self._ridge.undo()
            self.linear.undo(base, all_moved=self._ridge.moves_all)
        return seen

    def _rounding(self, outputs: Floats) -> float:
        """A squared loss of this size is rounding of the outputs: nothing can be gained."""
        precision = float(np.finfo(self.problem.network.dtype).eps)
        return outputs.size * (precision * float(np.abs(outputs).max())) ** 2

    def _objective(self, outputs: Floats, ids: NDArray[np.int64], distance: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.problem.losses(outputs, ids).sum()) + 0.5 * self.ridge * distance

    def _solve(
        self,
        gram: Gram,
        curvature: Curvature,
        matrix: Floats,
        response: Floats | None,
        distance: float,
    ) -> Move:
        """The least of the model, by (damping + ridge + L^T G L) h = whitened - kappa L^T J (w - w_0)."""
        weight = self.damping * gram.size + self.ridge
        share = self.ridge / weight
        drawn = 0.0 if response is None else share * curvature.transposed(response)
        right = curvature.whitened - drawn

        def multiply(h: Floats) -> Floats:
            return weight * h + curvature.transposed(gram.times(curvature.factor(h)))

        precondition = _inverse_of(matrix, weight)
        with one_blas_thread():  # the products with G come in turn
            h, remainder, products = conjugate_gradients(
                multiply, precondition, right, tolerance=self.tolerance, most=PRODUCTS
            )
        image = right - remainder - weight * h  # L^T G L h
        pulls = curvature.factor(h)
        change = image + drawn  # -L^T J delta
        predicted = float(np.vdot(curvature.whitened, change) - 0.5 * np.vdot(change, change))
        if self.ridge:
            along = 0.0 if response is None else float(np.vdot(pulls, response))
            length = float(np.vdot(h, image)) + 2 * share * along + share**2 * distance  # |delta|^2
            predicted += self.ridge * (along + share * distance - 0.5 * length)
        return Move(pulls, share, predicted, products)

    def _matrix(self, gram: Gram, curvature: Curvature) -> Floats:
        """What preconditions L^T G L: itself, or a matrix for all outputs alike."""
        if self.preconditioner == "exact" and self.problem.network.n_outputs > 1:
            return _whitened(gram.matrix(), curvature)
        n = len(gram.batch)
        if self.preconditioner == "sketch" and isinstance(gram, FiringGram):
            matrix = gram.sketched(SKETCH_ROWS * n, self.problem.seed)
        else:
            matrix = gram.shared()
        spread = np.square(curvature.scales) * (1 - np.square(curvature.directions))
        roots = np.sqrt(spread.mean(axis=1))
        matrix *= roots[:, None]
        matrix *= roots
        return matrix


def _inverse_of(matrix: Floats, weight: float) -> Linear:
    """v -> (weight + matrix)^(-1) v for v (n, c), by a Cholesky factor of the (n, n) or (n c, n c) matrix."""
    from scipy.linalg import cho_factor, cho_solve

    damped = matrix.copy()
    damped.flat[:: len(damped) + 1] += weight
    few = len(damped) < THREADED_ROWS
    with one_blas_thread() if few else nullcontext():
        factor = cho_factor(damped, overwrite_a=True, check_finite=False)
    return lambda v: cho_solve(factor, v.reshape(len(damped), -1), check_finite=False).reshape(v.shape)


def _whitened(gram: Floats, curvature: Curvature) -> Floats:
    """L^T G L, (n c, n c), of G (n, c, n, c)."""
    n, c = curvature.scales.shape
    q = curvature.directions
    factors = curvature.scales[:, :, None] * (np.eye(c) - q[:, :, None] * q[:, None, :])
    left = np.matmul(factors.transpose(0, 2, 1), gram.reshape(n, c, n * c)).reshape(n * c, n, 1, c)
    return np.matmul(left, factors).reshape(n * c, n * c)


def _suited_preconditioner(size: int, n_outputs: int, limit: int) -> str:
    small = size * n_outputs <= EXACT_SIZE and _matrix_bytes("exact", size, n_outputs) <= limit
    return "exact" if n_outputs == 1 or small else "shared"


def _matrix_bytes(preconditioner: str, size: int, n_outputs: int) -> int:
    rows = size * n_outputs if preconditioner == "exact" else size
    return 8 * MATRICES * rows * rows


def _largest_batch(limit: int) -> int:
    """Whose n x n matrices take half of the limit, and leave the rest to the index."""
    return max(1, int((limit / 2 / (8 * MATRICES)) ** 0.5))


def _require(holds: bool, message: str, number: float = 0.0) -> None:
    if not (holds and np.isfinite(number)):
        raise ValueError(message)

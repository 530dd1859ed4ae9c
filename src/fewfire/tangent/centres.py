"""Kernel ridge regression through some of the samples, the centres, for tables of any length.

The predictor is f(x) = sum_s K(x, z_s) alpha_s over M centres z_s, and alpha makes

    sum_i weight_i |y_i - f(x_i)|^2 + ridge alpha^T W alpha

least, W the kernel of the centres. With K (n, M) that is (K^T D K + ridge W) alpha = K^T D y, D the weights,
solved by conjugate gradients. It is preconditioned by the same system with K^T D K replaced by what the
centres say of it, n/M W D W, through two Cholesky factors: W = T^T T and A^T A = n/M T D T^T + ridge.

Source: Rudi, Carratino, Rosasco, "FALKON: An optimal large scale kernel method", NeurIPS 2017.
"""

from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from fewfire.tangent.conjugate_gradients import conjugate_gradients
from fewfire.tangent.gram import Floats

JITTERS = (1, 10, 100)  # of the diagonal of W, in units of what rounding of K to float32 adds: tried in turn
ROWS = 512  # of K at a time, used twice while they are in the cache
MOST_PRODUCTS = 100
HELD_OUT = 20  # one sample in so many is held out to choose a ridge


class CentredRidge:
    """Solves for alpha, for any ridge and targets.

    Parameters
    ----------
    kernel : (n, M)
        K of all samples with the centres.
    centres : (M,)
        Which samples they are.
    weights : (n,), >= 0, optional

    Raises
    ------
    numpy.linalg.LinAlgError
        The kernel of the centres is not positive definite.

    Notes
    -----
    Cost: M^3; per solution M^3 / 3 and some twenty products of 2 n M (c + 1) multiply-adds. Memory: three
    matrices M x M.
    """

    def __init__(
        self, kernel: NDArray[np.float32], centres: NDArray[np.int64], weights: Floats | None = None
    ) -> None:
        from scipy.linalg import get_lapack_funcs

        self.kernel, self.weights = kernel, weights
        square = kernel[centres].astype(np.float64)
        self.least_ridge = least_ridge(square, len(kernel))
        self._outer = _root_of(square, _rounding(len(kernel)))
        if weights is None:
            (product,) = get_lapack_funcs(("lauum",), (self._outer,))
            self._inner = product(self._outer)[0]  # T T^T, its upper half
        else:
            self._inner = (self._outer * weights[centres]) @ self._outer.T
        self._inner *= len(kernel) / len(centres)

    def without(self, held: NDArray[np.int64]) -> "CentredRidge":
        """The same without these samples; the preconditioner stays."""
        other = copy(self)
        other.weights = np.ones(len(self.kernel)) if self.weights is None else self.weights.copy()
        other.weights[held] = 0
        return other

    def solve(
        self, targets: Floats, ridge: float, *, start: Floats | None = None, tolerance: float = 1e-2
    ) -> Floats:
        """alpha, (M, c).

        Parameters
        ----------
        targets : (n, c)
        ridge : float, > 0
            Raised to ten times what rounding of K to float32 adds, eps sqrt(n) of its diagonal.
        start : (M, c), optional
            Of another ridge or other weights: the nearer it is, the fewer the products.
        tolerance : float
            Relative residual of the preconditioned system at which it counts as solved.
        """
        from scipy.linalg import cholesky, solve_triangular

        ridge = max(ridge, self.least_ridge)
        inner = self._inner.copy()
        inner.flat[:: len(inner) + 1] += ridge
        inner = cholesky(inner, overwrite_a=True, check_finite=False)
        outer, weights = self._outer, self.weights

        def solved(factor: Floats, values: Floats, *, transposed: bool) -> Floats:
            return solve_triangular(factor, values, trans=int(transposed), check_finite=False)

        def multiply(values: Floats) -> Floats:
            within = solved(inner, values, transposed=False)
            image = _gram_times(self.kernel, solved(outer, within, transposed=False), weights)
            return solved(inner, solved(outer, image, transposed=True) + ridge * within, transposed=True)

        def image_of(values: Floats) -> Floats:
            weighted = values if weights is None else weights[:, None] * values
            return solved(outer, _transposed_times(self.kernel, weighted), transposed=True)

        right = solved(inner, image_of(targets), transposed=True)
        goal, begun = tolerance * float(np.linalg.norm(right)), np.zeros_like(right)
        if start is not None:
            missed = image_of(targets - self.kernel @ start.astype(np.float32)) - ridge * (outer @ start)
            begun = start
            right = solved(inner, missed, transposed=True)
        size = float(np.linalg.norm(right)) or 1.0
        change, _, _ = conjugate_gradients(
            multiply, lambda v: v, right, tolerance=goal / size, most=MOST_PRODUCTS
        )
        return begun + solved(outer, solved(inner, change, transposed=False), transposed=False)


def least_ridge_error(
    solver: CentredRidge, targets: Floats, ridges: Sequence[float], seed: int
) -> tuple[float, Floats | None]:
    """The ridge that errs least on a twentieth of the samples that are held out, and alpha without those.

    The search ends at the first that errs more than the one before it. Cost: a solution for each.
    """
    kernel, weights = solver.kernel, solver.weights
    held = np.random.default_rng(seed).permutation(len(kernel))[: max(1, len(kernel) // HELD_OUT)]
    counts, learned = 1.0 if weights is None else weights[held, None], solver.without(held)
    best, alpha, least = ridges[0], None, np.inf
    for ridge in ridges:
        other = learned.solve(targets, ridge, start=alpha)
        missed = targets[held] - kernel[held] @ other.astype(np.float32)
        error = float(np.sum(counts * np.square(missed)))
        if error > least:
            break
        best, alpha, least = ridge, other, error
    return best, alpha


def least_ridge(square: Floats, n_rows: int | None = None) -> float:
    """Ten times what rounding to float32 adds to this kernel in any direction, for as many rows of it."""
    return 10 * _rounding(n_rows or len(square)) * float(np.trace(square)) / len(square)


def _rounding(n_rows: int) -> float:
    return float(np.finfo(np.float32).eps) * n_rows**0.5


def _root_of(square: Floats, rounding: float) -> Floats:
    """T with T^T T = W, but for as little of a diagonal as it takes."""
    from scipy.linalg import cholesky

    for jitter in JITTERS:
        damped = square.copy()
        damped.flat[:: len(square) + 1] *= 1 + jitter * rounding
        try:
            return cholesky(damped, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            continue
    raise np.linalg.LinAlgError(
        f"the kernel of the {len(square)} centres must be positive definite, but for "
        f"{JITTERS[-1] * rounding:.0e} of its diagonal. Got one that is not. Give fewer centres."
    )


def _gram_times(kernel: NDArray[np.float32], values: Floats, weights: Floats | None) -> Floats:
    """K^T D K v, (M, c), some rows of K at a time: sums in float64, products in float32."""
    single, total = values.astype(np.float32), np.zeros_like(values)
    for first in range(0, len(kernel), ROWS):
        rows = kernel[first : first + ROWS]
        image = rows @ single
        if weights is not None:
            image *= weights[first : first + ROWS, None].astype(np.float32)
        total += rows.T @ image
    return total


def _transposed_times(kernel: NDArray[np.float32], values: Floats) -> Floats:
    """K^T v, (M, c)."""
    total = np.zeros((kernel.shape[1], values.shape[1]))
    for first in range(0, len(kernel), ROWS):
        total += kernel[first : first + ROWS].T @ values[first : first + ROWS].astype(np.float32)
    return total

"""Kernel ridge regression through some of the samples, the centres, for tables of any length.

The predictor is f(x) = sum_s K(x, z_s) alpha_s over M centres z_s, and alpha makes

    sum_i weight_i |y_i - f(x_i)|^2 + ridge alpha^T W alpha

least, W the kernel of the centres. With K (n, M) that is (K^T D K + ridge W) alpha = K^T D y, D the weights,
solved by conjugate gradients. It is preconditioned by the same system with K^T D K replaced by what the
centres say of it, n/M W D W, through two Cholesky factors: W = T^T T and A^T A = n/M T D T^T + ridge.

Source: Rudi, Carratino, Rosasco, "FALKON: An optimal large scale kernel method", NeurIPS 2017.
"""

import numpy as np
from numpy.typing import NDArray

from fewfire.tangent.conjugate_gradients import conjugate_gradients
from fewfire.tangent.gram import Floats

JITTERS = (
    1e-7,
    1e-6,
    1e-5,
    1e-4,
)  # of the diagonal of W, whose entries are rounded to float32: tried in turn
ROWS = 512  # of K at a time, used twice while they are in the cache
MOST_PRODUCTS = 100


def ridge_by_centres(
    kernel: NDArray[np.float32],
    centres: NDArray[np.int64],
    targets: Floats,
    ridge: float,
    weights: Floats | None = None,
    *,
    tolerance: float = 1e-2,
) -> Floats:
    """alpha, (M, c).

    Parameters
    ----------
    kernel : (n, M)
        K of all samples with the centres.
    centres : (M,)
        Which samples they are.
    targets : (n, c)
    ridge : float, > 0
        Raised to ten times what rounding of K to float32 adds, eps sqrt(n) of its diagonal.
    weights : (n,), >= 0, optional
    tolerance : float
        Relative residual of the preconditioned system at which it counts as solved.

    Raises
    ------
    numpy.linalg.LinAlgError
        The kernel of the centres is not positive definite.

    Notes
    -----
    Cost: M^3, then 2 n M (c + 1) multiply-adds for each of some twenty products. Memory: two matrices M x M.
    """
    from scipy.linalg import cholesky, get_lapack_funcs, solve_triangular

    square = kernel[centres].astype(np.float64)
    rounding = float(np.finfo(np.float32).eps) * len(kernel) ** 0.5 * float(np.trace(square)) / len(square)
    ridge = max(ridge, 10 * rounding)
    outer = _root_of(square)
    share = len(kernel) / len(centres)
    if weights is None:
        (product,) = get_lapack_funcs(("lauum",), (outer,))  # T T^T, its upper half
        inner = product(outer)[0]
    else:
        inner = (outer * weights[centres]) @ outer.T
    inner *= share
    inner.flat[:: len(inner) + 1] += ridge
    inner = cholesky(inner, overwrite_a=True, check_finite=False)

    def solved(factor: Floats, values: Floats, *, transposed: bool) -> Floats:
        return solve_triangular(factor, values, trans=int(transposed), check_finite=False)

    def alpha_of(values: Floats) -> Floats:
        return solved(outer, solved(inner, values, transposed=False), transposed=False)

    def multiply(values: Floats) -> Floats:
        within = solved(inner, values, transposed=False)
        image = _gram_times(kernel, solved(outer, within, transposed=False), weights)
        return solved(inner, solved(outer, image, transposed=True) + ridge * within, transposed=True)

    weighted = targets if weights is None else weights[:, None] * targets
    right = solved(outer, _transposed_times(kernel, weighted), transposed=True)
    right = solved(inner, right, transposed=True)
    solution, _, _ = conjugate_gradients(
        multiply, lambda v: v, right, tolerance=tolerance, most=MOST_PRODUCTS
    )
    return alpha_of(solution)


def _root_of(square: Floats) -> Floats:
    """T with T^T T = W, but for as little of a diagonal as it takes."""
    from scipy.linalg import cholesky

    for jitter in JITTERS[:-1]:
        damped = square.copy()
        damped.flat[:: len(square) + 1] *= 1 + jitter
        try:
            return cholesky(damped, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            continue
    square.flat[:: len(square) + 1] *= 1 + JITTERS[-1]
    return cholesky(square, overwrite_a=True, check_finite=False)


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

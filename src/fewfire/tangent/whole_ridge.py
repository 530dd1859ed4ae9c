"""Kernel ridge regression through all of some thousands of samples, with the ridge that errs least."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from fewfire.system.machine import one_blas_thread, threads
from fewfire.tangent.centres import least_ridge
from fewfire.tangent.leave_one_out import left_out

Floats = NDArray[np.float64]
JUDGED = 500  # samples that judge a ridge, or half of all
AT_ONCE = 2  # ridges, each of which takes two matrices n x n


def whole_ridge(
    kernel: NDArray[np.float32],
    targets: Floats,
    ridges: Sequence[float],
    *,
    weights: Floats | None = None,
    seed: int = 0,
) -> Floats:
    """alpha (n, c) that makes sum_i weight_i |y_i - (K alpha)_i|^2 + ridge alpha^T K alpha least.

    Parameters
    ----------
    kernel : (n, n)
    targets : (n, c)
    ridges : sequence of float, > 0
        Of several, from large to small, the one that errs least by leaving one out, on 500 samples: found
        from the middle downhill. They are raised to ten times what rounding of K to float32 adds.
    weights : (n,), >= 0, optional
        A sample of weight 0 teaches nothing.
    seed : int
        Draws the samples that judge.

    Raises
    ------
    numpy.linalg.LinAlgError
        The kernel and the ridge are not positive definite.

    Notes
    -----
    Cost: a Cholesky factor, n^3 / 3, and one more for each ridge that is tried, two at a time.
    """
    if weights is not None and not weights.all():
        counts, alpha = np.flatnonzero(weights), np.zeros_like(targets)
        alpha[counts] = whole_ridge(
            kernel[np.ix_(counts, counts)], targets[counts], ridges, weights=weights[counts], seed=seed
        )
        return alpha
    order = np.random.default_rng(seed).permutation(len(kernel))
    problem = kernel[np.ix_(order, order)].astype(np.float64), targets[order]
    counts = np.ones(len(order)) if weights is None else weights[order].astype(np.float64)
    least = least_ridge(problem[0])
    ridges = [max(ridge, least) for ridge in ridges]
    n_judged = min(JUDGED, len(order) // 2)

    def error(ridge: float) -> float:
        squares = np.square(left_out(*problem, ridge, n_judged, counts)).mean(axis=1)
        return float(np.average(squares, weights=counts[len(order) - n_judged :]))

    with one_blas_thread():
        best = _downhill(error, ridges) if len(ridges) > 1 and n_judged else ridges[0]
        alpha = np.empty_like(targets)
        alpha[order] = _solution(*problem, best / counts)
    return alpha


def _downhill(error: Callable[[float], float], ridges: Sequence[float]) -> float:
    """The ridge of the least error: from the three in the middle on, towards where it is less."""
    middle = len(ridges) // 2
    places = list(range(max(0, middle - 1), min(len(ridges), middle + 2)))
    with ThreadPoolExecutor(min(AT_ONCE, threads())) as pool:
        found = dict(zip(places, pool.map(error, [ridges[place] for place in places]), strict=True))
    best = min(found, key=found.__getitem__)
    step = best - middle
    while step and 0 <= best + step < len(ridges):
        found[best + step] = error(ridges[best + step])
        if found[best + step] >= found[best]:
            break
        best += step
    return ridges[best]


def _solution(kernel: Floats, targets: Floats, diagonal: Floats) -> Floats:
    from scipy.linalg import cho_factor, cho_solve

    kernel.flat[:: len(kernel) + 1] += diagonal
    factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
    return cho_solve(factor, targets, check_finite=False)

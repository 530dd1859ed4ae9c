"""What a kernel ridge regression errs by on each sample that it did not see, without a second fit."""

import numpy as np
from numpy.typing import NDArray

from fewfire.system.machine import one_blas_thread

Floats = NDArray[np.float64]


def leave_one_out(
    kernel: Floats, targets: Floats, ridges: Floats, sample_weight: Floats | None = None
) -> Floats:
    """Mean squared error of each sample's prediction from all others, (len(ridges),); exact.

    Kernel ridge regression without sample i errs on it by [(H + ridge)^(-1) y]_i / [(H + ridge)^(-1)]_ii.
    A weight w stands for w copies of a sample, one of which is left out. Cost: one eigenvalue problem,
    n^2 (c + 1) for each ridge.

    Parameters
    ----------
    kernel : (n, n)
    targets : (n, c)
    ridges : (k,), > 0
    sample_weight : (n,), > 0, optional

    Raises
    ------
    numpy.linalg.LinAlgError
        The eigenvalue problem has no solution, as where the kernel holds NaN.
    """
    from scipy.linalg import eigh

    weights = np.ones(len(kernel)) if sample_weight is None else sample_weight
    roots = np.sqrt(weights)
    with one_blas_thread():  # of rows so few, more threads mostly wait for one another
        values, vectors = eigh(roots[:, None] * kernel * roots, check_finite=False)
    return errors_left_out(values, vectors, targets, ridges, weights)


def errors_left_out(
    values: Floats, vectors: Floats, targets: Floats, ridges: Floats, weights: Floats
) -> Floats:
    """What `leave_one_out` finds, from the eigenvalue problem of W^(1/2) H W^(1/2), (len(ridges),)."""
    roots = np.sqrt(weights)
    coordinates, squares = vectors.T @ (roots[:, None] * targets), vectors**2
    others = np.maximum(weights - 1, 0)  # copies that stay
    errors = np.empty(len(ridges))
    for place, ridge in enumerate(ridges):
        shrunk = 1 / (np.maximum(values, 0) + ridge)
        # The dual variables are those of (H + ridge W^(-1))^(-1); a copy less changes one entry of W.
        dual = roots[:, None] * (vectors @ (coordinates * shrunk[:, None]))
        diagonal = weights * (squares @ shrunk)
        residuals = dual / (others / ridge + (1 - others / weights) * diagonal)[:, None]
        errors[place] = np.average(np.mean(residuals**2, axis=1), weights=weights)
    return errors


def left_out(
    kernel: Floats, targets: Floats, ridge: float, count: int, sample_weight: Floats | None = None
) -> Floats:
    """What each of the last samples is missed by in the prediction from all others, (count, c).

    Cost: n^3 / 3 for a Cholesky factor, whose last rows hold the rest: for a ridge or two less than the
    eigenvalue problem of `leave_one_out`, which has the formula.

    Raises
    ------
    numpy.linalg.LinAlgError
        The kernel and the ridge are not positive definite.
    """
    from scipy.linalg import cho_factor, cho_solve, solve_triangular

    weights = np.ones(len(kernel)) if sample_weight is None else sample_weight
    damped = kernel.copy()
    damped.flat[:: len(damped) + 1] += ridge / weights
    with one_blas_thread():
        factor, _ = cho_factor(damped, lower=True, overwrite_a=True, check_finite=False)
        dual = cho_solve((factor, True), targets, check_finite=False)[-count:]
        # Column i of the inverse of a lower factor begins in row i.
        inverse = solve_triangular(factor[-count:, -count:], np.eye(count), lower=True, check_finite=False)
    weights = weights[-count:]
    others = np.maximum(weights - 1, 0)  # copies that stay
    return dual / (others / ridge + (1 - others / weights) * np.square(inverse).sum(axis=0))[:, None]

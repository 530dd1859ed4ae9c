"""The firing kernel in the limit of great width, and what a ridge regression with it leaves out of reach.

    H(x, x') = <x, x'> P[Z > b and Z' > b],     Z, Z' standard normal with correlation <x, x'>,

for unit-norm samples: what `firing_kernel` tends to (docs/theory/gauss_newton.md). It says beforehand, at the
price of a small eigenvalue problem, which threshold, scaling and ridge suit a data set.
"""

import numpy as np
from numpy.typing import NDArray

from fewfire.activation import fire_rate_at
from fewfire.machine import one_blas_thread

Floats = NDArray[np.float64]
ANGLES = 4001  # of the table that the probability is read from, by interpolation: within 1e-6


def wide_kernel(inner_products: Floats, threshold: float) -> Floats:
    """H from the inner products of unit-norm samples, of any shape, over the fire rate: H(x, x) = 1.

    P[Z > b and Z' > b] = Q(b) - 2 T(b, sqrt((1 - r) / (1 + r))), with T of D. B. Owen, *Tables for computing
    bivariate normal probabilities*, Annals of Mathematical Statistics 1956.
    """
    from scipy.special import owens_t

    angles = np.linspace(np.pi, 0, ANGLES)  # close together where the cosine is near 1 or -1
    fires = fire_rate_at(threshold)
    both = fires - 2 * owens_t(threshold, np.tan(angles / 2))
    cosines = np.clip(inner_products, -1, 1)
    return cosines * np.interp(cosines, np.cos(angles), both / fires)


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
    """
    from scipy.linalg import eigh

    weights = np.ones(len(kernel)) if sample_weight is None else sample_weight
    roots = np.sqrt(weights)
    with one_blas_thread():  # of rows so few, more threads mostly wait for one another
        values, vectors = eigh(roots[:, None] * kernel * roots, check_finite=False)
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

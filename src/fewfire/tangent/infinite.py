"""The firing kernel in the limit of great width, and what a ridge regression with it leaves out of reach.

    H(x, x') = <x, x'> P[Z > b and Z' > b],     Z, Z' standard normal with correlation <x, x'>,

for unit-norm samples: what `firing_kernel` tends to (docs/theory/gauss_newton.md). It says beforehand, at the
price of a small eigenvalue problem, which threshold, scaling and ridge suit a data set.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.networks.threshold import fire_rate_at

Floats = NDArray[np.float64]
ANGLES = 4001  # of the table that the probability is read from, by interpolation: within 1e-6


def wide_kernel(inner_products: ArrayLike, threshold: float) -> Floats:
    """The firing kernel at infinite width, divided by the fire rate, so that H(x, x) = 1.

    Parameters
    ----------
    inner_products : array of any shape
        <x, x'> of unit-norm samples.
    threshold : float, >= 0

    Returns
    -------
    array of the same shape

    Notes
    -----
    P[Z > b and Z' > b] = Q(b) - 2 T(b, sqrt((1 - r) / (1 + r))), with T of D. B. Owen, *Tables for computing
    bivariate normal probabilities*, Annals of Mathematical Statistics 1956.

    Examples
    --------
    >>> wide_kernel([1.0, 0.6], threshold=0.0).round(2).tolist()
    [1.0, 0.42]
    """
    from scipy.special import owens_t

    angles = np.linspace(np.pi, 0, ANGLES)  # close together where the cosine is near 1 or -1
    fires = fire_rate_at(threshold)
    both = fires - 2 * owens_t(threshold, np.tan(angles / 2))
    cosines = np.clip(inner_products, -1, 1)
    return cosines * np.interp(cosines, np.cos(angles), both / fires)

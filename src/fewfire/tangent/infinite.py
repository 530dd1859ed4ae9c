"""The firing kernel in the limit of great width, and what a ridge regression with it leaves out of reach.

    H(x, x') = <x, x'> P[Z > b and Z' > b],     Z, Z' standard normal with correlation <x, x'>,

for unit-norm samples: what `firing_kernel` tends to (docs/theory/gauss_newton.md). It says beforehand, at the
price of a small eigenvalue problem, which threshold, scaling and ridge suit a data set.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.networks.threshold import fire_rate_at
from fewfire.tangent.dual import HIGHEST, both_fire

Floats = NDArray[np.float64]
ANGLES = 4001  # of the table that the probability is read from, by interpolation: within 1e-6


def wide_kernel(inner_products: ArrayLike, threshold: float) -> Floats:
    """The firing kernel at infinite width, divided by the fire rate, so that H(x, x) = 1.

    Parameters
    ----------
    inner_products : array of any shape
        <x, x'> of unit-norm samples.
    threshold : float from 0 to 7

    Returns
    -------
    array of the same shape

    Raises
    ------
    ValueError
        The threshold is out of this range.

    Notes
    -----
    The probability is `fewfire.tangent.dual.both_fire`, from a table over the angle.

    Examples
    --------
    >>> wide_kernel([1.0, 0.6], threshold=0.0).round(2).tolist()
    [1.0, 0.42]
    """
    cosines = np.clip(inner_products, -1, 1)
    return cosines * _both_fire(cosines, threshold)


def wide_kernel_slope(inner_products: ArrayLike, threshold: float) -> Floats:
    """The derivative of `wide_kernel` by the inner product r: (P(r) + r p(r)) / q.

    P is the probability that both fire, q the fire rate, and p = exp(-b^2 / (1 + r)) / (2 pi sqrt(1 - r^2))
    the density of both pre-activations at the threshold (Price's theorem). At r = 1 and -1 it is infinite.
    """
    cosines = np.clip(inner_products, -1, 1)
    with np.errstate(divide="ignore"):
        density = np.exp(-np.square(threshold) / (1 + cosines)) / (2 * np.pi * np.sqrt(1 - cosines**2))
    return _both_fire(cosines, threshold) + cosines * density / fire_rate_at(threshold)


def _both_fire(cosines: Floats, threshold: float) -> Floats:
    """The probability that both fire, over the fire rate: linear in the angle between two of the table."""
    if not 0 <= threshold <= HIGHEST:
        raise ValueError(
            f"the threshold of a wide kernel must be from 0 to {HIGHEST:g}. Got {threshold:g}, which "
            "hardly any neuron exceeds. Use networks.paper_threshold(width)."
        )
    if threshold == 0:
        return 1 - np.arccos(cosines) / np.pi
    table = _shares(threshold)
    places = np.arccos(cosines) * ((ANGLES - 1) / np.pi)
    before = np.minimum(places.astype(np.int32), ANGLES - 2)
    low = table[before]
    return low + (places - before) * (table[1:] - table[:-1])[before]


@lru_cache(maxsize=8)
def _shares(threshold: float) -> Floats:
    """For angles from 0 to pi the probability that both fire, over the fire rate."""
    return both_fire(np.linspace(0, np.pi, ANGLES), threshold) / fire_rate_at(threshold)

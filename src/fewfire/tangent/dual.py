"""What two neurons' inputs of correlation r make of an activation on average, in closed form.

For standard normal u and v at the angle arccos r, with Q(t) = P[u > t], the normal density phi, Owen's T and
s = tan(angle / 2): E[f(u) f(v)], and E[f'(u) f'(v)] with the derivative almost everywhere. Angles and not
correlations are given, as two samples that are nearly one differ in them and not in the others' last digit.
docs/theory/kernels.md derives each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, pi, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.networks.threshold import fire_rate_at

Floats = NDArray[np.float64]
HIGHEST = 7.0  # threshold: at a fire rate of 1e-12 the difference of two probabilities has no digits left
Dual = Callable[[Floats, float], Floats]


def both_fire(angles: ArrayLike, threshold: float) -> Floats:
    """P[u > b and v > b] = Q(b) - 2 T(b, s), with T of D. B. Owen, Annals of Mathematical Statistics 1956."""
    from scipy.special import owens_t

    return fire_rate_at(threshold) - 2 * owens_t(threshold, np.tan(np.asarray(angles) / 2))


def shifted_relu(angles: ArrayLike, threshold: float) -> Floats:
    """E[(u - b)+ (v - b)+] = (r + b^2) P - 2 b phi(b) Q(b s) + sin(angle) exp(-b^2 / (1 + r)) / (2 pi)."""
    angles, b = np.asarray(angles, np.float64), threshold
    return (np.cos(angles) + b * b) * both_fire(angles, b) - _edge(angles, b) + _corner(angles, b)


def thresholded_relu(angles: ArrayLike, threshold: float) -> Floats:
    """E[u v; u > b, v > b]. It jumps at b: `both_fire` is what trains, but not its derivative by r."""
    angles, b = np.asarray(angles, np.float64), threshold
    r = np.cos(angles)
    return r * both_fire(angles, b) + r * _edge(angles, b) + _corner(angles, b)


def erf(angles: ArrayLike, threshold: float = 0.0) -> Floats:
    """E[erf(u) erf(v)] = 2/pi arcsin(2 r / 3), without a threshold (Williams, NIPS 1996)."""
    return 2 / pi * np.arcsin(2 / 3 * np.cos(angles))


def erf_slope(angles: ArrayLike, threshold: float = 0.0) -> Floats:
    """E[erf'(u) erf'(v)] = 4 / (pi sqrt(9 - 4 r^2))."""
    return 4 / (pi * np.sqrt(9 - 4 * np.square(np.cos(angles))))


def unequal_shifted_relu(
    first: ArrayLike, second: ArrayLike, covariance: ArrayLike, threshold: float
) -> tuple[Floats, Floats]:
    """E[(u - b)+ (v - b)+] and P[u > b and v > b] for standard deviations that differ.

    Parameters
    ----------
    first, second : arrays of one shape, > 0
        Standard deviations of u and v.
    covariance : array of that shape
        Its size is less than their product.
    threshold : float, > 0
    """
    from scipy.special import ndtr, owens_t

    a, c = np.asarray(first, np.float64), np.asarray(second, np.float64)
    r = np.asarray(covariance) / (a * c)
    h, k, across = threshold / a, threshold / c, np.sqrt(1 - r * r)
    one, other = _density(h) * ndtr((r * h - k) / across), _density(k) * ndtr((r * k - h) / across)
    both = (ndtr(-h) + ndtr(-k)) / 2 - owens_t(h, (k / h - r) / across) - owens_t(k, (h / k - r) / across)
    corner = across * np.exp(-(h * h - 2 * r * h * k + k * k) / (2 * across**2)) / (2 * pi)
    product = r * both + r * h * one + r * k * other + corner
    mean = a * c * (product - k * (one + r * other) - h * (other + r * one) + h * k * both)
    return mean, both


@dataclass(frozen=True)
class Activation:
    """An activation's averages over two neurons, by angle and threshold.

    Attributes
    ----------
    product : (angles, threshold) -> E[f(u) f(v)]
    slope : (angles, threshold) -> E[f'(u) f'(v)]
    linear : threshold -> E[u f(u)], how much of it is linear
    smooth : whether the slope is the derivative of the product by r (Price's theorem)
    """

    product: Dual
    slope: Dual
    linear: Callable[[float], float]
    smooth: bool = True


ACTIVATIONS = {
    "relu": Activation(shifted_relu, both_fire, fire_rate_at),
    "thresholded": Activation(
        thresholded_relu, both_fire, lambda b: fire_rate_at(b) + b * float(_density(b)), smooth=False
    ),
    "erf": Activation(erf, erf_slope, lambda b: 2 / sqrt(3 * pi)),
    "linear": Activation(
        lambda angles, b: np.cos(angles), lambda angles, b: np.ones_like(angles), lambda b: 1.0
    ),
}


def _density(t: ArrayLike) -> Floats:
    return np.exp(-np.square(t) / 2) / sqrt(2 * pi)


def _edge(angles: Floats, b: float) -> Floats:
    """2 b phi(b) Q(b s)."""
    from scipy.special import ndtr

    return 2 * b * exp(-b * b / 2) / sqrt(2 * pi) * ndtr(-b * np.tan(angles / 2))


def _corner(angles: Floats, b: float) -> Floats:
    """sin(angle) exp(-b^2 / (1 + r)) / (2 pi)."""
    with np.errstate(over="ignore"):
        return np.sin(angles) * np.exp(-b * b / (2 * np.square(np.cos(angles / 2)))) / (2 * pi)

"""Bounds of a two-layer network over balls, densely in float64 and in real numbers: rounding is left out.

    sup <w_r, x'> over |x' - x| <= radius is <w_r, x> + radius |w_r|, in the dual norm

Everywhere: `norm` "l2" or "linf"; `weights` (m, d), `sums` (q, m): what is bounded is
sum_r sums_qr max(<w_r, x'> - b, 0) for one sample x (d,).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.reference.two_layer import pre_activations

Floats = NDArray[np.float64]


def dual(rows: ArrayLike, norm: str) -> Floats:
    """The dual norm of each row: of l2 itself, of linf the sum of sizes."""
    return np.linalg.norm(np.asarray(rows, np.float64), ord=2 if norm == "l2" else 1, axis=-1)


def ends(
    weights: ArrayLike, samples: ArrayLike, threshold: float, radius: float, norm: str
) -> tuple[Floats, Floats]:
    """The least and the largest <w_r, x'> - b near each sample, (m, n) both."""
    centre, reach = pre_activations(weights, samples) - threshold, radius * dual(weights, norm)[:, None]
    return centre - reach, centre + reach


def may_fire(
    weights: ArrayLike, samples: ArrayLike, threshold: float, radius: float, norm: str
) -> NDArray[np.bool_]:
    """Whether each neuron fires somewhere near each sample, (m, n)."""
    return ends(weights, samples, threshold, radius, norm)[1] > 0


def interval_bound(
    weights: ArrayLike, sums: ArrayLike, sample: ArrayLike, threshold: float, radius: float, norm: str
) -> Floats:
    """Each neuron at the end that is worst for the sum, (q,)."""
    low, high = (end[:, 0] for end in ends(weights, np.atleast_2d(sample), threshold, radius, norm))
    c = np.asarray(sums, np.float64)
    return np.maximum(c, 0) @ np.maximum(low, 0) + np.minimum(c, 0) @ np.maximum(high, 0)


def linear_bound(
    weights: ArrayLike, sums: ArrayLike, sample: ArrayLike, threshold: float, radius: float, norm: str,
    *, flat: bool,
) -> Floats:  # fmt: skip
    """By a line under or over each neuron g . (x' - x) + g_0 <= the sum: the least g_0 - radius |g|, (q,).

    With `flat` the line under an undecided neuron is 0; else z or 0, whichever leaves less area.
    """
    w, c = np.asarray(weights, np.float64), np.asarray(sums, np.float64)
    low, high = (end[:, 0] for end in ends(w, np.atleast_2d(sample), threshold, radius, norm))
    centre = (low + high) / 2
    bounds = np.empty(len(c))
    for question, row in enumerate(c):
        gradient, constant = np.zeros(w.shape[1]), 0.0
        for r, weight in enumerate(row):
            if high[r] <= 0:
                slope, lift = 0.0, 0.0
            elif low[r] >= 0:
                slope, lift = 1.0, 0.0
            elif weight < 0:
                slope = high[r] / (high[r] - low[r])
                lift = -low[r] * slope
            else:
                slope, lift = float(high[r] > -low[r] and not flat), 0.0
            gradient += weight * slope * w[r]
            constant += weight * (slope * centre[r] + lift)
        bounds[question] = constant - radius * dual(gradient, norm)
    return bounds

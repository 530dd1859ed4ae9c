"""Two lines around max(z, 0) for z between two ends, of which a sum of many has a bound by one product."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def interval_sums(weights: Floats, low: Floats, high: Floats) -> Floats:
    """The least of sum_r weight_r max(z_r, 0) where each z_r goes by itself from low_r to high_r.

    Parameters
    ----------
    weights : (q, k)
    low, high : (k,)
    """
    return np.maximum(weights, 0) @ np.maximum(low, 0) + np.minimum(weights, 0) @ np.maximum(high, 0)


def lines_below(weights: Floats, low: Floats, high: Floats, *, flat: bool) -> tuple[Floats, Floats]:
    """Slopes k (q, k) and constants (q,) with sum_r k_r z_r + constant <= sum_r weight_r max(z_r, 0).

    A neuron that fires everywhere is its own line. An undecided one lies below its chord, which counts where
    its weight is negative, and above s z with s = 1 where high > -low, else 0: the line that leaves less
    area. With `flat` s = 0, and the sum is never below that of the intervals.
    """
    chord, undecided = chords(low, high)
    below = np.where(undecided, (high > -low) & (not flat), low >= 0)
    slopes = np.where(weights < 0, weights * chord, weights * below)
    constants = np.minimum(weights, 0) @ np.where(undecided, -low * chord, 0.0)
    return slopes, constants


def chords(low: Floats, high: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The slope of the line from end to end, (k,), and which neurons are undecided."""
    undecided = (low < 0) & (high > 0)
    span = np.where(undecided, high - low, 1.0)
    return np.where(undecided, high / span, low >= 0), undecided

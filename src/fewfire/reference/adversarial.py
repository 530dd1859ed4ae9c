"""Attacks in float64, densely: gradients by the inputs, and projected gradient ascent on them.

    dL/dx_i = m^(-1/2) sum_r <a_r, residual_i> [<w_r, x_i> > b] w_r

Source: Gao, Qin, Song, Wang, arXiv 2208.05395, where any such attack may be the adversary.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.reference.two_layer import fires

Floats = NDArray[np.float64]


def input_gradients(
    weights: ArrayLike, output_weights: ArrayLike, samples: ArrayLike, threshold: float, residuals: ArrayLike
) -> Floats:
    """The derivative by the samples (n, d) of what has the derivative `residuals` (n, c) by the outputs."""
    w, a = np.asarray(weights, np.float64), np.asarray(output_weights, np.float64)
    pulls = a @ np.asarray(residuals, np.float64).T * fires(w, samples, threshold)
    return pulls.T @ w / np.sqrt(len(w))


def attacked(
    samples: ArrayLike,
    gradient: Callable[[Floats], Floats],
    *,
    radius: float,
    steps: int,
    step_size: float,
    low: float = -np.inf,
    high: float = np.inf,
) -> Floats:
    """Signed steps up a gradient from the samples, within a radius in each column and within a box."""
    x = np.asarray(samples, np.float64)
    points = x
    for _ in range(steps):
        points = points + step_size * np.sign(gradient(points))
        points = np.clip(np.clip(points, x - radius, x + radius), low, high)
    return points

"""Attacks and training against them in float64, densely.

    dL/dx_i = m^(-1/2) sum_r <a_r, residual_i> [<w_r, x_i> > b] w_r

Sources: Gao, Qin, Song, Wang, arXiv 2208.05395, where any attack may be the adversary; Shafahi et al., arXiv
1904.12843 (free).
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.reference.losses import loss_gradients
from fewfire.reference.two_layer import fires, forward, gradient_step, pre_activations

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


def jump_forward(
    weights: ArrayLike, output_weights: ArrayLike, samples: ArrayLike, threshold: float
) -> Floats:
    """The outputs with the activation of Gao, Qin, Song, Wang, z [z > b], which jumps at the threshold."""
    a, z = np.asarray(output_weights, np.float64), pre_activations(weights, samples)
    return (z * (z > threshold)).T @ a / np.sqrt(len(a))


def adversarial_training(
    weights: ArrayLike,
    output_weights: ArrayLike,
    samples: ArrayLike,
    targets: ArrayLike,
    threshold: float,
    *,
    loss: str,
    learning_rate: float,
    batches: Iterable[ArrayLike],
    adversary: Callable[[Floats, Floats, Floats], Floats],
) -> Floats:
    """The weights after a step on each batch of sample numbers, at the points to which the adversary leads
    it: adversary(weights, samples of the batch, their targets)."""
    w, x, y = (np.asarray(array, np.float64) for array in (weights, samples, targets))
    for ids in batches:
        points, aims = adversary(w, x[np.asarray(ids)], y[np.asarray(ids)]), y[np.asarray(ids)]
        w, _ = gradient_step(
            w, output_weights, points, aims, threshold, loss=loss, learning_rate=learning_rate
        )
    return w


def free_training(
    weights: ArrayLike,
    output_weights: ArrayLike,
    samples: ArrayLike,
    targets: ArrayLike,
    threshold: float,
    *,
    loss: str,
    learning_rate: float,
    batches: Iterable[ArrayLike],
    replays: int,
    radius: float,
    low: float = -np.inf,
    high: float = np.inf,
) -> tuple[Floats, Floats]:
    """The weights, and the moves that the last batch left, after so many replays of each batch.

    Both move by gradients at the same points, the moves by the whole radius and within it in each column.
    """
    w, x, y = (np.asarray(array, np.float64) for array in (weights, samples, targets))
    moves = np.zeros_like(x)
    for ids in batches:
        batch, aims, mine = x[np.asarray(ids)], y[np.asarray(ids)], slice(len(np.asarray(ids)))
        for _ in range(replays):
            points = np.clip(batch + moves[mine], low, high)
            residuals = loss_gradients(loss, forward(w, output_weights, points, threshold), aims)
            up = np.sign(input_gradients(w, output_weights, points, threshold, residuals))
            w, _ = gradient_step(
                w, output_weights, points, aims, threshold, loss=loss, learning_rate=learning_rate
            )
            moves[mine] = np.clip(moves[mine] + radius * up, -radius, radius)
    return w, moves

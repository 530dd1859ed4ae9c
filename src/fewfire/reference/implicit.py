"""Implicit layers in float64, densely: what a solution, a box and a gradient must fulfill.

    x = relu(A x + B u + b),   y = C x + c

Source: Jafarpour, Davydov, Abate, Bullo, Coogan, arXiv 2208.03889.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def implicit_parameters(
    free: ArrayLike, decay: ArrayLike, log_scale: ArrayLike, margin: float
) -> tuple[Floats, Floats]:
    """A = D^-1 T D - diag(|T| 1) - diag(a^2) + margin I, and D = diag(exp d)."""
    t, d = np.asarray(free, np.float64), np.diag(np.exp(np.asarray(log_scale, np.float64)))
    shift = np.abs(t) @ np.ones(len(t)) + np.square(decay)
    return np.linalg.inv(d) @ t @ d - np.diag(shift) + margin * np.eye(len(t)), d


def implicit_measure(weights: ArrayLike) -> float:
    """The limit of (|I + h A| - 1) / h as h -> 0 from above, in the norm of largest entries."""
    a = np.asarray(weights, np.float64)
    return max(a[i, i] + sum(abs(a[i, j]) for j in range(len(a)) if j != i) for i in range(len(a)))


def implicit_image(weights: ArrayLike, drive: ArrayLike, states: ArrayLike) -> Floats:
    """relu(A x + v) for each row; a solution is its own image."""
    a, v, x = (np.asarray(array, np.float64) for array in (weights, drive, states))
    return np.maximum(x @ a.T + v, 0)


def embedded_image(
    weights: ArrayLike,
    input_weights: ArrayLike,
    bias: ArrayLike,
    ends: tuple[ArrayLike, ArrayLike],
    low: ArrayLike,
    high: ArrayLike,
) -> tuple[Floats, Floats]:
    """The images of both ends of the states, for inputs between low and high; a box is its own image."""
    a, b = np.asarray(weights, np.float64), np.asarray(input_weights, np.float64)
    m = np.where(np.eye(len(a), dtype=bool), a, np.maximum(a, 0))
    k, plus, minus = a - m, np.maximum(b, 0), np.minimum(b, 0)
    lo, hi, u_lo, u_hi = (np.asarray(array, np.float64) for array in (*ends, low, high))
    return (
        np.maximum(lo @ m.T + hi @ k.T + u_lo @ plus.T + u_hi @ minus.T + bias, 0),
        np.maximum(hi @ m.T + lo @ k.T + u_hi @ plus.T + u_lo @ minus.T + bias, 0),
    )


def implicit_pulls(weights: ArrayLike, active: ArrayLike, pulls: ArrayLike) -> Floats:
    """J (I - A^T J)^-1 g for each row g: the derivative by the drive, solved for densely."""
    a = np.asarray(weights, np.float64)
    found = [
        np.diag(j) @ np.linalg.solve(np.eye(len(a)) - a.T @ np.diag(j), g)
        for j, g in zip(np.asarray(active, np.float64), np.asarray(pulls, np.float64), strict=True)
    ]
    return np.array(found)

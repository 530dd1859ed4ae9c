"""Preconditioned conjugate gradients (Hestenes and Stiefel 1952)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Linear = Callable[[Floats], Floats]


def conjugate_gradients(
    multiply: Linear, precondition: Linear, right: Floats, *, tolerance: float, most: int
) -> tuple[Floats, Floats, int]:
    """Solve A x = b, A symmetric and positive definite.

    Parameters
    ----------
    multiply : v -> A v
    precondition : v -> P^(-1) v, P near A
    right : array of any shape
        b.
    tolerance : float
        Ends once |b - A x| <= tolerance |b|,
    most : int
        or after so many products with A.

    Returns
    -------
    (x, b - A x, products with A)
    """
    solution, remainder = np.zeros_like(right), right.copy()
    goal = tolerance * float(np.linalg.norm(right))
    direction, before = np.zeros_like(right), 1.0
    done = 0
    while done < most and float(np.linalg.norm(remainder)) > goal:
        preconditioned = precondition(remainder)
        now = float(np.vdot(remainder, preconditioned))
        direction = preconditioned + now / before * direction
        image = multiply(direction)
        along = float(np.vdot(direction, image))
        if not along > 0:  # rounding is all that is left
            break
        solution += now / along * direction
        remainder -= now / along * image
        before = now
        done += 1
    return solution, remainder, done

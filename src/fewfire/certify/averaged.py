"""The averaged iteration: it finds the solution of x = relu(A x + v), and cannot diverge.

docs/theory/implicit.md proves it.
"""

from collections.abc import Callable
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from fewfire.certify.intervals import rounding

Floats = NDArray[np.floating]


class AveragedIteration:
    """x <- (1 - alpha) x + alpha relu(A x + v), in the dtype of A.

    Parameters
    ----------
    weights : (n, n) array
        A.

    Attributes
    ----------
    measure : float
        mu(A) = max_i (A_ii + sum over j != i of |A_ij|), rounded up.
    gap : float
        1 - max(mu, 0): the least share of the distance to the solution that relu(A x + v) - x has.
    step : float
        alpha* = 1 / (1 - min(0, min_i A_ii)).
    factor : float
        What a step leaves of the distance to the solution at the most: 1 - (1 - max(mu, 0)) alpha*.

    Raises
    ------
    ValueError
        The measure is 1 or more, or no number.
    """

    def __init__(self, weights: Floats) -> None:
        self.weights = weights
        self.measure = matrix_measure(weights)
        if not self.measure < 1:
            raise ValueError(
                f"an implicit layer needs a margin below 1 to have one solution. Got {self.measure:.4g}. Use "
                "0.95 or less."
            )
        self.gap = 1 - max(self.measure, 0.0)
        self.step = 1 / (1 - float(weights.diagonal().min(initial=0.0)))
        self.factor = 1 - self.gap * self.step

    def solve(self, drive: Floats, tolerance: float) -> tuple[Floats, Floats, int]:
        """Solutions for the drives v (N, n).

        Parameters
        ----------
        tolerance : float in (0, 1)
            Of the first move: so far must all moves shrink.

        Returns
        -------
        states : (N, n)
        errors : (N,)
            How far each may be from the solution in any of its n numbers, proven, rounding included.
        steps : int
            At most ln(tolerance) / ln(factor), rounded up.
        """
        weights, drive = self.weights, drive.astype(self.weights.dtype, copy=False)

        def image(states: Floats) -> Floats:
            found = states @ weights.T
            found += drive
            return np.maximum(found, 0, out=found)

        states, left, steps = self._run(image, _largest, drive, tolerance)
        sizes = np.abs(states) @ np.abs(weights).T + np.abs(drive)
        rounded = rounding(len(weights), float(np.finfo(weights.dtype).eps))
        errors = (1 + rounded) * (left + rounded * _largest(sizes)) / self.gap
        return states, errors, steps

    def adjoint(self, pulls: Floats, active: NDArray[np.bool_], tolerance: float) -> Floats:
        """J (I - A^T J)^-1 g for the pulls g (N, n), where J has 1 for what is active and else 0.

        That is the derivative by the drive of what has the derivative g by the solution.
        """
        weights = self.weights

        def image(found: Floats) -> Floats:
            moved = found @ weights
            moved += pulls
            moved *= active
            return moved

        return self._run(image, _sum, pulls, tolerance)[0]

    def _run(
        self,
        image: Callable[[Floats], Floats],
        norm: Callable[[Floats], Floats],
        like: Floats,
        tolerance: float,
    ) -> tuple[Floats, Floats, int]:
        """Averaged steps towards a fixed point of `image` from 0: where they end, and the norms that the
        moves image(x) - x have there."""
        points = np.zeros_like(like)
        moves = image(points)
        left = norm(moves)
        enough, steps = tolerance * left, 0
        # Each step shrinks all moves by the factor: so many are enough, even if rounding keeps moves large.
        most = ceil(log(tolerance) / log(self.factor)) if self.factor > 0 else 1
        while steps < most and not (left <= enough).all():
            moves *= self.step
            points += moves
            moves = image(points)
            moves -= points
            left, steps = norm(moves), steps + 1
        return points, left, steps


def matrix_measure(weights: Floats) -> float:
    """max_i (A_ii + sum over j != i of |A_ij|), which belongs to the largest-entry norm, rounded up."""
    diagonal, sizes = weights.diagonal(), np.abs(weights)
    beside = sizes.sum(axis=1) - sizes.diagonal()
    rounded = rounding(len(weights), float(np.finfo(weights.dtype).eps)) * sizes.sum(axis=1)
    return float((diagonal + beside + rounded).max(initial=-np.inf))


def _largest(moves: Floats) -> Floats:
    return np.abs(moves).max(axis=1, initial=0.0)


def _sum(moves: Floats) -> Floats:
    return np.abs(moves).sum(axis=1)

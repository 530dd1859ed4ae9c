"""How fast descent and conjugate gradients lower a squared loss, foretold from a spectrum."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np
from numpy.typing import NDArray

from fewfire.errors import DataError
from fewfire.tangent.conjugate_gradients import conjugate_gradients
from fewfire.tangent.lanczos import Lanczos

Floats = NDArray[np.float64]
MOST_STEPS = 10**9
STEPS = 100  # of Lanczos, from the residuals


@dataclass(frozen=True, eq=False)
class Foretold:
    """The loss 1/2 |residual|^2, the mean over n samples, while the kernel stays as it is.

    A step of full-batch descent multiplies what is left along an eigenvector by 1 - rate * value / n. Descent
    in batches of B takes n / B such steps per epoch, on average.

    Attributes
    ----------
    values : (k,)
        Eigenvalues of the kernel, or nodes that stand for them.
    shares : (k,)
        The part of the squared residuals along each; they add up to |residual|^2.
    n_samples : int
    rate : float
    """

    values: Floats
    shares: Floats
    n_samples: int
    rate: float

    @classmethod
    def of_all(
        cls, values: Floats, vectors: Floats, residuals: Floats, rate: float | None = None
    ) -> "Foretold":
        """From all eigenvalues and eigenvectors of a kernel that outputs share, and residuals (n, c)."""
        rate = _rate_of(len(values), float(values[-1])) if rate is None else rate
        return cls(values, np.square(vectors.T @ residuals).sum(axis=1), len(values), rate)

    @classmethod
    def by_products(
        cls,
        times: Callable[[Floats], Floats],
        residuals: Floats,
        rate: float | None = None,
        steps: int = STEPS,
    ) -> "Foretold":
        """From products with the kernel of all outputs, (n, c) to (n, c): Gauss quadrature, by Lanczos.

        Without a rate it is n over the largest eigenvalue.
        """
        shape, start = residuals.shape, residuals.ravel()
        lanczos = Lanczos(lambda vector: times(vector.reshape(shape)).ravel(), start)
        while len(lanczos.diagonal) < steps and not (lanczos.exhausted and lanczos.diagonal):
            lanczos.step()
        values, first, _ = lanczos.eigenvalues()
        rate = _rate_of(len(residuals), float(values[-1])) if rate is None else rate
        return cls(values, first**2 * float(start @ start), len(residuals), rate)

    def loss_after(self, steps: float) -> float:
        """The mean loss after so many steps; infinite where the rate is too large for an eigenvalue."""
        left = np.abs(1 - self.rate * np.maximum(self.values, 0) / self.n_samples)
        there = self.shares > 0
        with np.errstate(over="ignore"):
            return float(self.shares[there] @ left[there] ** (2 * steps)) / (2 * self.n_samples)

    def steps_to(self, share: float) -> float:
        """Steps until the loss is this share of what it was at first; infinite where none of 10^9 is."""
        goal = share * self.loss_after(0)
        if not self.loss_after(MOST_STEPS) <= goal:
            return inf
        low, high = 0, 1
        while self.loss_after(high) > goal:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.loss_after(middle) <= goal else (middle, high)
        return float(high)

    def products_to(self, share: float) -> int:
        """Products of conjugate gradients until the loss of the linearized problem is this share.

        It is what one Gauss-Newton step takes without a preconditioner: each product costs as much as a step
        of full-batch descent. They are counted among the eigenvectors, where a product is one of n numbers.
        """
        values, right = np.maximum(self.values, 0), np.sqrt(self.shares)
        solve = partial(conjugate_gradients, lambda v: values * v, lambda v: v, right)
        return solve(tolerance=float(np.sqrt(share)), most=10 * len(values))[2]


def _rate_of(n_samples: int, largest: float) -> float:
    """The rate that the largest eigenvalue allows; DataError where nothing fires, and none is above 0."""
    if not largest > 0:
        raise DataError(
            "some neuron must fire on some sample. Got a kernel of zeros. Lower the threshold, or use more "
            "neurons."
        )
    return n_samples / largest

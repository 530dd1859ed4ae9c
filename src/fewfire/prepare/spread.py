"""How far a regression may be from a value that it predicts: a kernel's posterior, scaled to honest errors.

The tangent kernel of a wide network makes a Gaussian process of it: on a row u its output has the variance

    1 + ridge - k^T (H + ridge)^(-1) k,     k: the kernel of u with samples, H of these with each other,

in units that the kernel does not know. They are those in which nine of ten samples lie within the interval of
90 %, of samples that were predicted from all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fewfire.system.machine import one_blas_thread
from fewfire.tangent import wide_kernel

Floats = NDArray[np.float64]
INTERVAL, DEVIATIONS = 0.9, 1.6448536269514722  # of a normal variable: so much lies within so many
LEAST_RIDGE = 1e-8  # that keeps copies of a sample from making the kernel singular
ROWS = 4096  # predicted at a time
PREFIX = "spread "  # what the names of its arrays begin with


@dataclass(frozen=True, eq=False)
class Spread:
    """Standard deviations of predictions.

    Attributes
    ----------
    units : (s, p) float32
        Unit-norm rows of samples that stand for all.
    threshold : float
    ridge : float
        Of the kernel that is 1 for a sample with itself.
    factors : (c,)
        The standard deviation of an output per root of the kernel's variance.
    """

    units: NDArray[np.float32]
    threshold: float
    ridge: float
    factors: Floats

    @classmethod
    def fit(
        cls,
        units: NDArray,
        threshold: float,
        ridge: float,
        errors: Floats,
        weights: Floats | None = None,
    ) -> "Spread":
        """From what each of these samples (s, c) was missed by in a prediction from others.

        Cost: s^3.
        """
        spread = cls(units.astype(np.float32), threshold, max(ridge, LEAST_RIDGE), np.ones(errors.shape[1]))
        inverse = spread._roots @ spread._roots.T
        alone = 1 / np.sqrt(inverse.diagonal())  # of each from all others
        shares = np.abs(errors) / alone[:, None]
        weights = np.ones(len(errors)) if weights is None else weights
        factors = [_quantile(column, weights, INTERVAL) / DEVIATIONS for column in shares.T]
        return cls(spread.units, threshold, spread.ridge, np.array(factors))

    def deviations(self, units: NDArray) -> Floats:
        """(n, c) for unit-norm rows (n, p), noise included: 2 s (s + p) multiply-adds per row."""
        found = np.empty((len(units), len(self.factors)))
        for first in range(0, len(units), ROWS):
            rows = _unit_rows(units[first : first + ROWS])
            kernel = wide_kernel(rows @ self._rows.T, self.threshold)
            left = 1 + self.ridge - np.square(kernel @ self._roots).sum(axis=1)
            found[first : first + ROWS] = np.sqrt(np.maximum(left, self.ridge))[:, None] * self.factors
        return found

    @cached_property
    def _rows(self) -> Floats:
        return _unit_rows(self.units)

    @cached_property
    def _roots(self) -> Floats:
        """R with R R^T = (H + ridge)^(-1)."""
        from scipy.linalg import cholesky, eigh, solve_triangular

        kernel = wide_kernel(self._rows @ self._rows.T, self.threshold)
        kernel.flat[:: len(kernel) + 1] = 1 + self.ridge
        with one_blas_thread():
            try:
                factor = cholesky(kernel, lower=True, check_finite=False)
            except np.linalg.LinAlgError:  # of near copies rounding can weigh more than the ridge
                values, vectors = eigh(kernel, overwrite_a=True, check_finite=False)
                return vectors / np.sqrt(np.maximum(values, self.ridge))
            return solve_triangular(factor, np.eye(len(factor)), lower=True, check_finite=False).T

    def state(self) -> dict[str, NDArray]:
        """All of it as arrays by name."""
        return {
            PREFIX + "units": self.units,
            PREFIX + "kernel": np.array([self.threshold, self.ridge]),
            PREFIX + "factors": self.factors,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> "Spread | None":
        """The inverse of `state`; None where there is none."""
        if PREFIX + "units" not in state:
            return None
        threshold, ridge = map(float, state[PREFIX + "kernel"])
        return cls(state[PREFIX + "units"], threshold, ridge, state[PREFIX + "factors"])


def _unit_rows(units: NDArray) -> Floats:
    """Rows of length 1 to float64: of samples that are nearly alike the kernel takes a square root."""
    rows = units.astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    """The least value with so much of the weight at or below it."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(reached, share * reached[-1])]])

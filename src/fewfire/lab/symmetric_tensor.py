"""A symmetric tensor, by its factors or as an array: only its contractions with vectors are asked for."""

from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.errors import DataError

Floats = NDArray[np.float64]
ALIKE = 1e-8  # of the largest entry: how far an array may be from a symmetric one


def power(values: Floats, exponent: int) -> Floats:
    """Elementwise, by repeated products: many times as fast as a power of floats."""
    return reduce(np.multiply, [values] * exponent)


@dataclass(frozen=True, eq=False)
class SymmetricTensor:
    """T = sum_k c_k u_k^(x l), or an array that is the same under all orders of its axes.

    Attributes
    ----------
    order : int
        l.
    vectors, weights : (r, d), (r,)
        u_k, not necessarily of unit norm, and c_k; of an array (1, d) of zeros and 0.
    array : (d, ..., d), or None
        Where there is one it is contracted, and the factors are not.

    Examples
    --------
    >>> tensor = SymmetricTensor.from_factors([[1.0, 0.0], [0.0, 2.0]], [1.0, 1.0], order=3)
    >>> tensor.contracted(np.array([[1.0, 1.0]])).tolist(), tensor.squared_norm
    ([[1.0, 8.0]], 65.0)
    """

    order: int
    vectors: Floats
    weights: Floats
    array: Floats | None = None

    @classmethod
    def from_factors(cls, vectors: ArrayLike, weights: ArrayLike, *, order: int) -> "SymmetricTensor":
        """From vectors (r, d) and their weights (r,).

        Raises
        ------
        ValueError
            The order is below 3.
        DataError
            They do not fit each other, are empty or are not finite.
        """
        _require_order(order)
        u, c = np.asarray(vectors, np.float64), np.asarray(weights, np.float64)
        fit = u.ndim == 2 and c.shape == u.shape[:1] and u.size > 0
        if not (fit and np.isfinite(u).all() and np.isfinite(c).all()):
            raise DataError(
                f"factors must be finite vectors (r, d) with one weight each. Got shapes {u.shape} and "
                f"{c.shape}. Give one row per factor."
            )
        return cls(order, u, c)

    @classmethod
    def from_array(cls, array: ArrayLike) -> "SymmetricTensor":
        """From an array (d, ..., d), which is kept.

        Raises
        ------
        ValueError
            The order is below 3.
        DataError
            It is not symmetric, empty or not finite.
        """
        entries = np.asarray(array, np.float64)
        _require_order(entries.ndim)
        swaps = [entries.swapaxes(axis, axis + 1) for axis in range(entries.ndim - 1)]
        within = ALIKE * np.abs(entries).max(initial=0.0)
        if (
            len(set(entries.shape)) > 1 or not entries.size or not np.isfinite(entries).all()
            or any(np.abs(entries - swapped).max() > within for swapped in swaps)
        ):  # fmt: skip
            raise DataError(
                "a symmetric tensor must be finite, and the same under all orders of its axes. Got another "
                f"of shape {entries.shape}. Average it over the orders of its axes first."
            )
        features = len(entries)
        return cls(entries.ndim, np.zeros((1, features)), np.zeros(1), entries)

    @classmethod
    def from_samples(cls, samples: ArrayLike, *, order: int) -> "SymmetricTensor":
        """The moment 1/n sum_i x_i^(x l) of samples (n, d): as factors, or as an array where that is smaller.

        Raises
        ------
        ValueError, DataError
            See `from_factors`.
        """
        x = np.asarray(samples, np.float64)
        factors = cls.from_factors(x, np.full(x.shape[:1], 1 / max(1, len(x))), order=order)
        features = x.shape[1]
        if features ** (order - 1) >= len(x):
            return factors
        first, last = _outer_powers(x, order // 2), _outer_powers(x, order - order // 2)
        return cls.from_array((first.T @ last / len(x)).reshape((features,) * order))

    @property
    def n_features(self) -> int:
        return self.vectors.shape[1]

    def contracted(self, directions: Floats) -> Floats:
        """T v^(l-1) for unit vectors v (m, d), (m, d): m r d multiply-adds, or m d^l of an array."""
        if self.array is None:
            return (power(directions @ self.vectors.T, self.order - 1) * self.weights) @ self.vectors
        left = directions @ self.array.reshape(self.n_features, -1)
        for _ in range(self.order - 2):
            left = np.einsum("id,ide->ie", directions, left.reshape(len(directions), self.n_features, -1))
        return left

    @cached_property
    def squared_norm(self) -> float:
        """<T, T>."""
        if self.array is not None:
            return float(np.square(self.array).sum())
        return float(self.weights @ power(self.vectors @ self.vectors.T, self.order) @ self.weights)


def _outer_powers(rows: Floats, exponent: int) -> Floats:
    """x^(x k) of each row, (n, d^k)."""
    return reduce(lambda a, b: (a[:, :, None] * b[:, None]).reshape(len(rows), -1), [rows] * exponent)


def _require_order(order: int) -> None:
    if order < 3:
        raise ValueError(
            f"an order of at least 3 is needed: a matrix has no unique components. Got {order}. Use "
            "numpy.linalg.eigh."
        )

"""Inputs as the kernels want them: padded rows and their norms, with or without sample ids."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fewfire import _core
from fewfire.core.rows import aligned_empty, padded
from fewfire.core.view import core_class
from fewfire.errors import DataError

# Shorter rows may underflow in a product: nothing is proven of them by scaling (docs/theory/rounding.md).
SHORTEST_PROVABLE = 1e-15
CODED_FROM = 256  # features: shorter rows stay in the innermost cache, and codes gain nothing
CODES_PER_ONE = 32768  # 2^15
CODE_GROUP = 32  # features: codes are padded to whole groups


@dataclass(frozen=True)
class Inputs:
    """A set of samples: a whole training set, a batch of it, or new samples to predict.

    Attributes
    ----------
    rows : (n, stride) float32 or float64
        The samples, padded with zeros.
    n_features : int
    norms : (n,)
        Euclidean norms, rounded up.
    inverse_norms : (n,)
        Their reciprocals; 0 for rows too short to divide by.
    ids : (n,) int32 or None
        The place of each row in the training set that an index was built on; None for new samples.
    coded : bool
        Whether the kernels may read the rows as 16-bit codes: long rows of float32, every number a whole
        multiple of 2^-15 between -1 and 1, as `InputScaling` makes them. Half the bytes, the same numbers.
    """

    rows: NDArray
    n_features: int
    norms: NDArray
    inverse_norms: NDArray
    ids: NDArray[np.int32] | None = None
    coded: bool = False

    @classmethod
    def of(cls, samples: ArrayLike, dtype: DTypeLike = np.float32) -> "Inputs":
        """Copy samples (n, d) into padded rows, numbered 0 .. n - 1.

        Raises
        ------
        DataError
            `samples` is not two-dimensional, is empty, or holds NaN or infinity.
        """
        values = np.asarray(samples)
        if values.ndim != 2 or 0 in values.shape:
            raise DataError(
                "inputs must be two-dimensional with at least one row and one column. "
                f"Got shape {values.shape}. Pass an array (n_samples, n_features)."
            )
        rows = padded(values, dtype)
        if not np.isfinite(rows).all():
            bad_row, bad_column = np.argwhere(~np.isfinite(rows))[0]
            raise DataError(
                f"inputs must be finite in {np.dtype(dtype)}. Got {values[bad_row, bad_column]} in "
                f"row {bad_row}, column {bad_column}. Remove, impute or rescale it."
            )
        # Exact up to float64 rounding, also where the squares overflow in float32; an upper bound where
        # they may underflow in float64.
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        provable = norms >= SHORTEST_PROVABLE
        norms[~provable] = np.abs(rows[~provable]).max(axis=1, initial=0) * np.sqrt(values.shape[1])
        inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=provable)
        with np.errstate(over="ignore"):  # a norm of infinity proves nothing, and is allowed
            norms = (norms * (1 + 2 * np.finfo(dtype).eps)).astype(dtype)
        return cls(
            rows=rows,
            n_features=values.shape[1],
            norms=norms,
            inverse_norms=inverse.astype(dtype),
            ids=np.arange(len(rows), dtype=np.int32),
            coded=values.shape[1] >= CODED_FROM and rows.dtype == np.float32 and _core.can_be_coded(rows),
        )

    @classmethod
    def of_any(cls, samples: "ArrayLike | Inputs", dtype: DTypeLike) -> "Inputs":
        """Inputs as they are, or made of an array; see `of`."""
        return samples if isinstance(samples, Inputs) else cls.of(samples, dtype)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dtype(self) -> np.dtype:
        return self.rows.dtype

    @property
    def samples(self) -> NDArray:
        """The rows without their padding, (n, n_features); a view."""
        return self.rows[:, : self.n_features]

    def numbered(self) -> "Inputs":
        """The same numbered 0 .. n - 1, as an index is built on them; a batch has the ids of its set."""
        return self if self.is_numbered else replace(self, ids=np.arange(len(self), dtype=np.int32))

    @property
    def is_numbered(self) -> bool:
        return self.ids is not None and np.array_equal(self.ids, np.arange(len(self)))

    def batch(self, positions: NDArray) -> "Inputs":
        """The rows at these positions, copied together so that kernels find them in cache."""
        return Inputs(
            rows=self.rows.take(positions, axis=0),
            n_features=self.n_features,
            norms=self.norms[positions],
            inverse_norms=self.inverse_norms[positions],
            ids=None if self.ids is None else self.ids[positions],
            coded=self.coded,
        )

    @cached_property
    def inner_products(self) -> NDArray[np.float64]:
        """<x_i, x_j> of all pairs, (n, n)."""
        samples = self.samples.astype(np.float64)
        return samples @ samples.T

    @cached_property
    def core_view(self) -> Any:
        """The rows and norms, and their codes where they have some, as the compiled core takes them."""
        codes = np.empty((0, 0), np.int16)
        if self.coded:
            codes = aligned_empty((len(self), -(-self.rows.shape[1] // CODE_GROUP) * CODE_GROUP), np.int16)
            _core.code_rows(self.rows, codes)
        return core_class("Samples", self.dtype)(self.rows, self.norms, codes)

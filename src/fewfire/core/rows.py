"""Rows as the kernels want them: 64-byte aligned, padded with zeros to whole vectors."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

VECTOR_BYTES = 64
BLOCK = 64  # neurons handled together: one cache line of bytes, one bit mask
ROWS_AT_A_TIME = 1024  # where two states of all weights meet: no copy of all


def aligned_empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """An uninitialized C-contiguous array whose first element lies on a 64-byte boundary."""
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    buffer = np.empty(n_bytes + VECTOR_BYTES, dtype=np.uint8)
    start = -buffer.ctypes.data % VECTOR_BYTES
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)


def bits_of(mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """A bit per neuron of each sample, from a mask (n, m): pairs as the core takes them, (n, blocks)."""
    whole = np.zeros((len(mask), -(-mask.shape[1] // BLOCK) * BLOCK), bool)
    whole[:, : mask.shape[1]] = mask
    return np.packbits(whole, axis=1, bitorder="little").view(np.uint64)


def stride_of(n_columns: int, dtype: DTypeLike) -> int:
    """Length of a padded row, in elements."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return -(-n_columns // lanes) * lanes


def padded(values: NDArray, dtype: DTypeLike) -> NDArray:
    """A padded copy (n, stride) of `values` (n, columns); what is too large becomes infinite."""
    n_rows, n_columns = values.shape
    rows = aligned_empty((n_rows, stride_of(n_columns, dtype)), dtype)
    with np.errstate(over="ignore"):
        rows[:, :n_columns] = values
    rows[:, n_columns:] = 0
    return rows


def padded_zeros(n_rows: int, n_columns: int, dtype: DTypeLike) -> NDArray:
    """Padded rows (n_rows, stride) of zeros."""
    rows = aligned_empty((n_rows, stride_of(n_columns, dtype)), dtype)
    rows[:] = 0
    return rows


def require_float(dtype: DTypeLike) -> None:
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64. Got {np.dtype(dtype)}. Choose one of them.")

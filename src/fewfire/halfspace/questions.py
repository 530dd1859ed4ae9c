"""What callers pass to a reporter becomes arrays that the core takes, or a clear error.

Single questions are asked in microseconds, so a contiguous array of floats is passed on as it is: the core
rounds it, copies it, and says whether it was finite.
"""

from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.errors import DataError

FLOATS = frozenset([np.dtype(np.float32), np.dtype(np.float64)])


class Shaped(Protocol):
    n_features: int
    dtype: np.dtype


def as_floats(values: ArrayLike, name: str, n_dimensions: int, of: Shaped) -> NDArray:
    """One row (d,) or rows (k, d): C-contiguous, of a dtype in FLOATS; perhaps the caller's own array."""
    if type(values) is not np.ndarray or values.dtype not in FLOATS:
        values = _converted(values, name, of.dtype)
    if values.ndim != n_dimensions or values.shape[-1] != of.n_features:
        if n_dimensions == 1:
            raise DataError(
                f"{name} must be one row of {of.n_features} numbers. Got shape {values.shape}. "
                "Ask report_batch with many."
            )
        raise DataError(
            f"{name} must have {of.n_features} columns. Got shape {values.shape}. "
            f"Pass an array (n, {of.n_features})."
        )
    return values if values.flags.c_contiguous else np.ascontiguousarray(values)


def own_rows(values: ArrayLike, name: str, of: Shaped) -> NDArray:
    """Finite points (k, d) in the reporter's dtype: a copy, which no other thread can change."""
    with np.errstate(over="ignore"):
        rows = np.array(as_floats(values, name, 2, of), of.dtype, order="C")
    if not np.isfinite(rows).all():
        not_finite(name, of)
    return rows


def as_offset(offset: float, of: Shaped) -> float:
    """One offset; whether it is finite, the core says."""
    if isinstance(offset, float):  # np.float64 too
        return offset
    array = _converted(offset, "offsets", of.dtype)
    if array.size != 1 or array.ndim > 1:
        raise DataError(
            f"the offset must be one number. Got shape {array.shape}. Ask report_batch with many."
        )
    return array.item()


def as_offsets(offsets: ArrayLike, n_normals: int, of: Shaped) -> NDArray:
    """An offset for each normal, in the reporter's dtype; whether they are finite, the core says."""
    limits = _converted(offsets, "offsets", of.dtype)
    if limits.ndim > 1 or (limits.ndim == 1 and len(limits) != n_normals):
        raise ValueError(
            f"offsets must be one number, or one for each of the {n_normals} normals. Got shape "
            f"{limits.shape}. Give as many."
        )
    return np.ascontiguousarray(np.broadcast_to(limits, n_normals))


def as_ids(ids: ArrayLike) -> NDArray[np.int64]:
    """Ids (k,): a copy, which no other thread can change; whether they are held, the core says."""
    array = np.asarray(ids)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or np.ma.is_masked(ids):
        raise ValueError(
            f"ids must be a one-dimensional array of whole numbers. Got {_kind(ids, array)} of shape "
            f"{array.shape}. Pass ids that insert returned."
        )
    # A number beyond int64 becomes a negative one, which no point has.
    return np.array(array, np.int64)


def require_held(held: bool) -> None:
    if not held:
        raise ValueError(
            "ids must be those of points that are held, each once. Got one that was deleted, never given, or "
            "twice. Pass ids that insert returned."
        )


def not_finite(name: str, of: Shaped) -> NoReturn:
    raise DataError(
        f"{name} must be finite in {of.dtype}. Got NaN, infinity or numbers beyond it. "
        "Remove or rescale them."
    )


def _converted(values: ArrayLike, name: str, dtype: np.dtype) -> NDArray:
    """An array in a dtype of FLOATS; what is too large becomes infinite."""
    array = np.asarray(values)
    if np.ma.is_masked(values) or array.dtype.kind not in "biufO":
        raise DataError(
            f"{name} must be real numbers, none of them masked. Got {_kind(values, array)}. "
            "Convert or fill them first."
        )
    with np.errstate(over="ignore"):
        try:
            return array.astype(dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{name} must be real numbers. Got {error}. Convert them first.") from error


def _kind(values: ArrayLike, array: NDArray) -> str:
    return "masked values" if np.ma.is_masked(values) else str(array.dtype)

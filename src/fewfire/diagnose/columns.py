"""Targets as columns, where a report is made of them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.errors import DataError


def columns_of(targets: ArrayLike, n_samples: int) -> NDArray[np.float64]:
    """Targets (n,) or (n, c) as (n, c), or DataError: they must be finite, and one row for each sample."""
    columns = np.asarray(targets, np.float64)
    if columns.ndim not in (1, 2) or len(columns) != n_samples or not np.isfinite(columns).all():
        raise DataError(
            f"targets must be finite, one row for each of {n_samples:,} samples. Got an array of shape "
            f"{columns.shape}. Give numbers, or one column per class."
        )
    return columns.reshape(n_samples, -1)

"""Points and their ids in a safetensors file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewfire.core.rows import require_float
from fewfire.errors import MemoryLimitError
from fewfire.system.memory import available_bytes
from fewfire.system.tensors import holding, read_tensors, write_tensors

KIND = "fewfire points"
MOST_POINTS = 2**31 - 64  # ids and places are 32-bit whole numbers
BYTES_PER_ID = 8  # up to the highest: its place, and the list of those that are free


def write_points(path: str | Path, ids: NDArray[np.int32], points: NDArray) -> None:
    write_tensors(path, KIND, {"points": points, "ids": ids})


def read_points(path: str | Path) -> tuple[NDArray[np.int32], NDArray]:
    """Ids, ascending, and points as `write_points` wrote them; the errors are those of `load`."""
    with holding(path, "points and their ids", "Give one that HalfspaceReporter.save wrote."):
        tensors, _ = read_tensors(path, KIND)
        points, ids = tensors["points"], tensors["ids"]
        if ids.dtype != np.int32 or ids.ndim != 1 or len(points) != len(ids):
            raise ValueError(f"points of shape {points.shape} with ids of shape {ids.shape}")
        if np.any(ids[:1] < 0) or np.any(ids[1:] <= ids[:-1]):
            raise ValueError("ids that are negative or do not ascend")
        if np.any(ids[-1:] >= MOST_POINTS):
            raise ValueError(f"the id {ids[-1]}, where the highest is {MOST_POINTS - 1}")
        require_float(points.dtype)
        if points.ndim != 2 or points.shape[1] == 0 or not np.isfinite(points).all():
            raise ValueError(f"points of shape {points.shape} that are no rows, or not finite")
    needed = BYTES_PER_ID * (int(ids[-1]) + 1 if len(ids) else 0)
    available = available_bytes()
    if available is not None and needed > available:
        raise MemoryLimitError(
            f"a reporter takes {BYTES_PER_ID} bytes for each id up to the highest. Got {len(ids):,} points "
            f"in {path} with ids up to {ids[-1]:,}: {needed:,} bytes, where {available:,} are available. "
            "Insert its points into a new reporter."
        )
    return ids, points

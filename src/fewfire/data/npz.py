"""NumPy archives."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fewfire.data.dataset import Part, Rows
from fewfire.errors import DataError, MemoryLimitError
from fewfire.system.memory import require_free_memory

KEYS = {
    "train": (("X", "X_train", "x_train"), ("y", "y_train")),
    "test": (("X_test", "x_test"), ("y_test",)),
}
ERRORS = (OSError, EOFError, MemoryError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path, part: Part) -> Rows | None:
    """Read one part of an archive with `X`, `y` and perhaps `X_test`, `y_test`.

    Parameters
    ----------
    path : Path
        `X_train` or `x_train`, `y_train` and `x_test` are understood as well.
    part : {"train", "test"}

    Returns
    -------
    Rows or None
        The arrays as stored; labels None where there are none. None where the inputs of that part
        are absent.

    Raises
    ------
    DataError
        Not an archive, damaged, or it holds Python objects, which are never unpickled.
    MemoryLimitError
        An array does not fit in memory.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile("it is no archive, or an incomplete one")
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            inputs, labels = (
                next((_array(archive, key, path) for key in keys if key in archive), None)
                for keys in KEYS[part]
            )
    except MemoryLimitError:
        raise
    except ERRORS as error:
        raise DataError(
            f"An NPZ file must be a NumPy archive of plain arrays. Got {path}: {error}. "
            "Write it with numpy.savez(path, X=inputs, y=labels)."
        ) from error
    return None if inputs is None else Rows(inputs, labels)


def _array(archive: Any, key: str, path: Path) -> np.ndarray:
    n_bytes = sum(member.file_size for member in archive.zip.infolist() if member.filename == f"{key}.npy")
    require_free_memory(
        n_bytes, f"An array must fit in memory. Got {key}", f"{path}. Keep fewer rows or columns."
    )
    array = archive[key]
    if not isinstance(array, np.ndarray):  # but the bytes of a member that does not begin as an array
        raise ValueError(f"{key} is no array")
    return array

"""Sparse rows as text, `label index:value index:value ...`, made dense."""

import re
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from fewfire.data.checks import require_fit, require_plausible
from fewfire.data.dataset import Rows
from fewfire.data.files import lines_of, open_text, read_whole
from fewfire.data.scikit import sklearn_datasets
from fewfire.errors import DataError
from fewfire.prepare.columns import Features

ERRORS = (OverflowError, ValueError)
ROW = re.compile(rb"\s*[^\s:]+(\s+qid:\d+)?(\s+\d+:\S+)+\s*(#.*)?", re.DOTALL)


def looks_like_svmlight(path: Path) -> bool:
    """Whether the first line that is neither blank nor a comment has the form of a row."""
    with open_text(path) as stream:
        for line in lines_of(stream, path):
            if line.strip() and not line.startswith(b"#"):
                return ROW.fullmatch(line) is not None
    return False


def read_svmlight(path: Path, model: Features | None = None) -> Rows:
    """Read a file of sparse rows into a dense array.

    Parameters
    ----------
    path : Path
        Plain or gzipped. Indices count from 1 unless an index 0 occurs in the file, or as for the model.
    model : Features, optional
        What a model expects: features that the file never names are zero. By default the largest index of
        the file is that of the last feature.

    Returns
    -------
    Rows
        float64 inputs (n, d) and float64 labels.

    Raises
    ------
    DataError
        scikit-learn is not installed, a row cannot be read, or an index is not one of the model, or larger
        than is plausible for a file of this size.
    MemoryLimitError
        The dense array does not fit in memory.
    """
    read = partial(sklearn_datasets("An svmlight file").load_svmlight_file, dtype=np.float64, zero_based=True)
    with open_text(path) as stream:
        content = read_whole(stream, path)
    if b"_" in content:  # Python would read 1_0 as 10
        _require_no_underscores(content, path)
    try:
        matrix, labels = read(BytesIO(content))
    except ERRORS as error:
        raise DataError(
            "Every row of an svmlight file must read `label index:value index:value ...` with "
            f"rising indices. Got {_text(error)} in line {_first_bad_line(content, read)} of {path}. "
            "Correct that line."
        ) from error
    if not len(labels):
        raise DataError(f"An svmlight file must have at least one row. Got none in {path}. Add rows to it.")
    first = 1 if matrix.indices.all() else 0
    if model is not None and model.first_index is not None:
        if first < model.first_index:
            row = int(np.searchsorted(matrix.indptr, np.argmin(matrix.indices), side="right")) - 1
            raise DataError(
                f"Indices must count from {model.first_index}, as in training. Got index 0 in row {row} "
                f"(from 0) of {path}. Add 1 to each index."
            )
        first = model.first_index
    matrix = matrix[:, first:]
    n_rows, n_found = matrix.shape
    require_fit(n_rows, n_found, matrix.dtype.itemsize, path)
    require_plausible(n_found, len(content), "features", path)
    if model is not None:
        if n_found > model.n_columns:
            raise DataError(
                f"Each row must have the model's {model.n_columns} features. Got the index of feature "
                f"{n_found} in {path}. Give the features that the model was trained on."
            )
        matrix.resize(n_rows, model.n_columns)
    require_fit(n_rows, matrix.shape[1], matrix.dtype.itemsize, path)
    return Rows(matrix.toarray(), labels, Features(matrix.shape[1], first_index=first))


def _require_no_underscores(content: bytes, path: Path) -> None:
    """Raise DataError if an underscore stands outside the comments."""
    for number, line in enumerate(BytesIO(content), start=1):
        row = line.partition(b"#")[0]
        if b"_" in row:
            raise DataError(
                "Every row of an svmlight file must read `label index:value index:value ...`. Got "
                f"{row[:60].decode(errors='replace').strip()!r} in line {number} of {path}. "
                "Remove the underscore."
            )


def _text(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _first_bad_line(content: bytes, read: Callable[[BytesIO], object]) -> int:
    """The least number of lines, from the first, that cannot be read."""
    lines = BytesIO(content).readlines()

    def is_bad(count: int) -> bool:
        try:
            read(BytesIO(b"".join(lines[:count])))
        except ERRORS:
            return True
        return False

    return bisect_left(range(len(lines)), True, key=is_bad)

"""Sparse rows as text, `label index:value index:value ...`, made dense."""

import re
from pathlib import Path

import numpy as np

from fewfire.data.dataset import Rows
from fewfire.data.files import open_bytes
from fewfire.data.scikit import sklearn_datasets
from fewfire.errors import DataError, MemoryLimitError

ROW = re.compile(rb"\s*[^\s:]+(\s+qid:\d+)?(\s+\d+:\S+)+\s*(#.*)?", re.DOTALL)


def looks_like_svmlight(path: Path) -> bool:
    """Whether the first line that is neither blank nor a comment has the form of a row."""
    with open_bytes(path) as stream:
        for line in stream:
            if line.strip() and not line.startswith(b"#"):
                return ROW.fullmatch(line) is not None
    return False


def read_svmlight(path: Path, n_features: int | None = None) -> Rows:
    """Read a file of sparse rows into a dense array.

    Parameters
    ----------
    path : Path
        Plain or gzipped. Indices count from 1 unless an index 0 occurs in the file.
    n_features : int, optional
        What a model expects; features that the file never names are zero. Default: the largest
        index of the file.

    Returns
    -------
    Rows
        float64 inputs (n, n_features) and float64 labels.

    Raises
    ------
    DataError
        scikit-learn is not installed, a row cannot be read, or an index is beyond `n_features`.
    MemoryLimitError
        The dense array does not fit in memory.
    """
    reader = sklearn_datasets("An svmlight file")
    with open_bytes(path) as stream:
        try:
            matrix, labels = reader.load_svmlight_file(stream, dtype=np.float64)
        except (OverflowError, ValueError) as error:
            raise DataError(
                "Every row of an svmlight file must read `label index:value index:value ...` with "
                f"rising indices. Got {path}: {str(error).rstrip('.')}. Correct the file."
            ) from error
    n_rows, n_found = matrix.shape
    if n_features is not None:
        if n_found > n_features:
            raise DataError(
                f"Each row must have the model's {n_features} features. Got the index of feature "
                f"{n_found} in {path}. Give the features that the model was trained on."
            )
        matrix.resize(n_rows, n_features)
    try:
        return Rows(matrix.toarray(), labels)
    except MemoryError as error:
        n_gib = 8 * n_rows * matrix.shape[1] / 2**30
        raise MemoryLimitError(
            f"Sparse rows must fit in memory as a dense array. Got {n_rows} rows of "
            f"{matrix.shape[1]} features, {n_gib:.1f} GiB, in {path}. Keep fewer features or rows."
        ) from error

"""What must hold for rows and labels before anything is built from them."""

from pathlib import Path

import numpy as np

from fewfire.data.dataset import Rows
from fewfire.errors import DataError
from fewfire.prepare.classes import Classes
from fewfire.system.memory import require_free_memory

LARGEST_WHOLE_FLOAT = 2.0**53
MANY_COLUMNS = 1 << 20  # more than so many must be as many as the file has bytes, at the most


def check_rows(rows: Rows, where: str) -> Rows:
    """Check inputs and labels together; give them back with whole float labels made integers.

    Parameters
    ----------
    rows : Rows
    where : str
        Names the rows in messages: "iris.csv", "the test part of iris.npz".

    Raises
    ------
    DataError
        See `check_inputs` and `class_labels`; or the rows and labels differ in number.
    """
    check_inputs(rows.inputs, where)
    if rows.labels is None:
        return rows
    labels = class_labels(rows.labels, where)
    if len(labels) != len(rows.inputs):
        raise DataError(
            f"Every row must have one label. Got {len(rows.inputs)} rows and {len(labels)} labels "
            f"in {where}. Make them equally many."
        )
    return rows._replace(labels=labels)


def check_inputs(inputs: np.ndarray, where: str) -> None:
    """Raise DataError unless the inputs are a non-empty 2-d array of finite real numbers."""
    if inputs.dtype.kind not in "biuf":
        raise DataError(
            f"Inputs must be real numbers. Got dtype {inputs.dtype} in {where}. "
            "Encode each feature as a number."
        )
    if inputs.ndim != 2:
        raise DataError(
            f"Inputs must have two dimensions, (samples, features). Got shape {inputs.shape} in "
            f"{where}. Use inputs.reshape(len(inputs), -1)."
        )
    if not inputs.size:
        raise DataError(
            "Inputs must have at least one row and one column. "
            f"Got shape {inputs.shape} in {where}. Add samples or features."
        )
    finite = np.isfinite(inputs)
    if not finite.all():
        n_nan = np.count_nonzero(np.isnan(inputs))
        n_infinite = finite.size - np.count_nonzero(finite) - n_nan
        row, column = np.unravel_index(np.argmin(finite), finite.shape)
        raise DataError(
            f"Inputs must be finite. Got {n_nan} NaN and {n_infinite} infinite values in {where}, "
            f"the first in row {row}, column {column} (from 0). Fill them or remove their rows."
        )


def class_labels(labels: np.ndarray, where: str) -> np.ndarray:
    """Labels as integers or strings (n,), or booleans (n, k): whole floats become int64, the rest stays.

    Raises
    ------
    DataError
        Not one-dimensional, neither integers nor strings, or real numbers as in regression.
    """
    if labels.ndim == 2 and labels.dtype == bool:
        return labels
    if labels.ndim != 1:
        raise DataError(
            f"Labels must have one dimension. Got shape {labels.shape} in {where}. "
            "Use labels.ravel(), labels.argmax(axis=1) if they are one-hot, or labels.astype(bool) if a row "
            "may have several."
        )
    if labels.dtype.kind in "biuU":
        return labels
    if labels.dtype.kind != "f":
        raise DataError(
            f"Labels must be integers or strings. Got dtype {labels.dtype} in {where}. "
            "Convert them with labels.astype(str)."
        )
    whole = (labels == np.rint(labels)) & (np.abs(labels) <= LARGEST_WHOLE_FLOAT)
    if not whole.all():
        row = int(np.argmin(whole))
        raise DataError(
            f"Labels must be classes: integers or strings. Got the number {labels[row]} in row "
            f"{row} (from 0) of {where}. The command trains classifiers: name the column of the "
            "classes `target`, or give the targets of a regression to fewfire.train as an array."
        )
    return labels.astype(np.int64)


def check_classes(labels: np.ndarray, where: str) -> None:
    """Raise DataError unless the training labels, already checked, hold two classes, or some label."""
    if labels.ndim == 2:
        if not labels.any():
            raise DataError(
                f"Some row must have a label. Got {len(labels)} rows and no label in {where}. Add labels."
            )
        return
    classes = Classes.of(labels)
    if len(classes) < 2:
        raise DataError(
            f"Training labels must hold at least two classes. Got only {classes.state()[0]!r} in "
            f"{where}. Check which column holds the labels, or add samples of another class."
        )


def check_n_features(inputs: np.ndarray, n_features: int, where: str) -> None:
    """Raise DataError unless the inputs have as many features as training has."""
    if inputs.shape[1] != n_features:
        raise DataError(
            f"Inputs must have the {n_features} features of training. "
            f"Got {inputs.shape[1]} in {where}. Give the same columns."
        )


def require_fit(n_rows: int, n_columns: int, itemsize: int, where: str | Path) -> None:
    """Raise MemoryLimitError if a dense array of that size does not fit in the memory that is free."""
    require_free_memory(
        n_rows * n_columns * itemsize,
        f"All rows must fit in memory as a dense array. Got {n_rows} rows of {n_columns} columns",
        f"{where}. Keep fewer columns.",
    )


def require_plausible(size: int, n_bytes: int, what: str, path: Path) -> None:
    """Raise DataError if sparse rows claim a size out of all proportion to the file.

    An index that is mistyped would otherwise make gigabytes of zeros.
    """
    if size > max(MANY_COLUMNS, n_bytes):
        raise DataError(
            f"Sparse rows must name no more {what} than their file has bytes, {n_bytes}. Got {size} in "
            f"{path}. Correct the number, or count from 1 without gaps."
        )

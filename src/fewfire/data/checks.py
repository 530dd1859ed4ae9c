"""What must hold for rows and labels before anything is built from them."""

from pathlib import Path

import numpy as np

from fewfire.data.dataset import Rows
from fewfire.data.targets import class_labels, filled, real_targets, task_of
from fewfire.errors import DataError
from fewfire.prepare.classes import Classes
from fewfire.prepare.targets import AUTO, REGRESSION, is_given
from fewfire.system.memory import require_free_memory

MANY_COLUMNS = 1 << 20  # more than so many must be as many as the file has bytes, at the most


def check_rows(rows: Rows, where: str, task: str = AUTO, *, some: bool = False, gaps: bool = False) -> Rows:
    """Check inputs and labels together; give them back with labels of the task.

    Parameters
    ----------
    rows : Rows
    where : str
        Names the rows in messages: "iris.csv", "the test part of iris.npz".
    task : str
        One of `fewfire.prepare.targets.TASKS`. The labels of a regression are its targets (n, c).
    some : bool
        Whether rows may lack a label. Labels are None where all do.
    gaps : bool
        Whether inputs may be missing.

    Raises
    ------
    DataError
        See `check_inputs`, `task_of`, `class_labels` and `real_targets`; or the rows and labels differ in
        number.
    """
    check_inputs(rows.inputs, where, gaps=gaps)
    if rows.labels is None:
        return rows
    labels = rows.labels
    if labels.ndim and len(labels) != len(rows.inputs):
        raise DataError(
            f"Every row must have one label. Got {len(rows.inputs)} rows and {len(labels)} labels "
            f"in {where}. Make them equally many."
        )
    given = is_given(labels) if some else np.ones(len(rows.inputs), bool)
    if not given.any():
        return rows._replace(labels=None)
    if some:
        labels = labels[given]
    task = task_of(labels, where) if task == AUTO else task
    labels = (real_targets if task == REGRESSION else class_labels)(labels, where)
    return rows._replace(labels=filled(labels, given))


def check_inputs(inputs: np.ndarray, where: str, *, gaps: bool = False) -> None:
    """Raise DataError unless the inputs are a non-empty 2-d array of finite real numbers, or gaps (NaN)."""
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
    finite = ~np.isinf(inputs) if gaps else np.isfinite(inputs)
    if not finite.all():
        n_nan = np.count_nonzero(np.isnan(inputs))
        n_infinite = np.count_nonzero(np.isinf(inputs))
        row, column = np.unravel_index(np.argmin(finite), finite.shape)
        raise DataError(
            f"Inputs must be finite. Got {n_nan} NaN and {n_infinite} infinite values in {where}, "
            f"the first in row {row}, column {column} (from 0). Fill them or remove their rows."
        )


def check_classes(labels: np.ndarray, where: str) -> None:
    """Raise DataError unless the training labels, already checked, hold two classes or values, or a label."""
    if labels.dtype.kind == "f":
        constant = (labels == labels[0]).all(axis=0)
        if constant.any():
            column = int(np.argmax(constant))
            raise DataError(
                f"Targets of training must hold at least two values. Got {labels[0, column]} in every row of "
                f"target {column + 1} in {where}. Check which column holds the target."
            )
        return
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

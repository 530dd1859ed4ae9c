"""How targets are read: as classes or as real numbers, and in which spelling."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from fewfire.errors import DataError
from fewfire.prepare.categories import are_texts
from fewfire.prepare.notation import advice, is_amount, is_number, is_padded
from fewfire.prepare.targets import CLASSIFICATION, REGRESSION

LARGEST_WHOLE_FLOAT = 2.0**53  # from here on several whole numbers are one float
FEW_CLASSES = 20  # more different whole numbers may be amounts as well
A_FEW = 0.1  # a smaller share of numbers with decimals may be mistakes among classes
LEADING_ZERO = re.compile(r"[+-]?0\d")


def task_of(targets: NDArray, where: str) -> str:
    """What targets are for: texts and a few whole numbers are classes, other numbers are for regression.

    Parameters
    ----------
    targets : (n,), or (n, c) for several targets or labels per row

    Raises
    ------
    DataError
        They are numbers that may be either, whole ones of many different values or nearly all whole; amounts
        or dates as texts; or some are not finite.
    """
    if targets.dtype.kind not in "iufU" or targets.ndim == 0:
        return CLASSIFICATION
    distinct = np.unique(targets)
    if targets.dtype.kind == "f":
        _require_finite(targets, where)
        parted = targets != np.rint(targets)
        n_parted = np.count_nonzero(parted)
        if n_parted > A_FEW * targets.size:
            return REGRESSION
        if n_parted and targets.ndim == 1:
            row = int(np.argmax(parted))
            raise DataError(
                "Numbers that are nearly all whole must be told to be classes or amounts. Got "
                f"{targets[row]} in row {row} (from 0) of {len(targets)} as the target of {where}. Correct "
                "it, give --task regression for amounts, or --task classification for classes."
            )
    if targets.dtype.kind == "U" and targets.ndim == 1:
        _require_no_amounts(targets, where)
    are_numbers = targets.dtype.kind != "U" or all(is_number(t) or is_padded(t) for t in distinct.tolist())
    if are_numbers and len(distinct) > FEW_CLASSES:
        raise DataError(
            f"More than {FEW_CLASSES} different whole numbers, or numbers as texts, must be told to be "
            f"classes or amounts. Got {len(distinct)} in {len(targets)} rows as the target of {where}. Give "
            "--task regression for amounts, or --task classification for classes."
        )
    return CLASSIFICATION


def _require_no_amounts(targets: NDArray, where: str) -> None:
    """Raise DataError where texts (n,) are amounts or dates, unless nearly all are other texts."""
    distinct, places, counts = np.unique(targets, return_index=True, return_counts=True)
    amounts, numbers = (
        np.array([holds(text) for text in distinct.tolist()]) for holds in (is_amount, is_number)
    )
    n_numbers = counts[amounts | numbers].sum()
    if amounts.any() and not are_texts(len(targets) - n_numbers, n_numbers):
        row = places[amounts].min()
        cell = str(targets[row])
        raise DataError(
            f"Texts that are amounts or dates must be told to be classes. Got {cell!r} in row {row} (from 0) "
            f"of {len(targets)} as the target of {where}. {advice(cell)}; if they are classes, give --task "
            "classification."
        )


def class_labels(labels: NDArray, where: str) -> NDArray:
    """Labels as integers or strings (n,), or booleans (n, k).

    Whole floats become int64, and other floats texts; the rest stays.

    Raises
    ------
    DataError
        Not one-dimensional, neither numbers nor strings, not finite, or whole floats that are too large to
        be told apart.
    """
    if labels.ndim == 2 and labels.dtype == bool:
        return labels
    if labels.ndim != 1:
        raise DataError(
            f"Labels must have one dimension. Got shape {labels.shape} in {where}. "
            "Use labels.ravel(), labels.argmax(axis=1) if they are one-hot, labels.astype(bool) if a row "
            "may have several, or --task regression if they are amounts."
        )
    if labels.dtype.kind in "biuU":
        return labels
    if labels.dtype.kind != "f":
        raise DataError(
            f"Labels must be integers or strings. Got dtype {labels.dtype} in {where}. "
            "Convert them with labels.astype(str)."
        )
    _require_finite(labels, where)
    if (labels != np.rint(labels)).any():
        return labels.astype(str)
    large = np.abs(labels) >= LARGEST_WHOLE_FLOAT
    if large.any():
        row = int(np.argmax(large))
        raise DataError(
            "Labels of floating point must be below 2^53, where two of them may be one. Got "
            f"{labels[row]} in row {row} (from 0) of {where}. Store them as integers or texts; if they are "
            "amounts, give --task regression."
        )
    return labels.astype(np.int64)


def real_targets(targets: NDArray, where: str) -> NDArray[np.float64]:
    """Targets of a regression (n, c) from (n,) or (n, c) numbers.

    Raises
    ------
    DataError
        They are no numbers, or not finite.
    """
    if targets.dtype.kind not in "iuf" or targets.ndim not in (1, 2):
        raise DataError(
            "Targets of a regression must be numbers, one column per target. Got dtype "
            f"{targets.dtype} and shape {targets.shape} in {where}. Give numbers, or --task classification."
        )
    _require_finite(targets, where)
    return targets.reshape(len(targets), -1).astype(np.float64)


def _require_finite(targets: NDArray, where: str) -> None:
    if targets.dtype.kind == "f" and not np.isfinite(targets).all():
        row = int(np.argwhere(~np.isfinite(targets))[0][0])
        raise DataError(
            f"Every row must have a label or a finite target. Got {targets[row]} in row {row} (from 0) of "
            f"{where}. Fill it or remove the row."
        )


def filled(labels: NDArray, given: NDArray[np.bool_]) -> NDArray:
    """Labels of all rows from those that are given: the others get NaN, or "" beside labels as texts."""
    if given.all():
        return labels
    is_real = labels.dtype.kind == "f"
    labels = labels if is_real else labels.astype(str)
    every = np.full((len(given), *labels.shape[1:]), np.nan if is_real else "", labels.dtype)
    every[given] = labels
    return every


def labels_written(cells: Sequence[str], kind: str | None = None) -> NDArray:
    """Labels (n,) from cells as they are written.

    Parameters
    ----------
    kind : "i" or "U", optional
        What labels of training were, integers or texts. By default they are integers (int64) where that
        loses nothing: each cell is a whole number, none has leading zeros, and none is written in two ways.
    """
    texts, codes = np.unique(np.array([cell.strip() for cell in cells], object), return_inverse=True)
    texts = texts.tolist()
    numbers = [None if kind == "U" else whole_number(text) for text in texts]
    loses = len(set(numbers)) < len(texts) or any(map(LEADING_ZERO.match, texts))
    if None not in numbers and (kind == "i" or not loses):
        return np.array(numbers, np.int64)[codes]
    if kind == "i":
        texts = [text if number is None else str(number) for text, number in zip(texts, numbers, strict=True)]
    return np.array(texts)[codes]


def whole_number(text: str) -> int | None:
    """The whole number of 64 bits that a text spells, as 120 or 1.2e2, exactly; None where it is none."""
    try:
        number = Decimal(text)
        fits = abs(number) < 2**63 and number == number.to_integral_value()
    except InvalidOperation:
        return None
    return int(number) if fits and "_" not in text else None

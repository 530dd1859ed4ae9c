"""Tables as text: comma, tab, semicolon or whitespace between the cells."""

import csv
import io
import re
import sys
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from fewfire.data.dataset import Rows
from fewfire.data.files import open_bytes
from fewfire.errors import DataError

TARGET_NAMES = ("target", "label", "class")
NumberedRows = Iterator[tuple[int, list[str]]]


def read_csv(path: Path, n_features: int | None = None) -> Rows:
    """Read a table of numbers with one column of labels.

    The first row is a header when it names a target or when no cell of it is a number. The target
    is the column named target, else label, else class, else the last one.

    Parameters
    ----------
    path : Path
        UTF-8 text, plain or gzipped, lines ending in LF, CRLF or CR. Blank lines are skipped.
        That of comma, semicolon and tab which cuts the first line into the most numbers separates
        the cells; whitespace does in a line without any of them.
    n_features : int, optional
        What a model expects. A table of exactly so many columns then has no labels.

    Returns
    -------
    Rows
        float64 inputs (n, d). Labels are float64 where all of them are numbers, else strings.

    Raises
    ------
    DataError
        Not UTF-8 text, no rows, rows of different lengths, a feature that is not a number, a
        missing label, a column without a name, or another number of columns than `n_features`.
    """
    try:
        with open_bytes(path) as stream:
            lines = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            return _read_table(_rows(lines), path, n_features)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"A table must be UTF-8 text. Got {path}: {error}. Save it as UTF-8 CSV.") from error


def _rows(lines: Iterable[str]) -> NumberedRows:
    """Line number and cells of each row that is not blank."""
    lines, head = iter(lines), []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    delimiter = _delimiter(head[-1]) if head else None
    if delimiter is None:
        numbered = enumerate(map(str.split, chain(head, lines)), start=1)
    else:
        reader = csv.reader(chain(head, lines), delimiter=delimiter, skipinitialspace=True)
        numbered = ((reader.line_num, cells) for cells in reader)
    return ((line, cells) for line, cells in numbered if any(cells))


def _delimiter(line: str) -> str | None:
    """The mark that cuts a line into the most numbers, then cells; None for whitespace."""
    unquoted = re.sub(r'"[^"]*"', "", line.strip())
    cells_by_mark = {mark: unquoted.split(mark) for mark in ",;\t" if mark in unquoted}
    counts = {mark: (sum(map(_is_number, c)), len(c)) for mark, c in cells_by_mark.items()}
    return max(counts, key=counts.__getitem__, default=None)


def _read_table(rows: NumberedRows, path: Path, n_features: int | None) -> Rows:
    first_line, first = next(rows, (0, []))
    if not first:
        raise _no_rows(path)
    names = [cell.strip("# ").lower() for cell in first]
    has_header = _is_header(names)
    if has_header and "" in names:
        raise DataError(
            "Every column of a table with a header must have a name. Got none for column "
            f"{names.index('') + 1} in line {first_line} of {path}. Name it, or remove it if it "
            "only numbers the rows (pandas: to_csv(..., index=False))."
        )
    target = _target_column(names, path, n_features)
    values, labels = array("d"), []
    for line, cells in rows if has_header else chain([(first_line, first)], rows):
        if len(cells) != len(names):
            raise DataError(
                f"Every row of a table must have as many cells as its first, {len(names)}. "
                f"Got {len(cells)} in line {line} of {path}. Complete or remove that row."
            )
        if target is not None:
            labels.append(_label(cells[target], line, path))
        features = cells if target is None else cells[:target] + cells[target + 1 :]
        try:
            values.extend(map(float, features))
        except ValueError as error:
            column = next(i for i, cell in enumerate(cells) if i != target and not _is_number(cell))
            raise DataError(
                f"A feature must be a number. Got {cells[column]!r} in line {line}, column "
                f"{column + 1} of {path}. Encode texts as numbers, fill or remove missing values."
            ) from error
    if not values:
        raise _no_rows(path)
    inputs = np.frombuffer(values).reshape(-1, len(names) - (target is not None))
    return Rows(inputs, None if target is None else _numbers_or_texts(labels))


def _no_rows(path: Path) -> DataError:
    return DataError(f"A table must have at least one row. Got none in {path}. Add rows to it.")


def _is_header(names: list[str]) -> bool:
    return any(name in TARGET_NAMES for name in names) or not any(map(_is_number, names))


def _target_column(names: list[str], path: Path, n_features: int | None) -> int | None:
    """Which column holds the labels; None where a model's features fill the whole row."""
    n_columns = len(names)
    if n_columns == n_features:
        return None
    if n_features is not None and n_columns != n_features + 1:
        raise DataError(
            f"Each row must have the model's {n_features} features, with or without a label. "
            f"Got {n_columns} columns in {path}. Give the columns that the model was trained on."
        )
    if n_columns == 1:
        raise DataError(
            f"A table must have at least one feature beside the target. Got 1 column in {path}. "
            "Separate the cells by comma, tab, semicolon or spaces."
        )
    named = (names.index(name) for name in TARGET_NAMES if name in names)
    return next(named, n_columns - 1)


def _label(cell: str, line: int, path: Path) -> str:
    text = cell.strip()
    if not text:
        raise DataError(
            f"Every row must have a label. Got an empty cell in line {line} of {path}. "
            "Fill it or remove the row."
        )
    return sys.intern(text)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers_or_texts(labels: list[str]) -> np.ndarray:
    texts = np.array(labels)
    try:
        return texts.astype(np.float64)
    except ValueError:
        return texts

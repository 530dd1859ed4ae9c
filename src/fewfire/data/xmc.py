"""Text of the Extreme Classification Repository: sparse rows with several labels each.

The first line says how many rows, features and labels there are; then `label,label index:value index:value`,
all counted from 0. http://manikvarma.org/downloads/XC/XMLRepository.html
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from fewfire.data.checks import MANY_COLUMNS, require_fit, require_plausible
from fewfire.data.dataset import Part, Rows
from fewfire.data.files import lines_of, open_text
from fewfire.errors import DataError

HEADER = re.compile(rb"(\d{1,18})[ \t]+(\d{1,18})[ \t]+(\d{1,18})\s*")
ROW = re.compile(rb"(\d{1,18}(?:,\d{1,18})*)?((?:[ \t]+\d{1,18}:[^\s:_]+)*)\s*")


def looks_like_xmc(path: Path) -> bool:
    """Whether three whole numbers are the first line, and the second is no row of three numbers."""
    with open_text(path) as stream:
        lines = lines_of(stream, path)
        first, second = next(lines, b""), next(lines, b"")
    return HEADER.fullmatch(first) is not None and (b":" in second or ROW.fullmatch(second) is not None)


def read_xmc(path: Path, part: Part) -> Rows | None:
    """Read one part of a data set.

    Parameters
    ----------
    path : Path
        Plain or gzipped.
    part : {"train", "test"}
        The test part of a file `..._train...` is the file `..._test...` beside it.

    Returns
    -------
    Rows or None
        float32 inputs (n, d) and labels (n, k), of booleans. None where there is no such file.

    Raises
    ------
    DataError
        A row that cannot be read, an index out of range or given twice in a row, another number of rows
        than the first line says, or numbers in it out of proportion to the file; or the parts differ in the
        numbers of features or labels.
    MemoryLimitError
        The dense arrays do not fit in memory.
    """
    if part == "train":
        return _read(path)
    other = path.with_name(path.name.replace("_train", "_test"))
    if other == path or not other.is_file():
        return None
    (_, *sizes), (_, *wanted) = _sizes(other), _sizes(path)
    if sizes != wanted:
        raise DataError(
            f"Training and test part must have as many features and labels, {wanted[0]} and {wanted[1]}. "
            f"Got {sizes[0]} and {sizes[1]} in {other}. Give files of one data set."
        )
    return _read(other)


def _sizes(path: Path) -> list[int]:
    with open_text(path) as stream:
        first = next(lines_of(stream, path), b"")
    match = HEADER.fullmatch(first)
    if match is None or 0 in (sizes := [int(size) for size in match.groups()]):
        raise DataError(
            "The first line must be the numbers of rows, features and labels, none of them 0. "
            f"Got {_shown(first)} in {path}. Correct it."
        )
    return sizes


def _read(path: Path) -> Rows:
    n_rows, n_features, n_labels = _sizes(path)
    require_fit(n_rows, n_features, 4, path)
    require_fit(n_rows, n_labels, 1, path)
    _require_plausible([n_rows, n_features, n_labels], path)
    inputs, labels = np.zeros((n_rows, n_features), np.float32), np.zeros((n_rows, n_labels), bool)
    row = -1
    with open_text(path) as stream:
        lines = lines_of(stream, path)
        next(lines)
        for row, line in enumerate(lines):
            if row >= n_rows:
                raise _wrong_count(f"more in line {row + 2}", n_rows, path)
            place = f"line {row + 2} of {path}"
            match = ROW.fullmatch(line)
            if match is None:
                raise DataError(
                    "Every row must read `label,label index:value index:value ...`. "
                    f"Got {_shown(line)} in {place}. Correct that line."
                )
            found, cells = match.groups(default=b"")
            _fill(labels[row], found.split(b",") if found else [], True, f"label in {place}")
            cells = cells.replace(b":", b" ").split()
            _fill(inputs[row], cells[::2], _values(cells[1::2], place), f"feature in {place}")
    if row + 1 < n_rows:
        raise _wrong_count(str(row + 1), n_rows, path)
    return Rows(inputs, labels)


def _require_plausible(sizes: list[int], path: Path) -> None:
    """Raise DataError unless a file of this length can have so many rows, features and labels."""
    if max(sizes) > MANY_COLUMNS:
        with open_text(path) as stream:
            n_bytes = sum(map(len, lines_of(stream, path)))
        for size, what in zip(sizes, ("rows", "features", "labels"), strict=True):
            require_plausible(size, n_bytes, what, path)


def _fill(target: np.ndarray, indices: list[bytes], values: object, what: str) -> None:
    places = list(map(int, indices))
    if places and max(places) >= len(target):
        raise DataError(
            f"An index must be from 0 to {len(target) - 1}, as the first line says. Got {max(places)} for a "
            f"{what}. Correct that line or the first."
        )
    if len(set(places)) < len(places):
        twice = Counter(places).most_common(1)[0][0]
        raise DataError(f"An index must occur once in a row. Got {twice} twice for a {what}. Leave one out.")
    target[places] = values


def _values(cells: list[bytes], place: str) -> np.ndarray:
    try:
        values = np.array(list(map(float, cells)), np.float64)
    except ValueError as error:
        raise DataError(
            f"A value must be a number. Got {error.args[0].rpartition(': ')[2]} in {place}. Correct it."
        ) from error
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    if not np.isfinite(rounded).all():
        got = values[np.argmin(np.isfinite(rounded))]
        raise DataError(f"A value must be finite in float32. Got {got} in {place}. Correct that line.")
    return rounded


def _wrong_count(got: str, n_rows: int, path: Path) -> DataError:
    return DataError(
        f"There must be the {n_rows} rows that the first line says. Got {got} in {path}. "
        "Download the file again, or correct its first line."
    )


def _shown(line: bytes) -> str:
    return repr(line[:60].decode(errors="replace").rstrip("\r\n"))

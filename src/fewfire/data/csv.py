"""Tables as text: comma, tab, semicolon or whitespace between the cells."""

import csv
import io
import math
import re
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np

from fewfire.data.files import open_bytes
from fewfire.data.table import TARGET_NAMES, Column, Table, may_be_targets, require_names, require_rows
from fewfire.errors import DataError

NumberedRows = Iterator[tuple[int, list[str]]]
CHUNK_ROWS = 4096  # whose cells are made numbers a column at a time


def read_csv(path: Path, known: Collection[str] = (), targets: Collection[str] = ()) -> Table:
    """Read a table of text.

    The first row is a header when it names a target, or all of `known`, or when its cells differ and none
    of them is a number.

    Parameters
    ----------
    path : Path
        UTF-8 text, plain or gzipped, lines ending in LF, CRLF or CR. Blank lines are skipped.
        That of comma, semicolon and tab which cuts the first line into the most numbers separates
        the cells; whitespace does in a line without any of them.
    known : names that are expected in a header
    targets : names or numbers of columns whose cells are kept as they are written
        So are those of the names that a target has, and those of the last column.

    Raises
    ------
    DataError
        Not UTF-8 text, no rows, rows of different lengths, a column without a name, or two of one name.
    """
    try:
        with open_bytes(path) as stream:
            lines = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            return _read_table(_rows(lines), path, known, targets)
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


def _read_table(rows: NumberedRows, path: Path, known: Collection[str], targets: Collection[str]) -> Table:
    first_line, first = next(rows, (0, []))
    require_rows(len(first), str(path))
    names = tuple(cell.strip("# ") for cell in first)
    has_header = _is_header(names, known)
    if has_header:
        require_names(names, f"line {first_line} of {path}")
    else:
        rows = chain([(first_line, first)], rows)
    kept = may_be_targets(names, targets)
    lines, columns = array("q"), [_Cells(column in kept) for column in range(len(names))]
    while chunk := list(islice(rows, CHUNK_ROWS)):
        for line, cells in chunk:
            if len(cells) != len(names):
                raise DataError(
                    f"Every row of a table must have as many cells as its first, {len(names)}. "
                    f"Got {len(cells)} in line {line} of {path}. Complete or remove that row."
                )
            lines.append(line)
        for column, cells in zip(columns, zip(*(cells for _, cells in chunk), strict=True), strict=True):
            column.extend(cells)
    require_rows(len(lines), str(path))
    return Table(str(path), names if has_header else None, [column.column() for column in columns], lines)


def _is_header(names: Sequence[str], known: Collection[str]) -> bool:
    if any(name.lower() in TARGET_NAMES for name in names) or (known and set(known) <= set(names)):
        return True
    return len(set(names)) == len(names) and not any(map(_is_number, names))


class _Cells:
    """A column that grows; where asked, it keeps the cells as they are written."""

    def __init__(self, keeps: bool) -> None:
        self.numbers, self.codes, self.code_of = array("d"), array("i"), dict[str, int]()
        self.written: list[str] | None = [] if keeps else None

    def extend(self, cells: Sequence[str]) -> None:
        if self.written is not None:
            self.written.extend(cells)
        try:
            numbers = array("d", map(float, cells))
        except ValueError:
            numbers = None
        if numbers is not None and not np.isnan(numbers).any() and "_" not in "".join(cells):
            self.numbers.extend(numbers)
            self.codes.extend(array("i", [-1]) * len(cells))
            return
        for cell in cells:
            if _is_number(cell):
                self.numbers.append(float(cell))
                self.codes.append(-1)
            else:
                self.numbers.append(math.nan)
                self.codes.append(self.code_of.setdefault(cell.strip(), len(self.code_of)))

    def column(self) -> Column:
        written = None if self.written is None else np.array(self.written, object)
        return Column(np.array(self.numbers), np.array(self.codes), list(self.code_of), written)


def _is_number(cell: str) -> bool:
    """Whether it is a number as it is written in data: not NaN, and without Python's underscores."""
    try:
        return not math.isnan(float(cell)) and "_" not in cell
    except ValueError:
        return False

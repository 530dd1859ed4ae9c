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

from fewfire.data.checks import require_fit
from fewfire.data.files import lines_of, open_text
from fewfire.data.table import TARGET_NAMES, Column, Table, may_be_targets, require_names, require_rows
from fewfire.errors import DataError
from fewfire.prepare.notation import PADDED, is_amount, is_number, is_padded

NumberedRows = Iterator[tuple[int, list[str]]]
CHUNK_ROWS = 4096  # whose cells are made numbers a column at a time
HEADER_LINES = 20  # a quoted name of the header may span so many
SEPARATOR = re.compile(r"sep=([^\w\s\"]|\t)\s*", re.IGNORECASE)  # what Excel writes into a line of its own


def read_csv(
    path: Path, known: Collection[str] = (), targets: Collection[str] = (), drop: Collection[str] = ()
) -> Table:
    """Read a table of text.

    The first row is a header when it names a target, or all of `known`, or when its cells differ and none
    of them is a number.

    Parameters
    ----------
    path : Path
        UTF-8 text, plain or gzipped, lines ending in LF, CRLF or CR. Blank lines are skipped, and so are
        lines of comments (#) at the top, unless the last of them has as many cells as the rows: it is the
        header. The cells are separated by the mark after `sep=` in a first line, or else by the one of comma,
        semicolon and tab that cuts the first two lines into the most numbers, or else by whitespace.
    known : collection of str
        Names that are expected in a header.
    targets : collection of str
        Names or numbers of columns whose cells are kept as they are written, beside those of the names that a
        target has, and those of the last column that is not left out.
    drop : collection of str
        Names or numbers of columns that will be left out: they need no name.

    Raises
    ------
    DataError
        Not UTF-8 text, a quote without its pair, a NUL byte, no rows, rows of different lengths, a column
        without a name, or two of one name.
    MemoryLimitError
        The rows do not fit in memory as a dense array.
    """
    try:
        with open_text(path) as stream:
            lines = io.TextIOWrapper(stream, encoding="utf-8", newline="")
            return _read_table(_rows(lines_of(lines, path), path), path, known, targets, drop)
    except UnicodeDecodeError as error:
        raise DataError(f"A table must be UTF-8 text. Got {path}: {error}. Save it as UTF-8 CSV.") from error


def _rows(lines: Iterable[str], path: Path) -> NumberedRows:
    """The number of its first line and the cells of each row that is not blank."""
    numbered = _numbered(lines, path)
    separator, comments, head = None, [], []
    for number, line in numbered:
        if match := SEPARATOR.fullmatch(line):
            separator = match[1]
        elif line.startswith("#"):
            comments.append((number, line))
        elif line.strip():
            head.append((number, line))
            break
    head.extend(islice(numbered, 1))
    while len(head) < HEADER_LINES and "".join(line for _, line in head).count('"') % 2:
        further = next(numbered, None)
        if further is None:
            break
        head.append(further)
    sample = "".join(line for _, line in head)
    delimiter = separator or _delimiter(sample)
    if comments and head and _n_cells(comments[-1][1], delimiter) == _n_cells(head[0][1], delimiter) > 1:
        head.insert(0, comments[-1])  # the names that numpy.savetxt writes
    numbered = chain(head, numbered)
    cells = _split_at_spaces(numbered, path) if delimiter is None else _split(numbered, delimiter, path)
    return ((line, row) for line, row in cells if len(row) > 1 or any(row))  # no blank line


def _numbered(lines: Iterable[str], path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, from 1."""
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise DataError(
                f"A table must be UTF-8 text. Got a NUL byte in line {number} of {path}. Remove it, or save "
                "the table as UTF-8 CSV."
            )
        yield number, line


def _split(numbered: Iterator[tuple[int, str]], delimiter: str, path: Path) -> NumberedRows:
    """The rows of a table whose cells may be quoted."""
    last = 0

    def lines() -> Iterator[str]:
        nonlocal last
        for number, line in numbered:
            last = number
            yield line

    rows = csv.reader(lines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        before, read = last, rows.line_num
        try:
            cells = next(rows, None)
        except csv.Error as error:
            raise DataError(
                f"A table must be UTF-8 text whose quotes come in pairs around a cell. Got {error} in the "
                f"row that begins in line {_first_line(before, last, rows.line_num - read)} of {path}. "
                "Close or remove the quote there."
            ) from error
        if cells is None:
            return
        first = _first_line(before, last, rows.line_num - read)
        if last > first and _holds_rows(cells, delimiter):
            raise DataError(
                f"A cell must not hold whole rows. Got one in the row that begins in line {first} of {path} "
                f"and ends in line {last}. Close or remove the quote that opens there."
            )
        yield first, cells


def _holds_rows(cells: Sequence[str], delimiter: str) -> bool:
    """Whether a further line of some cell has as many cells as the row."""
    further = (line for cell in cells for line in cell.splitlines()[1:])
    return len(cells) > 1 and any(_n_cells(line, delimiter) >= len(cells) for line in further)


def _first_line(before: int, last: int, n_lines: int) -> int:
    """The first line of a row: blank lines at the top may have been left out before it."""
    return max(before + 1, last - n_lines + 1)


def _split_at_spaces(numbered: Iterator[tuple[int, str]], path: Path) -> NumberedRows:
    for number, line in numbered:
        if '"' in line:
            raise DataError(
                f"Cells that are separated by spaces must not be quoted. Got a quote in line {number} of "
                f"{path}. Remove the quotes, or separate the cells by commas."
            )
        yield number, line.split()


def _n_cells(line: str, delimiter: str | None) -> int:
    return len(line.strip("# \t\r\n").split(delimiter))


def _delimiter(sample: str) -> str | None:
    """The mark that cuts lines into the most numbers, then cells; None for whitespace."""
    unquoted = re.sub(r'"[^"]*"', '""', sample).splitlines()
    first = next(filter(None, map(str.strip, unquoted)), "")

    def rank(mark: str) -> tuple[int, bool, int]:
        cells = [cell for line in unquoted for cell in line.strip().split(mark)]
        n_numbers = sum(is_number(cell) or is_padded(cell) or is_amount(cell) for cell in cells)
        return n_numbers, n_numbers == len(cells), len(cells)

    return max((mark for mark in ",;\t" if mark in first), key=rank, default=None)


def _read_table(
    rows: NumberedRows, path: Path, known: Collection[str], targets: Collection[str], drop: Collection[str]
) -> Table:
    first_line, first = next(rows, (0, []))
    require_rows(len(first), str(path))
    names = tuple(cell.strip("# ") for cell in first)
    has_header = _is_header(names, known)
    if has_header:
        require_names(names, f"line {first_line} of {path}", drop)
    else:
        rows = chain([(first_line, first)], rows)
    kept = may_be_targets(names if has_header else [""] * len(names), targets, drop)
    lines, columns = array("q"), [_Cells(column in kept) for column in range(len(names))]
    while chunk := list(islice(rows, CHUNK_ROWS)):
        for line, cells in chunk:
            if len(cells) != len(names):
                raise DataError(
                    f"Every row of a table must have as many cells as its first, {len(names)}. "
                    f"Got {len(cells)} in line {line} of {path}. {_advice(cells, len(names))}"
                )
            lines.append(line)
        require_fit(len(lines), len(names), 8, path)
        for column, cells in zip(columns, zip(*(cells for _, cells in chunk), strict=True), strict=True):
            column.extend(cells)
    require_rows(len(lines), str(path))
    return Table(str(path), names if has_header else None, [column.column() for column in columns], lines)


def _advice(cells: Sequence[str], n_cells: int) -> str:
    """What to do about a row of another number of cells."""
    if cells[0].startswith("#"):
        return "Remove comments between the rows."
    if len(cells) == n_cells + 1 and not cells[-1].strip():
        return f"Remove the delimiter at the end of each line, which makes an empty column {len(cells)}."
    return "Complete or remove that row."


def _is_header(names: Sequence[str], known: Collection[str]) -> bool:
    if any(name.lower() in TARGET_NAMES for name in names) or (known and set(known) <= set(names)):
        return True
    looks_like_data = any(is_number(name) or is_padded(name) or is_amount(name) for name in names)
    return len(set(names)) == len(names) and not looks_like_data


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
        joined = "\n".join(cells)
        plain = "_" not in joined and PADDED.search(joined) is None
        if numbers is not None and plain and not np.isnan(numbers).any():
            self.numbers.extend(numbers)
            self.codes.extend(array("i", [-1]) * len(cells))
            return
        for cell in cells:
            if is_number(cell):
                self.numbers.append(float(cell))
                self.codes.append(-1)
            else:
                self.numbers.append(math.nan)
                self.codes.append(self.code_of.setdefault(cell.strip(), len(self.code_of)))

    def column(self) -> Column:
        written = None if self.written is None else np.array(self.written, object)
        return Column(np.array(self.numbers), np.array(self.codes), list(self.code_of), written)

"""From the columns of a table to rows: which one is the target, which hold categories, which numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.data.dataset import Rows
from fewfire.errors import DataError
from fewfire.prepare.categories import are_texts, hardly_repeat, marks_missing
from fewfire.prepare.cells import require_different_names
from fewfire.prepare.columns import Features

TARGET_NAMES = ("target", "label", "class")


@dataclass(frozen=True, eq=False)
class Column:
    """The cells of a column, each a number or a text.

    Attributes
    ----------
    numbers : float64 (n,)
        NaN where the cell is a text.
    codes : integers (n,)
        Which of `texts` the cell is; -1 where it is a number.
    texts : list of str
        Different ones.
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.signedinteger]
    texts: list[str]

    @classmethod
    def of_texts(cls, cells: Sequence[str]) -> "Column":
        code_of: dict[str, int] = {}
        codes = np.array([code_of.setdefault(cell, len(code_of)) for cell in cells], np.int64)
        return cls(np.full(len(codes), np.nan), codes, list(code_of))

    @classmethod
    def of_numbers(cls, numbers: NDArray[np.float64]) -> "Column":
        """NaN is a missing cell."""
        missing = np.isnan(numbers)
        return cls(numbers, np.where(missing, 0, -1), [""] if missing.any() else [])

    @property
    def has_value(self) -> NDArray[np.bool_]:
        """Which of the texts, in the order of their cells, are no marks of a missing value."""
        is_value = np.array([not marks_missing(text) for text in self.texts], bool)
        return is_value[self.codes[self.codes >= 0]]

    @property
    def is_text(self) -> bool:
        """Whether there are texts, other than marks of a missing value, and few numbers beside them."""
        return are_texts(int(np.count_nonzero(self.has_value)), int(np.count_nonzero(self.codes < 0)))

    def categories(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """A code for each cell (n,), and the text of each code: equal numbers are the same category."""
        is_number = self.codes < 0
        values, inverse = np.unique(self.numbers[is_number], return_inverse=True)
        codes = self.codes.astype(np.int64)
        codes[is_number] = len(self.texts) + inverse
        return codes, (*self.texts, *map(number_text, values.tolist()))

    def written(self, row: int) -> str:
        """A cell as a message shows it."""
        code = self.codes[row]
        return number_text(self.numbers[row]) if code < 0 else repr(self.texts[code])


@dataclass(frozen=True, eq=False)
class Table:
    """A source of rows whose columns differ in kind.

    Attributes
    ----------
    where : str
        Names the source in messages.
    names : tuple of str, or None where the columns have none
    columns : list of Column
        At least one row.
    lines : sequence of int, or None
        The line of each row in a text file.
    """

    where: str
    names: tuple[str, ...] | None
    columns: list[Column]
    lines: Sequence[int] | None = None

    def place(self, row: int, column: int) -> str:
        line = f"row {row} (from 0)" if self.lines is None else f"line {self.lines[row]}"
        return f"{line}, {self.column_name(column)} of {self.where}"

    def column_name(self, column: int) -> str:
        return f"column {column + 1}" + (f" ({self.names[column]})" if self.names else "")

    def column_of(self, wanted: str) -> int:
        """The column with this name, else of this number, from 1."""
        if self.names is not None and wanted in self.names:
            return self.names.index(wanted)
        if wanted.isdecimal() and 1 <= int(wanted) <= len(self.columns):
            return int(wanted) - 1
        known = f"the numbers 1 to {len(self.columns)}" if self.names is None else few(self.names)
        raise DataError(
            f"A column must be named as in the table: {known}. Got {wanted!r} for {self.where}. "
            "Give a name in the header, or a number from 1."
        )


def rows_to_train(table: Table, target: str | None = None, categories: Sequence[str] = ()) -> Rows:
    """Features and labels of a table.

    Parameters
    ----------
    table : Table
    target : str, optional
        Name of the column of labels, or its number from 1; by default the column named target, else
        label, else class, in any case, else the last one.
    categories : sequence of str
        Names or numbers of columns that hold categories although they may hold numbers. A column of
        texts does so in any case; up to a tenth of its values may look like numbers.

    Raises
    ------
    DataError
        A column of numbers with a text or without a value somewhere, texts that hardly repeat, a row
        without a label, no column beside the target, or one that is not there.
    """
    n_columns = len(table.columns)
    if n_columns == 1:
        raise DataError(
            "A table must have at least one feature beside the target. "
            f"Got 1 column in {table.where}. Separate the cells by comma, tab, semicolon or spaces."
        )
    labels = _target_column(table) if target is None else table.column_of(target)
    wanted = {table.column_of(name) for name in categories}
    if labels in wanted:
        raise DataError(
            f"A column of categories must be a feature. Got the target, {table.column_name(labels)} of "
            f"{table.where}. Leave it out: the target holds classes in any case."
        )
    features = [column for column in range(n_columns) if column != labels]
    texts = {column for column in features if column in wanted or table.columns[column].is_text}
    for column in sorted(texts):
        _require_repeating(table, column)
    return _rows(table, features, texts, labels)


def rows_to_predict(table: Table, model: Features) -> Rows:
    """The columns that a model was trained on, in its order, and labels where there are any.

    Columns are found by name where both the table and the training table have names, else by place: a
    table with one column more has labels, in the column that training would take.

    Raises
    ------
    DataError
        A column is missing or was not in training; or as for `rows_to_train`.
    """
    if table.names is None or model.names is None:
        features, labels = _by_place(table, model)
    else:
        features, labels = _by_name(table, table.names, model, model.names)
    return _rows(table, features, {features[column] for column in model.categories}, labels)


def _by_place(table: Table, model: Features) -> tuple[list[int], int | None]:
    n_columns = len(table.columns)
    if n_columns not in (model.n_columns, model.n_columns + 1):
        raise DataError(
            f"Each row must have the model's {model.n_columns} features, with or without a label. "
            f"Got {n_columns} columns in {table.where}. Give the columns that the model was trained on."
        )
    labels = None if n_columns == model.n_columns else _target_column(table, model.target)
    return [column for column in range(n_columns) if column != labels], labels


def _by_name(
    table: Table, names: tuple[str, ...], model: Features, wanted: tuple[str, ...]
) -> tuple[list[int], int | None]:
    others = [name for name in names if name not in wanted]
    targets = [name for name in others if name == model.target or name.lower() in TARGET_NAMES]
    missing = [name for name in wanted if name not in names]
    if missing or len(others) > 1 or len(others) > len(targets):
        got = [f"no {name!r}" for name in missing] or [
            repr(name) for name in others if name not in targets[:1]
        ]
        raise DataError(
            f"A table must have the model's {len(wanted)} columns, with or without the target. "
            f"Got {few(got)} in {table.where}. Give the columns that the model was trained on."
        )
    return [names.index(name) for name in wanted], names.index(targets[0]) if targets else None


def _target_column(table: Table, known: str | None = None) -> int:
    names = [name.lower() for name in table.names or ()]
    wanted = (*([known.lower()] if known else []), *TARGET_NAMES)
    return next((names.index(name) for name in wanted if name in names), len(table.columns) - 1)


def _rows(table: Table, features: list[int], texts: set[int], labels: int | None) -> Rows:
    inputs, categories = np.empty((len(table.columns[0].numbers), len(features))), {}
    for place, column in enumerate(features):
        if column in texts:
            inputs[:, place], categories[place] = table.columns[column].categories()
        else:
            inputs[:, place] = _numbers(table, column)
    names, target = table.names, None
    if names is not None:
        target = None if labels is None else names[labels]
        names = tuple(names[column] for column in features)
    found = Features(len(features), names, target, categories)
    return Rows(inputs, None if labels is None else _labels(table, labels), found)


def _numbers(table: Table, column: int) -> NDArray[np.float64]:
    cells = table.columns[column]
    finite = np.isfinite(cells.numbers)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(
            f"A column of numbers must have a finite one in every row. Got {cells.written(row)} in "
            f"{table.place(row, column)}; {np.count_nonzero(finite)} of {len(finite)} cells are numbers. "
            "Correct that cell or remove its row; if they are categories, name the column (--categories)."
        )
    return cells.numbers


def _labels(table: Table, column: int) -> NDArray:
    cells = table.columns[column]
    missing = np.isinf(cells.numbers)
    missing[cells.codes >= 0] = ~cells.has_value
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(
            f"Every row must have a label. Got {cells.written(row)} in {table.place(row, column)}. "
            "Fill it or remove the row."
        )
    if not cells.texts:
        return cells.numbers
    codes, texts = cells.categories()
    return np.array(texts)[codes]


def _require_repeating(table: Table, column: int) -> None:
    codes, texts = table.columns[column].categories()
    if hardly_repeat(len(texts), len(codes)):
        raise DataError(
            f"Categories must repeat. Got {len(texts)} different texts in {len(codes)} rows, as in names or "
            f"sentences, in {table.column_name(column)} of {table.where}. Remove that column."
        )


def require_names(names: Sequence[str], where: str) -> None:
    """Raise DataError unless every column has a name of its own."""
    if "" in names:
        raise DataError(
            "Every column of a table with a header must have a name. Got none for column "
            f"{names.index('') + 1} in {where}. Name it, or remove it if it "
            "only numbers the rows (pandas: to_csv(..., index=False))."
        )
    require_different_names(names, where)


def require_rows(n_rows: int, where: str) -> None:
    if n_rows == 0:
        raise DataError(f"A table must have at least one row. Got none in {where}. Add rows to it.")


def number_text(number: float) -> str:
    """3 for 3.0, else as Python writes it."""
    return str(int(number)) if number.is_integer() else repr(float(number))


def few(names: Sequence[str]) -> str:
    """The first ten, and whether there are more."""
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")

"""From the columns of a table to rows: which one is the target, which hold categories, which numbers."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from fewfire.data.checks import require_fit
from fewfire.data.dataset import Rows
from fewfire.data.targets import FEW_CLASSES, LARGEST_WHOLE_FLOAT, filled, labels_written
from fewfire.errors import DataError
from fewfire.prepare.categories import are_texts, marks_missing, number_text, require_repeating
from fewfire.prepare.cells import require_different_names
from fewfire.prepare.columns import Features
from fewfire.prepare.notation import advice, is_amount, is_padded
from fewfire.prepare.targets import AUTO, CLASSIFICATION, REGRESSION
from fewfire.system.memory import require_free_memory

TRUTHS = {"true": 1.0, "false": 0.0}
TARGET_NAMES = ("target", "label", "class")
SHOWN = 60  # characters of a cell in a message
NAMELESS = re.compile(r"|Unnamed: \d+(\.\d+)*")  # what pandas calls a column without a name


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
    exact : integers or texts (n,), or None
        The cells of a column that may be a target where float64 would change them: whole numbers that are too
        large, or numbers as they are written.
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.signedinteger]
    texts: list[str]
    exact: NDArray | None = None

    @classmethod
    def of_texts(cls, cells: Sequence[str]) -> "Column":
        code_of: dict[str, int] = {}
        codes = np.array([code_of.setdefault(cell, len(code_of)) for cell in cells], np.int64)
        return cls(np.full(len(codes), np.nan), codes, list(code_of))

    @classmethod
    def of_numbers(cls, numbers: NDArray[np.float64], integers: NDArray | None = None) -> "Column":
        """NaN is a missing cell; the integers are what the numbers were, where they were so."""
        missing = np.isnan(numbers)
        largest = np.abs(numbers).max(initial=0, where=~missing)
        exact = integers if largest >= LARGEST_WHOLE_FLOAT else None
        return cls(numbers, np.where(missing, 0, -1), [""] if missing.any() else [], exact)

    def part(self, rows: NDArray[np.bool_]) -> "Column":
        """The cells of some rows."""
        exact = None if self.exact is None else self.exact[rows]
        return Column(self.numbers[rows], self.codes[rows], self.texts, exact)

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Which cells have no value, (n,)."""
        missing = np.zeros(len(self.codes), bool)
        missing[self.codes >= 0] = ~self.has_value
        return missing

    @property
    def is_blank(self) -> NDArray[np.bool_]:
        """In which cells nothing was written, (n,)."""
        blank = np.zeros(len(self.codes), bool)
        if "" in self.texts:
            blank = self.codes == self.texts.index("")
        return blank

    def labels(self, kind: str | None = None) -> NDArray:
        """The cells, none of which is missing, as labels (n,); see `labels_written` for the kind."""
        if self.exact is not None:
            return self.exact if self.exact.dtype.kind in "iu" else labels_written(self.exact.tolist(), kind)
        if (self.codes < 0).all():
            return self.numbers
        codes, texts = self.categories()
        return np.array(texts)[codes]

    @property
    def has_value(self) -> NDArray[np.bool_]:
        """Which of the texts, in the order of their cells, are no marks of a missing value."""
        return ~self._texts_that(marks_missing)

    def _texts_that(self, holds: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Whether something holds for each cell that is a text."""
        return np.array([holds(text) for text in self.texts], bool)[self.codes[self.codes >= 0]]

    @property
    def is_text(self) -> bool:
        """Whether there are texts, other than marks of a missing value, and few numbers beside them.

        A number with a decimal comma or a date counts as a number, and so does a truth. Whole numbers that
        zeros make equally long are texts.
        """
        if self._holds_identifiers():
            return True
        if self._holds_truths:
            return False
        n_amounts = int(np.count_nonzero(self._texts_that(is_amount)))
        n_numbers = int(np.count_nonzero(self.codes < 0)) + n_amounts
        return are_texts(int(np.count_nonzero(self.has_value)) - n_amounts, n_numbers)

    @property
    def _holds_truths(self) -> bool:
        """Whether all cells that have a value are true or false."""
        return bool((self.codes >= 0).all() and (self._texts_that(_is_truth) | ~self.has_value).all())

    def as_numbers(self) -> NDArray[np.float64]:
        """The numbers (n,), with 1 for true and 0 for false where all cells are so; else NaN for a text."""
        if not self._holds_truths:
            return self.numbers
        values = [TRUTHS.get(text.lower(), np.nan) for text in self.texts]
        return np.array(values, np.float64)[self.codes]

    def _holds_identifiers(self) -> bool:
        """Whether all numbers are whole and as long as those with zeros before them, as 01 to 12 are."""
        lengths = {len(text) for text in self.texts if is_padded(text)}
        numbers = self.numbers[self.codes < 0]
        return (
            len(lengths) > 0
            and not np.isinf(numbers).any()
            and bool(np.all((numbers == np.rint(numbers)) & (numbers >= 10.0 ** (max(lengths) - 1))))
        )

    @property
    def may_be_classes(self) -> bool:
        """Whether the cells are texts, or whole numbers: few ones if there are texts among them.

        Amounts and dates are neither.
        """
        if self._texts_that(is_amount).any():
            return self.is_text
        numbers = np.unique(self.numbers[self.codes < 0])
        whole, has_texts = bool(np.all(numbers == np.rint(numbers))), bool(self.has_value.any())
        return self.is_text or (whole and not (has_texts and len(numbers) > FEW_CLASSES))

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
        if code < 0:
            return number_text(self.numbers[row])
        text = self.texts[code]
        return repr(text if len(text) <= SHOWN else text[:SHOWN] + "...")


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

    @property
    def is_blank(self) -> NDArray[np.bool_]:
        """Which rows have no cell that anything was written in, (n,)."""
        return np.all([column.is_blank for column in self.columns], axis=0)

    def part(self, rows: NDArray[np.bool_]) -> "Table":
        """Some of the rows."""
        lines = None if self.lines is None else np.asarray(self.lines)[rows].tolist()
        return Table(self.where, self.names, [column.part(rows) for column in self.columns], lines)

    def column_name(self, column: int) -> str:
        return f"column {column + 1}" + (f" ({self.names[column]})" if self.names else "")

    def called(self, column: int) -> str:
        """What `column_of` finds the column by, in a list that commas divide."""
        number = str(column + 1)
        if self.names is None or ("," in self.names[column] and number not in self.names):
            return number
        return self.names[column]

    def column_of(self, wanted: str) -> int:
        """The column with this name, else of this number, from 1.

        Raises
        ------
        DataError
            The table has neither such a name nor such a number.
        """
        if self.names is not None and wanted in self.names:
            return self.names.index(wanted)
        if wanted.isdecimal() and 1 <= int(wanted) <= len(self.columns):
            return int(wanted) - 1
        known = f"the numbers 1 to {len(self.columns)}" if self.names is None else few(self.names)
        raise DataError(
            f"A column must be named as in the table: {known}. Got {wanted!r} for {self.where}. "
            "Give a name in the header, or a number from 1."
        )


def rows_to_train(
    table: Table,
    targets: Sequence[str] = (),
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    task: str = AUTO,
) -> Rows:
    """Features and labels of a table.

    Parameters
    ----------
    table : Table
    targets : sequence of str
        Names of the columns of targets, or their numbers from 1; by default the column named target, else
        label, else class, in any case, else the last one.
    categories : sequence of str
        Names or numbers of columns that hold categories although they may hold numbers. A column of
        texts does so in any case; up to a tenth of its values may look like numbers.
    drop : sequence of str
        Names or numbers of columns that are left out.
    task : str
        One of `fewfire.prepare.targets.TASKS`; several targets are of a regression.

    Raises
    ------
    DataError
        Columns of numbers with a text or a date, of texts that hardly repeat, or without any value: all of
        them in one message. A row without a label, no column beside the target, or one that is not there.
    MemoryLimitError
        The dense array or the labels do not fit in memory.
    """
    n_columns = len(table.columns)
    if n_columns < 2:
        raise DataError(
            "A table must have at least one feature beside the target. "
            f"Got {n_columns or 'no'} column in {table.where}. "
            "Separate the cells by comma, tab, semicolon or spaces."
        )
    if (blank := table.is_blank).any() and not blank.all():  # as some programs end a table
        table = table.part(~blank)
    wanted, left_out = ({table.column_of(name) for name in names} for names in (categories, drop))
    named = [table.column_of(name) for name in targets]
    labels = named or [_target_column(table, left_out=left_out)]
    for column in left_out.intersection((*labels, *wanted)):
        raise DataError(
            "A column that is left out must be neither a target nor one of categories. Got "
            f"{table.column_name(column)} of {table.where}. Name it once."
        )
    for column in wanted.intersection(labels):
        raise DataError(
            f"A column of categories must be a feature. Got the target, {table.column_name(column)} of "
            f"{table.where}. Leave it out: the target holds classes in any case."
        )
    features = [column for column in range(n_columns) if column not in labels and column not in left_out]
    if left_out and not features:
        raise DataError(
            f"A table must have at least one feature. Got {len(left_out)} of {n_columns} columns of "
            f"{table.where} left out, and no other beside the target. Leave fewer out."
        )
    if len(set(labels)) < len(labels) or not features:
        raise DataError(
            "The targets must be different columns beside at least one feature. Got "
            f"{few([table.column_name(column) for column in labels])} of {n_columns} columns in "
            f"{table.where}. Name each target once."
        )
    texts = {column for column in features if column in wanted or table.columns[column].is_text}
    _require_sound(table, features, texts, labels, may_drop={*features, *labels} - {*named})
    rows = _rows(table, features, texts, labels, sorted(left_out), gaps=True)
    return rows._replace(labels=_labels(table, labels, task))


def _require_sound(
    table: Table, features: list[int], texts: set[int], labels: list[int], may_drop: set[int]
) -> None:
    """Raise DataError, with all that is found, unless each column can be learned from."""
    found: dict[int, DataError] = {}
    for column in sorted((*features, *labels)):
        try:
            _require_value(table, column)
            if column in labels:
                continue
            if column in texts:
                codes, categories = table.columns[column].categories()
                where = f"{table.column_name(column)} of {table.where}"
                require_repeating(len(categories), len(codes), "texts", where)
            else:
                _numbers(table, column, gaps=True)
        except DataError as error:
            found[column] = error
    if not found:
        return
    to_drop = [table.called(column) for column in found if column in may_drop]
    advice = f"Or leave out: --drop {quote(','.join(to_drop))}." if to_drop else ""
    if len(found) == 1:
        (error,) = found.values()
        raise DataError(f"{error} {advice}".strip())
    each = "\n".join(f"- {error}" for error in found.values())
    raise DataError(
        f"Each column must be fit to learn from. Got {len(found)} that are not:\n{each}\n{advice}".strip()
    )


def rows_to_predict(table: Table, model: Features, task: str = AUTO, kind: str | None = None) -> Rows:
    """The columns that a model was trained on, in its order, and labels where there are any.

    Columns are found by name where both the table and the training table have names, else by place: a
    table with the columns of the targets too has them where the training table has them. A cell of a target
    may be empty: that row has no label.

    Parameters
    ----------
    kind : str, optional
        What the labels of training were; see `labels_written`.

    Raises
    ------
    DataError
        A column is missing or was not in training; or as for `rows_to_train`.
    MemoryLimitError
        The dense array or the labels do not fit in memory.
    """
    if table.names is None or model.names is None:
        features, labels = _by_place(table, model)
    else:
        features, labels = _by_name(table, table.names, model, model.names)
    texts = {features[column] for column in model.categories}
    rows = _rows(table, features, texts, labels, gaps=model.gaps is not None)
    if not labels:
        return rows
    given = ~np.any([table.columns[column].is_missing for column in labels], axis=0)
    if not given.any():
        return rows
    return rows._replace(labels=filled(_labels(table.part(given), labels, task, kind), given))


def _by_place(table: Table, model: Features) -> tuple[list[int], list[int]]:
    n_columns, targets = len(table.columns), list(model.targets) or [model.n_columns]
    if model.dropped and n_columns > model.n_columns:
        return _by_place_of_all(table, model)
    if n_columns not in (model.n_columns, model.n_columns + len(targets)):
        raise DataError(
            f"Each row must have the model's {model.n_columns} features, with or without a label. "
            f"Got {n_columns} columns in {table.where}. Give the columns that the model was trained on."
        )
    if n_columns == model.n_columns:
        labels = []
    else:
        labels = targets if len(targets) > 1 else [_target_column(table, otherwise=targets[0])]
    return [column for column in range(n_columns) if column not in labels], labels


def _by_place_of_all(table: Table, model: Features) -> tuple[list[int], list[int]]:
    """With the columns that training left out: they stand where they stood, with or without the targets."""
    n_columns, everything = len(table.columns), model.n_columns + len(model.targets) + len(model.dropped)
    ambiguous = len(model.targets) == len(model.dropped)
    if n_columns not in (everything, everything - len(model.targets)) or (
        ambiguous and n_columns < everything
    ):
        raise DataError(
            f"Each row must have the model's {model.n_columns} features, alone or with the "
            f"{len(model.dropped)} columns that training left out, and then with"
            f"{'' if ambiguous else ' or without'} a label. Got {n_columns} columns without names in "
            f"{table.where}. Give the columns that the model was trained on."
        )
    labels = list(model.targets) if n_columns == everything else []
    there = [column for column in range(everything) if labels or column not in model.targets]
    beside = {*model.targets, *model.dropped}
    return [place for place, column in enumerate(there) if column not in beside], labels


def _by_name(
    table: Table, names: tuple[str, ...], model: Features, wanted: tuple[str, ...]
) -> tuple[list[int], list[int]]:
    place_of = {name: place for place, name in enumerate(names)}
    known = {*wanted, *model.dropped.values()}
    others = [name for name in names if name not in known]
    targets = [name for name in model.targets.values() if name in place_of and name not in known]
    if not targets and len(model.targets) == 1:  # by another of the names that a target has
        targets = [name for name in others if name.lower() in TARGET_NAMES][:1]
    missing = [name for name in wanted if name not in place_of]
    if missing or len(others) > len(targets):
        got = [f"no {name!r}" for name in missing] or [repr(name) for name in others if name not in targets]
        raise DataError(
            f"A table must have the model's {len(wanted)} columns, with or without the target. "
            f"Got {few(got)} in {table.where}. Give the columns that the model was trained on."
        )
    labels = [place_of[name] for name in targets if name is not None]
    return [place_of[name] for name in wanted], labels if len(labels) == len(model.targets) else []


def _target_column(table: Table, *, otherwise: int | None = None, left_out: Collection[int] = ()) -> int:
    """The column with a name that a target has, or the other one; by default the last that is there."""
    there = [column for column in range(len(table.columns)) if column not in left_out] or [0]
    names = {table.names[column].lower(): column for column in reversed(there)} if table.names else {}
    found = next((names[name] for name in TARGET_NAMES if name in names), otherwise)
    return there[-1] if found is None else found


def may_be_targets(names: Sequence[str], wanted: Collection[str], drop: Collection[str] = ()) -> set[int]:
    """The columns of a table that may turn out to be targets, by these names or numbers or by default."""
    likely = {
        column
        for column, name in enumerate(names, start=1)
        if name in wanted or str(column) in wanted or name.lower() in TARGET_NAMES
    }
    there = [place for place, name in enumerate(names) if not is_named(place, name, drop)]
    return {*there[-1:], *(column - 1 for column in likely)}


def is_named(place: int, name: str, wanted: Collection[str]) -> bool:
    """Whether a column of this place and name is among these names and numbers."""
    return name in wanted or str(place + 1) in wanted


def _rows(
    table: Table, features: list[int], texts: set[int], labels: list[int], dropped: Sequence[int] = (), *,
    gaps: bool,
) -> Rows:  # fmt: skip
    """Inputs and what they are, without the labels; NaN where a number is missing, if there may be gaps."""
    n_rows = len(table.columns[0].numbers)
    require_fit(n_rows, len(features), 8, table.where)
    inputs, categories = np.empty((n_rows, len(features))), {}
    for place, column in enumerate(features):
        if column in texts:
            inputs[:, place], categories[place] = table.columns[column].categories()
        else:
            inputs[:, place] = _numbers(table, column, gaps=gaps)
    names = table.names
    targets, left_out = (
        {column: None if names is None else names[column] for column in columns}
        for columns in (labels, dropped)
    )
    if names is not None:
        names = tuple(names[column] for column in features)
    return Rows(inputs, None, Features(len(features), names, targets, categories, dropped=left_out))


AS_CATEGORIES = "if they are categories, name the column (--categories)"
AS_CLASSES = "if they are classes, give --task classification"


def _numbers(
    table: Table, column: int, otherwise: str = AS_CATEGORIES, *, gaps: bool = False
) -> NDArray[np.float64]:
    cells = table.columns[column]
    numbers = cells.as_numbers()
    finite = np.isfinite(numbers)
    sound = finite | cells.is_missing if gaps else finite
    if not sound.all():
        row = int(np.argmin(sound))
        rule = "must hold finite ones, or none" if gaps else "must have a finite one in every row"
        raise DataError(
            f"A column of numbers {rule}. Got {cells.written(row)} in "
            f"{table.place(row, column)}; {np.count_nonzero(finite)} of {len(finite)} cells are numbers. "
            f"{advice(cells.texts[cells.codes[row]] if cells.codes[row] >= 0 else '')}; {otherwise}."
        )
    return numbers


def _labels(table: Table, columns: Sequence[int], task: str, kind: str | None = None) -> NDArray:
    """Labels (n,) of the column of a target, or numbers (n, c) of the columns of a regression."""
    if len(columns) > 1 and task == CLASSIFICATION:
        raise DataError(
            f"Classes must stand in one column. Got {len(columns)} targets in {table.where}. Name one of "
            "them, or give --task regression for amounts."
        )
    for column in columns:
        _require_labels(table, column)
    cells = table.columns[columns[0]]
    if len(columns) == 1 and task != REGRESSION and (task == CLASSIFICATION or cells.may_be_classes):
        return cells.labels(kind)
    numbers = [_numbers(table, column, AS_CLASSES) for column in columns]
    return numbers[0] if len(numbers) == 1 else np.column_stack(numbers)


def _require_labels(table: Table, column: int) -> None:
    cells = table.columns[column]
    missing = cells.is_missing | np.isinf(cells.numbers)
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(
            f"Every row must have a label. Got {cells.written(row)} in {table.place(row, column)}. "
            "Fill it or remove the row."
        )
    longest = max(map(len, cells.texts), default=0)
    require_free_memory(
        len(cells.codes) * longest * np.dtype("U1").itemsize,
        f"The labels must fit in memory. Got {len(cells.codes)} of up to {longest} characters",
        f"{table.column_name(column)} of {table.where}. Shorten the longest ones.",
    )


def _require_value(table: Table, column: int) -> None:
    """Raise DataError unless the column has some value."""
    cells = table.columns[column]
    if cells.is_missing.all():
        raise DataError(
            f"A column must have a value in some row. Got {cells.written(0)} in all rows of "
            f"{table.column_name(column)} of {table.where}. Remove that column, or the delimiter at the "
            "end of each line."
        )


def require_names(names: Sequence[str], where: str, drop: Collection[str] = ()) -> None:
    """Raise DataError unless every column has a name of its own, but for those that are left out."""
    nameless = next(
        (
            place
            for place, name in enumerate(names)
            if NAMELESS.fullmatch(name) and not is_named(place, name, drop)
        ),
        None,
    )
    if nameless is not None:
        raise DataError(
            "Every column of a table with a header must have a name. Got "
            f"{names[nameless] or 'none'} for column {nameless + 1} in {where}. Name it, or leave it out "
            f"(--drop {nameless + 1}) if it only numbers the rows (pandas: to_csv(..., index=False)) or "
            "comes from a delimiter at the end of each line."
        )
    require_different_names(names, where)


def require_rows(n_rows: int, where: str) -> None:
    """Raise DataError unless there is a row."""
    if n_rows == 0:
        raise DataError(f"A table must have at least one row. Got none in {where}. Add rows to it.")


def _is_truth(text: str) -> bool:
    return text.lower() in TRUTHS


def few(names: Sequence[str]) -> str:
    """The first ten, and whether there are more."""
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")

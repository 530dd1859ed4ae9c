"""Rows as a program gives them, a DataFrame or an array, and the numbers that stand for their cells.

A column keeps the meaning that it had in training, whichever way rows come later. Categories that are numbers
stand for themselves; other categories have their place among those of training as a code.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.errors import DataError
from fewfire.prepare.categories import (
    MISSING,
    UNSEEN,
    are_texts,
    codes_of,
    codes_of_texts,
    number_text,
    reads_as_number,
    require_repeating,
)
from fewfire.prepare.notation import advice, is_amount


@dataclass(frozen=True, eq=False)
class Coding:
    """Which columns hold categories, as training saw them.

    Attributes
    ----------
    n_columns : int
    categories : {column: its categories}
        None where they are numbers, which stand for themselves. Else a value's code is its place; see MISSING
        and UNSEEN. All other columns hold numbers.
    n_coded : int
        Columns once each category has one of its own.
    as_texts : bool
        Whether categories are the texts of a table in a file: a value is the one that it would be written as.
    """

    n_columns: int
    categories: Mapping[int, list[Any] | None]
    n_coded: int
    as_texts: bool = False

    @classmethod
    def of(cls, rows: Any, named: Collection[int] = ()) -> "Coding":
        """Learn the columns of rows: a DataFrame, a two-dimensional array or a sparse matrix.

        Columns of texts and categories hold categories, and so do those that are named. Columns of objects
        that are all numbers hold numbers. In an array a text that reads as a number is one.

        Raises
        ------
        DataError
            Two columns have the same name; or columns hold neither numbers, booleans, texts nor categories,
            or numbers and texts alike, or texts that a person would read as amounts or dates, or categories
            that hardly repeat: all of these in one message.
        """
        n_rows, n_columns = rows.shape
        if is_frame(rows):
            require_different_names([str(name) for name in rows.columns], "X")
        categories, n_coded, found = {}, n_columns, []
        for place in range(n_columns) if may_hold_texts(rows) else named:
            try:
                cells = _Cells.of(rows, place)
                values, counted = _learned(cells, place in named)
                if values is None and not counted:
                    continue
                require_repeating(counted, n_rows, "values", cells.where)
            except DataError as error:
                found.append(error)
                continue
            categories[place], n_coded = values, n_coded + counted - 1
        if len(found) == 1:
            raise found[0]
        if found:
            each = "\n".join(f"- {error}" for error in found)
            raise DataError(f"Each column must be fit to learn from. Got {len(found)} that are not:\n{each}")
        return cls(n_columns, categories, n_coded)

    def coded(self, rows: Any) -> Any:
        """The same rows with numbers in all columns, where there are categories, texts or objects.

        Raises
        ------
        DataError
            A column of numbers holds a text or a number beyond float64, or a column of texts holds numbers.
        TypeError
            An array holds something else, as scikit-learn has it.
        """
        if is_frame(rows):
            rows = rows.copy(deep=False)
            for place in range(self.n_columns):
                cells = _Cells.of(rows, place)
                if place in self.categories or not (cells.are_numbers and cells.zeros_are_left_out):
                    rows.isetitem(place, self._codes(cells, place))
            return rows
        texts = any(values is not None for values in self.categories.values())
        plain = rows.dtype.kind in "biuf" or hasattr(rows, "toarray")
        if not texts and (plain or not (self.categories or may_hold_texts(rows))):
            return rows
        columns = [self._codes(_Cells.of(rows, place), place) for place in range(self.n_columns)]
        return np.stack(columns, axis=1)

    def _codes(self, cells: "_Cells", place: int) -> NDArray[np.float64]:
        known = self.categories.get(place)
        if known is None:
            return cells.numbers(unseen=UNSEEN if place in self.categories else None)
        if self.as_texts:
            codes = codes_of_texts(["" if gap else text_of(value) for value, gap in
                                    zip(cells.values, cells.missing, strict=True)], known)  # fmt: skip
            return codes
        if cells.are_numbers:
            numbers = cells.numbers()
            if not np.isnan(numbers).all():
                raise DataError(
                    f"A column of categories must hold values as in training, such as {known[:3]}. Got "
                    f"numbers ({cells.dtype}) in {cells.where}. Give that column as it was in training."
                )
            return numbers
        codes = codes_of(cells.values, known)
        codes[cells.missing] = MISSING
        return codes


@dataclass(frozen=True, eq=False)
class _Cells:
    """One column of some rows.

    Attributes
    ----------
    values : (n,) numbers or objects
    dtype : the dtype of the column as it came
    where : str
        Names the column in messages.
    reads_numbers : bool
        Whether a text may be a number: in an array, where columns have no dtype of their own.
    """

    values: NDArray
    dtype: Any
    where: str
    reads_numbers: bool

    @classmethod
    def of(cls, rows: Any, place: int) -> "_Cells":
        if not is_frame(rows):
            column = rows.tocsr()[:, [place]].toarray()[:, 0] if hasattr(rows, "toarray") else rows[:, place]
            values = column if column.dtype.kind in "biuf" else column.astype(object)
            return cls(values, rows.dtype, f"column {place} (from 0)", reads_numbers=True)
        column = rows.iloc[:, place]
        where, kind = f"column {rows.columns[place]!r}", column.dtype
        if hasattr(kind, "categories") or getattr(kind, "kind", "O") in "OU":
            return cls(column.astype(object).to_numpy(), kind, where, reads_numbers=False)
        if kind.kind not in "biuf":
            raise DataError(
                "A column must hold numbers, booleans, texts or categories. Got "
                f"{kind} in {where}. Turn it into numbers, or remove it."
            )
        return cls(column.to_numpy(np.float64, na_value=np.nan), kind, where, reads_numbers=False)

    @property
    def are_numbers(self) -> bool:
        return self.values.dtype.kind in "biuf"

    @property
    def zeros_are_left_out(self) -> bool:
        """Whether a sparse column holds all but its zeros, rather than all but NaN; any other column does."""
        return getattr(self.dtype, "fill_value", 0) == 0

    @property
    def missing(self) -> NDArray[np.bool_]:
        if self.are_numbers:
            return np.isnan(self.values)
        return np.array([_is_missing(value) for value in self.values], bool)

    def is_number(self, value: Any) -> bool:
        if isinstance(value, str):
            return self.reads_numbers and reads_as_number(value)
        return isinstance(value, Number) and not isinstance(value, complex)

    def numbers(self, unseen: float | None = None) -> NDArray[np.float64]:
        """The cells as numbers, NaN where a value is missing; `unseen` in place of what is no number."""
        if self.are_numbers:
            return self.values.astype(np.float64)
        numbers, missing = np.full(len(self.values), MISSING), self.missing
        for row in np.flatnonzero(~missing):
            value = self.values[row]
            if self.is_number(value):
                numbers[row] = self._float(value, int(row))
            elif unseen is not None:
                numbers[row] = unseen
            elif self.reads_numbers and not isinstance(value, str):
                numbers[row] = float(value)  # a TypeError, which scikit-learn's checks of estimators expect
            else:
                raise DataError(
                    f"A column of numbers must hold numbers alone. Got {value!r} in row {row} (from 0), "
                    f"{self.where}. {_advice(value)}."
                )
        return numbers

    def _float(self, value: Any, row: int) -> float:
        try:
            return float(value)
        except OverflowError as error:
            raise DataError(
                f"Numbers must be finite in float64. Got {type(value).__name__} beyond 1.8e308 in row {row} "
                f"(from 0), {self.where}. Correct that cell."
            ) from error


def text_of(value: Any) -> str:
    """A value as it would stand in a table of text."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number_text(float(value)) if is_number else str(value)


def _learned(cells: _Cells, named: bool) -> tuple[list[Any] | None, int]:
    """The categories of a column, None where they are numbers, and their count: 0 if it has none."""
    if cells.are_numbers:
        return None, len(np.unique(cells.values)) if named else 0
    missing = cells.missing
    values = cells.values[~missing]
    declared = named or hasattr(cells.dtype, "categories") or "dictionary" in str(cells.dtype)
    strange = next(
        (value for value in values if not (isinstance(value, str) or cells.is_number(value))), None
    )
    if strange is not None and not (hasattr(cells.dtype, "categories") and strange.__hash__ is not None):
        if cells.reads_numbers:
            return None, 0  # scikit-learn refuses it in its own words
        raise DataError(
            "A column must hold numbers, booleans, texts or categories. Got "
            f"{type(strange).__name__} in {cells.where}. Turn it into numbers or texts, or remove it."
        )
    is_number = np.array([cells.is_number(value) for value in values], bool)
    n_missing = int(missing.any())
    if is_number.all() and len(values):
        return None, len(np.unique(cells.numbers())) if declared else 0
    if len(values) and not declared and not are_texts(int((~is_number).sum()), int(is_number.sum())):
        row = np.flatnonzero(~missing)[np.argmin(is_number)]
        raise DataError(
            f"A column must hold numbers or texts, not both. Got {cells.values[row]!r} in row {row} "
            f"(from 0), {cells.where}, where {is_number.sum()} of {len(values)} values are numbers. "
            "Correct that cell, or name the column in categories."
        )
    n_amounts = 0 if declared else sum(isinstance(value, str) and is_amount(value) for value in values)
    if n_amounts and not are_texts(int((~is_number).sum()) - n_amounts, int(is_number.sum()) + n_amounts):
        texts = {row: value for row, value in enumerate(cells.values) if isinstance(value, str)}
        row = next(row for row, value in texts.items() if is_amount(value))
        raise DataError(
            f"A column of numbers must hold numbers alone. Got {texts[row]!r} in row {row} (from 0), "
            f"{cells.where}. {advice(texts[row])}; if they are categories, name the column in categories."
        )
    if not len(values) and cells.reads_numbers and not named:
        return None, 0
    known = sorted(set(values.tolist()), key=str)
    return known, len(known) + n_missing


def _advice(value: Any) -> str:
    """What to do with a cell that is no number."""
    if isinstance(value, str) and reads_as_number(value):
        return "Convert that column with astype(float)"
    return "Correct that cell; if all of them are categories, name the column in categories and fit again"


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Number) and bool(value != value)


def require_different_names(names: Sequence[str], where: str) -> None:
    """Raise DataError where two columns have the same name."""
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise DataError(
            f"The names of columns must differ. Got {name!r} {'twice' if times == 2 else f'{times} times'} "
            f"in {where}. Rename all but one."
        )


def rows_of(inputs: Any) -> Any:
    """A DataFrame, sparse matrix or array of what a caller gives; a masked value is a missing one.

    Tables of polars and Arrow become DataFrames.
    """
    if hasattr(inputs, "to_pandas"):
        inputs = inputs.to_pandas()
    if is_frame(inputs) or hasattr(inputs, "toarray"):
        return inputs
    return np.asarray(masked_as_missing(inputs))


def masked_as_missing(values: Any) -> Any:
    """A masked array, or texts of pandas, with NaN or None where a value is masked; all else as it is."""
    if hasattr(values, "isna") and getattr(getattr(values, "dtype", None), "kind", "") == "O":
        return values.to_numpy(object, na_value=None)
    if not isinstance(values, np.ma.MaskedArray) or not np.ma.is_masked(values):
        return values
    numbers = values.dtype.kind in "biuf"
    filled = np.array(values.data, dtype=np.float64 if numbers else object)
    filled[np.ma.getmaskarray(values)] = np.nan if numbers else None
    return filled


def is_frame(inputs: Any) -> bool:
    """Whether this is a pandas DataFrame, without an import of pandas."""
    return hasattr(inputs, "iloc") and hasattr(inputs, "columns")


def may_hold_texts(inputs: Any) -> bool:
    """Whether rows may hold other cells than numbers: those of a DataFrame, of objects or of texts."""
    return is_frame(inputs) or inputs.dtype.kind in "OUT"

"""Categories as columns of 0 and 1: one rule for the command's tables, arrays and DataFrames.

A category that training has seen has a column of its own, and so has a missing value where training has seen
one. A category that training has not seen is 0 in all columns, and so is a missing value that is new.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.errors import DataError

FEW_VALUES = 12  # whole numbers of so many values at the most may be codes of categories
MISSING, UNSEEN = -1, -2  # codes that stand for no value, and for one that training has not seen
MISSING_MARKS = ("", "?", "na", "n/a", "nan", "null")  # what a table's cell without a value is written as


def codes_of(values: Iterable[Any], known: Sequence[Any]) -> NDArray[np.int64]:
    """The place of each value among the known ones; UNSEEN where it is none of them."""
    place_of = {value: place for place, value in enumerate(known)}
    return np.array([place_of.get(value, UNSEEN) for value in values], np.int64)


def marks_missing(text: str) -> bool:
    """Whether a table's cell of this text has no value."""
    return text.lower() in MISSING_MARKS


def texts_seen(texts: Iterable[str]) -> tuple[str, ...]:
    """The categories of a column with these texts, sorted: the marks of a missing value are all the first."""
    known = sorted(set(texts))
    marks = [text for text in known if marks_missing(text)]
    return tuple(text for text in known if text not in marks[1:])


def codes_of_texts(texts: Iterable[str], known: Sequence[str]) -> NDArray[np.int64]:
    """The place of each text among the known ones: a mark of a missing value has that of any other mark."""
    mark = next((text for text in known if marks_missing(text)), None)
    alike = [mark if mark is not None and marks_missing(t) and t not in known else t for t in texts]
    return codes_of(alike, known)


@dataclass(frozen=True, eq=False)
class OneHot:
    """Which columns hold codes of categories, and which codes there were in training.

    Attributes
    ----------
    n_features : int
        Columns before.
    categories : {column: its different codes, ascending}
    """

    n_features: int
    categories: Mapping[int, NDArray]

    @classmethod
    def of(cls, inputs: NDArray, columns: Iterable[int]) -> "OneHot":
        """The codes that the columns of inputs (n, d) hold."""
        return cls(inputs.shape[1], {column: np.unique(inputs[:, column]) for column in columns})

    def transform(self, inputs: NDArray) -> NDArray:
        """Inputs (n, d) with a column for each category in place of its own.

        Without categories the inputs are given back as they are, not copied.
        """
        if not self.categories:
            return inputs
        kept = [column for column in range(self.n_features) if column not in self.categories]
        width = len(kept) + sum(map(len, self.categories.values()))
        coded = np.empty((len(inputs), width), np.float64)
        for place, column in enumerate(kept):
            coded[:, place] = inputs[:, column]
        first = len(kept)
        for column, codes in self.categories.items():
            np.equal(inputs[:, [column]], codes, out=coded[:, first : first + len(codes)], casting="unsafe")
            first += len(codes)
        return coded


def perhaps_categories(inputs: NDArray) -> list[int]:
    """Columns of inputs (n, d) that hold 3 to 12 different whole numbers: amounts, or codes of categories."""
    found = []
    for column in range(inputs.shape[1]):
        values = np.unique(inputs[:, column])
        if 3 <= len(values) <= FEW_VALUES and np.all(values == np.rint(values)):
            found.append(column)
    return found


@dataclass(frozen=True, eq=False)
class FrameCategories:
    """The different values of each column of texts or categories in a training DataFrame.

    Attributes
    ----------
    values : {position of the column: its values}
        The code of a value is its place; see MISSING and UNSEEN.
    """

    values: dict[int, list[Any]]

    @classmethod
    def of(cls, frame: Any) -> "FrameCategories":
        """Take the values of a DataFrame's columns of texts, objects and categories.

        Raises
        ------
        DataError
            A column holds neither numbers, booleans, texts nor categories: dates, for example.
        """
        values = {}
        for place, name in enumerate(frame.columns):
            column = frame.iloc[:, place]
            kind = column.dtype
            if getattr(kind, "kind", "O") in "biuf" and not hasattr(kind, "categories"):
                continue
            if hasattr(kind, "categories") or kind.name == "object" or kind.name.startswith("str"):
                values[place] = sorted(column.dropna().unique().tolist(), key=str)
                continue
            raise DataError(
                "A column must hold numbers, booleans, texts or categories. Got "
                f"{kind} in column {name!r}. Turn it into numbers, or remove it."
            )
        return cls(values)

    def coded(self, frame: Any) -> Any:
        """The same DataFrame with codes in these columns."""
        if not self.values:
            return frame
        frame = frame.copy(deep=False)
        for place, values in self.values.items():
            column = frame.iloc[:, place].astype(object)
            codes = codes_of(column, values)
            codes[column.isna().to_numpy()] = MISSING
            frame.isetitem(place, codes.astype(np.float64))
        return frame


def is_frame(inputs: Any) -> bool:
    """Whether this is a pandas DataFrame, without an import of pandas."""
    return hasattr(inputs, "iloc") and hasattr(inputs, "columns")

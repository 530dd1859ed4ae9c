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
FEW_NUMBERS = 0.1  # a column with a larger share of numbers among its values is one of numbers
MANY_CATEGORIES = 100  # more than so many must repeat
MISSING = np.nan  # the code of no value
UNSEEN = float(np.finfo(np.float64).min)  # the code of a value that training has not seen: no category has it
MISSING_MARKS = (
    "",
    "?",
    "na",
    "n/a",
    "nan",
    "null",
    "#n/a",
    "<na>",
)  # what a table's cell without a value is written as


def codes_of(values: Iterable[Any], known: Sequence[Any]) -> NDArray[np.float64]:
    """The place of each value among the known ones; UNSEEN where it is none of them."""
    place_of = {value: place for place, value in enumerate(known)}
    return np.array([place_of.get(value, UNSEEN) for value in values], np.float64)


def require_repeating(n_categories: int, n_rows: int, what: str, where: str) -> None:
    """Raise DataError where so many different values in so many rows are names rather than categories.

    Parameters
    ----------
    what : str
        What the values are: "texts".
    where : str
        Names the column in the message.
    """
    if n_categories > max(MANY_CATEGORIES, n_rows / 2):
        raise DataError(
            f"Categories must repeat. Got {n_categories} different {what} in {n_rows} rows, as in names or "
            f"sentences, in {where}. Remove that column."
        )


def are_texts(n_texts: int, n_numbers: int) -> bool:
    """Whether a column of so many texts, and of so many numbers beside them, is one of texts."""
    return n_texts > 0 and n_numbers <= FEW_NUMBERS * (n_numbers + n_texts)


def marks_missing(text: str) -> bool:
    """Whether a table's cell of this text has no value."""
    return text.lower() in MISSING_MARKS


def texts_seen(texts: Iterable[str]) -> tuple[str, ...]:
    """The categories of a column with these texts, sorted: numbers by size, and a missing one last."""
    seen = sorted(set(texts))
    known = [text for text in seen if not marks_missing(text)]
    if all(map(reads_as_number, known)):
        known.sort(key=float)
    return (*known, *[text for text in seen if marks_missing(text)][:1])


def codes_seen(known: Sequence[str]) -> NDArray[np.float64]:
    """The code of each of these categories: its place, or MISSING for the mark that is the last."""
    codes = np.arange(len(known), dtype=np.float64)
    if known and marks_missing(known[-1]):
        codes[-1] = MISSING
    return codes


def codes_of_texts(texts: Iterable[str], known: Sequence[str]) -> NDArray[np.float64]:
    """The code of each text among the known ones: a mark of a missing value has that of any other mark."""
    mark = next((text for text in known if marks_missing(text)), None)
    alike = [mark if mark is not None and marks_missing(t) and t not in known else t for t in texts]
    places = codes_of(alike, known)
    seen = places != UNSEEN
    places[seen] = codes_seen(known)[places[seen].astype(int)]
    return places


def number_text(number: float) -> str:
    """3 for 3.0, else as Python writes it."""
    return str(int(number)) if number.is_integer() else repr(float(number))


def reads_as_number(text: str) -> bool:
    """Whether Python takes a text for a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class OneHot:
    """Which columns hold codes of categories, and which codes there were in training.

    Attributes
    ----------
    n_features : int
        Columns before.
    categories : {column: its different codes, ascending; last NaN where a value was missing}
    """

    n_features: int
    categories: Mapping[int, NDArray]

    @classmethod
    def of(cls, inputs: NDArray, columns: Iterable[int]) -> "OneHot":
        """The codes that the columns of inputs (n, d) hold."""
        return cls(inputs.shape[1], {column: np.unique(inputs[:, column]) for column in columns})

    @property
    def numbers(self) -> list[int]:
        """The other columns."""
        return [column for column in range(self.n_features) if column not in self.categories]

    def transform(self, inputs: NDArray) -> NDArray:
        """Inputs (n, d): the columns of numbers, then a column for each category.

        Without categories the inputs are given back as they are, not copied.
        """
        if not self.categories:
            return inputs
        kept = self.numbers
        width = len(kept) + sum(map(len, self.categories.values()))
        coded = np.empty((len(inputs), width), np.float64)
        for place, column in enumerate(kept):
            coded[:, place] = inputs[:, column]
        first = len(kept)
        for column, codes in self.categories.items():
            places = coded[:, first : first + len(codes)]
            np.equal(inputs[:, [column]], codes, out=places, casting="unsafe")
            if len(codes) and np.isnan(codes[-1]):
                places[:, -1] = np.isnan(inputs[:, column])
            first += len(codes)
        return coded


def perhaps_categories(inputs: NDArray) -> list[int]:
    """Columns of inputs (n, d) that hold 3 to 12 different whole numbers: amounts, or codes of categories."""
    found = []
    for column in range(inputs.shape[1]):
        values = np.unique(inputs[:, column])
        values = values[~np.isnan(values)]
        if 3 <= len(values) <= FEW_VALUES and np.all(values == np.rint(values)):
            found.append(column)
    return found

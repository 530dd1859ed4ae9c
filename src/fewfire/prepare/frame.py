"""Columns of a pandas DataFrame that hold no numbers, as codes of categories."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fewfire.errors import DataError


@dataclass(frozen=True, eq=False)
class FrameCategories:
    """The different values of each column of texts or categories, in training.

    Attributes
    ----------
    values : {position of the column: its values}
        A value is coded by its place; one that is missing, or was not there in training, by -1.
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
            code_of = {value: code for code, value in enumerate(values)}
            column = frame.iloc[:, place].astype(object)
            codes = np.array([code_of.get(value, -1) for value in column], np.float64)
            frame.isetitem(place, codes)
        return frame


def is_frame(inputs: Any) -> bool:
    """Whether this is a pandas DataFrame, without an import of pandas."""
    return hasattr(inputs, "iloc") and hasattr(inputs, "columns")

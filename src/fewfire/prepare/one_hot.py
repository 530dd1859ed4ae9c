"""Categories as columns of their own: one of 0 and 1 for each."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEW_VALUES = 12  # whole numbers of so many values at the most may be codes of categories


@dataclass(frozen=True, eq=False)
class OneHot:
    """Which columns hold categories, and which there were in training.

    Attributes
    ----------
    n_features : int
        Columns before.
    categories : {column: its different values, ascending}
    """

    n_features: int
    categories: dict[int, NDArray]

    @classmethod
    def of(cls, inputs: NDArray, columns: Iterable[int]) -> "OneHot":
        """The categories that the columns of inputs (n, d) hold."""
        return cls(inputs.shape[1], {column: np.unique(inputs[:, column]) for column in columns})

    def transform(self, inputs: NDArray) -> NDArray[np.float64]:
        """Inputs (n, d) with a column for each category in place of its own; 0 in all for an unknown one."""
        kept = [column for column in range(self.n_features) if column not in self.categories]
        coded = [inputs[:, [column]] == values for column, values in self.categories.items()]
        return np.column_stack([inputs[:, kept], *coded]).astype(np.float64)


def perhaps_categories(inputs: NDArray) -> list[int]:
    """Columns of inputs (n, d) that hold 3 to 12 different whole numbers: amounts, or codes of categories."""
    found = []
    for column in range(inputs.shape[1]):
        values = np.unique(inputs[:, column])
        if 3 <= len(values) <= FEW_VALUES and np.all(values == np.rint(values)):
            found.append(column)
    return found

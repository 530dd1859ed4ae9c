"""Numbers that are missing: filled with the median, and told by a column of 0 and 1 where training had some.

A column that lacked no value in training is filled alike, without a word of it: there is nothing to learn of
what a gap means there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Gaps:
    """What stands for a missing number in each column, and which columns lacked some.

    Attributes
    ----------
    medians : (d,)
        Of the values that were there; 0 where there was none.
    columns : (k,)
        Those that lacked a value in training.
    """

    medians: NDArray[np.float64]
    columns: NDArray[np.int64]

    @classmethod
    def of(cls, inputs: NDArray, numbers: Iterable[int]) -> "Gaps":
        """Learn from the columns of numbers among those of inputs (n, D), NaN where one is missing."""
        medians, lacking = [], []
        for place, column in enumerate(numbers):
            values = inputs[:, column]
            present = values[~np.isnan(values)]
            medians.append(np.median(present) if len(present) else 0.0)
            if len(present) < len(values):
                lacking.append(place)
        return cls(np.array(medians, np.float64), np.array(lacking, np.int64))

    def state(self) -> dict[str, list]:
        """A dictionary that JSON can hold."""
        return {"medians": self.medians.tolist(), "columns": self.columns.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, list]) -> "Gaps":
        """The inverse of `state`."""
        return cls(np.array(state["medians"], np.float64), np.array(state["columns"], np.int64))

    def filled(self, numbers: NDArray) -> NDArray:
        """Numbers (n, d) without a gap; the same array where there is none."""
        missing = np.isnan(numbers)
        return np.where(missing, self.medians, numbers) if missing.any() else numbers

    def told(self, numbers: NDArray) -> NDArray[np.float64]:
        """1 where a number is missing, else 0, for the columns that lacked some, (n, k)."""
        return np.isnan(numbers[:, self.columns]).astype(np.float64)

"""The way of tabular rows into a network: categories to columns, then to the unit sphere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewfire.prepare.categories import OneHot
from fewfire.prepare.scaling import InputScaling


@dataclass(frozen=True, eq=False)
class Preparation:
    """What a training set taught of how to prepare rows like its own."""

    one_hot: OneHot
    scaling: InputScaling

    @classmethod
    def fit_each(
        cls,
        inputs: npt.NDArray,
        categories: Iterable[int],
        constants: Sequence[float],
        sample_weight: npt.NDArray | None = None,
    ) -> list["Preparation"]:
        """One preparation for each constant, from the same coding and statistics.

        All columns are standardized; see `OneHot.of` and `InputScaling.fit`.

        Raises
        ------
        DataError
            The variance of a column is not finite, or too small for float64.
        """
        one_hot = OneHot.of(inputs, categories)
        scalings = InputScaling.fit_each(
            one_hot.transform(inputs), constants, standardize=True, sample_weight=sample_weight
        )
        return [cls(one_hot, scaling) for scaling in scalings]

    def transform(self, inputs: npt.NDArray, dtype: npt.DTypeLike = np.float32) -> npt.NDArray:
        """Rows (n, d) on the unit sphere, with a column for each category.

        Raises
        ------
        DataError
            A row is not finite or too large, or there are other columns than in training.
        """
        return self.scaling.transform(self.one_hot.transform(inputs), dtype)

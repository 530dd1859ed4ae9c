"""The way of tabular rows into a network: categories to columns, then to the unit sphere."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fewfire.prepare.one_hot import OneHot
from fewfire.prepare.scaling import InputScaling


@dataclass(frozen=True, eq=False)
class Preparation:
    """What a training set taught of how to prepare rows like its own."""

    one_hot: OneHot
    scaling: InputScaling

    @classmethod
    def fit(
        cls,
        inputs: npt.NDArray,
        categories: Iterable[int],
        constant: float,
        sample_weight: npt.NDArray | None = None,
    ) -> "Preparation":
        """See `OneHot.of` and `InputScaling.fit`; all columns are standardized."""
        one_hot = OneHot.of(inputs, categories)
        scaling = InputScaling.fit(
            one_hot.transform(inputs), standardize=True, constant=constant, sample_weight=sample_weight
        )
        return cls(one_hot, scaling)

    def transform(self, inputs: npt.NDArray, dtype: npt.DTypeLike = np.float32) -> npt.NDArray:
        return self.scaling.transform(self.one_hot.transform(inputs), dtype)

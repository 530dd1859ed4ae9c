"""The way of tabular rows into a network: gaps, categories, codings, then to the unit sphere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fewfire.prepare.categories import OneHot
from fewfire.prepare.curves import RAMPS, RANKS, Curves
from fewfire.prepare.gaps import Gaps
from fewfire.prepare.scaling import InputScaling

CHUNK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Preparation:
    """What a training set taught of how to prepare rows like its own.

    Attributes
    ----------
    one_hot : OneHot
        Which columns hold categories. Those of numbers come first after it.
    gaps : Gaps or None
        What stands for numbers that are missing; None where none may be. The columns that tell of them come
        last.
    curves : Curves or None
        How columns of numbers are coded; None where they stay as they are.
    scaling : InputScaling
        Of all columns, and which of them count how much.
    """

    one_hot: OneHot
    gaps: Gaps | None
    curves: Curves | None
    scaling: InputScaling

    @classmethod
    def fit(
        cls,
        inputs: npt.NDArray,
        categories: Iterable[int] = (),
        *,
        constant: float = 1.0,
        standardize: bool = True,
        sample_weight: npt.NDArray | None = None,
    ) -> "Preparation":
        """Learn how to standardize inputs (n, d), or only to centre them; NaN where a value is missing.

        See `OneHot.of`, `Gaps.of` and `InputScaling.fit`.

        Raises
        ------
        DataError
            The variance of a column is not finite, or too small for float64.
        """
        one_hot = OneHot.of(inputs, categories)
        gaps = Gaps.of(inputs, one_hot.numbers)
        columns = coded_columns(inputs, one_hot, gaps, None)
        scaling = InputScaling.fit(
            columns, standardize=standardize, constant=constant, sample_weight=sample_weight
        )
        return cls(one_hot, gaps, None, scaling)

    def coded(
        self, coding: str, inputs: npt.NDArray, sample_weight: npt.NDArray | None = None
    ) -> "Preparation":
        """The same categories, and "ranks" or "ramps" of the columns of numbers, by these samples (n, d)."""
        of = {RANKS: Curves.of_ranks, RAMPS: Curves.of_ramps}[coding]
        curves = of(inputs[:, self.one_hot.numbers])
        columns = coded_columns(inputs, self.one_hot, self.gaps, curves)
        scaling = InputScaling.fit(columns, standardize=True, sample_weight=sample_weight)
        return replace(self, curves=curves, scaling=scaling)

    def state(self) -> dict[str, npt.NDArray]:
        """All of it as arrays by name."""
        categories = self.one_hot.categories
        state = self.scaling.state() | {
            "n_columns": np.array(self.one_hot.n_features, np.int32),
            "categories": np.array(list(categories), np.int32),
        }
        state |= {f"codes {column}": codes for column, codes in categories.items()}
        if self.gaps is not None:
            state |= {"medians": self.gaps.medians, "lacking": self.gaps.columns.astype(np.int32)}
        if self.curves is not None:
            state |= {f"knots {place}": knots for place, knots in enumerate(self.curves.knots)}
            state |= {f"values {place}": values for place, values in enumerate(self.curves.values)}
        return {name: np.asarray(array, order="C") for name, array in state.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray]) -> "Preparation":
        """The inverse of `state`; other names in the mapping are ignored."""
        categories = {column: state[f"codes {column}"] for column in state["categories"].tolist()}
        one_hot = OneHot(state["n_columns"].item(), categories)
        gaps = Gaps(state["medians"], state["lacking"].astype(np.int64)) if "medians" in state else None
        curves = None
        if "knots 0" in state:
            places = range(len(one_hot.numbers))
            knots, values = ([state[f"{what} {place}"] for place in places] for what in ("knots", "values"))
            curves = Curves(knots, values)
        return cls(one_hot, gaps, curves, InputScaling.from_state(state))

    def along(self, directions: npt.NDArray[np.float64], constant: float) -> "Preparation":
        """The same coding and statistics; see `InputScaling.along`."""
        return replace(self, scaling=self.scaling.along(directions, constant))

    def around(
        self, inputs: npt.NDArray, constant: float, sample_weight: npt.NDArray | None = None
    ) -> "Preparation":
        """The same coding and directions, centred on these inputs (n, d); see `InputScaling.around`."""
        columns = coded_columns(inputs, self.one_hot, self.gaps, self.curves)
        return replace(self, scaling=self.scaling.around(columns, constant, sample_weight))

    @property
    def is_plain(self) -> bool:
        """Whether rows without gaps are only scaled."""
        lacking = self.gaps is not None and len(self.gaps.columns) > 0
        return not self.one_hot.categories and not lacking and self.curves is None

    @property
    def sources(self) -> npt.NDArray[np.int64]:
        """The column of the inputs that each coded column comes from, (D,)."""
        numbers = self.one_hot.numbers
        repeats = 1 if self.curves is None else self.curves.n_curves
        codes = self.one_hot.categories
        return np.concatenate(
            [np.repeat(np.array(numbers, np.int64), repeats)]
            + [np.full(len(codes[column]), column, np.int64) for column in codes]
            + ([] if self.gaps is None else [np.array(numbers, np.int64)[self.gaps.columns]])
        )

    @property
    def equal_weights(self) -> npt.NDArray[np.float64]:
        """Weights (D,) at which all columns of the inputs count alike, however many curves they have."""
        weights = np.ones(len(self.sources))
        if self.curves is not None:
            repeats = self.curves.n_curves
            weights[: repeats.sum()] = np.repeat(repeats**-0.5, repeats)
        return weights

    def standardized(self, inputs: npt.NDArray) -> npt.NDArray[np.float64]:
        """Rows (n, D) of coded columns, each with mean 0 and variance 1."""
        return self.scaling.standardized(coded_columns(inputs, self.one_hot, self.gaps, self.curves))

    def transform(self, inputs: npt.NDArray, dtype: npt.DTypeLike = np.float32) -> npt.NDArray:
        """Rows (n, d) on the unit sphere.

        Raises
        ------
        DataError
            A row is not finite or too large, or there are other columns than in training.
        """
        rows = np.empty((len(inputs), self.scaling.n_outputs), dtype)
        for first in range(0, len(inputs), CHUNK_ROWS):  # coded columns take more room than the inputs
            part = slice(first, first + CHUNK_ROWS)
            coded = coded_columns(inputs[part], self.one_hot, self.gaps, self.curves)
            rows[part] = self.scaling.transform(coded, dtype)
        return rows


def coded_columns(
    inputs: npt.NDArray, one_hot: OneHot, gaps: Gaps | None, curves: Curves | None = None
) -> npt.NDArray:
    """Columns (n, D) of inputs (n, d): numbers, then categories, then those that tell of gaps."""
    columns, count = one_hot.transform(inputs), len(one_hot.numbers)
    if gaps is None:
        return columns
    numbers, codes = columns[:, :count], columns[:, count:]
    filled = gaps.filled(numbers)
    if curves is None and filled is numbers and not len(gaps.columns):
        return columns
    coded = filled if curves is None else curves.transform(filled)
    return np.column_stack([coded, codes, gaps.told(numbers)])

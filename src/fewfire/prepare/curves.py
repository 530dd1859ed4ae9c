"""Codings of columns of numbers: normal scores of their ranks, or ramps between quantiles.

Distances between rows are Euclidean, so heavy tails drown what is small, and a step along one column is met
badly. Ranks make each column normal; ramps give each part of its range a direction of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANKS, RAMPS = CODINGS = ("ranks", "ramps")
KNOTS = 256  # of the curve of ranks, at the most
BINS = 8  # ramps of a column, at the most
FURTHEST = 1e-6  # of the ranks: the scores of the least and the largest value stay finite


@dataclass(frozen=True, eq=False)
class Curves:
    """Piecewise linear curves that the values of each column go through; constant beyond their ends.

    Attributes
    ----------
    knots : for each column its knots (k,), ascending
    values : for each column the values of its curves at the knots, (k, curves)
    """

    knots: Sequence[NDArray[np.float64]]
    values: Sequence[NDArray[np.float64]]

    @classmethod
    def of_ranks(cls, columns: NDArray) -> "Curves":
        """From each value to the normal quantile of its mean rank, of columns (n, d).

        Between two values that training has seen it goes straight; NaN counts as none. Beyond 256 different
        values as many quantiles stand for them.
        """
        from scipy.special import ndtri

        knots, values = [], []
        for column in map(_present, columns.T):
            distinct, counts = np.unique(column, return_counts=True)
            ranks = (np.cumsum(counts) - 0.5 * counts) / len(column)
            if len(distinct) > KNOTS:
                places = np.unique(np.searchsorted(ranks, np.linspace(ranks[0], ranks[-1], KNOTS)))
                distinct, ranks = distinct[places], ranks[places]
            knots.append(distinct.astype(np.float64))
            values.append(ndtri(np.clip(ranks, FURTHEST, 1 - FURTHEST))[:, None])
        return cls(knots, values)

    @classmethod
    def of_ramps(cls, columns: NDArray) -> "Curves":
        """Up to eight curves per column (n, d): each rises from 0 to 1 between two neighbouring quantiles."""
        knots, values = [], []
        for column in map(_present, columns.T):
            edges = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)))
            knots.append(edges.astype(np.float64))
            places = np.arange(len(edges))
            values.append(np.clip(places[:, None] - np.arange(max(1, len(edges) - 1)), 0.0, 1.0))
        return cls(knots, values)

    @property
    def n_curves(self) -> NDArray[np.int64]:
        """How many curves each column has, (d,)."""
        return np.array([values.shape[1] for values in self.values], np.int64)

    def transform(self, columns: NDArray) -> NDArray[np.float64]:
        """The curves of columns (n, d) side by side, (n, sum of n_curves)."""
        coded = np.empty((len(columns), self.n_curves.sum()))
        place = 0
        for column, knots, values in zip(columns.T, self.knots, self.values, strict=True):
            for curve in values.T:
                coded[:, place] = np.interp(column, knots, curve)
                place += 1
        return coded


def _present(column: NDArray) -> NDArray:
    """The values of a column that are there; 0 where none is."""
    values = column[~np.isnan(column)]
    return values if len(values) else np.zeros(1)

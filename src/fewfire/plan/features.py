"""Which directions of the columns count: learned from the gradients of kernel regressions, in rounds.

A round fits a kernel regression to the rows as the directions A show them, and takes for the next A the root
of the average outer product of its gradients. An error that is to be believed comes from rows whose targets A
has not seen: A is learned on one part of the rows and judged on another, by leaving one out.
docs/theory/learned_features.md has the derivation and what was measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.prepare.scaling import directed
from fewfire.system.machine import one_blas_thread
from fewfire.tangent.centres import CentredRidge
from fewfire.tangent.gradients import mean_outer_gradients
from fewfire.tangent.infinite import wide_kernel
from fewfire.tangent.leave_one_out import leave_one_out

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
MOST_ROUNDS, MOST_RISES = 4, 2  # of the error, in a row: then no more rounds
LARGEST_RIDGE = 0.1  # of the fit whose gradients are taken: a larger one says little but the mean
NO_SHARE = 1e-4  # of the sum of squares: a direction of less is dropped
JUDGED, HALVES, FEW, CENTRES, HALVED_FROM = 500, 900, 40, 2000, 5000  # rows


@dataclass(frozen=True)
class Setting:
    """What a kernel regression is made with.

    Attributes
    ----------
    constant : over the root mean square norm of the rows
    threshold : of the neurons
    ridge : over the fire rate
    """

    constant: float
    threshold: float
    ridge: float


@dataclass(frozen=True, eq=False)
class Samples:
    """Standardized rows (n, D), their targets (n, c), how much each counts, and which columns are alike.

    Attributes
    ----------
    weights : (n,), or None
    tied : (D,)
        Columns of the same number share their weight: those of the categories of one source.
    """

    rows: Floats
    targets: Floats
    weights: Floats | None
    tied: Ids

    def __getitem__(self, ids: Ids) -> "Samples":
        weights = None if self.weights is None else self.weights[ids]
        return Samples(self.rows[ids], self.targets[ids], weights, self.tied)

    def units(self, directions: Floats, share: float) -> tuple[Floats, float]:
        """Rows on the unit sphere, and the constant feature before that: so much of their size."""
        rows = directed(self.rows, directions)
        squares = np.square(rows).sum(axis=1)
        constant = share * float(np.sqrt(np.average(squares, weights=self.weights))) or 1.0
        units = np.column_stack([rows, np.full(len(rows), constant)])
        return units / np.sqrt(squares + constant**2)[:, None], constant


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows that directions are learned from, and rows that judge them."""

    learned: Ids
    judged: Ids

    @staticmethod
    def of(count: int, *, learn: bool = True) -> "list[Fold]":
        """Of the first rows, in random order: two halves that judge each other, or from 900 on a last third.

        All judge themselves where nothing is learned, and fewer than 40, of which no part would be enough.
        """
        ids = np.arange(count)
        if count < FEW or not learn:
            return [Fold(ids[:0], ids)]
        if count < HALVES:
            first, second = ids[: count // 2], ids[count // 2 :]
            return [Fold(first, second), Fold(second, first)]
        judged = min(JUDGED, count // 3)
        return [Fold(ids[:-judged], ids[-judged:])]


@dataclass(frozen=True, eq=False)
class Round:
    """How the judged rows are missed after some rounds.

    Attributes
    ----------
    error : mean squared error by leaving one out
    setting : with which that is least
    directions : of each fold
    """

    error: float
    setting: Setting
    directions: list[Floats]


def rounds(
    samples: Samples, folds: Sequence[Fold], start: Floats, *, shapes: Sequence[tuple[float, float]],
    ridges: Floats, most: int = MOST_ROUNDS,
) -> Iterator[Round]:  # fmt: skip
    """The rounds from some directions on: (D,) for weights of columns, (D, D) for all directions.

    Each fold learns its own. The rounds end after two rises of the error in a row.

    Parameters
    ----------
    shapes : constants and thresholds to choose from, in each round anew
    """
    directions, last, rises = [start] * len(folds), np.inf, 0
    for number in range(most + 1):
        errors = {
            (constant, threshold): np.mean(
                [
                    _errors(samples[fold.judged[-JUDGED:]], own, constant, threshold, ridges)
                    for fold, own in zip(folds, directions, strict=True)
                ],
                axis=0,
            )
            for constant, threshold in shapes
        }
        (constant, threshold), found = min(errors.items(), key=lambda item: item[1].min())
        setting, error = Setting(constant, threshold, float(ridges[found.argmin()])), float(found.min())
        yield Round(error, setting, directions)
        rises = rises + 1 if error > last else 0
        if rises == MOST_RISES or number == most:
            return
        last = error
        directions = [
            next_directions(samples[fold.learned], own, setting)
            for fold, own in zip(folds, directions, strict=True)
        ]


def _errors(judged: Samples, directions: Floats, constant: float, threshold: float, ridges: Floats) -> Floats:
    units, _ = judged.units(directions, constant)
    return leave_one_out(wide_kernel(units @ units.T, threshold), judged.targets, ridges, judged.weights)


def next_directions(
    samples: Samples, directions: Floats, setting: Setting, n_centres: int = CENTRES
) -> Floats:
    """The root of the average outer product of the gradients, with a sum of squares of D.

    Of more rows than centres the first are centres: the regression is through them, and its gradients are
    taken there.
    """
    units, constant = samples.units(directions, setting.constant)
    centres = samples[np.arange(min(len(units), n_centres))]
    dual = _dual(samples, units, len(centres.rows), setting)
    rows, full = directed(centres.rows, directions), directions.ndim == 2
    moments = mean_outer_gradients(
        rows, constant, dual, setting.threshold, full=full, weights=centres.weights
    )
    return _root(directions, moments) if full else _weights(directions, moments, samples.tied)


def _dual(samples: Samples, units: Floats, n_centres: int, setting: Setting) -> Floats:
    """The weights (n_centres, c) of the first rows in the regression to all."""
    from scipy.linalg import cho_factor, cho_solve

    ridge = min(setting.ridge, LARGEST_RIDGE)
    if n_centres < len(units):
        kernel = np.empty((len(units), n_centres), np.float32)
        for first in range(0, len(units), n_centres):
            part = slice(first, first + n_centres)
            kernel[part] = wide_kernel(units[part] @ units[:n_centres].T, setting.threshold)
        return CentredRidge(kernel, np.arange(n_centres), samples.weights).solve(samples.targets, ridge)
    kernel = wide_kernel(units @ units.T, setting.threshold)
    kernel.flat[:: len(kernel) + 1] += ridge if samples.weights is None else ridge / samples.weights
    with one_blas_thread():
        return cho_solve(cho_factor(kernel, overwrite_a=True, check_finite=False), samples.targets)


def _weights(before: Floats, moments: Floats, tied: Ids) -> Floats:
    """Weights (D,) from the mean squares of the gradients by the columns that had one."""
    squares = np.zeros(len(before))
    squares[before != 0] = np.square(before[before != 0]) * moments
    _, places = np.unique(tied, return_inverse=True)
    squares = (np.bincount(places, squares) / np.bincount(places))[places]
    return before if squares.sum() == 0 else np.sqrt(squares * (len(squares) / squares.sum()))


def _root(before: Floats, moments: Floats) -> Floats:
    """A with A^T A = M, up to a factor, (k, D): Gaussian neurons do not see how A is turned."""
    outer = before.T @ moments @ before
    values, vectors = np.linalg.eigh(outer)
    kept = values > 1e-12 * values.sum()
    if not kept.any():
        return before
    return np.sqrt(values[kept] * (len(outer) / values[kept].sum()))[:, None] * vectors.T[kept]


def replayed(samples: Samples, start: Floats, settings: Sequence[Setting]) -> Floats:
    """The directions after rounds with these settings; of many rows a half is enough before the last."""
    directions, count = start, len(samples.rows)
    for left, setting in enumerate(settings, start=1 - len(settings)):
        if left and count >= HALVED_FROM:
            directions = next_directions(samples[np.arange(count // 2)], directions, setting, CENTRES // 2)
        else:
            directions = next_directions(samples, directions, setting)
    return directions


def pruned(directions: Floats) -> Floats:
    """Without the directions that hardly count: weights (D,) become 0, rows (k, D) go."""
    squares = np.square(directions) if directions.ndim == 1 else np.square(directions).sum(axis=1)
    counts = squares >= NO_SHARE * squares.sum()
    return np.where(counts, directions, 0.0) if directions.ndim == 1 else directions[counts]


def importances(directions: Floats) -> Floats:
    """The share of each column in the sum of squares, (D,)."""
    squares = np.square(directions) if directions.ndim == 1 else np.square(directions).sum(axis=0)
    return squares / squares.sum()

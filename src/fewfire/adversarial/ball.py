"""Where an attack may go: the points near a sample, within a box, in the user's own units and dtype."""

from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.system.words import require_one_of

NORMS = ("linf", "l2")
BYTE = 255
FREE = 1 - 1e-6  # of the radius in all directions: the box cuts nothing off
SHORTER = 0.999  # times as long, until rounding leaves a move within the radius


@dataclass(frozen=True, eq=False)
class Box:
    """What inputs can be at all.

    Parameters
    ----------
    low, high : float or (p,) array, low <= high
        The least and the largest value of each column.
    movable : (p,) bool array, optional
        Columns that an attack may change; by default all. Categories may not.
    whole : (p,) bool array, optional
        Columns that hold whole numbers, and still do when attacked; by default none.

    Raises
    ------
    ValueError
        A bound is NaN, or the lower one is above the upper one.
    """

    low: ArrayLike = -np.inf
    high: ArrayLike = np.inf
    movable: ArrayLike | None = None
    whole: ArrayLike | None = None

    @classmethod
    def of(cls, samples: NDArray, *, by_column: bool, movable: ArrayLike | None = None) -> "Box":
        """The range of samples (n, p): 0 .. 255 of bytes; of all values together, or of each column."""
        if samples.dtype == np.uint8:
            return cls(0.0, float(BYTE), movable)
        if by_column:
            low, high = samples.min(axis=0), samples.max(axis=0)
            return cls(low.astype(np.float64), high.astype(np.float64), movable)
        return cls(float(samples.min()), float(samples.max()), movable)

    @property
    def range(self) -> NDArray[np.float64]:
        """How far the bounds of each column are apart; one number where they are the same for all."""
        return np.asarray(self.high, np.float64) - np.asarray(self.low, np.float64)

    def __post_init__(self) -> None:
        if not (np.asarray(self.low) <= np.asarray(self.high)).all():
            raise ValueError(
                f"a box must have low <= high in every column. Got low={self.low} and high={self.high}. "
                "Give the range of the data, such as Box(0, 1) for pixels."
            )


ANYWHERE = Box()


class Ball:
    """The points within a radius of each sample and within a box, exactly so in the dtype of the samples.

    Clipping to the box after the ball stays in the ball, because the samples lie in the box themselves.

    Parameters
    ----------
    samples : (n, p) array
        Points of the box; whole numbers become floats that hold them.
    norm : "linf" or "l2"
    radius : float or (p,) array, >= 0
        One per column with "linf" only.
    box : Box, optional
        By default all numbers.

    Raises
    ------
    ValueError
        The norm is none of these, the radius is negative or of another shape, or a sample lies outside the
        box.
    """

    def __init__(self, samples: NDArray, norm: str, radius: ArrayLike, box: Box = ANYWHERE) -> None:
        require_one_of(norm, NORMS, "the norm of a ball")
        samples = as_floats(samples)
        self.radius = np.asarray(radius, np.float64)
        _require_fitting(samples, norm, self.radius, box)
        _require_inside(samples, box)
        self.samples, self.norm = samples, norm
        reach = self.radius if norm == "linf" else np.full(samples.shape[1], self.radius)
        movable = np.ones(samples.shape[1], bool) if box.movable is None else np.asarray(box.movable, bool)
        self._whole = None if box.whole is None else np.asarray(box.whole, bool)
        reach = np.where(movable, reach, 0.0)
        low = self._within(np.maximum(samples - reach, np.asarray(box.low)), reach)
        high = self._within(np.minimum(samples + reach, np.asarray(box.high)), reach)
        if self._whole is not None:
            low = np.where(self._whole, np.ceil(low), low)
            high = np.where(self._whole, np.floor(high), high)
        self.low, self.high = np.minimum(low, samples), np.maximum(high, samples)
        self._far = FREE * reach

    @property
    def is_full(self) -> bool:
        """Whether the ball is all that its norm allows between `low` and `high`: an l2 ball may be cut."""
        if self.norm == "linf":
            return True
        reached = (self.low <= self.samples - self._far) & (self.high >= self.samples + self._far)
        return self._whole is None and bool(reached.all())

    def part(self, rows: NDArray[np.int64]) -> "Ball":
        """The same around some of the samples."""
        part = copy(self)
        part.samples, part.low, part.high = self.samples[rows], self.low[rows], self.high[rows]
        return part

    def _within(self, bounds: NDArray, reach: NDArray) -> NDArray:
        """The bounds in the dtype of the samples, rounded towards the samples where they lie too far."""
        bounds = bounds.astype(self.samples.dtype)
        limit = np.broadcast_to(reach, bounds.shape)
        while (too_far := np.abs(bounds - self.samples) > limit).any():
            bounds[too_far] = np.nextafter(bounds[too_far], self.samples[too_far])
        return bounds

    def project(self, points: NDArray) -> NDArray:
        """The nearest points of the ball (of its box, where the norm is l2, after the ball)."""
        points = np.clip(points, self.low, self.high) if self.norm == "linf" else self._shortened(points)
        return points.astype(self.samples.dtype)

    def _shortened(self, points: NDArray) -> NDArray:
        """The points of the l2 ball and the box: moves are shortened until rounding leaves them inside."""
        moves, share = points - self.samples.astype(np.float64), 1.0
        while True:
            limit = share * self.radius / np.maximum(_lengths(moves), np.finfo(float).tiny)
            there = np.clip(self.samples + moves * np.minimum(1.0, limit), self.low, self.high)
            there = there.astype(self.samples.dtype)
            too_long = _lengths((there - self.samples).astype(np.float64)) > self.radius
            if not too_long.any():
                return there
            share = np.where(too_long, share * SHORTER, share)

    def rounded(self, points: NDArray) -> NDArray:
        """The same points with whole numbers where the columns hold such."""
        if self._whole is None:
            return points
        if self.norm == "l2":  # towards the sample: no move becomes longer
            return np.where(self._whole, self.samples + np.trunc(points - self.samples), points)
        return np.where(self._whole, np.clip(np.rint(points), self.low, self.high), points)

    def random_points(self, random: np.random.Generator) -> NDArray:
        """One point per sample: uniform between the bounds (linf), or within the radius (l2)."""
        shape = self.samples.shape
        if self.norm == "linf":
            return self.project(self.low + random.random(shape) * (self.high - self.low))
        moves = random.standard_normal(shape)
        moves /= _lengths(moves)
        return self.project(
            self.samples + moves * self.radius * random.random((len(moves), 1)) ** (1 / shape[1])
        )

    def step(self, points: NDArray, gradients: NDArray, size: NDArray | float) -> NDArray:
        """Points a step further up the gradients (n, p), and back in the ball.

        linf: by `size` in every column, in the direction of its sign. l2: by `size` in all.
        """
        if not np.isfinite(gradients).all():  # where outputs overflow there is none, and training says so
            gradients = np.where(np.isfinite(gradients), gradients, 0.0)
        if self.norm == "linf":
            moved = np.sign(gradients, dtype=np.float64)
            moved *= size
            moved += points
            return self.project(moved)
        gradients = np.where(self.low < self.high, gradients, 0.0)  # before they are normalised
        return self.project(points + size * gradients / np.maximum(_lengths(gradients), np.finfo(float).tiny))


def as_floats(samples: NDArray) -> NDArray:
    """The samples as they are if they are float32 or float64, else in one of them that holds them."""
    samples = np.asarray(samples)
    if samples.dtype in (np.float32, np.float64):
        return samples
    return samples.astype(np.float32 if samples.dtype.itemsize <= 2 else np.float64)


def _require_fitting(samples: NDArray, norm: str, radius: NDArray, box: Box) -> None:
    if samples.ndim != 2 or 0 in samples.shape:
        raise ValueError(
            f"samples must be rows (n, p), at least one. Got shape {samples.shape}. Give one row per sample."
        )
    columns = samples.shape[1:]
    if not (radius >= 0).all() or radius.shape not in ((), columns if norm == "linf" else ()):
        raise ValueError(
            f"the radius must be a number >= 0, with linf also one per column. Got {radius} with {norm} and "
            f"{columns[0]} columns. Use 0.01 for inputs of norm 1."
        )
    if box.movable is not None and np.shape(box.movable) != columns:
        raise ValueError(
            f"movable must say of each of {columns[0]} columns whether it moves. Got shape "
            f"{np.shape(box.movable)}. Give one bool per column."
        )


def _require_inside(samples: NDArray, box: Box) -> None:
    low, high = (np.asarray(bound).astype(samples.dtype) for bound in (box.low, box.high))
    outside = ~((samples >= low) & (samples <= high)).all(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"samples must lie in the box of the attack. Got row {row} with {samples[row].min():g} .. "
            f"{samples[row].max():g}. Give the range of the data, such as Box(0, 255) for bytes."
        )


def _lengths(rows: NDArray) -> NDArray[np.float64]:
    """Euclidean, (n, 1)."""
    return np.sqrt(np.square(rows).sum(axis=1, keepdims=True))

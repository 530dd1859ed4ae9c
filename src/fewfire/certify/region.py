"""Where the inputs of a network may go when samples move within a ball, in units of the network."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.ball import Ball
from fewfire.core.inputs import CODED_FROM, CODES_PER_ONE
from fewfire.prepare.preparation import Preparation, coded_columns
from fewfire.prepare.scaling import InputScaling, directed

Floats = NDArray[np.float64]
Way = InputScaling | Preparation | None  # from the user's columns to the network's inputs

ROUNDED = 2.0**-51  # of sums of two numbers, with room to spare


@dataclass(frozen=True, eq=False)
class Region:
    """The inputs c_i + M d, over all moves d that a ball allows, and their lengths beside that of c_i.

    An input that is scaled to length 1 stands here before that, divided by the length at the centre of the
    ball. So the centre has length 1, and elsewhere the length is 1 + <tilt_i, d> + k with 0 <= k <= bend_i:
    it lies above its tangent plane. Inputs that are taken as they are have tilt and bend 0.

    Attributes
    ----------
    centres : (n, d)
        c_i.
    half : (n, D)
        How far each column moves to either side in a box; in the norm l2 1 where it may move, else 0.
    radius : (n,), or None
        How long a move may be, in the norm l2; None in a box.
    tilt : (n, D)
    bend : (n,)
    least_length : (n,)
        No length is below.
    grid : float
        How far preparation may round each number of an input off.
    scaling : InputScaling or None
        M: between columns and inputs.
    """

    centres: Floats
    half: Floats
    radius: Floats | None
    tilt: Floats
    bend: Floats
    least_length: Floats
    grid: float
    scaling: InputScaling | None

    @classmethod
    def of(cls, ball: Ball, way: Way, dtype: np.dtype, share: float | Floats = 1.0) -> "Region":
        """The region of a ball, or of one whose radii are a share of its radii.

        Parameters
        ----------
        ball : Ball
        way : InputScaling, Preparation or None
            From the columns of the ball to the network's inputs; None where they are the inputs.
        dtype : float32 or float64
            Of the network.
        share : float or (n, 1) array, in [0, 1]

        Raises
        ------
        ValueError
            A category may move, columns that are coded may move in the norm l2, or inputs of no length have
            no direction.
        """
        low, high = (bound.astype(np.float64) for bound in (ball.low, ball.high))
        samples = ball.samples.astype(np.float64)
        reach = share * ball.radius * (1 + 2 * float(np.finfo(ball.samples.dtype).eps))  # as a ball measures
        if ball.norm != "l2":
            low, high = np.maximum(low, samples - reach), np.minimum(high, samples + reach)
        if isinstance(way, Preparation):
            low, high = (_coded(bound, ball, way) for bound in (low, high))
            samples, way = coded_columns(samples, way.one_hot, way.gaps, way.curves), way.scaling
        if ball.norm == "l2":
            movable = (ball.low < ball.high).any(axis=0).astype(np.float64)
            half, middles = np.broadcast_to(movable, samples.shape), samples
            radius = np.broadcast_to(reach.ravel(), len(samples))
        else:
            middles, radius = (low + high) / 2, None
            half = np.where(low < high, high - middles + ROUNDED * np.maximum(np.abs(low), np.abs(high)), 0.0)
        if way is None:
            none = np.zeros(len(middles))
            return cls(middles, half, radius, np.zeros_like(half), none, none + 1, 0.0, None)
        return cls._scaled(middles, half, radius, way, dtype)

    @classmethod
    def _scaled(
        cls, middles: Floats, half: Floats, radius: Floats | None, scaling: InputScaling, dtype: np.dtype
    ) -> "Region":
        lengths = scaling.lengths(middles)
        centres = scaling.transform(middles, np.float64)
        if radius is None:
            half = half / lengths[:, None]
            moves = np.square(scaling.spread(half)).sum(axis=1)
        else:
            radius = radius / lengths
            moves = np.square(radius * scaling.stretch(half[0]))
        tilt = scaling.by_columns(centres[:, :-1])
        coded = dtype == np.float32 and scaling.n_outputs >= CODED_FROM
        region = cls(
            centres, half, radius, tilt, moves / 2 * (1 + ROUNDED), scaling.constant / lengths,
            0.5 / CODES_PER_ONE if coded else 0.0, scaling,
        )  # fmt: skip
        return region._with_a_direction()

    def _with_a_direction(self) -> "Region":
        """The same, once its shortest inputs are known.

        Raises
        ------
        ValueError
            They may have length 0.
        """
        tangent = 1 - self.reach(self.tilt)
        least = np.maximum(tangent, self.least_length)
        if not (least > 0).all():
            row = int(np.argmin(least))
            share = 1 / (1 - tangent[row])
            raise ValueError(
                "rows are normalized to length 1: a box that contains the origin has no direction. Got row "
                f"{row}. Lower the radius below {share:.2g} of what it is, or enlarge the constant feature."
            )
        return replace(self, least_length=least)

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def greatest_length(self) -> Floats:
        """No length is above, (n,)."""
        return 1 + self.reach(self.tilt) + self.bend

    @property
    def sizes(self) -> Floats:
        """Upper bounds on the Euclidean length of the inputs that the network takes, (n,)."""
        if self.scaling is not None:
            return np.full(len(self), 1.0 + 2 * self.grid * np.sqrt(self.centres.shape[1]))
        moved = np.sqrt(np.square(self.half).sum(axis=1)) if self.radius is None else self.radius
        return np.sqrt(np.square(self.centres).sum(axis=1)) + moved

    def ball_radius(self, sample: int) -> float | None:
        """How far the inputs themselves may move in the norm l2, by all their features; else None."""
        if self.scaling is not None or self.radius is None or not self.half[sample].all():
            return None
        return float(self.radius[sample])

    def by_columns(self, rows: Floats) -> Floats:
        """What a move of each column adds to the product of an input with these rows (k, d): (k, D)."""
        return rows if self.scaling is None else self.scaling.by_columns(rows[..., :-1])

    def by_features(self, moves: Floats) -> Floats:
        """How far moves of the columns (k, D) carry the inputs, (k, d)."""
        if self.scaling is None:
            return moves
        carried = directed(moves / self.scaling.scale, self.scaling.directions)
        return np.hstack([carried, np.zeros((len(moves), 1))])

    def reach(self, rows: Floats, sample: int | slice = slice(None)) -> Floats:
        """The largest <row, move>, of one row (n, D) per sample or some (k, D) of one sample."""
        half, sizes = self.half[sample], np.abs(rows) if self.radius is None else np.square(rows)
        sums = sizes @ half if half.ndim == 1 else np.einsum("ij,ij->i", sizes, half)
        return sums if self.radius is None else self.radius[sample] * np.sqrt(sums)


def _coded(bound: Floats, ball: Ball, way: Preparation) -> Floats:
    """The coded columns at a bound of a box: their curves never fall."""
    categories = list(way.one_hot.categories)
    if (ball.low[:, categories] != ball.high[:, categories]).any():
        raise ValueError(
            "columns of categories cannot move by a radius. Got a ball in which they do. Give a Box whose "
            "movable columns are those of numbers."
        )
    if ball.norm == "l2" and (way.curves is not None or categories):
        raise ValueError(
            "a ball around rows of coded columns must have a radius in each column. Got the norm l2. Use the "
            "norm linf."
        )
    return coded_columns(bound, way.one_hot, way.gaps, way.curves)

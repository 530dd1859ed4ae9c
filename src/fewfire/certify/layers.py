"""The layers of a network over the region of one sample: who may fire, and bounds on sums over them."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from fewfire.certify.lines import interval_sums, lines_below
from fewfire.certify.region import Region
from fewfire.certify.rounding import IN_FLOAT64, dot_rounding, sum_rounding
from fewfire.networks.layer import Layer

Floats = NDArray[np.float64]
RULES = {"interval": (), "linear": (False, True)}  # the lower lines tried beside intervals: flat or not


class Bounded(ABC):
    """The neurons of a layer that may fire, with the ends of their pre-activations minus the threshold.

    All ends are those of the region's inputs before they are scaled to length 1: times a length v > 0, which
    changes no sign.

    Attributes
    ----------
    neurons : (k,) int
    low, high : (k,)
        The ends of v (z_r - b).
    errors : (k,)
        How far what `predict` computes may lie from z_r - b.
    shortest, longest, middle : float
        The ends of v, and v at the centre.
    is_alive : bool
        Whether v is proven to be above 0; else nothing is claimed.
    centre : (k,)
        v (z_r - b) at the centre.
    products : int
        Multiply-adds that bounds have taken.
    """

    neurons: NDArray[np.int64]
    low: Floats
    high: Floats
    errors: Floats
    centre: Floats
    shortest: float
    longest: float
    middle: float = 1.0
    is_alive: bool = True
    products: int = 0

    def lower(
        self, weights: Floats, offsets: Floats, rules: tuple[bool, ...], enough: float | Floats = np.inf
    ) -> Floats:
        """The least of  sum_r weight_r v max(z_r - b, 0) + offset v  over the region, or less.

        Parameters
        ----------
        weights : (q, k)
        offsets : (q,)
        rules : tuple of bool
            Which lines are tried after intervals.
        enough : float or (q,)
            A bound above it is not improved.

        Returns
        -------
        (q,)
            The largest of the bounds that were tried.
        """
        ends = offsets * np.where(offsets > 0, self.shortest, self.longest)
        best = interval_sums(weights, self.low, self.high) + ends
        best -= IN_FLOAT64 * (np.abs(weights) @ np.maximum(self.high, 0) + np.abs(ends))
        for flat in rules:
            left = np.flatnonzero(best <= enough)
            if not len(left):
                break
            slopes, constants = lines_below(weights[left], self.low, self.high, flat=flat)
            best[left] = np.maximum(best[left], self._of_lines(slopes, constants, offsets[left]))
        return best

    @abstractmethod
    def _of_lines(self, slopes: Floats, constants: Floats, offsets: Floats) -> Floats:
        """The least of  sum_r slope_r v (z_r - b) + constant + offset v  over the region, or less."""

    @property
    def may_fire(self) -> NDArray[np.bool_]:
        """Which of the neurons fire somewhere, (k,); the others may do so by rounding alone."""
        return self.high > 0

    @property
    def undecided(self) -> NDArray[np.bool_]:
        """Which of them fire at some places and not at others, (k,)."""
        return (self.low < 0) & (self.high > 0)

    def of_outputs(
        self, output_weights: Floats, questions: Floats, offsets: Floats, dtype: np.dtype,
        rules: tuple[bool, ...], enough: float,
    ) -> Floats:  # fmt: skip
        """The least of <question, outputs> + offset, as `predict` computes them, over the region, or less.

        Parameters
        ----------
        output_weights : (k, c)
            Of these neurons, times the scale of the sum.
        questions : (q, c)
        offsets : (q,)
        """
        weights, sizes = questions @ output_weights.T, np.abs(output_weights)
        largest = np.maximum(self.high, 0) / self.shortest + self.errors
        of_sums = sum_rounding(len(sizes), dtype) * (largest @ sizes)
        lost = np.abs(weights) @ self.errors + np.abs(questions) @ of_sums
        least = self.lower(weights, offsets, rules, enough + lost * self.longest)
        return least / np.where(least > 0, self.longest, self.shortest) - lost


class FirstLayer(Bounded):
    """The neurons that may fire somewhere in the region of one sample.

    Parameters
    ----------
    layer : Layer
    region : Region
    sample : int
    neurons : (k,) int
        Those that may fire, and others.
    norms : (k,)
        |w_r| of these.
    """

    def __init__(self, layer: Layer, region: Region, sample: int, neurons: NDArray, norms: Floats) -> None:
        self._region, self._sample, self._threshold = region, sample, layer.threshold
        rows = layer.weights[neurons].astype(np.float64)
        self._tilt, self._bend = region.tilt[sample], float(region.bend[sample])
        self.shortest = float(region.least_length[sample])
        self.longest = float(1 + region.reach(self._tilt, sample) + self._bend)
        self._grid = self.longest * region.grid
        centre = rows @ region.centres[sample] - layer.threshold
        far = region.ball_radius(sample)
        if far is None:
            up = region.reach(region.by_columns(rows) - layer.threshold * self._tilt, sample)
        else:
            up = far * norms
        sizes = norms * region.sizes[sample] + layer.threshold
        up += self._grid * (np.sqrt(rows.shape[1]) + 1) * norms + IN_FLOAT64 * sizes
        low, high = centre - up - layer.threshold * self._bend, centre + up
        errors = dot_rounding(rows.shape[1], layer.dtype) * sizes
        kept = high > -errors * self.longest
        self._rows, self.centre, self.neurons = rows[kept], centre[kept], np.asarray(neurons)[kept]
        self.low, self.high, self.errors, self._sizes = low[kept], high[kept], errors[kept], sizes[kept]
        self.products = rows.size * (2 if far is None else 1)

    def _of_lines(self, slopes: Floats, constants: Floats, offsets: Floats) -> Floats:
        """With v = 1 + <tilt, d> + k:  sum_r s_r (<w_r, c + M d> - b v) + offset v, at its least d and k."""
        gradients = slopes @ self._rows
        self.products += slopes.size * self._rows.shape[1]
        of_lengths = offsets - self._threshold * slopes.sum(axis=1)
        moves = self._region.by_columns(gradients) + of_lengths[:, None] * self._tilt
        least = slopes @ self.centre + constants + offsets - self._region.reach(moves, self._sample)
        least += np.minimum(of_lengths, 0) * self._bend
        sizes = np.abs(gradients)
        least -= self._grid * (sizes.sum(axis=1) + sizes.max(axis=1))  # one number alone may round by two
        return least - IN_FLOAT64 * (np.abs(slopes) @ self._sizes + np.abs(offsets))

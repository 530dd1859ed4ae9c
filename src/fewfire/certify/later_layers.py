"""The layers of a deep network above the first, whose inputs are what fires below, scaled to length 1."""

import numpy as np
from numpy.typing import NDArray

from fewfire.certify.layers import Bounded
from fewfire.certify.lines import interval_sums
from fewfire.certify.rounding import IN_FLOAT64, sum_rounding
from fewfire.networks.hidden import Normalization
from fewfire.networks.layer import Layer

Floats = NDArray[np.float64]
ROWS = 1024  # of which ends are found at a time
SHORTEST = 1e-300  # stands for a length of 0, where nothing is claimed


class LaterLayer(Bounded):
    """The neurons of a layer that may fire somewhere in the region of one sample.

    With v = |a|, the length of what fires below, v (z_r - b) is share <w_r, a> + e_r v, which has no
    division; and v lies above its tangent plane at the centre: v = <h, a> + k with 0 <= k <= bend. Where
    each hidden vector is divided by one length for all, v is that of the layer below.

    Parameters
    ----------
    below : Bounded
    layer : Layer
    how : Normalization
        How the layer below is handed up.
    rules : tuple of bool
        Which lines are tried for the ends of this layer.

    Notes
    -----
    Bounds go back through all layers to the input: 2 m multiply-adds for the ends of this layer, per neuron
    below that may fire, and those of the layers below for so many sums. Where perhaps nothing fires below,
    nothing is claimed.
    """

    def __init__(self, below: Bounded, layer: Layer, how: Normalization, rules: tuple[bool, ...]) -> None:
        self._below, self._sphere = below, how.length is None
        self._set_lengths()
        share = how.share if how.length is None else how.share / how.length
        rows = layer.weights.astype(np.float64)
        across, lifts = share * rows[:, below.neurons], np.full(len(rows), -layer.threshold)
        norms = np.square(rows[:, below.neurons]).sum(axis=1)
        if how.constant > 0:
            lifts += how.constant * how.share * rows[:, -1]
            norms += np.square(rows[:, -1])
        size = 1.0 if self._sphere else self._largest / below.shortest / float(how.length or 1) + 1
        errors = sum_rounding(len(below.neurons) + 8, layer.dtype) * np.sqrt(norms) * size
        low, high = self._ends(across, lifts, rules)
        kept = (high > -errors * self.longest) & self.is_alive
        self.neurons, self._across, self._lifts = np.flatnonzero(kept), across[kept], lifts[kept]
        self.low, self.high, self.errors = low[kept], high[kept], errors[kept]
        self.centre = self._across @ np.maximum(below.centre, 0) + self._lifts * self.middle

    def _set_lengths(self) -> None:
        """What is known of v, from the ends of what fires below."""
        below = self._below
        lost = below.errors * below.longest
        least, most = np.maximum(below.low - lost, 0), np.maximum(below.high + lost, 0)
        fires = np.maximum(below.centre, 0)
        self._largest = float(np.linalg.norm(most))
        if not self._sphere:
            self._direction, self._bend, self.middle = np.zeros_like(fires), 0.0, below.middle
            self.shortest, self.longest, self.is_alive = below.shortest, below.longest, below.is_alive
            return
        self.middle = float(np.linalg.norm(fires))
        self._direction = fires / self.middle if self.middle > 0 else fires
        away = float(np.square(np.maximum(most - fires, fires - least)).sum())
        self._bend = min(away / (2 * self.middle), self._largest) if self.middle > 0 else self._largest
        along = self._lower_below(np.vstack([self._direction, -self._direction]), np.zeros(2))
        shortest = max(float(np.linalg.norm(least)), float(along[0]))
        self.longest = max(min(self._largest, float(self._bend - along[1])), SHORTEST)
        self.is_alive = below.is_alive and shortest > 0
        self.shortest = max(shortest, SHORTEST)

    def _lower_below(self, weights: Floats, offsets: Floats, rules: tuple[bool, ...] = (False,)) -> Floats:
        """The least of sums of what `predict` hands up, over the region, or less."""
        below = self._below
        lost = np.abs(weights) @ below.errors * below.longest
        return below.lower(weights, offsets, rules) - lost

    def _ends(self, across: Floats, lifts: Floats, rules: tuple[bool, ...]) -> tuple[Floats, Floats]:
        """Of v (z_r - b) for each neuron."""
        low, high = np.empty(len(lifts)), np.empty(len(lifts))
        for first in range(0, len(lifts), ROWS):
            part = slice(first, first + ROWS)
            low[part] = self._least(across[part], lifts[part], rules)
            high[part] = -self._least(-across[part], -lifts[part], rules)
        return low, high

    def _least(self, across: Floats, lifts: Floats, rules: tuple[bool, ...]) -> Floats:
        """The least of <across, a> + lift v over the region, or less, (q,)."""
        below = self._below
        lost = np.abs(across) @ below.errors * below.longest
        apart = interval_sums(across, below.low, below.high) - lost
        apart += lifts * np.where(lifts > 0, self.shortest, self.longest)
        apart -= IN_FLOAT64 * (np.abs(across) @ np.maximum(below.high, 0) + np.abs(lifts) * self.longest)
        if not self._sphere:
            return np.maximum(apart, self._lower_below(across, lifts, rules))
        weights = across + lifts[:, None] * self._direction
        joint = self._lower_below(weights, np.zeros(len(lifts)), rules)
        return np.maximum(apart, joint + np.minimum(lifts, 0) * self._bend)

    def _of_lines(self, slopes: Floats, constants: Floats, offsets: Floats) -> Floats:
        self.products += slopes.size * self._across.shape[1]
        least = self._least(slopes @ self._across, slopes @ self._lifts + offsets, (False, True))
        return least + constants

    def lower(
        self, weights: Floats, offsets: Floats, rules: tuple[bool, ...], enough: float | Floats = np.inf
    ) -> Floats:
        if not self.is_alive:
            return np.full(len(weights), -np.inf)
        return super().lower(weights, offsets, rules, enough)

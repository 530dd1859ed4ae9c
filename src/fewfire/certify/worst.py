"""The worst margins near a sample as training sees them, and how the weights move them.

The linear bound of a two-layer network with the lower lines of least area. Of rows that are scaled to length
1 it is that on the tangent plane: what bends away from it is left to the certificate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.certify.lines import chords, lines_below
from fewfire.certify.region import Region

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WorstMargins:
    """Lower bounds of sums over some neurons, near one sample.

    With v_r what a move of each column adds to <w_r, x>, p_r = <w_r, c> - b, and R(v) the largest <v, d>:

        M_q = sum_r k_qr p_r + constant_q - R(sum_r k_qr v_r)

    Attributes
    ----------
    values : (q,)
        M_q.
    """

    values: Floats
    _region: Region
    _sample: int
    _weights: Floats  # (q, k), before slopes
    _slopes: Floats  # (q, k)
    _moves: Floats  # v_r, (k, D)
    _sums: Floats  # (q, D)
    _low: Floats
    _high: Floats

    @classmethod
    def of(
        cls, region: Region, sample: int, rows: Floats, threshold: float, weights: Floats
    ) -> "WorstMargins":
        """Those of sum_r weight_qr max(<w_r, x> - b, 0).

        Parameters
        ----------
        region : Region
        sample : int
        rows : (k, d)
            w_r of all neurons that may fire, and of others.
        threshold : float
        weights : (q, k)
        """
        moves = region.by_columns(rows) - threshold * region.tilt[sample]
        centre, reach = rows @ region.centres[sample] - threshold, region.reach(moves, sample)
        low, high = centre - reach, centre + reach
        slopes, constants = lines_below(weights, low, high, flat=False)
        sums = slopes @ moves
        values = slopes @ centre + constants - region.reach(sums, sample)
        return cls(values, region, sample, weights, slopes, moves, sums, low, high)

    def gradients(self, pulls: Floats) -> Floats:
        """The derivative by the rows w_r (k, d) of what has the derivative `pulls` (q,) by the margins.

        Slopes held it is sum_q pull_q k_qr (c - M d_q) with the worst move d_q: adversarial training at the
        worst input of the lines. The rest moves undecided neurons off their kink, through their chords.
        """
        worst = self._worst_moves(self._sums)
        held = pulls[:, None] * self._slopes
        of_centre, of_moves = held.sum(axis=0), -held.T @ worst
        of_low, of_high = self._throughchords(pulls, worst)
        of_centre += of_low + of_high
        of_moves += (of_high - of_low)[:, None] * self._worst_moves(self._moves)
        return np.outer(of_centre, self._region.centres[self._sample]) + self._region.by_features(of_moves)

    def _throughchords(self, pulls: Floats, worst: Floats) -> tuple[Floats, Floats]:
        """The derivative by both ends of the undecided neurons whose weight is negative."""
        low, high = self._low, self._high
        chord, undecided = chords(low, high)
        pulled = np.where(undecided, pulls[:, None] * np.minimum(self._weights, 0), 0.0)
        by_chord = (pulled * ((high - low) / 2 - worst @ self._moves.T)).sum(axis=0)
        span = np.where(undecided, high - low, 1.0) ** 2
        return by_chord * high / span - chord * pulled.sum(axis=0), -by_chord * low / span

    def _worst_moves(self, rows: Floats) -> Floats:
        """Where <row, d> is largest: the derivative of the reach by the row."""
        half = self._region.half[self._sample]
        if self._region.radius is None:
            return np.sign(rows) * half
        lengths = np.sqrt(np.square(rows) @ half)[:, None]
        return self._region.radius[self._sample] * half * rows / np.maximum(lengths, np.finfo(float).tiny)

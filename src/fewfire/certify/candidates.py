"""Who may fire somewhere in a region: the fire set of a network with a few more features."""

import numpy as np
from numpy.typing import NDArray

from fewfire.certify.region import Region
from fewfire.certify.rounding import IN_FLOAT64, dot_rounding
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import ROWS_AT_A_TIME, padded
from fewfire.core.work import Work
from fewfire.indexes import OpenIndex, index_for_batches
from fewfire.networks.layer import Layer

Floats = NDArray[np.float64]
ALIKE = 1e-6  # of a radius: columns that move equally far but for rounding


class Candidates:
    """Finds the pairs that may fire, and few others, through an open index.

        sup <w_r, c + M d> - b v  <=  <(w_r, |M' w_r|, |w_r|, b), (c_i, radius_i, slack_i, 1 - v_i)> - b

    with the dual norm of the ball, or |M' w_r| column by column and half the side of a box, where columns
    move by different lengths. The slack covers rounding: that of the index, and that of `predict`.

    Parameters
    ----------
    layer : Layer
    region : Region
        Whose shape the features suit: norm, columns that move, and whether all do so equally far.
    index : str
        The name of an open exact index, or "auto".
    before : Candidates, optional
        Those of the same layer that do not suit the region: columns that moved in theirs count as well, and
        their work is counted on.

    Raises
    ------
    ValueError
        The index answers for its training samples alone, or may miss neurons that fire.
    """

    def __init__(self, layer: Layer, region: Region, index: str, before: "Candidates | None" = None) -> None:
        self._scaled = region.scaling is not None
        movable = (region.half > 0).any(axis=0)
        reach = region.half[:, movable]
        alike = reach.size == 0 or bool((np.ptp(reach, axis=1) <= ALIKE * reach.max(axis=1)).all())
        self._layer, self._index = layer, index_for_batches(index, layer.n_features)
        if before is not None:
            movable, alike = movable | before._movable, alike and before._one_radius
            self._index.work.go_on_from(before.work)
        self._movable, self._one_radius = movable, region.radius is not None or alike
        if not isinstance(self._index, OpenIndex) or not self._index.is_exact:
            raise ValueError(
                f"a certificate needs an exact index that answers for new inputs. Got {self._index.name}. "
                "Use 'screened', 'exhaustive' or 'weight_tree'."
            )
        self._rounding = 4 * dot_rounding(2 * layer.n_features + 3, layer.dtype)
        added = np.concatenate(
            [self._features(layer.weights[first : first + ROWS_AT_A_TIME], region)
             for first in range(0, layer.width, ROWS_AT_A_TIME)]
        )  # fmt: skip
        # As large as a weight, by powers of two that the inputs take: else bytes of a row would be coarse.
        self._sizes = np.exp2(np.ceil(np.log2(np.maximum(added.max(axis=0), np.finfo(layer.dtype).tiny))))
        rows = np.hstack([layer.weights, (added / self._sizes).astype(layer.dtype)])
        self.extended = Layer(padded(rows, layer.dtype), rows.shape[1], layer.threshold, layer.scale)
        self._built = False

    def _features(self, weights: NDArray, region: Region) -> NDArray:
        """(|M' w_r|, |w_r|, b) of some neurons, the lengths rounded up."""
        exact = weights.astype(np.float64)
        columns = region.by_columns(exact)[:, self._movable]
        if region.radius is not None:
            reach = np.sqrt(np.square(columns).sum(axis=1, keepdims=True))
        elif self._one_radius:
            reach = np.abs(columns).sum(axis=1, keepdims=True)
        else:
            reach = np.abs(columns)
        added = np.hstack([reach, row_norms(exact)[:, None]]) * (1 + self._rounding)
        return np.hstack([added, np.full((len(weights), int(self._scaled)), self._layer.threshold)])

    def suits(self, region: Region) -> bool:
        """Whether no column moves in it that did not in the first region."""
        return not (region.half[:, ~self._movable] > 0).any()

    def inputs(self, region: Region) -> Inputs:
        """(c_i, radius_i, slack_i, 1 - v_i), rounded up."""
        centres = region.centres
        if region.radius is not None:
            reach = region.radius[:, None]
        elif self._one_radius:
            reach = region.half.max(axis=1, keepdims=True)
        else:
            reach = region.half[:, self._movable]
        sizes = np.sqrt(np.square(centres).sum(axis=1)) + region.sizes + 1
        slack = (self._rounding + IN_FLOAT64) * sizes
        slack += (np.sqrt(centres.shape[1]) + 1) * region.grid * region.greatest_length
        added = np.hstack([reach, slack[:, None]]) * (1 + self._rounding)
        shorter = (1 - region.least_length[:, None]) * (1 + self._rounding) + self._rounding
        added = np.hstack([added, shorter[:, : int(self._scaled)]]) * self._sizes
        return Inputs.of(np.hstack([centres, added]), self._layer.dtype)

    def find(self, region: Region) -> FireSet:
        """The pairs of neurons and samples of a region that may fire, and a few others by rounding."""
        inputs = self.inputs(region)
        if not self._built:
            self._index.build(self.extended, inputs)
            self._built = True
        return self._index.fire_set(inputs)

    @property
    def work(self) -> Work:
        """Of the index."""
        return self._index.work

    @property
    def n_features(self) -> int:
        """Features of the extended layer: what each product of the index takes."""
        return self.extended.n_features


def row_norms(rows: NDArray) -> Floats:
    """|w_r| of rows (m, d) in float64, (m,)."""
    parts = (rows[first : first + ROWS_AT_A_TIME].astype(np.float64)
             for first in range(0, len(rows), ROWS_AT_A_TIME))  # fmt: skip
    return np.concatenate([np.sqrt(np.einsum("ij,ij->i", part, part)) for part in parts])

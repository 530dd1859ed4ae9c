"""The weight tree: a tree of boxes over the weights, asked with each sample for the half-space that fires.

A neuron fires on x where its row w lies in the half-space <w, x> > b. A tree of boxes over the m rows
(csrc/halfspace/halfspace_tree.h) proposes those that may. It holds each row as it was when it was last
written, and a bound on how far it has moved since; docs/theory/halfspace.md derives what that proves.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import BLOCK, padded
from fewfire.halfspace.tree import NOTHING_DONE, count, tree_over
from fewfire.indexes.base import OpenIndex, Progress, fitting, require_built, require_within_limit
from fewfire.networks.descent import Step
from fewfire.networks.layer import Layer

# A row written again takes as long as so many pairs that are proposed and do not fire. Measured:
# docs/decisions/0016-half-space-tree.md.
REFRESH_PAIRS = 2


class WeightTreeIndex(OpenIndex):
    """Finds who fires among m rows in few dimensions. Exact in any; open: any inputs can be asked.

    Parameters
    ----------
    memory_limit : int, optional
        Bytes that the index may hold.

    Notes
    -----
    Build: O(d m log m). Memory: a copy of the weights and about 20 bytes per neuron. A sample costs the boxes
    and rows along the boundary of its half-space, about m^(1 - 1/d), and d for each row that fires. With d up
    to 4 that is a few percent of the width; from d = 7 on the exhaustive index is as fast.

    A step costs one addition per neuron: how far it moved. All rows are refreshed (written again, in O(m d))
    once the pairs proposed in vain since the last time have cost as much: never more than twice the cost of
    the best schedule in hindsight. Where weights coast all of them move and are refreshed at each step.

    Source: Song, Yang, Zhang, NeurIPS 2021 (arXiv 2110.04622), "preprocessing the weights", with boxes in
    place of their half-space reporting structure, and drifts in place of their updates.
    """

    name: ClassVar[str] = "weight_tree"
    refresh_of_build: ClassVar[float] = 1 / 10

    def build(
        self, layer: Layer, inputs: ArrayLike | Inputs | None = None,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        if inputs is not None:
            fitting(layer, inputs)
        self._layer = None
        points = np.zeros((layer.width, layer.n_features + 1), layer.dtype)  # the last is the drift
        points[:, :-1] = layer.present_weights()
        self._tree: Any = tree_over(points)
        require_within_limit(self, self._tree.nbytes, "exhaustive")
        self._layer = layer
        self._wasted = 0  # pairs proposed in vain since the last refresh
        self._worn = 0  # refreshes that such pairs have led to
        self._counted = count(self.work, self._tree, NOTHING_DONE)

    def pairs_above(self, batch: ArrayLike | Inputs, threshold: float) -> FireSet:
        layer = require_built(self._layer, self)
        batch = fitting(layer, batch, new=True)
        questions = padded(np.column_stack((batch.samples, batch.norms)), layer.dtype)
        thresholds = np.full(len(batch), threshold, layer.dtype)
        begins, samples = self._tree.proposed_to(questions, thresholds, layer.width)
        self._counted = count(self.work, self._tree, self._counted)
        found = _core.proposed_fire_set(begins, samples, layer.core_view, batch.core_view, threshold)
        pairs = self._pairs_of(found, len(batch))
        self._wasted += len(samples) - len(pairs)
        return pairs

    def moved(self, step: Step) -> None:
        layer = require_built(self._layer, self)
        due = self._wasted >= self._price
        if due or step.coasting:
            _core.weight_tree_refresh(self._tree, layer.core_view)
            self.work.refreshed += -(-layer.width // BLOCK)
            self._worn += due
            self._wasted = 0
        else:
            _core.weight_tree_moved(self._tree, step.lengths)

    @property
    def _price(self) -> float:
        """What a refresh costs, in pairs proposed in vain."""
        return REFRESH_PAIRS * require_built(self._layer, self).width

    @property
    def wear(self) -> float:
        return self._wasted / self._price + self._worn

    @property
    def nbytes(self) -> int:
        return 0 if self._layer is None else self._tree.nbytes

    def check_invariants(self) -> None:
        """The tree is sound, and no row has moved further from what it holds than its drift says."""
        layer = require_built(self._layer, self)
        assert self._tree.consistent, "the tree is not what it should be"
        points = np.empty((layer.width, layer.n_features + 1), layer.dtype)
        self._tree.copy(np.arange(layer.width, dtype=np.int32), points)
        held, drifts = points[:, :-1].astype(np.float64), points[:, -1].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            moved = np.linalg.norm(layer.present_weights() - held, axis=1)
        assert not (moved > drifts * (1 + 1e-12)).any(), "a neuron has drifted further than its bound"

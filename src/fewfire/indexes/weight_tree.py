"""The weight tree: a tree of boxes over the weights, asked with each sample for the half-space that fires.

A neuron fires on x where its row w lies in the half-space <w, x> > b. A tree of boxes over the m rows
(csrc/halfspace_tree.h) proposes those that may; docs/theory/halfspace.md derives it.
"""

from typing import Any, ClassVar

import numpy as np

from fewfire import _core
from fewfire.errors import MemoryLimitError
from fewfire.fire_set import FireSet
from fewfire.indexes.base import Index, Progress, require_built, require_fitting
from fewfire.inputs import Inputs
from fewfire.network import TwoLayerNetwork
from fewfire.step import Step
from fewfire.work import Work


class WeightTreeIndex(Index):
    """Finds who fires among m rows in few dimensions. Exact in any; open: any inputs can be asked.

    Parameters
    ----------
    memory_limit : int, optional
        Bytes that the index may hold.

    Notes
    -----
    Build: O(d m log m). Memory: a copy of the weights and about 16 bytes a neuron. A sample costs the boxes
    and rows along the boundary of its half-space, about m^(1 - 1/d), and d for each row that fires. With d up
    to 4 that is a few percent of the width; from d = 5 on the exhaustive index is as fast.

    Neurons that moved are moved in the tree (`HalfspaceReporter.move`). Where weights coast, all of them
    moved.

    Source: Song, Yang, Zhang, NeurIPS 2021 (arXiv 2110.04622), "preprocessing the weights", with boxes in
    place of their half-space reporting structure.
    """

    name: ClassVar[str] = "weight_tree"
    is_open: ClassVar[bool] = True

    def __init__(self, *, memory_limit: int | None = None) -> None:
        self.memory_limit = memory_limit
        self.work = Work()
        self._network: TwoLayerNetwork | None = None

    def build(
        self, network: TwoLayerNetwork, inputs: Inputs | None = None,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        if inputs is not None:
            require_fitting(network, inputs)
        self._network = None
        self._tree: Any = getattr(_core, f"HalfspaceTree_{network.dtype}")(network.n_features)
        self._tree.insert(
            np.arange(network.width, dtype=np.int32), np.ascontiguousarray(network.present_weights())
        )
        if self.memory_limit is not None and self._tree.nbytes > self.memory_limit:
            raise MemoryLimitError(
                f"the weight tree needs {self._tree.nbytes:,} bytes. Got a limit of {self.memory_limit:,}. "
                "Raise the limit, or use the exhaustive index."
            )
        self._network = network
        self._counted = (0, 0, 0, 0)
        self._count()

    def fire_set(self, batch: Inputs) -> FireSet:
        network = require_built(self._network, self)
        require_fitting(network, batch)
        thresholds = np.full(len(batch), network.threshold, network.dtype)
        begins, samples = self._tree.proposed_to(batch.rows, thresholds, network.width)
        self._count()
        begins, samples, values, near, _, dots, *_ = _core.proposed_fire_set(
            begins, samples, network.kernel_rows, batch.kernel_rows, network.threshold
        )
        self.work.asked += network.width * len(batch)
        self.work.near += int(near.sum())
        self.work.dots += int(dots.sum())
        self.work.fired += len(samples)
        return FireSet(begins, samples, values, len(batch))

    def moved(self, step: Step) -> None:
        network = require_built(self._network, self)
        rows, ids = network.weight_rows, np.flatnonzero(step.lengths > 0)
        if network.coasting is not None:
            rows, ids = np.empty_like(rows), np.arange(network.width)
            network.kernel_rows.present(rows)
        self._tree.move_to_rows(ids.astype(np.int32), rows)

    def _count(self) -> None:
        """Write down what the tree has done since the last time."""
        before, self._counted = self._counted, self._tree.work
        nodes, tested, _, placed = (now - then for now, then in zip(self._counted, before, strict=True))
        self.work.nodes += nodes
        self.work.multiplied += tested
        self.work.placed += placed

    @property
    def nbytes(self) -> int:
        return 0 if self._network is None else self._tree.nbytes

    def check_invariants(self) -> None:
        """The tree is sound, and holds the weights as they are now."""
        network = require_built(self._network, self)
        assert self._tree.consistent, "the tree is not what it should be"
        held = np.empty((network.width, network.n_features), network.dtype)
        self._tree.copy(np.arange(network.width, dtype=np.int32), held)
        assert np.array_equal(held, network.present_weights()), "the tree holds other weights"

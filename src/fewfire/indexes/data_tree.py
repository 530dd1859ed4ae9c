"""The data tree: a tree of boxes over the samples, asked with each neuron that moved.

A neuron fires on the samples that lie in its half-space <w_r, x> > b. The samples never move, and neither
does a neuron that does not fire, so only the others are asked again after a step. What each neuron fires on
and what fires on each sample are both kept. docs/theory/data_tree.md gives the costs.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import aligned_empty
from fewfire.halfspace.tree import NOTHING_DONE, count, tree_over
from fewfire.indexes.base import (
    Index,
    Progress,
    fitting,
    require_built,
    require_ids,
    require_within_limit,
    set_of,
)
from fewfire.networks.descent import Step
from fewfire.networks.layer import Layer

CHUNK = 1 << 14  # neurons asked at one time
PAIR_BYTES = 8  # of a listed pair: an id in either list


class DataTreeIndex(Index):
    """Finds who fires by asking a tree over the samples, in few dimensions. Exact in any; bound to them.

    Parameters
    ----------
    memory_limit : int, optional
        Bytes that the index may hold once it is built; the lists of who fires on what may grow later. With a
        limit, all neurons are asked once more before, to count what the lists will hold.

    Notes
    -----
    Build: O(d n log n), then m questions. A question costs the boxes and samples along the boundary of the
    neuron's half-space, about n^(1 - 1/d), and what is reported. Memory: a copy of the samples, and 8 bytes
    per pair that fires or lies within rounding of it. It does not age: the samples stay where they are.
    A fire set costs d for each such pair of the batch. A step costs a question for each neuron that moved,
    about the *whole* training set, so large batches suit it best. With momentum or weight decay all m are
    asked.

    References
    ----------
    Z. Song, S. Yang, R. Zhang, *Does Preprocessing Help Training Over-parameterized Neural Networks?*,
    NeurIPS 2021, the second algorithm, with boxes in place of their half-space reporting structure.
    """

    name: ClassVar[str] = "data_tree"
    is_open: ClassVar[bool] = False

    def build(self, layer: Layer, inputs: ArrayLike | Inputs, progress: Progress | None = None) -> None:
        inputs = set_of(self, layer, inputs)
        self._layer = None
        self._tree: Any = None  # frees what was built before
        self._lists: Any = None
        lists, tree = _core.FireLists(layer.width, len(inputs)), tree_over(inputs.samples)
        everyone = np.arange(layer.width, dtype=np.int32)
        if self.memory_limit is not None:
            pairs = sum(len(samples) for _, _, samples in _reports(tree, layer, everyone))
            require_within_limit(self, tree.nbytes + lists.nbytes + PAIR_BYTES * pairs, "drift")
        self._tree, self._lists, self._inputs, self._layer = tree, lists, inputs, layer
        self._counted = NOTHING_DONE
        self._ask(everyone)

    def fire_set(self, batch: ArrayLike | Inputs) -> FireSet:
        layer = require_built(self._layer, self)
        batch = fitting(layer, batch, new=True)
        found = _core.listed_fire_set(
            self._lists, require_ids(self, batch, self._inputs), layer.core_view, batch.core_view,
            layer.threshold,
        )  # fmt: skip
        return self._fire_set_of(found, len(batch))

    def moved(self, step: Step) -> None:
        self._ask(np.flatnonzero(step.moved).astype(np.int32))

    def _ask(self, neurons: NDArray[np.int32]) -> None:
        """Find what these neurons fire on as they are now, and keep it both ways."""
        for some, begins, samples in _reports(self._tree, require_built(self._layer, self), neurons):
            self._lists.replace(some, begins, samples)
        self._counted = count(self.work, self._tree, self._counted)

    @property
    def nbytes(self) -> int:
        return 0 if self._layer is None else self._tree.nbytes + self._lists.nbytes

    def check_invariants(self) -> None:
        """The tree is sound, both lists hold the same pairs, and all that fire in float64 are among them."""
        layer, inputs = require_built(self._layer, self), self._inputs
        assert self._tree.consistent, "the tree is not what it should be"
        held, by_sample = np.zeros((2, layer.width, len(inputs)), bool)
        for neuron in range(layer.width):
            held[neuron, self._lists.of_neuron(neuron)] = True
        for sample in range(len(inputs)):
            by_sample[self._lists.of_sample(sample), sample] = True
        assert np.array_equal(held, by_sample), "the lists by neuron and by sample differ"
        with np.errstate(over="ignore", invalid="ignore"):
            exact = layer.present_weights().astype(np.float64) @ inputs.samples.astype(np.float64).T
            fires = exact > layer.threshold + 1e-12 * (1 + np.abs(exact))
        assert not (fires & np.isfinite(exact) & ~held).any(), "a pair that fires is not listed"


def _reports(
    tree: Any, layer: Layer, neurons: NDArray[np.int32]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]]:
    """What these neurons may fire on as they are now, of all in the tree; some neurons at a time."""
    present = layer.weight_rows if layer.settled else layer.present_rows()
    for first in range(0, len(neurons), CHUNK):
        some = neurons[first : first + CHUNK]
        normals = aligned_empty((len(some), present.shape[1]), layer.dtype)
        np.take(present, some, axis=0, out=normals)
        thresholds = np.full(len(some), layer.threshold, layer.dtype)
        yield some, *tree.report(normals, thresholds, True)

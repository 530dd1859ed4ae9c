"""A session with an index: told of every move, built anew where it was not, asked one batch ahead."""

import numpy as np
from numpy.typing import NDArray

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.indexes import Index
from fewfire.indexes.base import Progress
from fewfire.networks.descent import Descent, Step
from fewfire.networks.layer import Layer
from fewfire.networks.layer_descent import LayerDescent


class Asking:
    """Who fires on batches of a training set, while the layer moves.

    Parameters
    ----------
    index : Index
        Built by `build`; by the first question where the layer moved and the index was not told.
    layer : Layer
    inputs : Inputs
        The training set.
    """

    def __init__(self, index: Index, layer: Layer, inputs: Inputs) -> None:
        self.index, self.layer, self.inputs = index, layer, inputs
        self._is_stale = False  # the layer moved and the index was not told
        self._ahead: tuple[NDArray[np.int64], Inputs, FireSet] | None = None  # found for the next step

    def build(self, progress: Progress | None = None) -> None:
        """Build the index on the training set and the layer as it is now."""
        self._ahead = None
        self.index.build(self.layer, self.inputs, progress)
        self._is_stale = False

    def forget(self) -> None:
        """The layer moves, or has moved, without the index being told."""
        self._is_stale = True

    def fire_set(self, batch: Inputs) -> FireSet:
        """Who fires now on a batch: of the training set, or new where the index is open."""
        self.freshen()
        return self.index.fire_set(batch)

    def freshen(self) -> bool:
        """Build the index anew where the layer moved without its being told; whether it did."""
        was_stale = self._is_stale
        if was_stale:
            self.build()
        return was_stale

    def batch(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        """The samples with these ids and who fires on them: found by the step before, or now."""
        self.freshen()
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] is ids:
            return ahead[1:]
        batch = self.inputs.batch(ids)
        return batch, self.index.fire_set(batch)

    def keep(self, ids: NDArray[np.int64], batch: Inputs, fires: FireSet) -> None:
        """Remember who fires now on these samples, for the next call of `batch` with the same ids."""
        self._ahead = ids, batch, fires

    def descend(self, descent: Descent | LayerDescent, next_ids: NDArray[np.int64] | None) -> FireSet | None:
        """Take a step, and find in the same pass over the weights who fires on the next batch."""
        self._is_stale = True
        found = None
        if next_ids is None:
            self.index.moved(descent.take())
        else:
            batch = self.inputs.batch(next_ids)
            found = self.index.descend(descent, batch)
            self._ahead = next_ids, batch, found
        self._is_stale = False
        return found

    def moved(self, step: Step) -> None:
        """Tell the index of a step that was taken."""
        self.index.moved(step)

    def settle(self) -> None:
        """Write all rows of the layer as they are now, where they coast."""
        velocities = self.layer.velocities
        if velocities is None or velocities.settled:
            return
        was_stale, self._is_stale = self._is_stale, True
        if not was_stale:
            self.index.settle()
        velocities.settle()
        self._is_stale = was_stale

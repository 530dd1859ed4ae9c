"""Who fires in a layer above the first: every pre-activation, computed from the inputs that fire."""

from typing import TYPE_CHECKING

from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.sparse_inputs import SparseInputs
from fewfire.core.work import Work
from fewfire.networks.layer import Layer
from fewfire.networks.layer_descent import SparseDescent

if TYPE_CHECKING:
    from fewfire._core import Found_float32, Found_float64


class SparseProductIndex:
    """Answers "who fires?" for a layer of a deep network whose inputs are what fires in the one below.

    It remembers nothing: in such a layer the inputs of a sample move at every step, and no bound on a
    pre-activation lasts (docs/theory/deep.md). A pre-activation is a chain of multiply-adds over the inputs
    that fire, in ascending order. The chain over all inputs has the same bits.

    Parameters
    ----------
    layer : Layer
        Kept, not copied, and read anew each time.

    Notes
    -----
    Cost of a fire set: a multiply-add per neuron and firing input of each sample, q m d for a fire rate q.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer, self.work = layer, Work()

    def fire_set(self, batch: SparseInputs) -> FireSet:
        """All firing pairs of a batch, from the weights as they are now."""
        found = _core.sparse_fire_set(self.layer.weight_rows, batch.core_view, self.layer.threshold)
        return self._counted(found, batch)

    def descend(self, descent: SparseDescent, next_batch: SparseInputs) -> FireSet:
        """Take a step and find who fires on the next batch, in one pass over the weights."""
        found = _core.sparse_step(descent.core_view, next_batch.core_view, self.layer.threshold)
        self.work.pair_products += descent.products
        return self._counted(found, next_batch)

    def take(self, descent: SparseDescent) -> None:
        """Take a step alone."""
        descent.take()
        self.work.pair_products += descent.products

    def input_gradients(self, descent: SparseDescent) -> NDArray:
        """The derivative by the inputs that fire; see `SparseDescent.input_gradients`."""
        self.work.pair_products += descent.products
        return descent.input_gradients()

    def _counted(self, found: "Found_float32 | Found_float64", batch: SparseInputs) -> FireSet:
        """The fire set that the core found, once its work is written down."""
        fires = FireSet(found.begins, found.samples, found.values, len(batch))
        self.work.asked += fires.width * len(batch)
        self.work.input_products += fires.width * len(batch.ids)
        self.work.fired += len(fires)
        return fires

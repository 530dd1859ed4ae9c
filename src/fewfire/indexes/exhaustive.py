"""The exhaustive index: one blocked GEMM over all pairs, then a filter. Oracle, fallback, baseline."""

from typing import ClassVar

from numpy.typing import ArrayLike

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.indexes.base import OpenIndex, Progress, fitting, require_built
from fewfire.networks.descent import Step
from fewfire.networks.layer import Layer


class ExhaustiveIndex(OpenIndex):
    """Looks at every pair. Open: any inputs can be asked.

    Parameters
    ----------
    memory_limit : ignored; the index remembers nothing, and holds a few hundred kilobytes per thread

    Notes
    -----
    Cost of a fire set: m B d multiply-adds at GEMM speed, then d for each pair whose product lies above the
    threshold or within its rounding error. Nothing of size (n, m) is stored.
    """

    name: ClassVar[str] = "exhaustive"

    def build(
        self, layer: Layer, inputs: ArrayLike | Inputs | None = None,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        if inputs is not None:
            fitting(layer, inputs)
        self._layer = layer

    def pairs_above(self, batch: ArrayLike | Inputs, threshold: float) -> FireSet:
        layer = require_built(self._layer, self)
        batch = fitting(layer, batch, new=True)
        found = _core.exhaustive_fire_set(layer.core_view, batch.core_view, threshold)
        self.work.multiplied += layer.width * len(batch)
        return self._pairs_of(found, len(batch))

    def moved(self, step: Step) -> None:
        """Nothing to do: the weights are read anew each time."""

    @property
    def nbytes(self) -> int:
        return 0

    def check_invariants(self) -> None:
        """Holds nothing that could be wrong."""

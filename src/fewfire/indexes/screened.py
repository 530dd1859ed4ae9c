"""The screened index: all pairs in eight bits, with a proven error, then those that this leaves open.

Weights and inputs are rounded to bytes with a scale for each row. A product of bytes is a whole number, exact
in any order and four times as fast as float32 where the machine multiplies bytes (VNNI); with AVX2, where a
byte has half as many levels, three times. What rounding to bytes loses is bounded for each row, and so is
what a neuron moved since. docs/theory/screened.md derives it.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import BLOCK, aligned_empty
from fewfire.indexes.base import (
    SAMPLED_ROWS,
    OpenIndex,
    Progress,
    fitting,
    require_built,
    require_within_limit,
    typical_size,
)
from fewfire.networks.descent import Step
from fewfire.networks.layer import Layer

TERMS = 9  # float32 numbers kept of each row: its scale, two of the error band, its drift, FLOAT_COLUMNS
FLOAT_COLUMNS = TERMS - 4
SLACK = 0.2  # standard deviations of the pre-activations that a neuron may move before it is rounded anew


class ScreenedIndex(OpenIndex):
    """Looks at every pair in eight bits. Exact in any dimension; open: any inputs can be asked.

    Parameters
    ----------
    memory_limit : int, optional
        Bytes that the index may hold.

    Notes
    -----
    Memory: one byte per weight, and 48 bytes per neuron. Build: one pass over the weights.
    A fire set costs m B d multiply-adds of bytes, then d of float32 for each pair that may fire within the
    error of the bytes. A step costs d for each neuron that has moved a fifth of a standard deviation of the
    pre-activations since it was rounded, and a few operations for each other one.

    The few columns in which the inputs are largest, such as a constant feature, stay in float32: beside them
    the bytes of the others would be coarse. They are chosen by the inputs that the index is built on; with
    other inputs it is as exact, but may leave more pairs open.
    """

    name: ClassVar[str] = "screened"

    def build(self, layer: Layer, inputs: ArrayLike | Inputs, progress: Progress | None = None) -> None:
        inputs = fitting(layer, inputs)
        blocks, fours = -(-layer.width // BLOCK), 2 * -(-layer.n_features // 8)
        needed = blocks * BLOCK * (4 * fours + 4 + 4 * TERMS) + 4 * min(FLOAT_COLUMNS, layer.n_features)
        needed += 8 * layer.width
        require_within_limit(self, needed, "exhaustive")
        self._columns = largest_columns(inputs)
        if self._layer is None or self._bytes.shape != (blocks, fours, 4 * BLOCK):  # else the memory is there
            self._bytes = aligned_empty((blocks, fours, 4 * BLOCK), np.int8)
            self._offsets = np.zeros((blocks, BLOCK), np.int32)
            self._terms = np.zeros((blocks, TERMS, BLOCK), np.float32)
        self._drifts = np.zeros(layer.width)
        self._slack = SLACK * typical_size(layer.weights[:SAMPLED_ROWS])
        self._inputs, self._layer = inputs, layer
        self._round_all(layer)

    def _arrays(self) -> dict[str, NDArray]:
        return {
            "columns": self._columns,
            "bytes": self._bytes,
            "offsets": self._offsets,
            "terms": self._terms,
            "drifts": self._drifts,
        }

    def _screened(self) -> dict[str, Any]:
        return {**self._arrays(), "slack": self._slack}

    def _round_all(self, layer: Layer) -> None:
        self._levels = _core.byte_levels()
        _core.screened_refresh(layer.core_view, np.full(layer.width, np.inf), **self._screened())

    def _rounded(self) -> Layer:
        """The layer, its rows rounded to as many levels as the instruction set at hand has."""
        layer = require_built(self._layer, self)
        if self._levels != _core.byte_levels():
            self._round_all(layer)
        return layer

    def pairs_above(self, batch: ArrayLike | Inputs, threshold: float) -> FireSet:
        layer = self._rounded()
        batch = fitting(layer, batch, new=True)
        found = _core.screened_fire_set(layer.core_view, batch.core_view, threshold, **self._screened())
        self.work.multiplied += layer.width * len(batch)
        return self._pairs_of(found, len(batch))

    def moved(self, step: Step) -> None:
        _core.screened_refresh(self._rounded().core_view, step.lengths, **self._screened())

    @property
    def nbytes(self) -> int:
        return 0 if self._layer is None else sum(array.nbytes for array in self._arrays().values())

    @property
    def drifts(self) -> NDArray[np.float64]:
        """Upper bounds on how far each neuron has moved since its row was rounded, (m,)."""
        return self._drifts

    @property
    def unbounded(self) -> NDArray[np.int64]:
        """Neurons of which nothing is known: their weights are very large, or no numbers."""
        norms = self._terms[:, 2].reshape(-1)[: len(self._drifts)]
        return np.flatnonzero(np.isnan(norms))

    def bounds(self, batch: Inputs) -> NDArray[np.float32]:
        """Upper bounds on all pre-activations, (m, n); NaN or infinity where nothing is known.

        Raises
        ------
        RuntimeError
            The index has not been built.
        ValueError
            The batch has another number of features or another type than the layer.
        """
        layer = self._rounded()
        fitting(layer, batch)
        bounds = np.empty((len(self._bytes), len(batch), BLOCK), np.float32)
        _core.screened_bounds(batch.rows, bounds, **self._screened())
        return bounds.transpose(0, 2, 1).reshape(-1, len(batch))[: layer.width]

    def check_invariants(self) -> None:
        """The bounds hold in float64 for every pair of the inputs that it was built on."""
        layer, inputs = require_built(self._layer, self), self._inputs
        with np.errstate(over="ignore", invalid="ignore"):
            exact = layer.present_weights().astype(np.float64) @ inputs.samples.astype(np.float64).T
            too_low = self.bounds(inputs) < exact - 1e-12 * np.abs(exact) - 1e-37
        assert not too_low.any(), "a pre-activation lies above its bound"


def largest_columns(inputs: Inputs) -> NDArray[np.int32]:
    """The columns in which rows of norm 1 have the largest entries, ascending."""
    rows = inputs.samples[:: -(-len(inputs) // SAMPLED_ROWS)]
    inverse = inputs.inverse_norms[:: -(-len(inputs) // SAMPLED_ROWS), None]
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.abs(rows * inverse).max(axis=0)
    return np.sort(np.argsort(-sizes, kind="stable")[:FLOAT_COLUMNS]).astype(np.int32)

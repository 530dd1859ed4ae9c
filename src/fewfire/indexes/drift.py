"""The drift index: remember how far each pair is from firing, and prove how long that stays true.

For each (neuron, sample) pair a table holds, in a byte or half a byte, a lower bound on the distance that the
neuron must move before it can fire on the sample: (b - <w_r, x_i>) / |x_i| at a reference time. While a
neuron has moved less than that, the pair is silent and no product is spent on it. docs/theory/drift_index.md
derives it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import BLOCK, aligned_empty, padded, padded_zeros, stride_of
from fewfire.core.view import core_class
from fewfire.indexes.arrangement import COUNTED_SAMPLES, busiest_first
from fewfire.indexes.base import (
    Index,
    Progress,
    fitting,
    require_built,
    require_ids,
    set_of,
    typical_size,
)
from fewfire.indexes.drift_check import check_index
from fewfire.indexes.drift_record import DRIFT, MOTION, as_core
from fewfire.indexes.retire import retire
from fewfire.indexes.sketch import PAIR_OVERHEAD, sketch_directions, sketch_of
from fewfire.networks.descent import Descent, Step
from fewfire.networks.layer import Layer
from fewfire.networks.layer_descent import LayerDescent
from fewfire.networks.structured import StructuredWeights
from fewfire.system.machine import one_blas_thread, threads
from fewfire.system.memory import require_within


@dataclass(frozen=True)
class Codes:
    """How a table codes distances: 0 proves nothing, c a distance of (c - 1 - firing) / resolution."""

    bits: int
    per_sigma: int  # resolution: codes per standard deviation of the pre-activations
    firing: int  # codes kept for pairs that fire at the reference, by a little


BYTES = Codes(bits=8, per_sigma=127, firing=32)
HALF_BYTES = Codes(bits=4, per_sigma=10, firing=2)  # docs/decisions/0013-half-bytes.md

PARTS = ("filters", "dots", "moves", "drift")  # of the time of a step that the compiled core takes

# Cost of a multiply-add in the blocked product that writes the table, beside one in the dot of a single pair,
# which takes PAIR_OVERHEAD as well. Measured: docs/decisions/0014-costs.md.
PRODUCT_COST = 0.2
BUILD_CHUNK = 16  # blocks written between two signs of progress
BUILD_SAMPLES = 4096  # the same, where all blocks are written at once
SAMPLED_NEURONS = 4096  # whose weights tell how large a standard deviation is


class DriftIndex(Index):
    """Exact in any dimension; bound to the training set it was built on.

    Parameters
    ----------
    sketch_size : int, optional
        k: directions of the sketch filter; 0 for none. By default chosen by the data, 0 .. 64.
    memory_limit : int, optional
        Bytes that the index may hold. Where a byte per pair does not fit, the table takes half a byte; where
        that does not fit either, only some of the neurons get a table, and the others are searched
        exhaustively.

    Raises
    ------
    ValueError
        `sketch_size` is negative.

    Attributes
    ----------
    table_bits : int
        Bits per pair in the table: 8 or 4.
    tabled_share : float
        Share of the neurons searched that have a table.
    retired_share : float
        Share of the neurons that are not searched at all, for they fire on no sample and never will.
    seconds : dict
        Where time went: filters, dots, moves, drift (each as if shared by all threads) and refresh.

    Notes
    -----
    Build: m n d multiply-adds at GEMM speed, or 3 m n log2 d additions where the weights are still those of
    a structured initialization. Memory: a byte per pair or half of one, plus two bytes per weight.
    A fire set costs one comparison of codes per pair, k multiply-adds for each pair that the norm bound
    cannot prove silent, and d for each that the sketch bound cannot.

    A block of 64 neurons is refreshed once the time wasted on its silent pairs since the last refresh, as
    counted in operations, comes to the price of one: never more than twice the cost of the best schedule in
    hindsight.
    """

    name: ClassVar[str] = "drift"
    is_open: ClassVar[bool] = False
    refresh_of_build: ClassVar[float] = 1 / 3

    def __init__(self, *, sketch_size: int | None = None, memory_limit: int | None = None) -> None:
        if sketch_size is not None and sketch_size < 0:
            raise ValueError(f"sketch_size must be >= 0. Got {sketch_size}. Use 0 for no sketch.")
        super().__init__(memory_limit=memory_limit)
        self.sketch_size = sketch_size
        self._drift, self._n_searched = np.zeros(0, DRIFT), 0
        self.seconds: dict[str, float] = dict.fromkeys((*PARTS, "refresh"), 0.0)

    def build(self, layer: Layer, inputs: ArrayLike | Inputs, progress: Progress | None = None) -> None:
        inputs = set_of(self, layer, inputs)
        self._layer = None  # until all is in place
        self._table = aligned_empty((0, len(inputs), BLOCK), np.uint8)  # frees what was built before,
        self._state: Any = None  # with the core's hold on it
        m, n, dtype = layer.width, len(inputs), layer.dtype
        with one_blas_thread():
            directions = sketch_directions(inputs, self.sketch_size)
            self._sample_sketch, self._sample_perps = sketch_of(inputs, directions)
        self.k = directions.shape[1]
        self._inputs, self._largest_norm = inputs, float(inputs.norms.max())
        self._words = np.empty((n, inputs.n_features + inputs.n_features % 2), np.int16)
        self._word_units = np.empty(n, dtype)
        self._word_limits = _core.word_inputs(inputs.rows, self._words, self._word_units)

        if progress is not None:
            progress(0.0)  # so far it did not depend on the neurons
        self._order = busiest_first(layer, inputs)
        self.work.multiplied += layer.width * min(n, COUNTED_SAMPLES)

        self._codes, tabled = self._table_within_limit(layer)
        self._resolution = self._codes.per_sigma / typical_size(layer.weights[:SAMPLED_NEURONS])
        self._table = aligned_empty((tabled, n, BLOCK * self._codes.bits // 8), np.uint8)
        self._velocities = layer.velocities
        self._directions = padded(directions.T if self._momentum else directions.T[:0], dtype)
        self._lay_out(layer, m)
        self._write_lines(layer, progress)
        if not layer.coasts:
            self._retire(layer)
        self._layer = layer

    def _lay_out(self, layer: Layer, n_searched: int) -> None:
        """Make room for what is known of the neurons that have a line in the table, in their order."""
        tabled, dtype = len(self._table), layer.dtype
        rows = min(tabled * BLOCK, layer.width)
        self._n_searched = n_searched
        self._reference = np.zeros((rows, layer.weight_rows.shape[1]), np.int16)
        self._sketch = padded_zeros(rows, self.k, dtype)
        self._perps, self._slacks = np.zeros((2, tabled * BLOCK), dtype)
        self._drift = np.zeros(rows, DRIFT)
        self._reach = np.zeros(tabled * BLOCK, np.uint8)
        self._motion = np.zeros(rows if layer.coasts else 0, MOTION)
        self._velocity_sketch = padded_zeros(rows if self._momentum else 0, self.k, dtype)
        self._wasted = np.zeros(tabled)  # multiply-adds on silent pairs since the last refresh
        self._state = core_class("DriftState", dtype)(
            order=self._order, table=self._table, reference=self._reference, drift=as_core(self._drift),
            sketch=self._sketch, perps=self._perps, slacks=self._slacks, reach=self._reach,
            largest_norm=self._largest_norm, resolution=self._resolution, zero=float(self._codes.firing),
            n_searched=-(-n_searched // BLOCK), motion=as_core(self._motion),
            velocity_sketch=self._velocity_sketch, directions=self._directions,
        )  # fmt: skip

    def _write_lines(self, layer: Layer, progress: Progress | None) -> None:
        """Make the present weights the reference."""
        structure, tabled = layer.structure, len(self._table)
        if structure is not None and layer.settled and structure.made(layer.weight_rows):
            self._write_structured(layer, structure, progress)
            return
        for first in range(0, tabled, BUILD_CHUNK):
            self._refresh(layer, np.arange(first, min(first + BUILD_CHUNK, tabled)))
            if progress is not None:
                progress(min(first + BUILD_CHUNK, tabled) / tabled)

    def _write_structured(
        self, layer: Layer, structure: StructuredWeights, progress: Progress | None
    ) -> None:
        """The same where the present weights are still those of a structure."""
        inputs, n = self._inputs, len(self._inputs)
        # A refresh on no samples: everything but the lines.
        self._rewrite(layer, np.arange(len(self._table)), 0)
        places = structure.places[self._order]
        lost = np.zeros(layer.width)  # of each row in words, by its place in the structure
        lost[places[: len(self._drift)]] = self._drift["bound"]
        for first in range(0, n, BUILD_SAMPLES):
            count = min(BUILD_SAMPLES, n - first)
            _core.structured_lines(
                structure.signs, structure.scales, places, inputs.rows, inputs.inverse_norms,
                layer.threshold, lost, first, count, self._table, self._largest_norm, self._resolution,
                float(self._codes.firing),
            )  # fmt: skip
            self.work.multiplied += layer.width * count * structure.additions // layer.n_features
            if progress is not None:
                progress((first + count) / n)

    def _retire(self, layer: Layer) -> None:
        """Leave out the neurons that fire on no sample, and never will: docs/theory/silent_neurons.md."""
        kept, retired = retire(self._table, self._reach, len(self._drift))
        tabled, rows = len(kept) // BLOCK, len(self._drift)
        if tabled == len(self._table):
            return
        order = self._order
        self._order = np.concatenate([order[kept], order[rows:], order[retired]])
        self._table = self._table[:tabled]
        self._lay_out(layer, layer.width - len(retired))
        self._rewrite(layer, np.arange(tabled), 0)

    def _table_within_limit(self, layer: Layer) -> tuple[Codes, int]:
        """How the pairs are coded, and how many blocks of 64 neurons have a table."""
        n_blocks, item = -(-layer.width // BLOCK), layer.dtype.itemsize
        a_row = 2 * layer.weight_rows.shape[1] + item * self._sample_sketch.shape[1] + DRIFT.itemsize
        samples = sum(array.nbytes for array in self._sample_arrays()) + self._order.nbytes
        if layer.velocities is not None:
            a_row += MOTION.itemsize
            if len(layer.velocities.rows):
                a_row += item * self._sample_sketch.shape[1]
                samples += item * self.k * stride_of(layer.n_features, layer.dtype)

        def needed(blocks: int, codes: Codes) -> int:
            a_line = BLOCK * codes.bits // 8
            a_block = len(self._inputs) * a_line + BLOCK * (2 * item + 1) + 8
            return samples + blocks * a_block + min(blocks * BLOCK, layer.width) * a_row

        return _table_within(self.memory_limit, n_blocks, needed)

    def _sample_arrays(self) -> list[NDArray]:
        return [self._sample_sketch, self._sample_perps, self._words, self._word_units]

    def _small_arrays(self) -> list[NDArray]:
        return [*self._sample_arrays(), self._reference, self._sketch, self._perps, self._slacks,
                self._drift, self._reach, self._motion, self._velocity_sketch, self._directions,
                self._order, self._wasted]  # fmt: skip

    def _refresh(self, layer: Layer, blocks: NDArray[np.int64]) -> None:
        """Make the present weights of these blocks their reference."""
        self._rewrite(layer, blocks, len(self._inputs))
        self._wasted[blocks] = 0
        self.work.multiplied += len(blocks) * BLOCK * len(self._inputs)

    def _rewrite(self, layer: Layer, blocks: NDArray[np.int64], n: int) -> None:
        """Refer to the present weights of these blocks, and write their lines of the first n samples."""
        _core.drift_refresh(self._state, layer.core_view, self._words[:n], self._word_units[:n],
                            self._word_limits, self._inputs.inverse_norms[:n], layer.threshold,
                            blocks)  # fmt: skip

    def _current(self) -> Layer:
        """The layer, which must coast as it did when the index was built."""
        layer = require_built(self._layer, self)
        if layer.velocities is not self._velocities:
            raise RuntimeError(
                "the drift index must be built anew once the network is trained with other velocities. Got "
                "one that was built before. Call build(layer, inputs) again."
            )
        return layer

    def fire_set(self, batch: ArrayLike | Inputs) -> FireSet:
        layer = self._current()
        batch = fitting(layer, batch, new=True)
        known = self._known(batch)
        found = _core.drift_fire_set(self._state, known, layer.core_view, layer.threshold)
        return self._counted(found, len(batch))

    def moved(self, step: Step) -> None:
        layer = self._current()
        self.work.measured += _core.drift_moved(
            self._state, self._known(step.batch), layer.core_view, step.core_view
        )
        self._refresh_where_due()

    def descend(self, descent: Descent | LayerDescent, next_batch: Inputs) -> FireSet:
        """In one pass over the weights: each block of rows is moved, then asked while it is in cache."""
        fitting(self._current(), next_batch)
        found, measured = _core.drift_step(
            self._state, descent.begin(), self._known(descent.batch), self._known(next_batch)
        )
        self.work.measured += measured
        fires = self._counted(found, len(next_batch))
        self._refresh_where_due()
        return fires

    def settle(self) -> None:
        _core.drift_settle(self._state, self._current().core_view)

    def _known(self, batch: Inputs) -> Any:
        """A batch with what the index knows of its samples, as the compiled core takes it."""
        ids = require_ids(self, batch, self._inputs)
        sketch, perps = self._sample_sketch.take(ids, axis=0), self._sample_perps[ids]
        return core_class("DriftBatch", batch.dtype)(batch.core_view, ids, sketch, perps)

    def _counted(self, found: Any, n_samples: int) -> FireSet:
        """The fire set that the core found, once its work is written down."""
        layer = require_built(self._layer, self)
        nanoseconds = found.filter_ns, found.dot_ns, found.move_ns, found.drift_ns
        for part, spent in zip(PARTS, nanoseconds, strict=True):
            self.seconds[part] += 1e-9 * float(spent.sum()) / threads()
        tabled = len(self._table)
        wasted = (found.dots - found.fired) * (layer.n_features + PAIR_OVERHEAD)
        if self.k:
            wasted += (found.near - found.fired) * (self.k + PAIR_OVERHEAD)
        self._wasted += wasted[:tabled]
        in_table = len(self._drift) * n_samples
        self.work.checked += in_table
        self.work.multiplied += self._n_searched * n_samples - in_table
        self.work.sketch_products += int(found.sketched.sum()) * self.k
        return self._fire_set_of(found, n_samples)

    @property
    def table_bits(self) -> int:
        return self._codes.bits

    @property
    def tabled_share(self) -> float:
        return len(self._drift) / max(1, self._n_searched)

    @property
    def retired_share(self) -> float:
        layer = require_built(self._layer, self)
        return 1 - self._n_searched / layer.width

    @property
    def _momentum(self) -> bool:
        return self._velocities is not None and len(self._velocities.rows) > 0

    @property
    def _price(self) -> float:
        """What the refresh of a block costs, in multiply-adds."""
        return PRODUCT_COST * BLOCK * len(self._inputs) * self._inputs.n_features

    @property
    def wear(self) -> float:
        wasted = float(self._wasted.sum()) / self._price + self.work.refreshed
        return wasted / max(1, len(self._wasted))

    def _refresh_where_due(self) -> None:
        due = np.flatnonzero(self._wasted >= self._price)
        if len(due):
            start = perf_counter()
            self._refresh(require_built(self._layer, self), due)
            self.work.refreshed += len(due)
            self.seconds["refresh"] += perf_counter() - start

    @property
    def nbytes(self) -> int:
        if self._layer is None:
            return 0
        return self._table.nbytes + sum(array.nbytes for array in self._small_arrays())

    @property
    def drifts(self) -> NDArray[np.float64]:
        """Upper bounds on how far each neuron with a table has moved since its reference, in index order."""
        return self._motion["bound_now"] if len(self._motion) else self._drift["bound"]

    def check_invariants(self) -> None:
        """Every bound holds in float64 for every pair: the drifts, the codes, both filters.

        Where float64 overflows too, a comparison with infinity or NaN finds nothing wrong.
        """
        check_index(self, require_built(self._layer, self))


def _table_within(limit: int | None, n_blocks: int, needed: Callable[[int, Codes], int]) -> tuple[Codes, int]:
    """The codes and the number of blocks of the largest table that a limit allows."""
    for codes in (BYTES, HALF_BYTES):
        if limit is None or needed(n_blocks, codes) <= limit:
            return codes, n_blocks
    least, beside = needed(1, HALF_BYTES), needed(0, HALF_BYTES)
    require_within(
        limit,
        least,
        f"the drift index with a table of {BLOCK} neurons, the least that it keeps,",
        f"With a table of all neurons it needs {needed(n_blocks, HALF_BYTES):,} bytes at half a byte per "
        f"pair, and {needed(n_blocks, BYTES):,} bytes at one byte. "
        "Raise the limit, or use the exhaustive index.",
    )
    return HALF_BYTES, (limit - beside) // (least - beside)

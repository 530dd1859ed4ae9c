"""The drift index: remember how far each pair is from firing, and prove how long that stays true.

For each (neuron, sample) pair a table holds, in one byte, a lower bound on the distance that the neuron must
move before it can fire on the sample: (b - <w_r, x_i>) / |x_i| at a reference time. While a neuron has moved
less than that, the pair is silent and no product is spent on it. docs/theory/drift_index.md derives it.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.errors import MemoryLimitError
from fewfire.fire_set import FireSet
from fewfire.indexes.base import Index, Progress, Step, require_built, require_fitting
from fewfire.indexes.exhaustive import ExhaustiveIndex
from fewfire.indexes.sketch import default_sketch_size, principal_directions, sketch_of
from fewfire.inputs import Inputs
from fewfire.network import TwoLayerNetwork
from fewfire.rows import BLOCK, aligned_empty, padded_zeros
from fewfire.structured import StructuredWeights
from fewfire.work import Work

# Codes of the table: 0 proves nothing, code c proves a distance of (c - 1 - FIRING_CODES) / resolution.
FIRING_CODES = 32  # kept for pairs that fire at the reference, by a little
CODES_PER_SIGMA = 127  # resolution: codes a standard deviation of the pre-activations
DRIFT_FIELDS = 6  # of the compiled core's struct Drift

# Cost of a multiply-add in the blocked product that writes the table, beside one in a dot of a single pair.
PRODUCT_COST = 0.25
ORDERING_SAMPLES = 512  # that tell which neurons fire often
BUILD_CHUNK = 16  # blocks written between two signs of progress
BUILD_SAMPLES = 4096  # the same, where all blocks are written at once


class DriftIndex(Index):
    """Exact in any dimension; bound to the training set it was built on.

    Parameters
    ----------
    sketch_size : int, optional
        k: directions of the sketch filter; 0 for none. By default 32, or none for 64 features and fewer.
    memory_limit : int, optional
        Bytes that the index may hold. Where n * m bytes do not fit, only some of the neurons get a table, and
        the others are searched exhaustively.

    Notes
    -----
    Build: m n d multiply-adds at GEMM speed, or 3 m n log2 d additions where the weights are still those of
    a structured initialisation. Memory: one byte a pair, plus a copy of the weights.
    A fire set costs one byte comparison a pair, k multiply-adds for each pair that the norm bound cannot
    prove silent, and d for each that the sketch bound cannot.

    A block of 64 neurons is refreshed once the multiply-adds wasted on its silent pairs since the last
    refresh come to the price of one: never more than twice the cost of the best schedule in hindsight.
    """

    name: ClassVar[str] = "drift"
    is_open: ClassVar[bool] = False

    def __init__(self, *, sketch_size: int | None = None, memory_limit: int | None = None) -> None:
        if sketch_size is not None and sketch_size < 0:
            raise ValueError(f"sketch_size must be >= 0. Got {sketch_size}. Use 0 for no sketch.")
        self.sketch_size = sketch_size
        self.memory_limit = memory_limit
        self.work = Work()
        self._network: TwoLayerNetwork | None = None

    def build(self, network: TwoLayerNetwork, inputs: Inputs, progress: Progress | None = None) -> None:
        require_fitting(network, inputs)
        self._network = None  # until all is in place
        self._table = aligned_empty((0, len(inputs), BLOCK), np.uint8)  # frees what was built before
        m, n, dtype = network.width, len(inputs), network.dtype
        k = default_sketch_size(network.n_features) if self.sketch_size is None else self.sketch_size
        directions = principal_directions(inputs, min(k, network.n_features, len(inputs)))
        self.k = directions.shape[1]
        self._inputs, self._largest_norm = inputs, float(inputs.norms.max())
        self._sample_sketch, self._sample_perps = sketch_of(inputs, directions)

        self._order = self._busiest_first(network)

        n_blocks = -(-m // BLOCK)
        tabled = self._blocks_within_limit(n_blocks, network)
        rows = min(tabled * BLOCK, m)
        self._table = aligned_empty((tabled, n, BLOCK), np.uint8)
        self._reference = aligned_empty((rows, network.weight_rows.shape[1]), dtype)
        self._sketch = padded_zeros(rows, self.k, dtype)
        self._sketch_bounds = np.zeros((rows, 2), dtype)
        self._drift = np.zeros((rows, DRIFT_FIELDS))
        self._reach = np.zeros(tabled * BLOCK, np.uint8)
        self._wasted = np.zeros(tabled)  # multiply-adds on silent pairs since the last refresh

        with np.errstate(over="ignore"):
            sigma = float(np.sqrt(np.mean(np.square(network.weights[:4096], dtype=np.float64))))
        self._resolution = CODES_PER_SIGMA / sigma if 1e-18 < sigma < 1e18 else CODES_PER_SIGMA
        self._code_distances = ((np.arange(256) - 1 - FIRING_CODES) / self._resolution).astype(dtype)
        self._code_distances[0] = np.nan  # compares as neither: proves nothing

        self._network = network
        structure = network.structure
        if structure is not None and structure.made(network.weight_rows):
            self._build_fast(structure, progress)
            return
        for first in range(0, tabled, BUILD_CHUNK):
            self._refresh(np.arange(first, min(first + BUILD_CHUNK, tabled)))
            if progress is not None:
                progress(min(first + BUILD_CHUNK, tabled) / tabled)

    def _build_fast(self, structure: StructuredWeights, progress: Progress | None) -> None:
        """Make the present weights the reference where they are still those of a structure."""
        network, inputs = require_built(self._network, self), self._inputs
        n, tabled = len(inputs), len(self._table)
        state = self._state() | {"table": self._table[:, :0]}
        _core.drift_refresh(network.weight_rows, self._order, inputs.rows[:0], inputs.inverse_norms[:0],
                            network.threshold, np.arange(tabled), **state)  # all but the lines  # fmt: skip
        for first in range(0, n, BUILD_SAMPLES):
            count = min(BUILD_SAMPLES, n - first)
            _core.structured_lines(
                structure.signs, structure.scales, self._order, inputs.rows, inputs.inverse_norms,
                network.threshold, first, count, self._table, self._largest_norm, self._resolution,
                float(FIRING_CODES),
            )  # fmt: skip
            if progress is not None:
                progress((first + count) / n)
        self.work.multiplied += network.width * n * structure.additions // network.n_features

    def _busiest_first(self, network: TwoLayerNetwork) -> NDArray[np.int32]:
        """Neurons in the order of how often they fire on a few of the samples.

        The more often a neuron fires, the further it drifts. Side by side in a block, those that drift far
        are refreshed together, and the others need not be.
        """
        n = len(self._inputs)
        few = np.linspace(0, n - 1, min(n, ORDERING_SAMPLES)).astype(np.int64)
        exhaustive = ExhaustiveIndex()
        exhaustive.build(network)
        fires = exhaustive.fire_set(self._inputs.batch(few))
        self.work.multiplied += exhaustive.work.multiplied
        return np.argsort(-np.diff(fires.begins), kind="stable").astype(np.int32)

    def _blocks_within_limit(self, n_blocks: int, network: TwoLayerNetwork) -> int:
        """How many blocks of 64 neurons may have a table."""
        if self.memory_limit is None:
            return n_blocks
        item = network.dtype.itemsize
        a_neuron = network.weight_rows.shape[1] * item + self._sample_sketch.shape[1] * item
        a_neuron += 2 * item + 8 * DRIFT_FIELDS + 1
        a_block = BLOCK * (len(self._inputs) + a_neuron) + 8
        samples = self._sample_sketch.nbytes + self._sample_perps.nbytes + self._order.nbytes
        if samples + a_block > self.memory_limit:
            raise MemoryLimitError(
                f"the drift index needs at least {samples + a_block:,} bytes, for the table of 64 neurons, "
                f"and {samples + n_blocks * a_block:,} for all. Got a limit of {self.memory_limit:,}. "
                "Raise the limit, or use the exhaustive index."
            )
        return min(n_blocks, (self.memory_limit - samples) // a_block)

    def _small_arrays(self) -> list[NDArray]:
        return [self._reference, self._sketch, self._sketch_bounds, self._drift, self._reach,
                self._sample_sketch, self._sample_perps, self._order, self._wasted]  # fmt: skip

    def _state(self) -> dict[str, object]:
        return {
            "table": self._table, "reference": self._reference, "drift": self._drift,
            "sketch": self._sketch, "sketch_bounds": self._sketch_bounds, "reach": self._reach,
            "largest_norm": self._largest_norm,
            "resolution": self._resolution, "zero": float(FIRING_CODES),
        }  # fmt: skip

    def _refresh(self, blocks: NDArray[np.int64]) -> None:
        """Make the present weights of these blocks their reference."""
        network, inputs = require_built(self._network, self), self._inputs
        _core.drift_refresh(network.weight_rows, self._order, inputs.rows, inputs.inverse_norms,
                            network.threshold, blocks, **self._state())  # fmt: skip
        self._wasted[blocks] = 0
        self.work.multiplied += len(blocks) * BLOCK * len(inputs)

    def fire_set(self, batch: Inputs) -> FireSet:
        network = require_built(self._network, self)
        require_fitting(network, batch)
        ids = self._ids(batch)
        begins, samples, values, near, dots, fired = _core.drift_fire_set(
            network.weight_rows, self._order, batch.rows, batch.norms, network.threshold, self._table,
            self._reach, self._sketch, self._sketch_bounds, self._code_distances, ids,
            self._sample_sketch.take(ids, axis=0), self._sample_perps[ids],
        )  # fmt: skip
        fires = FireSet(begins, samples, values, len(batch))

        tabled = len(self._table)
        wasted = (near - fired) * self.k + (dots - fired) * network.n_features
        self._wasted += wasted[:tabled]
        in_table = min(tabled * BLOCK, network.width) * len(batch)
        work = self.work
        work.asked += network.width * len(batch)
        work.checked += in_table
        work.multiplied += network.width * len(batch) - in_table
        work.near += int(near.sum())
        work.sketch_products += int(near[:tabled].sum()) * self.k
        work.dots += int(dots.sum())
        work.fired += len(fires)
        return fires

    def _ids(self, batch: Inputs) -> NDArray[np.int32]:
        known = batch.ids is not None and bool(np.all((batch.ids >= 0) & (batch.ids < len(self._inputs))))
        if batch.ids is None or not known:
            raise ValueError(
                "the drift index answers for samples of the training set it was built on. Got inputs "
                "without their ids, or ids beyond it. Pass inputs.batch(positions) of that set, or "
                "ask the exhaustive index."
            )
        return batch.ids

    def moved(self, step: Step) -> None:
        network = require_built(self._network, self)
        fires, batch = step.fires, step.batch
        self.work.measured += _core.drift_moved(
            network.weight_rows, self._order, fires.begins, fires.samples, step.coefficients, step.lengths,
            self._sample_sketch.take(self._ids(batch), axis=0), batch.norms, **self._state(),
        )  # fmt: skip
        price = PRODUCT_COST * BLOCK * len(self._inputs) * network.n_features
        due = np.flatnonzero(self._wasted >= price)
        if len(due):
            self._refresh(due)
            self.work.refreshed += len(due)

    @property
    def nbytes(self) -> int:
        if self._network is None:
            return 0
        return self._table.nbytes + sum(array.nbytes for array in self._small_arrays())

    @property
    def drifts(self) -> NDArray[np.float64]:
        """Upper bounds on how far each neuron with a table has moved since its reference, in index order."""
        return self._drift[:, 1] + self._drift[:, 2]

    def check_invariants(self) -> None:
        """Every bound holds in float64 for every pair: the drifts, the codes, both filters.

        Where float64 overflows too, a comparison with infinity or NaN finds nothing wrong.
        """
        network, inputs = require_built(self._network, self), self._inputs
        tabled = len(self._reference)
        with np.errstate(over="ignore", invalid="ignore"):
            reference = self._reference[:, : network.n_features].astype(np.float64)
            moved = network.weights[self._order[:tabled]].astype(np.float64) - reference
            too_far = np.linalg.norm(moved, axis=1) > self.drifts * (1 + 1e-12)
            assert not too_far.any(), "a neuron has drifted further than its bound"

            samples = inputs.samples.astype(np.float64)
            norms = np.linalg.norm(samples, axis=1)
            silence = network.threshold - reference @ samples.T  # how far below the threshold it was
            slack = 1e-12 * (1 + np.abs(silence))
            codes = self._table.transpose(0, 2, 1).reshape(-1, len(inputs))[:tabled]
            proven = self._code_distances.astype(np.float64)[codes] * norms
            assert not (silence + slack < proven).any(), "a code promises too much"

            change = moved @ samples.T
            fires = change - silence > slack
            assert not (fires & (codes > self._reach[:tabled, None])).any(), (
                "the norm filter would miss a pair"
            )
            if self.k:
                perp, spare = self._sketch_bounds.T.astype(np.float64)
                bound = self._sketch.astype(np.float64) @ self._sample_sketch.T
                bound += np.outer(perp, self._sample_perps) + np.outer(spare, norms)
                assert not (change > bound + slack).any(), "the sketch bound does not hold"

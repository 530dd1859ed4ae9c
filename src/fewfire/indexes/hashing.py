"""The hashing index: neurons that share the code of an input in some table. Approximate, and audited.

It answers "which neurons point roughly where the input points?", which is not "who fires?" unless what fires
has a large cosine. docs/when_approximate.md says when that pays, docs/theory/hashing.md how much is found.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import BLOCK, aligned_empty
from fewfire.indexes.approximate import ApproximateIndex
from fewfire.indexes.base import Progress, fitting, require_built, require_within_limit, typical_size
from fewfire.indexes.hash_functions import HASHES
from fewfire.networks.descent import Step
from fewfire.networks.layer import Layer
from fewfire.system.words import require_counts, require_one_of

MOST_BITS = 20  # of a code: a million buckets a table
LIVES = 256  # units in which a margin of a standard deviation of the pre-activations is used up, on the mean
SAMPLED_ROWS = 1024  # that tell how large weights are, and how fast margins shrink
DRIFT = "drift"


class HashingIndex(ApproximateIndex):
    """Looks at the neurons that lie in a bucket with the input, in one table or more. Approximate; open.

    A code is made of hash functions of the weights, those of the constant feature among them, so that a
    neuron's bias counts. The threshold, the same for all neurons, does not.

    Parameters
    ----------
    hash : "simhash", "wta" or "dwta"
        See `fewfire.indexes.hash_functions`; dwta is for sparse inputs.
    bits : int, 1 .. 20
        Of a code; a multiple of 3 with wta and dwta.
    tables : int >= 1
    rehash : "drift", int >= 1, or float in (0, 1)
        When a neuron is hashed anew: each of its values as soon as it can have changed, so that codes are
        always those of the present weights; or all after so many steps; or all once this share of the values
        is another, which a step finds out by working out all of them (MONGOOSE).
    centre : bool
        Hash the neurons less their mean at the time of the build; simhash alone. It turns <w, x> into the
        order among neurons, which suits the logits of a softmax and not a threshold.
    audit, seed, memory_limit
        See `ApproximateIndex`.

    Raises
    ------
    ValueError
        There is no such hash, or a number is out of its range.

    Notes
    -----
    A neuron at an angle t to the input is found with probability 1 - (1 - p^bits)^tables, p = 1 - t / pi, by
    simhash. A fire set costs the codes of the inputs, one bit per neuron and sample, and d for each pair that
    shares a bucket. Memory: per neuron 8 bytes per table and, with "drift", one per hash function. With
    "drift" a step costs a byte per hash function of each neuron that moved, and d for each value that may
    have changed; where weights coast, all codes are made anew.

    With rehash="drift" and without a centre, training goes on after a break with the same bits.

    Sources: Chen et al., *SLIDE: in defense of smart algorithms over hardware acceleration* (MLSys 2020), who
    renew all codes from time to time; Chen et al., *MONGOOSE: a learnable LSH framework for efficient neural
    network training* (ICLR 2021), for the share. When a code must be renewed is derived here.
    """

    name: ClassVar[str] = "hashing"

    def __init__(
        self,
        hash: str = "simhash",
        bits: int = 9,
        tables: int = 50,
        *,
        rehash: str | float = DRIFT,
        centre: bool = False,
        audit: float = 0.02,
        seed: int = 0,
        memory_limit: int | None = None,
    ) -> None:
        super().__init__(audit=audit, seed=seed, memory_limit=memory_limit)
        require_one_of(hash, HASHES, "the hash")
        of_a_value = HASHES[hash].bits
        if not isinstance(bits, Integral) or not 1 <= bits <= MOST_BITS or bits % of_a_value:
            raise ValueError(
                f"bits must be from 1 to {MOST_BITS} in steps of {of_a_value} with {hash}. Got {bits}. Use 9."
            )
        require_counts(tables=tables)
        if rehash != DRIFT and not _is_count_or_share(rehash):
            raise ValueError(
                f"rehash must be {DRIFT!r}, a whole number of steps >= 1 or a share between 0 and 1. Got "
                f"{rehash!r}. Use {DRIFT!r}."
            )
        if centre and hash != "simhash":
            raise ValueError(f"centre must go with simhash. Got it with {hash}. Leave out either.")
        if not isinstance(rehash, str):
            rehash = int(rehash) if isinstance(rehash, Integral) else float(rehash)
        self.hash, self.bits, self.tables, self.rehash, self.centre = (
            hash, int(bits), int(tables), rehash, centre
        )  # fmt: skip

    @property
    def terms(self) -> dict[str, Any]:
        names = "name", "hash", "bits", "tables", "rehash", "centre", "seed"
        return {name: getattr(self, name) for name in names}

    def build(self, layer: Layer, inputs: ArrayLike | Inputs, progress: Progress | None = None) -> None:
        inputs = fitting(layer, inputs)
        random = self._random("functions")
        together = self.bits // HASHES[self.hash].bits
        functions = HASHES[self.hash].draw(self.tables, together, layer.n_features, layer.dtype, random)
        count, width = self.tables * together, layer.width
        blocks = -(-width // BLOCK) if self.rehash == DRIFT else 0
        needed = 4 * self.tables * (2 * width + 2**self.bits + 1) + 16 * width
        needed += blocks * BLOCK * count + 8 * count + functions.nbytes
        require_within_limit(self, needed, "exhaustive")
        self._functions, self._together, self._steps = functions, together, 0
        self._centre = mean_of(layer) if self.centre else None
        self._of_inputs = functions.core_view(layer.dtype)
        self._of_neurons = functions.core_view(layer.dtype, self._centre)
        self._arrays = {
            "codes": np.zeros((self.tables, width), np.uint32),
            "begins": np.zeros((self.tables, 2**self.bits + 1), np.int32),
            "ids": np.zeros((self.tables, width), np.int32),
            "lives": aligned_empty((blocks, count, BLOCK), np.uint8),
            "ways": np.zeros(width),
            "norms": np.zeros(width),
            "speeds": self._speeds(inputs, count),
        }
        size = typical_size(layer.weights[:SAMPLED_ROWS])
        self._unit = size / LIVES / float(self._arrays["speeds"].mean())
        self._layer = layer
        self._hash_all(layer)

    def _speeds(self, inputs: Inputs, count: int) -> NDArray[np.float64]:
        """How fast each function's margin may shrink while a neuron moves along such samples."""
        speeds = np.empty(count)
        some = inputs.batch(np.arange(0, len(inputs), -(-len(inputs) // SAMPLED_ROWS)))
        _core.hash_speeds(self._of_inputs, some.core_view, speeds)
        return np.where(np.isfinite(speeds), speeds, 1.0)

    def _core_tables(self, arrays: Mapping[str, NDArray]) -> Any:
        return _core.HashTables(together=self._together, unit=self._unit, **arrays)

    def _hash_all(self, layer: Layer) -> None:
        _core.hash_neurons(self._of_neurons, self._core_tables(self._arrays), layer.core_view)
        self.work.hashed += layer.width * self.tables * self._together
        self.work.sketch_products += layer.width * self._functions.cost_of_all

    def _hash_all_once(self, layer: Layer, share: float) -> None:
        """Hash all neurons, and keep that where more than a share of the values is another."""
        before = {name: self._arrays[name].copy() for name in ("codes", "begins", "ids")}
        self._hash_all(layer)
        bits = HASHES[self.hash].bits
        others = before["codes"] ^ self._arrays["codes"]
        changed = sum(np.count_nonzero(others >> bits * k & 2**bits - 1) for k in range(self._together))
        if changed <= share * others.size * self._together:
            self._arrays |= before

    def pairs_above(self, batch: ArrayLike | Inputs, threshold: float) -> FireSet:
        layer = require_built(self._layer, self)
        batch = fitting(layer, batch, new=True)
        codes = np.empty((self.tables, len(batch)), np.uint32)
        _core.hash_codes(self._of_inputs, self._together, batch.rows, codes)
        self.work.sketch_products += len(batch) * self._functions.cost_of_all
        bits = np.empty((len(batch), -(-layer.width // BLOCK)), np.uint64)
        _core.bucket_union(self._core_tables(self._arrays), codes, bits)
        found = _core.proposed_fire_set(bits, layer.core_view, batch.core_view, threshold)
        return self._pairs_of(found, len(batch))

    def moved(self, step: Step) -> None:
        layer = require_built(self._layer, self)
        self._steps += 1
        if isinstance(self.rehash, Integral):
            if self._steps % self.rehash == 0:
                self._hash_all(layer)
        elif isinstance(self.rehash, float):
            self._hash_all_once(layer, self.rehash)
        elif step.coasting:
            self._hash_all(layer)
        else:
            tables = self._core_tables(self._arrays)
            values = _core.hash_moved(
                self._of_neurons, tables, layer.core_view, step.core_view, step.batch.core_view
            )
            self.work.hashed += values
            self.work.sketch_products += values * self._functions.cost

    @property
    def nbytes(self) -> int:
        if self._layer is None:
            return 0
        return sum(array.nbytes for array in self._arrays.values()) + self._functions.nbytes

    def check_invariants(self) -> None:
        """The buckets are those of the codes; with "drift" the codes are those of the present weights, and in
        float64 no value lasts shorter than was promised."""
        layer, held = require_built(self._layer, self), self._arrays
        for codes, begins, ids in zip(held["codes"], held["begins"], held["ids"], strict=True):
            counts = np.bincount(codes, minlength=len(begins) - 1)
            assert np.array_equal(begins, np.concatenate(([0], np.cumsum(counts))))
            assert np.array_equal(ids, np.argsort(codes, kind="stable"))
        if self.rehash != DRIFT:
            return
        fresh = {name: array.copy() for name, array in held.items()}
        _core.hash_neurons(self._of_neurons, self._core_tables(fresh), layer.core_view)
        assert np.array_equal(fresh["codes"], held["codes"]), "a code is not that of the present weights"
        lives = held["lives"].transpose(0, 2, 1).reshape(-1, len(held["speeds"]))[: layer.width]
        left = (lives * self._unit - held["ways"][:, None]) * held["speeds"]
        rows = layer.present_weights().astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            too_long = left > self._functions.margins(rows, self._centre) * (1 + 1e-9) + 1e-300
        assert not too_long[lives > 0].any(), "a value may change before its life ends"


def _is_count_or_share(rehash: str | float) -> bool:
    if isinstance(rehash, str):
        return False
    return rehash >= 1 if isinstance(rehash, Integral) else 0 < rehash < 1


def mean_of(layer: Layer) -> NDArray[np.float64]:
    """The mean neuron; infinite where it cannot be held."""
    with np.errstate(over="ignore"):
        return layer.present_weights().mean(axis=0, dtype=np.float64)

"""Structured initial weights: nearly Gaussian rows whose products with a sample come from a fast transform.

In blocks of D rows, D a power of two, W = S H D1 H D2 H D3: H the Walsh-Hadamard matrix; D1, D2, D3
diagonals of random signs; S the scales that give the rows their random norms. Of the columns, the first d are
kept. docs/theory/structured.md derives what follows from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fewfire import _core
from fewfire.core.inputs import Inputs
from fewfire.core.rows import aligned_empty

SMALLEST_BLOCK = 64  # fewer signs would make too few directions


def block_size(n_features: int) -> int:
    """D: the power of two that holds as many features."""
    return max(SMALLEST_BLOCK, 1 << (n_features - 1).bit_length())


@dataclass(frozen=True)
class StructuredWeights:
    """The signs and scales that the weights are made of.

    Attributes
    ----------
    signs : (blocks, 3, D)
        The diagonals of each block.
    scales : (width,)
        |row| / D^(3/2), the norm before columns were left out; those norms are chi-distributed.
    n_features : int
        d: columns kept.
    places : (width,) int32
        Neuron r has row places[r] of W.

    Notes
    -----
    Source: Le, Sarlos, Smola, *Fastfood* (ICML 2013); Yu et al., *Orthogonal Random Features* (NeurIPS 2016).
    """

    signs: NDArray
    scales: NDArray
    n_features: int
    places: NDArray[np.int32]

    @classmethod
    def draw(
        cls,
        width: int,
        n_features: int,
        random: np.random.Generator,
        dtype: DTypeLike,
        smallest_block: int = SMALLEST_BLOCK,
    ) -> "StructuredWeights":
        size = max(smallest_block, block_size(n_features))
        signs = random.integers(0, 2, (-(-width // size), 3, size)) * 2 - 1
        norms = np.sqrt(random.chisquare(size, width))
        scales = (norms / size**1.5).astype(dtype)
        return cls(signs.astype(dtype), scales, n_features, np.arange(width, dtype=np.int32))

    @classmethod
    def joined(cls, parts: Sequence["StructuredWeights"]) -> "StructuredWeights":
        """Whole blocks of several structures, one after the other."""
        signs = np.concatenate([part.signs for part in parts])
        scales = np.concatenate([part.scales for part in parts])
        return cls(signs, scales, parts[0].n_features, np.arange(len(scales), dtype=np.int32))

    def arranged(self, order: NDArray[np.int32]) -> "StructuredWeights":
        """The structure of a network whose neuron order[r] has become neuron r."""
        return replace(self, places=self.places[order])

    @property
    def block_size(self) -> int:
        """D."""
        return self.signs.shape[2]

    @property
    def additions(self) -> int:
        """What a pair costs: 3 log2 D additions, where a plain product takes d multiply-adds."""
        return 3 * (self.block_size.bit_length() - 1)

    def write(self, weight_rows: NDArray) -> None:
        """Write W, in its own order, into padded rows (width, stride)."""
        _core.structured_rows(self.signs, self.scales, self.n_features, weight_rows)

    def made(self, weight_rows: NDArray) -> bool:
        """Whether these are still the weights of this structure."""
        size, neurons = self.block_size, np.argsort(self.places)
        block = aligned_empty((size, weight_rows.shape[1]), weight_rows.dtype)
        for number, first in enumerate(range(0, len(weight_rows), size)):
            present = weight_rows[neurons[first : first + size], : self.n_features]
            expected = block[: len(present)]
            _core.structured_rows(self.signs[number : number + 1], self.scales[first : first + size],
                                  self.n_features, expected)  # fmt: skip
            if not np.array_equal(present, expected[:, : self.n_features]):
                return False
        return True

    def products(self, inputs: Inputs) -> NDArray:
        """Products of all rows of W, in its own order, with all inputs, (n, width), by the fast transform."""
        products = np.empty((len(inputs), len(self.scales)), inputs.dtype)
        _core.structured_products(self.signs, self.scales, inputs.rows, products)
        return products

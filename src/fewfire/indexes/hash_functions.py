"""Families of hash functions: rows that lie close to each other are likely to have the same value.

Each function also tells how far a row must move before its value can change; docs/theory/hashing.md derives
that, and how likely two rows are to agree.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fewfire.core.rows import padded_zeros
from fewfire.core.view import core_class
from fewfire.networks.structured import StructuredWeights

COMPETITORS = 8  # coordinates of which the largest wins: three bits
# Normals of one block are orthogonal before columns are left out, so that rows agree on a code less often
# than by chance: with so many normals by 2 % (docs/theory/hashing.md).
SMALLEST_BLOCK = 1024


class HashFamily(ABC):
    """Functions of rows of d numbers, some together for each table; drawn at random.

    Attributes
    ----------
    bits : of a value
    cost : multiply-adds of one function on one row, by itself
    cost_of_all : multiply-adds of all functions on one row
    """

    bits: ClassVar[int]

    @classmethod
    @abstractmethod
    def draw(
        cls, tables: int, together: int, n_features: int, dtype: DTypeLike, random: np.random.Generator
    ) -> "HashFamily":
        """Draw functions of rows of this length."""

    @property
    @abstractmethod
    def cost(self) -> int: ...

    @property
    @abstractmethod
    def cost_of_all(self) -> int: ...

    @abstractmethod
    def core_view(self, dtype: DTypeLike, centre: NDArray | None = None) -> Any:
        """The functions as the compiled core takes them; of rows less a centre."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes that the functions take."""

    @abstractmethod
    def margins(self, rows: NDArray[np.float64], centre: NDArray | None = None) -> NDArray[np.float64]:
        """How far each row (n, d) must move before the value of each function can change, (n, count).

        In float64, but for its rounding; what the core computes is not larger.
        """


@dataclass(frozen=True)
class SignHashes(HashFamily):
    """SimHash: on which side of a plane through the origin, or a centre, does the row lie?

    The normals are structured weights, so that all products with a row come from the fast transform.

    Notes
    -----
    Two rows at an angle t agree with probability 1 - t / pi. Source: Charikar, *Similarity estimation
    techniques from rounding algorithms* (STOC 2002).
    """

    structure: StructuredWeights
    normals: NDArray  # padded rows
    norms: NDArray[np.float64]  # rounded up

    bits: ClassVar[int] = 1

    @classmethod
    def draw(
        cls, tables: int, together: int, n_features: int, dtype: DTypeLike, random: np.random.Generator
    ) -> "SignHashes":
        count = tables * together
        structure = StructuredWeights.draw(count, n_features, random, dtype, SMALLEST_BLOCK)
        normals = padded_zeros(count, n_features, dtype)
        structure.write(normals)
        norms = np.linalg.norm(normals.astype(np.float64), axis=1) * (1 + 1e-12)
        return cls(structure, normals, norms)

    @property
    def cost(self) -> int:
        return self.structure.n_features

    @property
    def cost_of_all(self) -> int:
        return self.structure.signs[:, 0].size * self.structure.additions

    def core_view(self, dtype: DTypeLike, centre: NDArray | None = None) -> Any:
        return core_class("SignHashes", dtype)(
            signs=self.structure.signs,
            scales=self.structure.scales,
            normals=self.normals,
            norms=self.norms,
            offsets=self._offsets(centre),
        )

    def _offsets(self, centre: NDArray | None) -> NDArray:
        """The products with the centre."""
        if centre is None:
            return np.zeros(len(self.normals), self.normals.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            return self.normals[:, : len(centre)] @ centre.astype(self.normals.dtype)

    @property
    def nbytes(self) -> int:
        structure = self.structure
        arrays = structure.signs, structure.scales, structure.places, self.normals, self.norms
        return sum(array.nbytes for array in arrays)

    def margins(self, rows: NDArray[np.float64], centre: NDArray | None = None) -> NDArray[np.float64]:
        normals = self.normals[:, : rows.shape[1]].astype(np.float64)
        norms = np.linalg.norm(normals, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.abs(rows @ normals.T - self._offsets(centre)) / norms


@dataclass(frozen=True)
class WinnerHashes(HashFamily):
    """WTA: which of eight coordinates, drawn at random, is the largest?

    Only the order of the coordinates counts, not their size.

    Notes
    -----
    Source: Yagnik et al., *The power of comparative reasoning* (ICCV 2011).
    """

    bins: NDArray[np.int32]  # (count, 8), or less where there are not so many coordinates

    bits: ClassVar[int] = 3
    passes_zeros: ClassVar[bool] = False

    @classmethod
    def draw(
        cls, tables: int, together: int, n_features: int, dtype: DTypeLike, random: np.random.Generator
    ) -> "WinnerHashes":
        size = min(COMPETITORS, n_features)
        # The bins of a table have no coordinate in common, where there are enough: their winners are
        # independent.
        at_once = together if together * size <= n_features else 1
        drawn = [
            random.choice(n_features, at_once * size, replace=False).reshape(at_once, size)
            for _ in range(tables * together // at_once)
        ]
        return cls(np.concatenate(drawn).astype(np.int32))

    @property
    def cost(self) -> int:
        return COMPETITORS

    @property
    def cost_of_all(self) -> int:
        return self.bins.size

    def core_view(self, dtype: DTypeLike, centre: NDArray | None = None) -> Any:
        return core_class("WinnerHashes", dtype)(bins=self.bins, passes_zeros=self.passes_zeros)

    @property
    def nbytes(self) -> int:
        return self.bins.nbytes

    def margins(self, rows: NDArray[np.float64], centre: NDArray | None = None) -> NDArray[np.float64]:
        values = rows[:, self.bins]
        if values.shape[2] == 1:
            return np.full(values.shape[:2], np.inf)
        second, first = np.sort(values, axis=2)[:, :, -2:].transpose(2, 0, 1)
        return (first - second) / np.sqrt(2)


@dataclass(frozen=True)
class DensifiedWinnerHashes(WinnerHashes):
    """DWTA: the same among the coordinates that are not 0; where all are, the next function answers.

    For sparse inputs, whose zeros would win most bins of WTA.

    Notes
    -----
    Source: Chen and Shrivastava, *Densified winner take all (DWTA) hashing for sparse datasets* (UAI 2018),
    who borrow by a hash of the bin.
    """

    passes_zeros: ClassVar[bool] = True

    def margins(self, rows: NDArray[np.float64], centre: NDArray | None = None) -> NDArray[np.float64]:
        values = rows[:, self.bins]
        competing = np.where(values == 0, -np.inf, values)
        winners = competing.argmax(axis=2)[..., None]
        best = np.take_along_axis(values, winners, axis=2)
        others = values.copy()
        np.put_along_axis(others, winners, -np.inf, axis=2)
        gaps = (best - others.max(axis=2, keepdims=True)) / np.sqrt(2)
        margins = np.minimum(gaps, np.abs(best))[..., 0]
        return np.where((values == 0).all(axis=2), 0, margins)


HASHES: dict[str, type[HashFamily]] = {
    "simhash": SignHashes,
    "wta": WinnerHashes,
    "dwta": DensifiedWinnerHashes,
}

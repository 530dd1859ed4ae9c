"""Half-space reporting: which of many points lie beyond a plane? They may come, go and move."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fewfire.core.rows import padded, require_float
from fewfire.core.view import core_class
from fewfire.errors import DataError
from fewfire.system.tensors import read_tensors, write_tensors

KIND = "fewfire points"  # of a file
MOST_POINTS = 2**31 - 64  # ids and places are 32-bit whole numbers


@dataclass(frozen=True)
class TreeWork:
    """Operations that a tree has counted since it was made.

    Attributes
    ----------
    nodes : boxes that met a half-space, 2 d multiply-adds each
    tested : points multiplied with a normal, d multiply-adds each
    decided : points within the rounding error of an offset, left to the shared dot kernel
    placed : points put into a part by a build, once for each part down to the leaf
    """

    nodes: int = 0
    tested: int = 0
    decided: int = 0
    placed: int = 0


class HalfspaceReporter:
    """Points that are asked by half-space: those with <normal, point> > offset, strictly.

    Exact: the shared dot kernel decides what lies within rounding of the offset. So the answer is that of a
    scan with the kernel, bit for bit, whatever was inserted, deleted or moved before.

    Parameters
    ----------
    points : (n, d)
        Finite; n may be 0, and points may repeat. They get the ids 0 .. n - 1.
    dtype : float32 or float64
        Points, normals and offsets are rounded to it.

    Attributes
    ----------
    ids : (len(self),) int32
        Ids of all points, ascending.
    work : TreeWork

    Raises
    ------
    DataError
        `points` is not two-dimensional, has no column, or holds NaN or infinity.

    Notes
    -----
    Build: O(d n log n). Memory: about 4 d + 16 bytes per point in float32. A question costs the boxes and
    points along the boundary, about n^(1 - 1/d) of them, and the points reported. In one dimension that is
    O(log n + k). Between d = 8 and d = 16 a scan becomes as good: docs/theory/halfspace.md has the table.

    Updates: an insertion or a deletion places O(log^2 n) points, amortised over any sequence. A move costs
    one pass over its leaf and its O(log n) ancestors; what many moves have done to the shape of the tree is
    repaired once the questions have lost as much by it as a build costs.

    Ask from one thread at a time; a batch of questions is shared out over all threads.

    This is a practical stand-in, by boxes, for the structure of P. K. Agarwal, D. Eppstein and J. Matousek,
    *Dynamic half-space reporting, geometric optimization, and minimum spanning trees*, FOCS 1992, whose
    worst-case bound it does not have.

    Examples
    --------
    >>> reporter = HalfspaceReporter([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
    >>> reporter.report([1.0, 0.0], 0.5).tolist()
    [1, 2]
    """

    def __init__(self, points: ArrayLike, dtype: DTypeLike = np.float32) -> None:
        require_float(dtype)
        rows = np.asarray(points)
        if rows.ndim != 2 or rows.shape[1] == 0:
            raise DataError(
                "points must be two-dimensional with at least one column. "
                f"Got shape {rows.shape}. Pass an array (n_points, n_features)."
            )
        self._start(rows.shape[1], np.dtype(dtype))
        self.insert(rows)

    def _start(self, n_features: int, dtype: np.dtype) -> None:
        self.n_features, self.dtype = n_features, dtype
        self._tree: Any = core_class("HalfspaceTree", dtype)(n_features)
        self._end = 0  # all ids lie below
        self._free: list[int] = []  # a heap: ids below the end that no point has

    def __len__(self) -> int:
        return len(self._tree)

    @property
    def ids(self) -> NDArray[np.int32]:
        held = np.ones(self._end, bool)
        held[self._free] = False
        return np.flatnonzero(held).astype(np.int32)

    @property
    def work(self) -> TreeWork:
        spent = self._tree.work
        return TreeWork(spent.nodes, spent.tested, spent.decided, spent.placed)

    @property
    def nbytes(self) -> int:
        """Bytes that the points and the tree take."""
        return self._tree.nbytes

    def report(self, normal: ArrayLike, offset: float) -> NDArray[np.int32]:
        """Ids of the points with <normal, point> > offset, ascending.

        Parameters
        ----------
        normal : (d,)
        offset : float
        """
        return self.report_batch(self._one(normal), offset)[1]

    def report_batch(
        self, normals: ArrayLike, offsets: ArrayLike
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The same for many half-spaces, shared out over all threads.

        Parameters
        ----------
        normals : (q, d)
        offsets : (q,), or one for all

        Returns
        -------
        begins : (q + 1,) int64
        ids : (begins[q],) int32
            The ids of half-space i are ids[begins[i] : begins[i + 1]], ascending.
        """
        return self._tree.report(*self._questions(normals, offsets), False)

    def count(self, normal: ArrayLike, offset: float) -> int:
        """How many points `report` would give; parts of the tree that lie inside are not listed."""
        return self._tree.count(*self._questions(self._one(normal), offset))[0]

    def points(self, ids: ArrayLike) -> NDArray:
        """The points with these ids, (len(ids), d); a copy."""
        held = self._held(ids)
        points = np.empty((len(held), self.n_features), self.dtype)
        self._tree.copy(held, points)
        return points

    def insert(self, points: ArrayLike) -> NDArray[np.int32]:
        """Take in points (k, d); returns their ids, the smallest that no point has.

        The id of a deleted point is given to a later one.
        """
        rows = self._rows(points, "points")
        if len(self) + len(rows) > MOST_POINTS:
            raise DataError(
                f"a reporter holds at most {MOST_POINTS:,} points. Got {len(self) + len(rows):,}. "
                "Divide them among several."
            )
        reused = [heappop(self._free) for _ in range(min(len(rows), len(self._free)))]
        new = np.arange(self._end, self._end + len(rows) - len(reused))
        self._end += len(new)
        ids = np.concatenate([reused, new]).astype(np.int32)
        self._tree.insert(ids, rows)
        return ids

    def delete(self, ids: ArrayLike) -> None:
        """Give up the points with these ids."""
        held = self._held(ids)
        self._tree.remove(held)
        for place in held.tolist():
            heappush(self._free, place)

    def move(self, ids: ArrayLike, new_points: ArrayLike) -> None:
        """Put the points with these ids elsewhere, to `new_points` (len(ids), d)."""
        held, rows = self._held(ids), self._rows(new_points, "new_points")
        if len(held) != len(rows):
            raise ValueError(
                f"each id must have one new point. Got {len(held)} ids and {len(rows)} points. "
                "Give as many of both."
            )
        self._tree.move(held, rows)

    def save(self, path: str | Path) -> None:
        """Write points and ids to a safetensors file, atomically, with a checksum."""
        write_tensors(path, KIND, {"points": self.points(self.ids), "ids": self.ids})

    @classmethod
    def load(cls, path: str | Path) -> "HalfspaceReporter":
        """Read points and ids back, bit for bit; the tree is built anew and gives the same answers.

        Raises
        ------
        ValueError
            The file is not one that `save` wrote.
        """
        try:
            tensors, _ = read_tensors(path, KIND)
            points, ids = tensors["points"], tensors["ids"]
            if ids.dtype != np.int32 or ids.ndim != 1 or len(points) != len(ids):
                raise ValueError(f"points of shape {points.shape} with ids of shape {ids.shape}")
            if np.any(np.diff(ids, prepend=-1) <= 0):
                raise ValueError("ids that are negative or do not ascend")
            reporter = cls(points[:0], points.dtype)
            rows = reporter._rows(points, "points")
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{path} must be a safetensors file with points and their ids. Got: {error}. "
                "Give one that HalfspaceReporter.save wrote."
            ) from error
        reporter._end = int(ids[-1]) + 1 if len(ids) else 0
        reporter._free = np.setdiff1d(np.arange(reporter._end), ids).tolist()
        heapify(reporter._free)
        reporter._tree.insert(ids, rows)
        return reporter

    def check_invariants(self) -> None:
        """Raise AssertionError where the tree is not balanced or a box does not fit. Slow; for tests."""
        assert self._tree.consistent, "the tree is not what it should be"
        assert len(self) == self._end - len(self._free), "ids were lost"

    def _one(self, normal: ArrayLike) -> NDArray:
        row = np.asarray(normal)
        if row.ndim != 1:
            raise DataError(
                f"a normal must be one row of {self.n_features} numbers. Got shape {row.shape}. "
                "Ask report_batch with many."
            )
        return row[None]

    def _questions(self, normals: ArrayLike, offsets: ArrayLike) -> tuple[NDArray, NDArray]:
        rows = padded(self._rows(normals, "normals"), self.dtype)
        with np.errstate(over="ignore"):
            limits = np.asarray(offsets, self.dtype)
        if limits.ndim > 1 or (limits.ndim == 1 and len(limits) != len(rows)):
            raise ValueError(
                f"offsets must be one number, or one for each of the {len(rows)} normals. Got shape "
                f"{limits.shape}. Give as many."
            )
        if not np.isfinite(limits).all():
            raise DataError(
                f"offsets must be finite in {self.dtype}. Got NaN, infinity or numbers beyond it. "
                "Ask with finite ones."
            )
        return rows, np.ascontiguousarray(np.broadcast_to(limits, len(rows)))

    def _rows(self, values: ArrayLike, name: str) -> NDArray:
        rows = np.asarray(values)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise DataError(
                f"{name} must have {self.n_features} columns. Got shape {rows.shape}. "
                f"Pass an array (n, {self.n_features})."
            )
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(rows, self.dtype)
        if not np.isfinite(rows).all():
            raise DataError(
                f"{name} must be finite in {self.dtype}. Got NaN, infinity or numbers beyond it. "
                "Remove or rescale them."
            )
        return rows

    def _held(self, ids: ArrayLike) -> NDArray[np.int32]:
        array = np.asarray(ids)
        if array.size == 0:
            return np.empty(0, np.int32)
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise ValueError(
                f"ids must be a one-dimensional array of whole numbers. Got {array.dtype} of shape "
                f"{array.shape}. Pass ids that insert returned."
            )
        array = array.astype(np.int64)
        if not self._tree.holds(array) or len(np.unique(array)) != len(array):
            raise ValueError(
                "ids must be those of points that are held, each once. Got one that was deleted, never "
                "given, or twice. Pass ids that insert returned."
            )
        return array.astype(np.int32)

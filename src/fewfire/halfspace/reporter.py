"""Half-space reporting: which of many points lie beyond a plane? They may come, go and move."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fewfire.core.rows import require_float
from fewfire.core.view import core_class
from fewfire.errors import DataError
from fewfire.halfspace.files import MOST_POINTS, read_points, write_points
from fewfire.halfspace.questions import (
    as_floats,
    as_ids,
    as_offset,
    as_offsets,
    not_finite,
    own_rows,
    require_held,
)


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
    """Points that are asked by half-space: those with <normal, point> > offset.

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
        `points` is not two-dimensional, has no column, or holds NaN, infinity, or what is no real number.
    ValueError
        `dtype` is another one.

    Notes
    -----
    Build: O(d n log n). Memory: about 4 d + 16 bytes per point in float32. A question costs the boxes and
    points along the boundary, about n^(1 - 1/d) of them, and the points reported. In one dimension that is
    O(log n + k). Between d = 8 and d = 16 a scan becomes as good: docs/theory/halfspace.md has the table.

    Updates: an insertion or a deletion places O(log^2 n) points, amortised over any sequence. A move costs
    one pass over its leaf and its O(log n) ancestors; what many moves have done to the shape of the tree is
    repaired once the questions have lost as much by it as a build costs.

    Threads: any number of them may ask and change a reporter at the same time. Each call sees the points as
    they are between two changes. Questions run side by side, changes alone, all in the order of their coming.

    A call that raises leaves the reporter as it was, except where memory or threads run out in the midst of a
    change: then every later call raises RuntimeError. Copies and pickles hold the same points under the same
    ids and give the same answers, bit for bit; their `work` begins anew.

    This is a practical stand-in, by boxes, for the structure of P. K. Agarwal, D. Eppstein and J. Matousek,
    *Dynamic half-space reporting, geometric optimization, and minimum spanning trees*, FOCS 1992, whose
    worst-case bound it does not have.

    Examples
    --------
    >>> reporter = HalfspaceReporter([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]])
    >>> reporter
    HalfspaceReporter(3 points, 2 dimensions, float32)
    >>> reporter.report([1.0, 0.0], 1.0).tolist()
    [1]
    >>> reporter.report([1.0, 0.0], 1.0, strict=False).tolist()
    [1, 2]
    """

    def __init__(self, points: ArrayLike, dtype: DTypeLike = np.float32) -> None:
        require_float(dtype)
        rows = np.asanyarray(points)
        if rows.ndim != 2 or rows.shape[1] == 0:
            raise DataError(
                "points must be two-dimensional with at least one column. "
                f"Got shape {rows.shape}. Pass an array (n_points, n_features)."
            )
        self._start(rows.shape[1], np.dtype(dtype))
        self.insert(rows)

    def _start(self, n_features: int, dtype: np.dtype) -> None:
        self.n_features, self.dtype = n_features, dtype
        self._core: Any = core_class("HalfspaceReporter", dtype)(n_features)

    def __len__(self) -> int:
        return len(self._core)

    def __contains__(self, id: object) -> bool:
        try:
            place = index(id)  # type: ignore[arg-type]
        except TypeError:
            return False
        return 0 <= place < MOST_POINTS and self._core.holds(place)

    def __repr__(self) -> str:
        dimensions = "1 dimension" if self.n_features == 1 else f"{self.n_features} dimensions"
        points = "1 point" if len(self) == 1 else f"{len(self):,} points"
        return f"{type(self).__name__}({points}, {dimensions}, {self.dtype})"

    def __getstate__(self) -> dict[str, Any]:
        ids, points = self._core.snapshot()
        return {**self.__dict__, "_core": (ids, points.reshape(-1, self.n_features))}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        ids, points = state["_core"]
        self._start(self.n_features, self.dtype)
        self._core.restore(ids, points)

    @property
    def ids(self) -> NDArray[np.int32]:
        return self._core.ids()

    @property
    def work(self) -> TreeWork:
        spent = self._core.work()
        return TreeWork(spent.nodes, spent.tested, spent.decided, spent.placed)

    @property
    def nbytes(self) -> int:
        """Bytes that the points and the tree take."""
        return self._core.nbytes()

    @overload
    def report(
        self, normal: ArrayLike, offset: float, *, strict: bool = ..., return_values: Literal[False] = ...
    ) -> NDArray[np.int32]: ...
    @overload
    def report(
        self, normal: ArrayLike, offset: float, *, strict: bool = ..., return_values: Literal[True]
    ) -> tuple[NDArray[np.int32], NDArray]: ...
    def report(
        self, normal: ArrayLike, offset: float, *, strict: bool = True, return_values: bool = False
    ) -> Any:
        """Ids of the points with <normal, point> > offset, ascending.

        Parameters
        ----------
        normal : (d,)
        offset : float
        strict : bool
            False: also those with <normal, point> = offset, as the shared dot kernel computes it.
        return_values : bool
            True: the inner products too, as the shared dot kernel computes them.

        Returns
        -------
        ids : (k,) int32
        values : (k,), of the dtype of the reporter
            With `return_values` only.

        Raises
        ------
        DataError
            The normal is not one row of d finite numbers, or the offset is not one finite number.
        """
        found = self._core.report_one(
            as_floats(normal, "a normal", 1, self), as_offset(offset, self), strict, return_values
        )
        return not_finite(found, self) if type(found) is str else found

    @overload
    def report_batch(
        self,
        normals: ArrayLike,
        offsets: ArrayLike,
        *,
        strict: bool = ...,
        return_values: Literal[False] = ...,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]: ...
    @overload
    def report_batch(
        self, normals: ArrayLike, offsets: ArrayLike, *, strict: bool = ..., return_values: Literal[True]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray]: ...
    def report_batch(
        self, normals: ArrayLike, offsets: ArrayLike, *, strict: bool = True, return_values: bool = False
    ) -> Any:
        """The same for many half-spaces, shared out over all threads.

        Parameters
        ----------
        normals : (q, d)
        offsets : (q,), or one for all
        strict, return_values : as for `report`

        Returns
        -------
        begins : (q + 1,) int64
        ids : (begins[q],) int32
            The ids of half-space i are ids[begins[i] : begins[i + 1]], ascending.
        values : (begins[q],), of the dtype of the reporter
            With `return_values` only.

        Raises
        ------
        DataError
            The normals are not rows of d finite numbers, or an offset is not a finite number.
        ValueError
            The offsets are neither one number nor one per normal.
        """
        rows = as_floats(normals, "normals", 2, self)
        found = self._core.report(rows, as_offsets(offsets, len(rows), self), strict, return_values)
        return not_finite(found, self) if type(found) is str else found

    def count(self, normal: ArrayLike, offset: float, *, strict: bool = True) -> int:
        """How many points `report` would give; raises what it raises.

        Parts of the tree that lie inside are not listed.
        """
        found = self._core.count_one(as_floats(normal, "a normal", 1, self), as_offset(offset, self), strict)
        return not_finite(found, self) if type(found) is str else found

    def count_batch(
        self, normals: ArrayLike, offsets: ArrayLike, *, strict: bool = True
    ) -> NDArray[np.int64]:
        """How many points `report_batch` would give for each half-space, (q,); raises what it raises."""
        rows = as_floats(normals, "normals", 2, self)
        found = self._core.count(rows, as_offsets(offsets, len(rows), self), strict)
        return not_finite(found, self) if type(found) is str else found

    def points(self, ids: ArrayLike) -> NDArray:
        """The points with these ids, (len(ids), d); a copy.

        Raises
        ------
        ValueError
            The ids are not whole numbers in one dimension, or one is not held, or is there twice.
        """
        places = as_ids(ids)
        points = np.empty((len(places), self.n_features), self.dtype)
        require_held(self._core.copy(places, points))
        return points

    def insert(self, points: ArrayLike) -> NDArray[np.int32]:
        """Take in points (k, d); returns their ids, the smallest that no point has.

        The id of a deleted point is given to a later one.

        Raises
        ------
        DataError
            The points are not rows of d finite numbers, or there would be more than 2^31 - 64.
        """
        rows = own_rows(points, "points", self)
        ids = self._core.insert(rows, MOST_POINTS)
        if ids is None:
            raise DataError(
                f"a reporter holds at most {MOST_POINTS:,} points. Got {len(self) + len(rows):,}. "
                "Divide them among several."
            )
        return ids

    def delete(self, ids: ArrayLike) -> None:
        """Give up the points with these ids; raises what `points` raises."""
        require_held(self._core.remove(as_ids(ids)))

    def move(self, ids: ArrayLike, new_points: ArrayLike) -> None:
        """Put the points with these ids elsewhere, to `new_points` (len(ids), d).

        Raises
        ------
        DataError
            The points are not rows of d finite numbers.
        ValueError
            There are more or fewer of them than ids, or the ids are such that `points` raises it.
        """
        places, rows = as_ids(ids), own_rows(new_points, "new_points", self)
        if len(places) != len(rows):
            raise ValueError(
                f"each id must have one new point. Got {len(places)} ids and {len(rows)} points. "
                "Give as many of both."
            )
        require_held(self._core.move(places, rows))

    def save(self, path: str | Path) -> None:
        """Write points and ids to a safetensors file, atomically, with a checksum.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        ids, points = self._core.snapshot()
        write_points(path, ids, points.reshape(-1, self.n_features))

    @classmethod
    def load(cls, path: str | Path) -> "HalfspaceReporter":
        """Read points and ids back, bit for bit; the tree is built anew and gives the same answers.

        Raises
        ------
        ValueError
            The file is not one that `save` wrote.
        MemoryLimitError
            Its highest id asks for more memory than is available.
        OSError
            The file cannot be read.
        """
        ids, points = read_points(path)
        reporter = cls(points[:0], points.dtype)
        reporter._core.restore(ids, points)
        return reporter

    def check_invariants(self) -> None:
        """Raise AssertionError where the tree is not balanced or a box does not fit. Slow; for tests."""
        assert self._core.consistent(), "the tree or the list of free ids is not what it should be"

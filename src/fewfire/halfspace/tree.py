"""What the weight tree and the data tree share: a half-space tree of the compiled core, and its counters."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.view import core_class
from fewfire.core.work import Work

NOTHING_DONE = _core.TreeWork()  # the counters of a new tree


def tree_over(points: NDArray) -> Any:
    """A tree over points (n, d), with the ids 0 .. n - 1."""
    tree = core_class("HalfspaceTree", points.dtype)(points.shape[1])
    tree.insert(np.arange(len(points), dtype=np.int32), np.ascontiguousarray(points))
    return tree


def count(work: Work, tree: Any, before: _core.TreeWork) -> _core.TreeWork:
    """Write down what a tree has done since its counters stood at `before`; returns where they stand now."""
    now = tree.work
    work.nodes += now.nodes - before.nodes
    work.multiplied += now.tested - before.tested
    work.placed += now.placed - before.placed
    return now

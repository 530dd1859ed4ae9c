"""Correlation trees: max-trees over the inner products of every neuron with every sample.

The leaves of a tree are correlations <w_r, x_i>, kept as upper bounds; an inner node is the larger of its two
children. A search follows only the branches that lie above the threshold. When a neuron moves, its row of
correlations follows by the cheaper of two ways: through the Gram matrix of the samples, or anew.
docs/theory/correlation_trees.md derives bounds and costs.
"""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import BLOCK, aligned_empty, padded_zeros, stride_of
from fewfire.core.view import core_class
from fewfire.indexes.base import (
    Index,
    Progress,
    fitting,
    require_built,
    require_ids,
    require_within_limit,
    set_of,
)
from fewfire.networks.descent import Step
from fewfire.networks.layer import Layer

if TYPE_CHECKING:
    from fewfire._core import CorrelationWork

# Between norms like these, or with 0, no product of two samples and a step underflows or overflows unnoticed.
GRAM_NORMS = 1e-10, 1e10
GRAM_CHUNK = 1024  # rows of the Gram matrix written at one time


class CorrelationTrees(Index):
    """What both kinds of trees have in common; they differ in which way the trees run.

    Parameters
    ----------
    memory_limit : int, optional
        Bytes that the index may hold. The Gram matrix is kept where it fits and is no larger than the trees.

    Notes
    -----
    Build: m n d multiply-adds in dots, and n^2 d for the Gram matrix.
    A fire set costs one comparison a node: one for each root, and at most about 2 log2(leaves) for each leaf
    that is reported; then d multiply-adds for each of those.
    A step costs, for each neuron that moved, (k + 1) n multiply-adds through the Gram matrix where it fired
    on k samples, or n d where that is cheaper; then the nodes above its leaves.
    With momentum or weight decay every neuron moves in every step, and all is recomputed: m n d.

    References
    ----------
    J. Alman, J. Liang, Z. Song, R. Zhang, D. Zhuo, *Bypass Exponential Time Preprocessing: Fast Neural
    Network Training via Weight-Data Correlation Preprocessing*, NeurIPS 2023. The way through the Gram
    matrix is not theirs.
    """

    is_open: ClassVar[bool] = False
    by_sample: ClassVar[bool]

    def build(self, layer: Layer, inputs: ArrayLike | Inputs, progress: Progress | None = None) -> None:
        inputs = set_of(self, layer, inputs)
        self._layer = self._trees = None  # frees what was built before
        self._nodes = self._gram = self._bounds = np.empty((0, 0))
        n, dtype = len(inputs), layer.dtype
        row = stride_of(n, dtype)
        leaves = -(-layer.width // BLOCK) * BLOCK
        shape = (2 * leaves, row) if self.by_sample else (layer.width, 2 * row)
        trees = dtype.itemsize * shape[0] * shape[1]
        bounds = 2 * 8 * layer.width
        require_within_limit(self, trees + bounds, "drift")
        self._nodes = aligned_empty(shape, dtype)
        self._nodes[:] = -np.inf
        self._bounds = np.zeros((layer.width, 2))
        gram = dtype.itemsize * (n + 1) * row
        fits = self.memory_limit is None or trees + bounds + gram <= self.memory_limit
        kept = fits and gram <= trees and _can_be_added_up(inputs)
        self._gram = gram_of(inputs) if kept else aligned_empty((0, row), dtype)
        eps, double_eps = np.finfo(dtype).eps, np.finfo(np.float64).eps
        self._trees: Any = core_class("CorrelationTrees", dtype)(
            by_sample=self.by_sample,
            nodes=self._nodes,
            bounds=self._bounds,
            gram=self._gram,
            gram_error=float(eps) + (inputs.n_features + 8) * float(double_eps),
            largest_norm=float(inputs.norms.max()),
        )
        self._inputs, self._layer = inputs, layer
        self.work.multiplied += n * n * kept
        self._refresh()

    def fire_set(self, batch: ArrayLike | Inputs) -> FireSet:
        layer = require_built(self._layer, self)
        batch = fitting(layer, batch, new=True)
        ids = require_ids(self, batch, self._inputs)
        found, compared = _core.correlation_fire_set(
            self._trees, layer.core_view, batch.core_view, ids, layer.threshold
        )
        self.work.compared += compared
        return self._fire_set_of(found, len(batch))

    def moved(self, step: Step) -> None:
        layer = require_built(self._layer, self)
        if step.coasting:
            self._refresh()
            return
        self._count(_core.correlation_moved(
            self._trees, layer.core_view, self._inputs.core_view, step.core_view,
            require_ids(self, step.batch, self._inputs),
        ))  # fmt: skip

    def _refresh(self) -> None:
        """Recompute all correlations from the weights as they are now."""
        layer = require_built(self._layer, self)
        self._count(_core.correlation_refresh(self._trees, layer.core_view, self._inputs.core_view))

    def _count(self, spent: "CorrelationWork") -> None:
        self.work.multiplied += spent.recomputed
        self.work.gram_products += spent.gram_products
        self.work.maxima += spent.maxima

    @property
    def keeps_gram(self) -> bool:
        """Whether the Gram matrix of the samples is kept."""
        return len(self._gram) > 0

    @property
    def nbytes(self) -> int:
        if self._layer is None:
            return 0
        return self._nodes.nbytes + self._bounds.nbytes + self._gram.nbytes

    def correlations(self) -> NDArray:
        """The leaves: upper bounds on what the shared dot kernel gives for each pair, (m, n).

        Raises
        ------
        RuntimeError
            The index has not been built.
        """
        m, n = require_built(self._layer, self).width, len(self._inputs)
        if self.by_sample:
            return self._nodes[len(self._nodes) // 2 :][:m, :n]
        return self._nodes[:, self._nodes.shape[1] // 2 :][:, :n]

    def check_invariants(self) -> None:
        """The bounds hold in float64 for every pair, and every inner node is the larger of its children."""
        layer, inputs = require_built(self._layer, self), self._inputs
        nodes = self._nodes if self.by_sample else self._nodes.T
        children = nodes[2:].reshape(len(nodes) // 2 - 1, 2, -1)
        assert np.array_equal(nodes[1 : len(nodes) // 2], children.max(axis=1)), "a node is not the maximum"
        with np.errstate(over="ignore", invalid="ignore"):
            weights, samples = layer.present_weights().astype(np.float64), inputs.samples.astype(np.float64)
            exact, lengths = weights @ samples.T, np.linalg.norm(samples, axis=1)
            norm, spread = self._bounds.T
            assert not (np.linalg.norm(weights, axis=1) > norm * (1 + 1e-12)).any(), "a norm is too low"
            slack = 1e-12 * (1 + np.abs(exact))
            terms = inputs.rows.shape[1] + 8  # as rounding() in csrc/core/rows.h
            error = terms * float(np.finfo(layer.dtype).eps) * norm
            above = self.correlations().astype(np.float64) - exact
            assert not (above + slack < np.outer(error, lengths)).any(), "a correlation lies below its bound"
            too_high = np.isfinite(above) & (above - slack > np.outer(spread, lengths))
            assert not too_high.any(), "a correlation lies above its bound"


class CorrelationTreeBySample(CorrelationTrees):
    """One tree a sample, over the neurons: reports who fires on it (Correlation DTree)."""

    name: ClassVar[str] = "correlation_tree_by_sample"
    by_sample: ClassVar[bool] = True


class CorrelationTreeByNeuron(CorrelationTrees):
    """One tree a neuron, over the samples: reports what it fires on (Correlation WTree)."""

    name: ClassVar[str] = "correlation_tree_by_neuron"
    by_sample: ClassVar[bool] = False


def _can_be_added_up(inputs: Inputs) -> bool:
    least, most = GRAM_NORMS
    return bool(np.all((inputs.norms == 0) | ((inputs.norms >= least) & (inputs.norms <= most))))


def gram_of(inputs: Inputs) -> NDArray:
    """Padded rows <x_i, x_j>, rounded once from float64, and a last one of the norms: (n + 1, stride)."""
    n, samples = len(inputs), inputs.samples.astype(np.float64)
    gram = padded_zeros(n + 1, n, inputs.dtype)
    for first in range(0, n, GRAM_CHUNK):
        rows = slice(first, min(first + GRAM_CHUNK, n))
        gram[rows, :n] = samples[rows] @ samples.T
    gram[n, :n] = inputs.norms
    return gram

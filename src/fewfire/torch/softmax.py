"""A softmax over very many labels that works out only the large logits, and proves how little the rest is.

docs/theory/softmax.md derives the bound.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import BLOCK, padded, padded_zeros
from fewfire.indexes import ScreenedIndex
from fewfire.networks.layer import Layer
from fewfire.system.words import require_counts
from fewfire.torch.rows import RowsModule
from fewfire.torch.sparse import FiringState, products
from fewfire.torch.state import numpy_dtype, require_rows

DENSE = 0.2  # of the pairs: where more is needed, all logits by one product are faster
ROUNDED = 1e-5  # more than rounding may take from a sum of exponentials of float32, of itself
UNDERFLOW = 1.2e-38  # more than an exponential loses that is too small for float32


class ScreenedSoftmax(RowsModule["SoftmaxState"]):
    """The cross-entropy of softmax(W h + bias) over m labels, from the labels that matter.

    A label is left out where its logit is proven to be small: for each sample the sum of exponentials that
    are left out is at most `tolerance` times the sum of those that are kept. So the loss is at most
    ln(1 + tolerance) too small, and each probability at most 1 + tolerance times too large.

    Parameters
    ----------
    n_features, n_labels : int >= 1
        d and m. Weights and biases begin as those of nn.Linear.
    tolerance : float in (0, 1]
    seed : int
    dtype : torch.float32 or torch.float64

    Attributes
    ----------
    weight : Parameter (m, d)
        The rows of the core themselves, strided.
    bias : Parameter (m,)
    proven : (n,) float64 array
        For each sample of the last batch a bound on what was left out over what was kept; 0 where all labels
        were kept.
    looked_at : float
        Share of the (label, sample) pairs whose logits were worked out, on the last batch.

    Raises
    ------
    ValueError
        An argument is out of its range.

    Notes
    -----
    Each batch multiplies all pairs in bytes and sorts bounds on their logits, m n (d / 4 + log m) operations
    or so; d multiply-adds for each pair that is kept, forward, and twice as many backward. Where more than a
    fifth of the pairs must be kept, all are, by one dense product: a softmax that is nearly flat has no small
    part to leave out. The gradient of the weights is dense (m, d).

    Examples
    --------
    >>> layer = ScreenedSoftmax(n_features=8, n_labels=1000)
    >>> loss = layer(torch.ones(3, 8), torch.tensor([5, 0, 999]))
    >>> loss.backward()
    """

    bias: nn.Parameter

    def __init__(
        self,
        n_features: int,
        n_labels: int,
        *,
        tolerance: float = 0.01,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        require_counts(n_features=n_features, n_labels=n_labels)
        if not 0 < tolerance <= 1:
            raise ValueError(f"tolerance must be above 0, and 1 at most. Got {tolerance}. Use 0.01.")
        self.tolerance = tolerance
        self.proven, self.looked_at = np.zeros(0), 0.0
        rows = padded_zeros(n_labels, n_features + 1, numpy_dtype(dtype))
        rows[:, : n_features + 1] = np.random.default_rng(seed).uniform(-1, 1, (n_labels, n_features + 1))
        rows /= n_features**0.5
        self.bias = nn.Parameter(torch.from_numpy(rows[:, n_features].copy()))
        self.weight = nn.Parameter(self._held(rows, n_features))

    def _held(self, rows: NDArray, n_features: int) -> Tensor:
        """Take padded rows (m, stride) for the weights' memory; the column after them is for the biases."""
        self.state = SoftmaxState(Layer(rows, n_features + 1, 0.0, 1.0), "screened")
        return torch.from_numpy(rows[:, :n_features])

    def _hold(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        weight = tensors["weight"]
        rows = padded(nn.functional.pad(weight, (0, 1)).numpy(), numpy_dtype(weight.dtype))
        return {**tensors, "weight": self._held(rows, weight.shape[1])}

    def forward(self, h: Tensor, targets: Tensor) -> Tensor:
        """The mean cross-entropy of a batch.

        Parameters
        ----------
        h : (n, d) tensor
        targets : (n,) int tensor, or sparse CSR tensor (n, m)
            The label of each sample, or the share of each of its labels.

        Raises
        ------
        ValueError
            h or the targets have another shape or lie on another device, or a label is none of the m.
        """
        require_rows(h, self.weight.shape[1])
        h = h.to(self.weight.dtype)
        aims = Aims.of(targets, len(h), len(self.weight))
        kept = self._kept(h, aims)
        if kept is None:
            self.proven, self.looked_at = np.zeros(len(h)), 1.0
            logits = linear(h, self.weight, self.bias)
            normalizers, of_aims = logits.logsumexp(dim=1), logits[aims.samples, aims.labels]
        else:
            begins, labels, found = kept.by_sample()
            begins, labels, found = (torch.from_numpy(one) for one in (begins, labels, found))
            biases = self.bias[labels]
            logits = products(h, self.weight, begins, labels, found - biases.detach()) + biases
            samples = torch.repeat_interleave(torch.arange(len(h)), begins.diff())
            normalizers = _log_sums(logits, samples, len(h))
            places = torch.searchsorted(samples * len(self.weight) + labels, aims.keys(len(self.weight)))
            of_aims = logits[places]
        shares = torch.zeros(len(h), dtype=h.dtype).index_add_(0, aims.samples, aims.shares.to(h.dtype))
        return (shares @ normalizers - aims.shares.to(h.dtype) @ of_aims) / len(h)

    def logits(self, h: Tensor) -> Tensor:
        """All logits (n, m), densely."""
        return linear(h.to(self.weight.dtype), self.weight, self.bias)

    @torch.no_grad()
    def _kept(self, h: Tensor, aims: "Aims") -> FireSet | None:
        """The logits of the labels that are kept; None where these are nearly all."""
        self.state.write_shifts(self.bias.numpy())
        self.state.notice(self.weight._version)
        batch = self.state.batch(np.concatenate([h.numpy(), np.ones((len(h), 1), h.numpy().dtype)], 1), None)
        screen = Screen(self.state.bounds(batch))
        # First as if the bounds were the logits: the sum that is kept then is one that is kept at the least,
        # and says how much may be left out.
        share = self.tolerance / (1 + self.tolerance)
        large, _ = screen.keep(share * screen.sums[:, -1])
        large[aims.samples, aims.labels] = True
        fires = self._among(large, batch)
        if fires is None:
            return None
        least = screen.sums_of(fires)
        mask, left = screen.keep(self.tolerance * least)
        mask |= large
        fires = self._among(mask, batch)
        if fires is not None:
            self.proven = left / np.maximum(screen.sums_of(fires), least)
            self.looked_at = float(mask.mean())
        return fires

    def _among(self, mask: NDArray[np.bool_], batch: Inputs) -> FireSet | None:
        """The logits of these pairs; None where they are too many, or one is not finite."""
        if mask.mean() > DENSE:
            return None
        fires = self.state.among(mask, batch)
        return fires if len(fires) == np.count_nonzero(mask) else None

    def extra_repr(self) -> str:
        n_labels, n_features = self.weight.shape
        return f"n_features={n_features}, n_labels={n_labels}, tolerance={self.tolerance}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.tolerance, self.state_dict(), self._habits())


class SoftmaxState(FiringState):
    """The rows (w_r, bias_r) of the labels, and bounds on their logits."""

    def bounds(self, batch: Inputs) -> NDArray[np.float32]:
        """No logit (n, m) is larger; NaN or infinity where nothing is known."""
        self._open.inputs = batch  # for which the index chooses its columns where it is built anew
        self._open.freshen()
        index = self._open.index
        assert isinstance(index, ScreenedIndex)
        return np.ascontiguousarray(index.bounds(batch).T)

    def among(self, mask: NDArray[np.bool_], batch: Inputs) -> FireSet:
        """The logits of these pairs (n, m), without those that are not finite."""
        n, m = mask.shape
        whole = np.zeros((n, -(-m // BLOCK) * BLOCK), bool)
        whole[:, :m] = mask
        bits = np.packbits(whole, axis=1, bitorder="little").view(np.uint64)
        found = _core.proposed_fire_set(bits, self.layer.core_view, batch.core_view, -np.inf)
        self.fires = FireSet(found.begins, found.samples, found.values, n)
        return self.fires


class Screen:
    """Bounds on the logits of each sample, and which labels may be left out.

    Parameters
    ----------
    bounds : (n, m) float32

    Attributes
    ----------
    sums : (n, m) float64
        Of the smallest exponentials of bounds, one, two, .. of them, over that of the largest bound.
    """

    def __init__(self, bounds: NDArray[np.float32]) -> None:
        self._tops = bounds.max(axis=1, keepdims=True)
        with np.errstate(over="ignore", invalid="ignore"):
            self._sizes = np.exp(bounds - self._tops)
        self._sorted = np.sort(self._sizes, axis=1)
        self.sums = np.cumsum(self._sorted, axis=1, dtype=np.float64)

    def keep(self, budgets: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Leave out the smallest, whose sum is below the budget of each sample (n,).

        Returns
        -------
        mask : (n, m) bool
            Who is kept; all, where a bound is not known.
        left : (n,)
            An upper bound on the sum of exponentials of the others.
        """
        n, m = self.sums.shape
        proven = self.sums * (1 + ROUNDED) + m * UNDERFLOW
        counts = np.minimum((proven < budgets[:, None]).sum(axis=1), m - 1)
        least = self._sorted[np.arange(n), counts]
        left = np.where(counts > 0, proven[np.arange(n), counts - 1], 0.0)
        return ~(self._sizes < least[:, None]), left

    def sums_of(self, fires: FireSet) -> NDArray[np.float64]:
        """Sums of exponentials of logits over each sample (n,), in the unit of `sums`."""
        sizes = np.exp(fires.values.astype(np.float64) - self._tops[fires.samples, 0])
        sums: NDArray[np.float64] = np.bincount(fires.samples, sizes, len(self.sums))
        return sums * (1 - 1e-9)


class Aims:
    """The labels of a batch: pairs of samples and labels, with the share of each, in this order.

    Attributes
    ----------
    samples, labels : (n_aims,) int64
    shares : (n_aims,)
    """

    def __init__(self, samples: Tensor, labels: Tensor, shares: Tensor) -> None:
        self.samples, self.labels, self.shares = samples, labels, shares

    @classmethod
    def of(cls, targets: Tensor, n: int, n_labels: int) -> "Aims":
        if targets.layout == torch.sparse_csr and targets.shape == (n, n_labels):
            samples = torch.repeat_interleave(torch.arange(n), targets.crow_indices().diff().long())
            return cls(samples, targets.col_indices().long(), targets.values())
        if targets.layout == torch.sparse_csr or targets.shape != (n,) or targets.is_floating_point():
            raise ValueError(
                f"targets must be ({n},) whole numbers or a sparse CSR tensor ({n}, {n_labels}). Got "
                f"{tuple(targets.shape)} of {targets.dtype}. Give one label per sample, or to_sparse_csr()."
            )
        labels = targets.long()
        if not ((labels >= 0) & (labels < n_labels)).all():
            raise ValueError(
                f"labels must be from 0 to {n_labels - 1}. Got {int(labels.min())} .. {int(labels.max())}. "
                "Number them so."
            )
        return cls(torch.arange(n), labels, torch.ones(n))

    def keys(self, n_labels: int) -> Tensor:
        """A number for each pair, in the order of samples, then labels."""
        return self.samples * n_labels + self.labels


def _log_sums(logits: Tensor, samples: Tensor, n: int) -> Tensor:
    """The logarithm of the sum of exponentials of each sample."""
    tops = torch.full((n,), -torch.inf, dtype=logits.dtype)
    tops = tops.scatter_reduce(0, samples, logits.detach(), "amax")
    sizes = torch.exp(logits - tops[samples])
    return tops + torch.zeros(n, dtype=logits.dtype).index_add(0, samples, sizes).log()


def _restored(tolerance: float, values: Mapping[str, Tensor], habits: Mapping[str, Any]) -> ScreenedSoftmax:
    n_labels, n_features = values["weight"].shape
    layer = ScreenedSoftmax(n_features, n_labels, tolerance=tolerance, dtype=values["weight"].dtype)
    layer.load_state_dict(values)
    return layer._with(habits)

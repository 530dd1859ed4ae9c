"""A softmax over very many labels that works out only the large logits, and proves how little the rest is.

docs/theory/softmax.md derives the bound.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import bits_of, padded
from fewfire.indexes import ScreenedIndex
from fewfire.networks.layer import Layer
from fewfire.system.words import require_counts
from fewfire.torch.sparse import products
from fewfire.torch.state import numpy_dtype, require_rows

DENSE = 0.2  # of the pairs: where more is needed, all logits by one product are faster
AT_A_TIME = 32  # samples, whose bounds stay in the cache
DROPPED = 19  # bits of a float32: the others say how large it is, in steps of a sixteenth
ONE = 0x3F800000 >> DROPPED  # what is left of 1, the largest size
ROUNDED = 1e-5  # more than rounding may take from a sum of exponentials of float32, of itself
UNDERFLOW = 1.2e-38  # more than an exponential loses that is too small for float32


class ScreenedSoftmax(nn.Linear):
    """The cross-entropy of softmax(W h + bias) over m labels, from the labels that matter.

    A label is left out where its logit is proven to be small: for each sample the sum of exponentials that
    are left out is at most `tolerance` times the sum of those that are kept. So the loss is at most
    ln(1 + tolerance) too small, and each probability at most 1 + tolerance times too large.

    Parameters
    ----------
    n_features, n_labels : int >= 1
        d and m.
    tolerance : float in (0, 1]
    dtype : torch.float32 or torch.float64

    Attributes
    ----------
    weight : Parameter (m, d)
    bias : Parameter (m,)
        Both begin as those of nn.Linear.
    proven : (n,) float64 array
        For each sample of the last batch a bound on what was left out over what was kept; 0 where all labels
        were kept.
    looked_at : float
        Share of the (label, sample) pairs whose logits were worked out, on the last batch.
    kept : FireSet or None
        These pairs with their logits; None where they are all pairs.

    Raises
    ------
    ValueError
        An argument is out of its range.

    Notes
    -----
    The weights are rounded to bytes for each batch, so that no write to them is missed; all pairs are
    multiplied in bytes, and an exponential of each bound is taken; d multiply-adds for each pair that is
    kept, forward, and twice as many backward. Where more than a fifth of the pairs must be kept, all are, by
    one dense product: a softmax that is nearly flat has no small part to leave out. The gradient of the
    weights is dense (m, d). With AVX2 bounds are coarser than elsewhere: which labels are kept, and the last
    digits of the loss, depend on the processor.

    Examples
    --------
    >>> layer = ScreenedSoftmax(n_features=8, n_labels=1000)
    >>> loss = layer(torch.ones(3, 8), torch.tensor([5, 0, 999]))
    >>> loss.backward()
    """

    def __init__(
        self, n_features: int, n_labels: int, *, tolerance: float = 0.01, dtype: torch.dtype = torch.float32
    ) -> None:
        require_counts(n_features=n_features, n_labels=n_labels)
        numpy_dtype(dtype)  # which it must have
        if not 0 < tolerance <= 1:
            raise ValueError(f"tolerance must be above 0, and 1 at most. Got {tolerance}. Use 0.01.")
        super().__init__(n_features, n_labels, dtype=dtype)
        self.tolerance = tolerance
        self.proven, self.looked_at = np.zeros(0), 0.0
        self.kept: FireSet | None = None

    def forward(self, h: Tensor, targets: Tensor) -> Tensor:  # type: ignore[override]
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
        require_rows(h, self.in_features)
        h = h.to(self.weight.dtype)
        aims = Aims.of(targets, len(h), self.out_features)
        self.kept = self._kept(h, aims)
        if self.kept is None:
            self.proven, self.looked_at = np.zeros(len(h)), 1.0
            logits = self.logits(h)
            normalizers, of_aims = logits.logsumexp(dim=1), logits[aims.samples, aims.labels]
        else:
            begins, labels, found = (torch.from_numpy(one) for one in self.kept.by_sample())
            biases = self.bias[labels]
            logits = products(h, self.weight, begins, labels, found - biases.detach()) + biases
            samples = torch.repeat_interleave(torch.arange(len(h)), begins.diff())
            normalizers = _log_sums(logits, samples, len(h))
            places = samples * self.out_features + labels
            of_aims = logits[torch.searchsorted(places, aims.samples * self.out_features + aims.labels)]
        shares = aims.shares.to(h.dtype)
        sums = torch.zeros(len(h), dtype=h.dtype).index_add_(0, aims.samples, shares)
        return (sums @ normalizers - shares @ of_aims) / len(h)

    def logits(self, h: Tensor) -> Tensor:
        """All logits (n, m), densely."""
        return linear(h, self.weight, self.bias)

    @torch.no_grad()
    def _kept(self, h: Tensor, aims: "Aims") -> FireSet | None:
        """The logits of the labels that are kept; None where these are nearly all."""
        layer, batch = self._asked(h)
        index, share = ScreenedIndex(), self.tolerance / (1 + self.tolerance)
        index.build(layer, batch)
        few = Screen(index, batch.batch(np.arange(min(AT_A_TIME, len(h)))))
        if few.keep(share * few.sums)[0].mean() > DENSE:
            return None
        screen = Screen(index, batch)
        # First as if the bounds were the logits: the sum that is kept then is one that is kept at the least,
        # and says how much may be left out.
        large, _ = screen.keep(share * screen.sums)
        large[aims.samples, aims.labels] = True
        pairs = _among(large, layer, batch)
        if pairs is None:
            return None
        least = screen.sums_of(pairs)
        mask, left = screen.keep(self.tolerance * least)
        mask |= large
        pairs = _among(mask, layer, batch)
        if pairs is not None:
            with np.errstate(invalid="ignore"):  # of samples of which nothing is known
                shares = left / np.maximum(screen.sums_of(pairs), least)
            self.proven = np.where(mask.all(axis=1), 0.0, shares)
            self.looked_at = float(mask.mean())
        return pairs

    def _asked(self, h: Tensor) -> tuple[Layer, Inputs]:
        """The rows (w_r, bias_r), and (h, 1)."""
        rows, one = torch.cat([self.weight, self.bias[:, None]], dim=1).numpy(), h.new_ones(len(h), 1)
        batch = Inputs.of(torch.cat([h, one], dim=1).numpy(), rows.dtype)
        return Layer(padded(rows, rows.dtype), rows.shape[1], 0.0, 1.0), batch

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, tolerance={self.tolerance}"


def logits_among(mask: NDArray[np.bool_], layer: Layer, batch: Inputs) -> FireSet:
    """The logits of these pairs (n, m), without those that are not finite."""
    found = _core.proposed_fire_set(bits_of(mask), layer.core_view, batch.core_view, -np.inf)
    return FireSet(found.begins, found.samples, found.values, len(mask))


def _among(mask: NDArray[np.bool_], layer: Layer, batch: Inputs) -> FireSet | None:
    """The same; None where the pairs are too many, or a logit is not finite."""
    count = np.count_nonzero(mask)
    if count > DENSE * mask.size:
        return None
    pairs = logits_among(mask, layer, batch)
    return pairs if len(pairs) == count else None


class Screen:
    """Bounds on the logits of each sample, and which labels may be left out.

    Attributes
    ----------
    sums : (n,) float64
        Sums of exponentials of the bounds, each over that of the sample's largest one.
    """

    def __init__(self, index: ScreenedIndex, batch: Inputs) -> None:
        n = len(batch)
        self._tops, by_size, parts = np.empty(n, np.float32), np.empty((n, ONE + 2)), []
        for first in range(0, n, AT_A_TIME):
            some = slice(first, min(first + AT_A_TIME, n))
            bounds = index.bounds(batch.batch(np.arange(n)[some])).T
            self._tops[some] = bounds.max(axis=1)
            with np.errstate(over="ignore", invalid="ignore"):
                sizes = np.exp(np.subtract(bounds, self._tops[some, None], order="C"))
            for i, row in enumerate(sizes, start=first):
                # What is not known has a place of its own behind 1.
                places = np.minimum(row.view(np.uint32) >> DROPPED, ONE + 1)
                by_size[i] = np.bincount(places, row, ONE + 2)
            parts.append(sizes)
        self._sizes, up_to = np.concatenate(parts), np.cumsum(by_size, axis=1)
        self.sums = up_to[:, -1]
        self._proven = up_to[:, :ONE] * (1 + ROUNDED) + self._sizes.shape[1] * UNDERFLOW

    def keep(self, budgets: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Leave out the smallest, whose sum is below the budget of each sample (n,).

        Returns
        -------
        mask : (n, m) bool
            Who is kept; all, where a bound is not known.
        left : (n,)
            An upper bound on the sum of exponentials of the others.
        """
        count = np.count_nonzero(self._proven < budgets[:, None], axis=1)  # sizes that are left out whole
        least = (count << DROPPED).astype(np.uint32).view(np.float32)
        last = np.take_along_axis(self._proven, np.maximum(count - 1, 0)[:, None], axis=1)[:, 0]
        return ~(self._sizes < least[:, None]), np.where(count > 0, last, 0.0)

    def sums_of(self, pairs: FireSet) -> NDArray[np.float64]:
        """Sums of exponentials of logits over each sample (n,), in the unit of `sums`."""
        sizes = np.exp(pairs.values.astype(np.float64) - self._tops[pairs.samples])
        return np.bincount(pairs.samples, sizes, len(self.sums)).astype(np.float64) * (1 - 1e-9)


class Aims:
    """The labels of a batch.

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


def _log_sums(logits: Tensor, samples: Tensor, n: int) -> Tensor:
    """The logarithm of the sum of exponentials of each sample."""
    tops = torch.full((n,), -torch.inf, dtype=logits.dtype)
    tops = tops.scatter_reduce(0, samples, logits.detach(), "amax")
    sizes = torch.exp(logits - tops[samples])
    return tops + torch.zeros(n, dtype=logits.dtype).index_add(0, samples, sizes).log()

"""A linear layer whose activations are few: a torch.nn.Module that returns what fires, and nothing else."""

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fewfire.core.rows import padded, padded_zeros
from fewfire.networks.layer import Layer
from fewfire.system.words import require_counts, require_one_of
from fewfire.torch.rows import RowsModule
from fewfire.torch.sparse import FiringState, above, products
from fewfire.torch.state import numpy_dtype, require_rows

ACTIVATIONS = ("jump", "shifted")


class FiringLayer(RowsModule[FiringState]):
    """z = <w_r, x> + bias_r, and a = z (or z - theta_r) where z > theta_r: sparse activations (n, m).

    The encoder of a sparse autoencoder: no array (n, m) ever exists.

    Parameters
    ----------
    n_features, width : int >= 1
        d and m. Rows begin as N(0, I / d).
    threshold : float
        theta of all neurons at first; a trained one may be of either sign.
    activation : "jump" or "shifted"
        What a neuron that fires gives: z (JumpReLU), or z - theta (a shifted ReLU).
    top : int >= 1, optional
        With it only the so many neurons with the largest z - theta > 0 fire for each input (TopK); of equal
        ones the first.
    bandwidth : float > 0, optional
        With it the thresholds train: their gradient comes from the pairs with |z - theta| < bandwidth / 2, of
        which those that do not fire are stored too, as zeros, while gradients are wanted.
    index : str
        An open exact index, or "auto".
    seed : int
    dtype : torch.float32 or torch.float64

    Attributes
    ----------
    weight : Parameter (m, d)
        The rows of the core themselves, strided.
    bias, theta : Parameter (m,)

    Raises
    ------
    ValueError
        An argument is out of its range.

    Notes
    -----
    Which neurons fire is decided exactly, by <(w_r, bias_r - theta_r), (x, 1)> > 0 in the dtype of the layer.
    The index mirrors weights, biases and thresholds; see `SparseHidden` for what it notices. Gradients cost d
    multiply-adds per pair; that of the weights is dense (m, d).

    Sources: Rajamanoharan et al., arXiv 2407.14435 (JumpReLU with trained thresholds); Gao et al.,
    arXiv 2406.04093 (TopK).

    Examples
    --------
    >>> layer = FiringLayer(n_features=16, width=500, threshold=2.0)
    >>> activations = layer(torch.ones(3, 16))
    >>> activations.shape, activations.layout
    (torch.Size([3, 500]), torch.sparse_csr)
    """

    bias: nn.Parameter
    theta: nn.Parameter

    def __init__(
        self,
        n_features: int,
        width: int,
        *,
        threshold: float = 0.0,
        activation: str = "jump",
        top: int | None = None,
        bandwidth: float | None = None,
        index: str = "auto",
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        require_counts(width=width, n_features=n_features)
        require_one_of(activation, ACTIVATIONS, "activation")
        if not isfinite(threshold):
            raise ValueError(f"threshold must be a number. Got {threshold}. Use 0 for a plain ReLU.")
        if bandwidth is not None and not 0 < bandwidth < inf:
            raise ValueError(
                f"bandwidth must be > 0 and finite. Got {bandwidth}. Leave it out for fixed thresholds."
            )
        if top is not None:
            require_counts(top=top)
            if bandwidth is not None:
                raise ValueError(
                    f"thresholds must be fixed where the largest fire. Got top={top} and "
                    f"bandwidth={bandwidth}. Leave out either."
                )
        rows = padded_zeros(width, n_features + 1, numpy_dtype(dtype))
        weights = rows[:, :n_features]
        weights[:] = np.random.default_rng(seed).standard_normal(weights.shape, dtype=rows.dtype.type)
        weights /= n_features**0.5
        self.activation, self.top, self.bandwidth, self._index = activation, top, bandwidth, index
        self.bias = nn.Parameter(torch.zeros(width, dtype=dtype))
        self.theta = nn.Parameter(torch.full((width,), float(threshold), dtype=dtype), bandwidth is not None)
        self.weight = nn.Parameter(self._held(rows, n_features))

    def _held(self, rows: NDArray, n_features: int) -> Tensor:
        """Take padded rows (m, stride) for the weights' memory; the column after them is for the shifts."""
        self.state = FiringState(Layer(rows, n_features + 1, 0.0, 1.0), self._index, self.top or 0)
        return torch.from_numpy(rows[:, :n_features])

    def _hold(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        weight = tensors["weight"]
        rows = padded(nn.functional.pad(weight, (0, 1)).numpy(), numpy_dtype(weight.dtype))
        return {**tensors, "weight": self._held(rows, weight.shape[1])}

    def forward(self, x: Tensor) -> Tensor:
        """Activations (n, m) of inputs (n, d) as a sparse CSR tensor, through whose values gradients flow.

        Raises
        ------
        ValueError
            x has another shape or lies on another device, or weights or thresholds are not finite.
        """
        return self.encode(x)[0]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and how many neurons fire per input on average, whose gradient moves the thresholds."""
        begins, neurons, activations, fires = self.pairs(x)
        size = (len(x), len(self.weight))
        sparse = torch.sparse_csr_tensor(begins, neurons, activations, size, check_invariants=False)
        return sparse, fires.sum() / len(x)

    def pairs(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same in plain tensors, for torch.compile.

        Returns
        -------
        begins : (n + 1,)
            The pairs of sample i are those at begins[i] .. begins[i + 1] - 1.
        neurons : (n_pairs,)
            Ascending for each sample.
        activations : (n_pairs,)
        fires : (n_pairs,)
            1 where the neuron fires, 0 where it is only in reach of its threshold.
        """
        require_rows(x, self.weight.shape[1])
        x = x.to(self.weight.dtype)
        reach = self.bandwidth / 2 if self.bandwidth and torch.is_grad_enabled() else 0.0
        shifts = (self.bias - self.theta).detach() + reach
        begins, neurons, known = above(
            x.detach(), self.weight.detach(), shifts, self.state.number, self.top or 0
        )
        # <w, x>, with the value that the kernel found but for the shift.
        z = products(x, self.weight, begins, neurons, known - shifts[neurons]) + self.bias[neurons]
        theta, fires = self.theta[neurons], known > reach
        steps = fires.to(z.dtype)
        if reach:  # pairs in reach lie below the threshold by as much as near ones do above it
            steps = _Step.apply(theta, steps, known < 2 * reach, 2 * reach)
        if self.activation == "shifted":
            return begins, neurons, torch.where(fires, z - theta, 0), steps
        by_steps = theta.detach() * (steps - steps.detach())  # 0, with the gradient of a jump of theta
        return begins, neurons, torch.where(fires, z, 0) + by_steps, steps

    def extra_repr(self) -> str:
        width, n_features = self.weight.shape
        top = f", top={self.top}" if self.top else ""
        return f"n_features={n_features}, width={width}, activation={self.activation!r}{top}"

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {"activation": self.activation, "top": self.top, "bandwidth": self.bandwidth,
                    "index": self._index}  # fmt: skip
        return _restored, (settings, self.state_dict(), self._habits())


class _Step(torch.autograd.Function):
    """1 where a pair fires: as if its mean over z within the bandwidth were what the threshold moves."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, steps: Tensor, near: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(near)
        ctx.bandwidth = bandwidth
        return steps.clone()

    @staticmethod
    def backward(ctx: Any, pulls: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        (near,) = ctx.saved_tensors
        return torch.where(near, -pulls / ctx.bandwidth, 0), None, None, None


def _restored(
    settings: Mapping[str, Any], values: Mapping[str, Tensor], habits: Mapping[str, Any]
) -> FiringLayer:
    width, n_features = values["weight"].shape
    layer = FiringLayer(n_features, width, **settings, dtype=values["weight"].dtype)
    layer.load_state_dict(values)
    return layer._with(habits)

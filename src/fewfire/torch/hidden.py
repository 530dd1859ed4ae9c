"""A wide hidden layer with its outputs as a torch.nn.Module, which computes only with what fires."""

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.work import Work
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.torch.functional import hidden
from fewfire.torch.state import HiddenState, numpy_dtype, require_here, require_rows


class SparseHidden(nn.Module):
    """f(x) = m^(-1/2) sum_r a_r max(<w_r, x> - b, 0), computed over the pairs that fire.

    What nn.Linear, a shifted ReLU and nn.Linear compute, to rounding; exactly what `TwoLayerNetwork` does.

    Parameters
    ----------
    n_features, width, n_outputs : int >= 1
        d, m and c.
    threshold : float >= 0, "paper" or "auto"
    fire_rate : float in (0, 0.5], optional
        In place of a threshold.
    init : "gaussian" or "structured"
        These three as `TwoLayerNetwork.initialize` takes them.
    index : str
        An open exact index for inputs that nobody has seen; "auto" for the one that suits batches of 256.
    seed : int
    dtype : torch.float32 or torch.float64

    Attributes
    ----------
    weight : Parameter (m, d)
        The rows of the core themselves: strided, with padding between them that no view shows.
    output_weight : Parameter (m, c)
    threshold : float
    fires : FireSet or None
        Who fired on the last batch.

    Raises
    ------
    ValueError
        A size or a name is out of its range.

    Notes
    -----
    The index mirrors the weights. It notices writes that torch counts: optimizers, operators in place,
    load_state_dict. After others (through `weight.data` or NumPy) call `weights_changed`. With an optimizer
    of torch.optim a step forms dense gradients (m, d) and the index is built anew; with `fewfire.torch.SGD`
    neither is needed.

    One backward pass; gradients of gradients are refused. Inputs of lower precision are taken as `dtype`.

    Examples
    --------
    >>> layer = SparseHidden(n_features=20, width=1000, n_outputs=3, fire_rate=0.02)
    >>> layer(torch.ones(5, 20)).sum().backward()
    >>> layer.weight.grad.shape
    torch.Size([1000, 20])
    """

    weight: nn.Parameter
    output_weight: nn.Parameter

    def __init__(
        self,
        n_features: int,
        width: int,
        n_outputs: int,
        *,
        threshold: float | str = "paper",
        fire_rate: float | None = None,
        init: str = "gaussian",
        index: str = "auto",
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        network = TwoLayerNetwork.initialize(
            width, n_features, n_outputs, threshold=threshold, fire_rate=fire_rate, init=init, seed=seed,
            dtype=numpy_dtype(dtype),
        )  # fmt: skip
        self._adopt(network, index)

    @classmethod
    def from_network(cls, network: TwoLayerNetwork, *, index: str = "auto") -> "SparseHidden":
        """A module with a copy of a network's weights, bit for bit."""
        module = cls.__new__(cls)
        nn.Module.__init__(module)
        module._adopt(network.copy(), index)
        return module

    def to_network(self) -> TwoLayerNetwork:
        """A network with a copy of the weights, bit for bit."""
        self.settle()
        return self.state.network.copy()

    def _adopt(self, network: TwoLayerNetwork, index: str) -> None:
        """Take a network's rows for the parameters."""
        self._index, self.state = index, HiddenState(network, index)
        self.weight = nn.Parameter(torch.from_numpy(network.weights))
        self.output_weight = nn.Parameter(torch.from_numpy(network.output_weights))
        self._tick = torch.zeros((), dtype=self.weight.dtype)

    @property
    def threshold(self) -> float:
        return self.state.network.threshold

    @property
    def fires(self) -> FireSet | None:
        return self.state.fires

    @property
    def work(self) -> Work:
        """Of the index that steps keep up to date."""
        return self.state.index.work

    def forward(self, x: Tensor, sample_ids: Tensor | None = None) -> Tensor:
        """Outputs (n, c) for inputs (n, d).

        Parameters
        ----------
        x : (n, d) tensor
        sample_ids : (n,) int tensor, optional
            The places of these rows among the samples that the module is bound to.

        Raises
        ------
        ValueError
            x has another shape or lies on another device; or the rows are not the bound samples.
        RuntimeError
            There are ids, and the module is bound to no samples.
        """
        require_rows(x, self.weight.shape[1])
        if not torch.is_autocast_enabled("cpu"):
            x = x.to(self.weight.dtype)
        own = (self.weight, self.output_weight)
        weight, output_weight = (part.detach() for part in own) if self.state.fused else own
        network = self.state.network
        return hidden(
            x, weight, output_weight, self._tick, sample_ids, network.threshold, network.scale,
            self.state.number,
        )[0]  # fmt: skip

    def bind(self, samples: ArrayLike | Tensor | Inputs) -> None:
        """Find what fires on these samples, given their ids, through the drift index.

        Its table takes a byte per neuron and sample, and is kept up to date by `fewfire.torch.SGD`; any other
        write has it built anew.
        """
        rows = samples.detach().numpy() if isinstance(samples, Tensor) else samples
        self.state.bind(Inputs.of_any(rows, self.state.network.dtype))

    def weights_changed(self) -> None:
        """Say that the weights were written to behind torch's back."""
        self.state.weights_changed()

    def settle(self) -> None:
        """Write all rows as they are now, where `fewfire.torch.SGD` lets them coast."""
        self.state.settle()

    def extra_repr(self) -> str:
        network = self.state.network
        return (
            f"n_features={network.n_features}, width={network.width}, n_outputs={network.n_outputs}, "
            f"threshold={network.threshold:.4g}"
        )

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        self.settle()
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def get_extra_state(self) -> dict[str, float]:
        return {"threshold": self.state.network.threshold, "scale": self.state.network.scale}

    def set_extra_state(self, state: dict[str, float]) -> None:
        layer = self.state.network.layer
        layer.threshold, layer.scale = state["threshold"], state["scale"]
        self.weights_changed()

    def _apply(self, fn: Callable, recurse: bool = True) -> "SparseHidden":
        """Another precision takes rows of its own; another device there is none."""
        self.settle()
        weight, output_weight = fn(self.weight.data), fn(self.output_weight.data)
        require_here(weight)
        old = self.state.network
        network = TwoLayerNetwork(
            weight.numpy(), output_weight.numpy(), old.threshold, numpy_dtype(weight.dtype), scale=old.scale
        )
        own = self.weight, self.output_weight
        gradients = [None if part.grad is None else fn(part.grad) for part in own]
        self.state = HiddenState(network, self._index)
        for part, rows, gradient in zip(
            own, (network.weights, network.output_weights), gradients, strict=True
        ):
            part.grad = None
            part.data = torch.from_numpy(rows)
            part.grad = gradient
        self._tick = torch.zeros((), dtype=weight.dtype)
        return self

    def __deepcopy__(self, memo: dict) -> "SparseHidden":
        return SparseHidden.from_network(self.to_network(), index=self._index)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.to_network(), self._index, self.training)


def _unpickled(network: TwoLayerNetwork, index: str, training: bool) -> SparseHidden:
    return SparseHidden.from_network(network, index=index).train(training)

"""A wide hidden layer with its outputs as a torch.nn.Module, which computes only with what fires."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from fewfire.core.inputs import Inputs
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.torch.functional import hidden
from fewfire.torch.rows import RowsModule
from fewfire.torch.state import HiddenState, numpy_dtype, require_rows


class SparseHidden(RowsModule[HiddenState]):
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
        self._take(network, index)

    @classmethod
    def from_network(cls, network: TwoLayerNetwork, *, index: str = "auto") -> "SparseHidden":
        """A module with a copy of a network's weights, bit for bit."""
        return cls._around(network.copy(), index)

    @classmethod
    def _around(cls, network: TwoLayerNetwork, index: str) -> "SparseHidden":
        """A module of this very network."""
        module = cls.__new__(cls)
        nn.Module.__init__(module)
        module._take(network, index)
        return module

    def to_network(self) -> TwoLayerNetwork:
        """A network with a copy of the weights, bit for bit."""
        self.settle()
        network = self.state.network
        if self.state.holds_both(self.weight, self.output_weight):
            return network.copy()
        weight, output_weight = self.weight.detach().numpy(), self.output_weight.detach().numpy()
        return TwoLayerNetwork(weight, output_weight, network.threshold, weight.dtype, scale=network.scale)

    def _take(self, network: TwoLayerNetwork, index: str) -> None:
        self._index = index
        for name, rows in self._held(network).items():
            setattr(self, name, nn.Parameter(rows))

    def _held(self, network: TwoLayerNetwork) -> dict[str, Tensor]:
        """Take a network's rows for the parameters' memory."""
        self.state = HiddenState(network, self._index)
        parts = {"weight": network.weights, "output_weight": network.output_weights}
        held = {name: torch.from_numpy(rows) for name, rows in parts.items()}
        self._tick = torch.zeros((), dtype=held["weight"].dtype)
        return held

    def _hold(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        old = self.state.network
        if self.state.fused:
            raise RuntimeError(
                "a module that fewfire.torch.SGD trains must keep its memory. Got a conversion. Convert it "
                "first, and make the optimizer then."
            )
        weight, output_weight = (tensors[name].numpy() for name in ("weight", "output_weight"))
        return self._held(
            TwoLayerNetwork(weight, output_weight, old.threshold, weight.dtype, scale=old.scale)
        )

    @property
    def threshold(self) -> float:
        return self.state.network.threshold

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
            x has another shape or lies on another device; the rows are not the bound samples; or weights are
            not finite.
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

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.to_network(), self._index, self._habits())


def _restored(network: TwoLayerNetwork, index: str, habits: Mapping[str, Any]) -> SparseHidden:
    return SparseHidden._around(network, index)._with(habits)

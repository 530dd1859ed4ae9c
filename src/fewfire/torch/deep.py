"""A network of several wide hidden layers as a torch.nn.Module, which computes only with what fires."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from fewfire.core.inputs import Inputs
from fewfire.core.sparse_inputs import SparseInputs
from fewfire.indexes.later_layers import LaterLayers
from fewfire.networks.deep import DeepNetwork
from fewfire.networks.layer_descent import output_pulls
from fewfire.torch.functional import of_output_weights
from fewfire.torch.rows import RowsModule
from fewfire.torch.state import State, is_memory_of, numpy_dtype, require_rows


class SparseDeep(RowsModule[State]):
    """The outputs of a `DeepNetwork`, bit for bit, with gradients by its inputs and all its weights.

    Parameters
    ----------
    n_features : int >= 1
    widths : sequence of int >= 1
        Neurons of each hidden layer.
    n_outputs : int >= 1
    threshold, fire_rate, init
        As `DeepNetwork.initialize` takes them.
    index : str
        An open exact index for the first layer, or "auto".
    seed : int
    dtype : torch.float32 or torch.float64

    Attributes
    ----------
    weight, weight_2, ... : Parameter (m_l, d_l)
        Of each layer: the rows of the core themselves, strided.
    output_weight : Parameter (m_L, c)
    fires : FireSet or None
        Who fired in the first layer on the last batch.

    Raises
    ------
    ValueError
        A size or a name is out of its range.

    Notes
    -----
    Gradients by weights are dense, for the optimizers of torch.optim; `fewfire.Trainer` takes steps that
    write only what fired. Once differentiable. `torch.compile` leaves the module as it is, and other weights
    than its own (torch.func.functional_call) are refused. See `SparseHidden` for what the index notices.

    Examples
    --------
    >>> module = SparseDeep(n_features=20, widths=[1000, 500], n_outputs=3, fire_rate=0.05)
    >>> module(torch.ones(5, 20)).sum().backward()
    >>> module.weight_2.grad.shape
    torch.Size([500, 1000])
    """

    def __init__(
        self,
        n_features: int,
        widths: Sequence[int],
        n_outputs: int,
        *,
        threshold: float | str | Sequence[float] = "paper",
        fire_rate: float | Sequence[float] | None = None,
        init: str = "gaussian",
        index: str = "auto",
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        network = DeepNetwork.initialize(
            widths, n_features, n_outputs, threshold=threshold, fire_rate=fire_rate, init=init, seed=seed,
            dtype=numpy_dtype(dtype),
        )  # fmt: skip
        self._take(network, index)

    @classmethod
    def from_network(cls, network: DeepNetwork, *, index: str = "auto") -> "SparseDeep":
        """A module with a copy of a network's weights, bit for bit."""
        module = cls.__new__(cls)
        nn.Module.__init__(module)
        module._take(network.copy(), index)
        return module

    def to_network(self) -> DeepNetwork:
        """A network with a copy of the weights, bit for bit."""
        return self.network.copy()

    def _take(self, network: DeepNetwork, index: str) -> None:
        self._index = index
        for name, rows in self._held(network).items():
            setattr(self, name, nn.Parameter(rows))

    def _held(self, network: DeepNetwork) -> dict[str, Tensor]:
        """Take a network's rows for the parameters' memory."""
        self.network, self.later = network, LaterLayers(network)
        others = [*(layer.weight_rows for layer in network.layers[1:]), network.output_rows]
        self.state = State(network.layer, self._index, others)
        names = ["weight", *(f"weight_{number}" for number in range(2, network.depth + 1))]
        held = {name: layer.weights for name, layer in zip(names, network.layers, strict=True)}
        return {name: torch.from_numpy(rows) for name, rows in
                {**held, "output_weight": network.output_weights}.items()}  # fmt: skip

    def _hold(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        old, (*weights, output_weight) = self.network, [part.numpy() for part in tensors.values()]
        return self._held(
            DeepNetwork(
                weights, output_weight, old.thresholds, weights[0].dtype, constants=old.constants,
                lengths=old.lengths,
            )
        )  # fmt: skip

    @torch.compiler.disable
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Outputs (n, c) for inputs (n, d).

        Raises
        ------
        ValueError
            x has another shape or lies on another device, or weights of the first layer are not finite.
        RuntimeError
            The weights are not the module's own.
        """
        require_rows(x, self.network.n_features)
        return _Outputs.apply(self, x.to(self.weight.dtype), *self.parameters())  # type: ignore[return-value]

    def extra_repr(self) -> str:
        return repr(self.network).removeprefix("DeepNetwork(").removesuffix(")")

    def get_extra_state(self) -> dict[str, Any]:
        network = self.network
        return {"thresholds": network.thresholds, "constants": network.constants, "lengths": network.lengths}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        network = self.network
        for layer, threshold in zip(network.layers, state["thresholds"], strict=True):
            layer.threshold = threshold
        network.constants, network.lengths = state["constants"], state["lengths"]
        self.weights_changed()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.network, self._index, self._habits())


class _Outputs(torch.autograd.Function):
    """Outputs (n, c) through what fires in each layer, and back through the same pairs."""

    @staticmethod
    def forward(ctx: Any, module: SparseDeep, x: Tensor, *weights: Tensor) -> Tensor:
        network, state = module.network, module.state
        rows = (*(layer.weight_rows for layer in network.layers), network.output_rows)
        if not all(map(is_memory_of, weights, rows)):
            raise RuntimeError(
                "weights must lie where the module put them. Got others, of which it knows nothing. Write "
                "into them with copy_() or load_state_dict()."
            )
        state.notice(weights[0]._version)
        batch = replace(Inputs.of(x.numpy(), network.dtype), ids=None)
        ctx.module, ctx.firing = module, module.later.firing(state.ask(batch))
        ctx.save_for_backward(x, *weights)
        return torch.from_numpy(np.ascontiguousarray(network.outputs(ctx.firing.fires[-1])))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, residuals: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, first, *_ = ctx.saved_tensors  # raises where a weight was written to since
        network, later, firing = ctx.module.network, ctx.module.later, ctx.firing
        pulls = output_pulls(network.top, firing.fires[-1], residuals.numpy())
        pulls, descents = later.descents(firing, pulls, learning_rate=1.0)
        by_neuron = firing.fires[0].matrix(pulls)
        gradients = (
            torch.from_numpy(by_neuron.T @ first.numpy()),
            torch.from_numpy(by_neuron @ x.numpy()),
            *(_of_weights(step.fires.matrix(step.pulls), step.inputs) for step in descents),
            of_output_weights(network.top, firing.fires[-1], residuals.numpy()),
        )
        needed = ctx.needs_input_grad[1:]
        return None, *(part if wanted else None for part, wanted in zip(gradients, needed, strict=True))


def _of_weights(pulls: csr_array, inputs: SparseInputs) -> Tensor:
    """The derivative by the weights (m, d) of a layer whose inputs are sparse."""
    by_sample = csr_array((inputs.values, inputs.ids, inputs.begins), (len(inputs), inputs.n_features))
    return torch.from_numpy(csr_array(pulls @ by_sample).toarray())


def _restored(network: DeepNetwork, index: str, habits: Mapping[str, Any]) -> SparseDeep:
    return SparseDeep.from_network(network, index=index)._with(habits)

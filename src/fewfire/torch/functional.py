"""The operators of PyTorch: a hidden layer with its outputs, over what fires, and its gradients."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded
from fewfire.indexes import ExhaustiveIndex
from fewfire.networks.gradients import input_gradients, weight_gradients
from fewfire.networks.layer import Layer
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.torch.state import HiddenState, Pull, require_finite, state_of


@torch.library.custom_op("fewfire::hidden", mutates_args=(), device_types="cpu")
def hidden(
    x: Tensor,
    weight: Tensor,
    output_weight: Tensor,
    tick: Tensor,
    ids: Tensor | None,
    threshold: float,
    scale: float,
    number: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Outputs (n, c), and the fire set as begins, samples and values.

    The state with this number finds what fires, where the weights are its rows. Otherwise (after
    functional_call, or in a process that loaded an exported graph) an exhaustive search does, with the same
    bits. `tick` has no value; its gradient keeps a backward pass alive whose pull a state keeps.
    """
    samples = x.numpy()
    state = _state(number, weight, output_weight)
    if state is None:
        network, index = _network(weight, output_weight, threshold, scale), ExhaustiveIndex()
        require_finite(network.layer)
        index.build(network.layer)
        fires = index.fire_set(Inputs.of(samples, network.dtype))
    else:
        network = state.network
        state.notice(weight._version)
        fires = state.ask(state.batch(samples, _array(ids)))
    outputs = np.ascontiguousarray(network.outputs(fires))
    return (
        torch.from_numpy(outputs),
        torch.from_numpy(fires.begins),
        torch.from_numpy(fires.samples),
        torch.from_numpy(fires.values),
    )


@torch.library.custom_op("fewfire::hidden_backward", mutates_args=(), device_types="cpu")
def hidden_backward(
    pulls: Tensor,
    x: Tensor,
    weight: Tensor,
    output_weight: Tensor,
    ids: Tensor | None,
    begins: Tensor,
    samples: Tensor,
    values: Tensor,
    threshold: float,
    scale: float,
    number: int,
    needed: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients by x, the weights, the output weights and the tick; empty where they are not needed.

    The gradient of a weight row is a sum over the samples on which it fires, in the order of a training step.
    """
    fires = FireSet(begins.numpy(), samples.numpy(), values.numpy(), len(x))
    residuals = pulls.numpy()
    state = _state(number, weight, output_weight)
    network = _network(weight, output_weight, threshold, scale) if state is None else state.network
    of_x, of_weight, of_output_weight, of_tick = needed
    if of_tick and state is not None:
        state.keep(Pull(state.batch(x.numpy(), _array(ids)), fires, residuals))
    return (
        _of_inputs(network, fires, residuals) if of_x else x.new_empty(0),
        _of_weights(network, x.numpy(), fires, residuals, state) if of_weight else x.new_empty(0),
        of_output_weights(network, fires, residuals) if of_output_weight else x.new_empty(0),
        x.new_zeros(()),
    )


def _of_inputs(network: TwoLayerNetwork, fires: FireSet, residuals: NDArray) -> Tensor:
    """The derivative by the inputs (n, d)."""
    return torch.from_numpy(np.ascontiguousarray(input_gradients(network, fires, residuals)))


def _of_weights(
    network: TwoLayerNetwork, x: NDArray, fires: FireSet, residuals: NDArray, state: HiddenState | None
) -> Tensor:
    """The derivative by the weights (m, d), in memory of NumPy's, which takes large pages."""
    out = None if state is None else state.room_for_slope()
    return torch.from_numpy(weight_gradients(network, Inputs.of(x, network.dtype), fires, residuals, out))


def of_output_weights(network: TwoLayerNetwork, fires: FireSet, residuals: NDArray) -> Tensor:
    """The derivative by the output weights (m, c)."""
    activations = network.dtype.type(network.scale) * (fires.values - network.dtype.type(network.threshold))
    return torch.from_numpy(fires.matrix(activations) @ residuals)


def _state(number: int, weight: Tensor, output_weight: Tensor) -> HiddenState | None:
    state = state_of(number, weight)
    return state if isinstance(state, HiddenState) and state.holds_both(weight, output_weight) else None


def _network(weight: Tensor, output_weight: Tensor, threshold: float, scale: float) -> TwoLayerNetwork:
    """A network of copies of these weights."""
    rows, dtype = weight.numpy(), weight.numpy().dtype
    layer = Layer(padded(rows, dtype), rows.shape[1], threshold, scale)
    outputs = output_weight.numpy()
    return TwoLayerNetwork.of_rows(layer, padded(outputs, dtype), outputs.shape[1])


def _array(ids: Tensor | None) -> NDArray[np.int64] | None:
    return None if ids is None else ids.numpy().astype(np.int64, copy=False)


@hidden.register_fake
def _(x: Tensor, weight: Tensor, output_weight: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    pairs = torch.library.get_ctx().new_dynamic_size()
    return (
        x.new_empty(x.shape[0], output_weight.shape[1]),
        x.new_empty(weight.shape[0] + 1, dtype=torch.int64),
        x.new_empty(pairs, dtype=torch.int32),
        x.new_empty(pairs),
    )


@hidden_backward.register_fake
def _(
    pulls: Tensor, x: Tensor, weight: Tensor, output_weight: Tensor, *others: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    of_x, of_weight, of_output_weight, _ = others[-1]
    wanted = (x, of_x), (weight, of_weight), (output_weight, of_output_weight)
    gradients = [of.new_empty(of.shape if needed else (0,)) for of, needed in wanted]
    return gradients[0], gradients[1], gradients[2], x.new_empty(())


def _keep(ctx: Any, inputs: tuple, output: tuple) -> None:
    x, weight, output_weight, _, ids, *ctx.numbers = inputs
    _, begins, samples, values = output
    ctx.mark_non_differentiable(begins, samples, values)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, weight, output_weight, ids, begins, samples, values)


def _backward(ctx: Any, pulls: Tensor | None, *_: None) -> tuple:
    if pulls is None:
        return (None,) * 8
    needed = list(ctx.needs_input_grad[:4])
    found = hidden_backward(pulls, *ctx.saved_tensors, *ctx.numbers, needed)
    return *(part if wanted else None for part, wanted in zip(found, needed, strict=True)), *(None,) * 4


def no_second(ctx: Any, *_: Any) -> tuple:
    """The derivative of a gradient, which no operator has."""
    raise RuntimeError(
        "fewfire's operators can be differentiated once. Got a derivative of their gradient. Leave out "
        "create_graph=True, and penalties on gradients."
    )


hidden.register_autograd(_backward, setup_context=_keep)
hidden_backward.register_autograd(no_second, setup_context=lambda ctx, inputs, output: None)
torch.library.register_autocast("fewfire::hidden", "cpu", torch.float32)


@hidden.register_vmap
def _(info: Any, in_dims: tuple, x: Tensor, *others: Any) -> tuple:
    """Batches of batches are one batch."""
    if in_dims[0] is None or any(dim is not None for dim in in_dims[1:]):
        raise NotImplementedError(
            "vmap over a firing layer must be over its inputs alone. Got weights or ids with a dimension to "
            "map over. Loop over the networks."
        )
    x = x.movedim(in_dims[0], 0)
    outputs, *fires = hidden(x.reshape(-1, x.shape[-1]), *others)
    return (outputs.reshape(*x.shape[:-1], -1), *fires), (0, None, None, None)

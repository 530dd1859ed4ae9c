"""The operators of a firing layer: which pairs lie above a threshold, and the gradients of their values."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded
from fewfire.indexes import ExhaustiveIndex, Index, Largest, OpenIndex
from fewfire.networks.layer import Layer
from fewfire.torch.state import State, require_finite, state_of


class FiringState(State):
    """A layer of rows (w_r, shift_r), of which the weights are a parameter.

    Where `top` is not 0, only the so many largest pre-activations > 0 of each sample fire.
    """

    def __init__(self, layer: Layer, index: str, top: int) -> None:
        super().__init__(layer, index)
        self._asked = _asked(self.index, top)

    def ask(self, batch: Inputs) -> FireSet:
        self._fresh(batch)
        self.fires = self._asked.fire_set(batch)
        return self.fires

    def write_shifts(self, shifts: NDArray) -> None:
        """Put these into the last column; the indexes are stale where one is another."""
        column = self.layer.weights[:, -1]
        if not np.array_equal(column, shifts):
            column[:] = shifts
            self.weights_changed()


@torch.library.custom_op("fewfire::above", mutates_args=(), device_types="cpu")
def above(x: Tensor, weight: Tensor, shifts: Tensor, number: int, top: int) -> tuple[Tensor, Tensor, Tensor]:
    """All pairs with <w_r, x_i> + shift_r > 0 in CSR form by sample: begins, neurons and that sum.

    Where `top` is not 0, only the pairs of the so many largest sums of each sample. The sum is one of the
    shared dot kernel, over the rows (w_r, shift_r) and (x_i, 1).
    """
    samples = np.concatenate([x.numpy(), np.ones((len(x), 1), x.numpy().dtype)], axis=1)
    state = state_of(number, weight)
    if isinstance(state, FiringState):
        state.write_shifts(shifts.numpy())
        state.notice(weight._version)
        fires = state.ask(state.batch(samples, None))
    else:
        index = ExhaustiveIndex()
        rows = torch.cat([weight, shifts[:, None]], dim=1).numpy()
        layer = Layer(padded(rows, rows.dtype), rows.shape[1], 0.0, 1.0)
        require_finite(layer)
        index.build(layer)
        fires = _asked(index, top).fire_set(Inputs.of(samples, rows.dtype))
    begins, neurons, values = fires.by_sample()
    return torch.from_numpy(begins), torch.from_numpy(neurons).long(), torch.from_numpy(values)


def _asked(index: Index, top: int) -> Index | Largest:
    """What is asked for the largest pairs, or for all."""
    return Largest(index, top) if top and isinstance(index, OpenIndex) else index


@torch.library.custom_op("fewfire::products", mutates_args=(), device_types="cpu")
def products(x: Tensor, weight: Tensor, begins: Tensor, neurons: Tensor, known: Tensor) -> Tensor:
    """<w_r, x_i> of some pairs up to a number that does not depend on either: what is known already."""
    return known.clone()


@torch.library.custom_op("fewfire::products_backward", mutates_args=(), device_types="cpu")
def products_backward(
    pulls: Tensor, x: Tensor, weight: Tensor, begins: Tensor, neurons: Tensor, needed: list[bool]
) -> tuple[Tensor, Tensor]:
    """Gradients by x and by the weights, empty where they are not needed: d multiply-adds per pair each."""
    shape = len(x), len(weight)
    of_pairs = csr_array((pulls.numpy(), neurons.numpy(), begins.numpy()), shape=shape)
    of_x, of_weight = needed
    return (
        torch.from_numpy(of_pairs @ weight.numpy()) if of_x else x.new_empty(0),
        torch.from_numpy(of_pairs.T.tocsr() @ x.numpy()) if of_weight else x.new_empty(0),
    )


@above.register_fake
def _(x: Tensor, weight: Tensor, shifts: Tensor, number: int, top: int) -> tuple[Tensor, Tensor, Tensor]:
    pairs = torch.library.get_ctx().new_dynamic_size()
    return (
        x.new_empty(x.shape[0] + 1, dtype=torch.int64),
        x.new_empty(pairs, dtype=torch.int64),
        x.new_empty(pairs),
    )


@products.register_fake
def _(x: Tensor, weight: Tensor, begins: Tensor, neurons: Tensor, known: Tensor) -> Tensor:
    return torch.empty_like(known)


@products_backward.register_fake
def _(
    pulls: Tensor, x: Tensor, weight: Tensor, begins: Tensor, neurons: Tensor, needed: list[bool]
) -> tuple[Tensor, Tensor]:
    of_x, of_weight = needed
    return x.new_empty(x.shape if of_x else (0,)), weight.new_empty(weight.shape if of_weight else (0,))


def _keep(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:4])


def _backward(ctx: Any, pulls: Tensor) -> tuple:
    needed = list(ctx.needs_input_grad[:2])
    found = products_backward(pulls, *ctx.saved_tensors, needed)
    return *(part if wanted else None for part, wanted in zip(found, needed, strict=True)), None, None, None


products.register_autograd(_backward, setup_context=_keep)

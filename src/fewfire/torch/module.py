"""A trained network as a torch.nn.Module, which the attacks of other libraries take as it is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fewfire.adversarial.surface import Seen, Surface
from fewfire.indexes import index_for_batches
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.scaling import InputScaling


class _Outputs(torch.autograd.Function):
    """Outputs (n, c) at points (n, p), found through who fires; backward by the gradient by the inputs."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, surface: Surface) -> Tensor:
        ctx.surface, ctx.seen = surface, surface.at(points.detach().numpy())
        return torch.from_numpy(np.ascontiguousarray(ctx.seen.outputs)).to(points.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, pulls: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        seen: Seen = ctx.seen
        return torch.from_numpy(ctx.surface.gradients(seen, pulls.numpy())).to(pulls.dtype), None


class WideModule(nn.Module):
    """See `as_module`.

    Attributes
    ----------
    surface : Surface
        The network as an attack sees it.
    unit : float
    mean : Parameter (c,)
        Added to the outputs; fixed, as all of it is.
    """

    def __init__(self, surface: Surface, unit: float, mean: Tensor) -> None:
        super().__init__()
        self.surface, self.unit = surface, unit
        self.mean = nn.Parameter(mean, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, c) for inputs (n, ...), whose last dimensions are put in a row."""
        outputs = _Outputs.apply(self.unit * x.reshape(len(x), -1), self.surface)
        return outputs + self.mean


def as_module(
    network: TwoLayerNetwork,
    scaling: InputScaling | None,
    *,
    input_shape: Sequence[int],
    unit: float = 1.0,
    mean: np.ndarray | None = None,
    index: str = "auto",
) -> WideModule:
    """A trained network as a module on the CPU: outputs as `predict` gives them, and gradients by the inputs.

    What is added to the outputs is added in the dtype of the network.

    Parameters
    ----------
    network : TwoLayerNetwork
        Not to be trained on: an index of its weights is kept.
    scaling : InputScaling, optional
        The way from the user's units to the network.
    input_shape : sequence of int
        Of one sample, such as (1, 28, 28) for pictures; its product is the number of columns.
    unit : float
        What 1 in an input is in the user's units: 255 where attacks see pixels as 0 .. 1 and the network was
        trained on bytes.
    mean : (c,) array, optional
        Added to the outputs.
    index : str
        An open exact index; "auto" for the one that suits new inputs.

    Returns
    -------
    WideModule
        Once differentiable: gradient penalties are not. It has one parameter, which does not train.

    Raises
    ------
    ValueError
        The shape has another size than the network's inputs, or the index answers for its training samples
        alone.

    Examples
    --------
    >>> network = TwoLayerNetwork.initialize(256, n_features=4, n_outputs=3)
    >>> as_module(network, None, input_shape=(1, 2, 2))(torch.ones(5, 1, 2, 2)).shape
    torch.Size([5, 3])
    """
    columns = network.n_features if scaling is None else len(scaling.mean)
    if int(np.prod(input_shape)) != columns:
        raise ValueError(
            f"input_shape must be of {columns} numbers, as the network's inputs are. Got "
            f"{tuple(input_shape)}. Give the shape of one sample."
        )
    surface = Surface(network, scaling, index_for_batches(index, network.n_features))
    surface.index.build(network.layer, surface.inputs_at(np.ones((1, columns), network.dtype)))
    offset = np.zeros(network.n_outputs) if mean is None else mean
    return WideModule(surface, unit, torch.from_numpy(np.asarray(offset, network.dtype)))

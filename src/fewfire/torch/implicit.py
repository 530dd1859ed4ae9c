"""An implicit layer as a torch.nn.Module: its solution, and gradients by the adjoint iteration."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fewfire import certify
from fewfire.certify.averaged import AveragedIteration
from fewfire.certify.implicit import require_margin
from fewfire.certify.intervals import affine_bounds, metzler_part, rounding
from fewfire.system.words import require_counts
from fewfire.torch.functional import no_second
from fewfire.torch.state import numpy_dtype, require_rows


@torch.library.custom_op("fewfire::implicit", mutates_args=(), device_types="cpu")
def implicit(weight: Tensor, drive: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Solutions x = relu(A x + v) for the drives v (N, n), and how far off each (N,) may be."""
    states, errors, _ = AveragedIteration(weight.numpy()).solve(drive.numpy(), tolerance)
    return torch.from_numpy(states), torch.from_numpy(errors)


@torch.library.custom_op("fewfire::implicit_backward", mutates_args=(), device_types="cpu")
def implicit_backward(
    pulls: Tensor, weight: Tensor, drive: Tensor, states: Tensor, tolerance: float
) -> Tensor:
    """The gradient by the drives."""
    active = (torch.addmm(drive, states, weight.T) > 0).numpy()
    found = AveragedIteration(weight.numpy()).adjoint(pulls.numpy(), active, tolerance)
    return torch.from_numpy(found)


@implicit.register_fake
def _(weight: Tensor, drive: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    return torch.empty_like(drive), drive.new_empty(drive.shape[0])


@implicit_backward.register_fake
def _(pulls: Tensor, weight: Tensor, drive: Tensor, states: Tensor, tolerance: float) -> Tensor:
    return torch.empty_like(pulls)


def _keep(ctx: Any, inputs: tuple, output: tuple) -> None:
    weight, drive, ctx.tolerance = inputs
    states, errors = output
    ctx.mark_non_differentiable(errors)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(weight, drive, states)


def _backward(ctx: Any, pulls: Tensor | None, _: None) -> tuple:
    if pulls is None:
        return None, None, None
    weight, drive, states = ctx.saved_tensors
    found = implicit_backward(pulls.contiguous(), weight, drive, states, ctx.tolerance)
    return found.T @ states if ctx.needs_input_grad[0] else None, found, None


implicit.register_autograd(_backward, setup_context=_keep)
implicit_backward.register_autograd(no_second, setup_context=lambda ctx, inputs, output: None)
torch.library.register_autocast("fewfire::implicit", "cpu", torch.float32)


class ImplicitLayer(nn.Module):
    """y = C x + c, where x = relu(A x + B u + b): a layer whose states depend on each other.

    A = T - diag(|T| 1) + margin I, so there is one solution x whatever training makes of T, and an iteration
    that cannot diverge finds it.

    Parameters
    ----------
    n_features, width, n_outputs : int >= 1
        Sizes of u, x and y.
    margin : float < 1
        The larger, the more one state may move another, and the more steps a solution takes.
    tolerance : float in (0, 1)
        The iteration ends once its moves are so small beside the first one; that of gradients, too.
    seed : int
    dtype : torch.float32 or torch.float64

    Attributes
    ----------
    free : Parameter (n, n)
        T.
    into : nn.Linear
        B and b.
    head : nn.Linear
        C and c.

    Raises
    ------
    ValueError
        An argument is out of its range.

    Notes
    -----
    A step of the iteration costs n^2 multiply-adds per input, and ln(tolerance) / ln(factor) of them are
    enough; backward as many. `fewfire.torch.certified_loss` trains it to be certified. See
    docs/theory/implicit.md, and docs/howto/implicit.md for when a wide layer does better.

    Examples
    --------
    >>> layer = ImplicitLayer(n_features=4, width=10, n_outputs=3)
    >>> layer(torch.ones(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        n_features: int,
        width: int,
        n_outputs: int,
        *,
        margin: float = 0.0,
        tolerance: float = 1e-5,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        require_counts(n_features=n_features, width=width, n_outputs=n_outputs)
        require_margin(margin)
        numpy_dtype(dtype)  # which it must have
        if not 0 < tolerance < 1:
            raise ValueError(f"tolerance must be between 0 and 1. Got {tolerance}. Use 1e-5.")
        self.margin, self.tolerance = margin, tolerance
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.into = nn.Linear(n_features, width, dtype=dtype)
            self.head = nn.Linear(width, n_outputs, dtype=dtype)
            self.free = nn.Parameter(torch.randn(width, width, dtype=dtype) / width)

    @property
    def weight(self) -> Tensor:
        """A, whose measure is the margin at the most."""
        return self.free + torch.diag(self.margin - self.free.abs().sum(dim=1))

    def forward(self, u: Tensor) -> Tensor:
        """Outputs (N, c) for inputs (N, d).

        Raises
        ------
        ValueError
            u has another shape or lies on another device.
        """
        return self.head(self.states(u))

    def states(self, u: Tensor) -> Tensor:
        """x (N, n)."""
        require_rows(u, self.into.in_features)
        return implicit(self.weight, self.into(u.to(self.free.dtype)), self.tolerance)[0]

    def state_bounds(self, centre: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
        """The same for boxes of inputs, each given and returned as a centre and how far it reaches.

        They hold every exact solution, whatever rounding did to them.
        """
        rounded = rounding(self.into.in_features, torch.finfo(centre.dtype).eps)
        drive, far = affine_bounds(self.into.weight, self.into.bias, centre, reach, rounded)
        weight = self.weight
        m = metzler_part(weight, torch.eye(len(weight), dtype=weight.dtype))
        k = weight - m
        embedded = torch.cat([torch.cat([m, k], dim=1), torch.cat([k, m], dim=1)])
        ends, errors = implicit(embedded, torch.cat([drive - far, drive + far], dim=1), self.tolerance)
        low, high = ends.chunk(2, dim=1)
        return (low + high) / 2, (high - low) / 2 + errors[:, None]

    def to_numpy(self) -> certify.ImplicitLayer:
        """The same layer in float64 for `fewfire.certify`."""
        t, b, bias, c, c_bias = (
            part.detach().numpy().astype(np.float64)
            for part in (self.free, self.into.weight, self.into.bias, self.head.weight, self.head.bias)
        )
        return certify.ImplicitLayer.of_parameters(t, b, c, margin=self.margin, bias=bias, output_bias=c_bias)

    def extra_repr(self) -> str:
        return f"margin={self.margin}, tolerance={self.tolerance}"

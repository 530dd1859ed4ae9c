"""Training for certificates: bounds of a module over boxes of inputs, and the loss of the worst logits.

docs/theory/implicit.md derives them.
"""

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fewfire.adversarial import Box
from fewfire.certify.intervals import affine_bounds, margins_over, rounding
from fewfire.torch.implicit import ImplicitLayer

Bounds = tuple[Tensor, Tensor]  # centre and reach
LAYERS = nn.Linear, nn.ReLU, ImplicitLayer


def certified_loss(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    radius: float | Tensor,
    share: float,
    box: Box | None = None,
) -> Tensor:
    """(1 - share) l(outputs) + share l(worst logits), where l is the mean cross-entropy.

    Parameters
    ----------
    module : ImplicitLayer, or nn.Sequential of nn.Linear, nn.ReLU and ImplicitLayer
        It ends in outputs, and not in a ReLU.
    inputs : (n, d) tensor
    targets : (n,) tensor of labels
    radius : float or (d,) tensor, >= 0
        How far each column may be off.
    share : float from 0 to 1
    box : Box, optional
        What inputs can be at all.

    Raises
    ------
    ValueError
        A number is out of its range, or the module is none whose bounds are known.

    Examples
    --------
    >>> module = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 3))
    >>> inputs, targets = torch.rand(8, 4), torch.arange(8) % 3
    >>> certified_loss(module, inputs, targets, radius=0.1, share=0.5, box=Box(0, 1)).backward()
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1. Got {share}. Use 0.5, and less at first.")
    plain = cross_entropy(module(inputs), targets)
    if share == 0:
        return plain
    return (1 - share) * plain + share * cross_entropy(
        worst_logits(module, inputs, targets, radius, box), targets
    )


def ramp(progress: float, begin: float = 0.25, end: float = 0.75) -> float:
    """How much of the radius and of the share there is at a point of training: from 0 to 1, in between
    along a line.

    Parameters
    ----------
    progress : float
        The part of training that is done.

    Examples
    --------
    >>> [ramp(progress) for progress in (0.1, 0.5, 0.9)]
    [0.0, 0.5, 1.0]
    """
    return min(1.0, max(0.0, (progress - begin) / (end - begin)))


def worst_logits(
    module: nn.Module, inputs: Tensor, targets: Tensor, radius: float | Tensor, box: Box | None = None
) -> Tensor:
    """Upper bounds (n, c) on f_j - f_target over all inputs within the radius; 0 for the target.

    Parameters are those of `certified_loss`.
    """
    *body, head = _parts(module)
    assert isinstance(head, nn.Linear)
    _require_labels(targets, len(inputs), head.out_features)
    order = targets.argsort()
    centre, reach = _through(body, *_input_bounds(inputs[order], radius, box))
    labels, counts = targets[order].unique_consecutive(return_counts=True)
    sizes = counts.tolist()
    rounded = rounding(head.in_features, torch.finfo(centre.dtype).eps)
    leads = [
        margins_over(label, head.weight, _bias(head), middle, far, rounded)
        for label, middle, far in zip(labels.tolist(), centre.split(sizes), reach.split(sizes), strict=True)
    ]
    return -torch.cat(leads)[order.argsort()].scatter(1, targets[:, None], 0.0)


@torch.no_grad()
def is_certified(
    module: nn.Module, inputs: Tensor, targets: Tensor, radius: float | Tensor, box: Box | None = None
) -> Tensor:
    """Whether (n,) each target is proven to be the label for all inputs within the radius.

    Of layers that are no implicit ones it is the label that the module computes, with all its rounding; of
    an `ImplicitLayer` that of the exact solution.

    Parameters are those of `certified_loss`.
    """
    worst = worst_logits(module, inputs, targets, radius, box)
    return worst.scatter(1, targets[:, None], -torch.inf).amax(dim=1) < 0


def output_bounds(
    module: nn.Module, inputs: Tensor, radius: float | Tensor, box: Box | None = None
) -> Bounds:
    """The least and the largest that each output (n, c) may be over all inputs within the radius.

    Parameters are those of `certified_loss`.
    """
    centre, reach = _through(_parts(module), *_input_bounds(inputs, radius, box))
    return centre - reach, centre + reach


def _parts(module: nn.Module) -> list[nn.Module]:
    """The layers of a module, the last of which is linear; an ImplicitLayer stands for its states."""
    parts: list[nn.Module] = []
    for part in module if isinstance(module, nn.Sequential) else [module]:
        parts += [part, part.head] if isinstance(part, ImplicitLayer) else [part]
    known = all(_computes(part, *LAYERS) for part in parts)
    known = known and _computes(module, nn.Sequential, *LAYERS)
    if not (known and parts and isinstance(parts[-1], nn.Linear)):
        raise ValueError(
            "a module must be an ImplicitLayer, or an nn.Sequential of nn.Linear, nn.ReLU and ImplicitLayer "
            "that does not end in a ReLU, without hooks and without a forward() of its own. Got "
            f"{module}. Take other steps before the module, and give it their outputs."
        )
    return parts


def _computes(part: nn.Module, *kinds: type[nn.Module]) -> bool:
    """Whether a module computes what one of these does: a subclass or a hook may compute anything."""
    forward = getattr(part.forward, "__func__", None)
    plain = not (part._forward_hooks or part._forward_pre_hooks)
    return plain and any(forward is kind.forward for kind in kinds)


def _input_bounds(inputs: Tensor, radius: float | Tensor, box: Box | None) -> Bounds:
    """The inputs within the radius and the box."""
    if torch.is_autocast_enabled("cpu"):
        raise ValueError(
            "bounds must be taken in the precision of the module. Got autocast. Leave it first: with "
            "torch.autocast('cpu', enabled=False)."
        )
    _require_columns("radius", radius, inputs)
    if not (torch.as_tensor(radius) >= 0).all():
        raise ValueError(f"radius must be >= 0. Got {radius}. Use 0.05 for pixels from 0 to 1.")
    low, high = inputs - radius, inputs + radius
    if box is not None:
        _require_columns("ends of the box", box.low, inputs)
        _require_columns("ends of the box", box.high, inputs)
        least, most = (torch.as_tensor(end, dtype=inputs.dtype) for end in (box.low, box.high))
        if not ((inputs >= least) & (inputs <= most)).all():
            raise ValueError(
                f"inputs must lie in the box. Got {box.low} .. {box.high}, and values from {inputs.min():g} "
                f"to {inputs.max():g}. Give the range of the data, in the units that the module takes."
            )
        low, high = torch.maximum(low, least), torch.minimum(high, most)
        if box.movable is not None:
            fixed = ~torch.as_tensor(box.movable, dtype=torch.bool)
            low, high = torch.where(fixed, inputs, low), torch.where(fixed, inputs, high)
    centre = (low + high) / 2
    return centre, torch.maximum(high - centre, centre - low)


def _require_columns(name: str, values: ArrayLike | Tensor, inputs: Tensor) -> None:
    """Raise ValueError unless there is one number, or one per column."""
    shape = tuple(torch.as_tensor(values).shape)
    if shape not in ((), tuple(inputs.shape[1:])):
        raise ValueError(
            f"the {name} must be a number or one per column, ({inputs.shape[1]},). Got shape {shape}. "
            "Call this for samples with other radii one by one."
        )


def _through(parts: list[nn.Module], centre: Tensor, reach: Tensor) -> Bounds:
    """Interval bounds, layer by layer."""
    for part in parts:
        if isinstance(part, nn.Linear):
            rounded = rounding(part.in_features, torch.finfo(centre.dtype).eps)
            centre, reach = affine_bounds(part.weight, _bias(part), centre, reach, rounded)
        elif isinstance(part, ImplicitLayer):
            centre, reach = part.state_bounds(centre, reach)
        else:
            low, high = torch.relu(centre - reach), torch.relu(centre + reach)
            centre, reach = (low + high) / 2, (high - low) / 2
    return centre, reach


def _bias(layer: nn.Linear) -> Tensor:
    return layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias


def _require_labels(targets: Tensor, n: int, n_labels: int) -> None:
    fits = targets.shape == (n,) and not targets.is_floating_point()
    if not (fits and ((targets >= 0) & (targets < n_labels)).all()):
        raise ValueError(
            f"targets must be {n} whole numbers from 0 to {n_labels - 1}. Got {tuple(targets.shape)} of "
            f"{targets.dtype}. Number the labels so, one per input."
        )

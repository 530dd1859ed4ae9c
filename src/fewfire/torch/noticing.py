"""What torch's optimizers do to weights, noticed by hooks around their steps.

Fused ones write to weights and raise no version; and they take a strided tensor for one without gaps.
"""

from typing import Any

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from fewfire.torch.sgd import SGD
from fewfire.torch.state import living_states


def notice_steps() -> None:
    """Be told of the steps of all optimizers, from now on."""
    register_optimizer_step_pre_hook(_before)
    register_optimizer_step_post_hook(_after)


def _before(optimizer: Optimizer, *_: Any) -> None:
    """A fused step would write across the padding of strided rows."""
    for group in optimizer.param_groups:
        for weight in group["params"] if group.get("fused") else ():
            if not weight.is_contiguous() and any(state.holds_some(weight) for state in living_states()):
                raise ValueError(
                    "a fused optimizer of torch.optim must be given weights without gaps. Got those of a "
                    f"module of fewfire, rows of {weight.shape[1]} that are padded to {weight.stride(0)}. "
                    "Leave out fused=True; torch.compile(optimizer.step) is as fast."
                )


def _after(optimizer: Optimizer, *_: Any) -> None:
    """Indexes of the rows that moved are stale. Our own optimizer has told them."""
    for group in () if isinstance(optimizer, SGD) else optimizer.param_groups:
        for weight in group["params"]:
            if weight.grad is not None:
                for state in living_states():
                    if state.holds(weight):
                        state.weights_changed()

"""Gradient descent for firing layers: steps over what fired, without gradients of the weights."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.autograd.graph import increment_version

from fewfire.core.rows import padded_zeros
from fewfire.networks.descent import Descent
from fewfire.networks.momentum import Momentum
from fewfire.torch.hidden import SparseHidden


class SGD(torch.optim.Optimizer):
    """torch.optim.SGD for `SparseHidden` modules: the same rule, at the cost of what fired.

    Parameters
    ----------
    modules : iterable of SparseHidden
        Their weights move; use another optimizer for all other parameters.
    lr : float > 0
        Of the loss as it is: with a mean over a batch, the `learning_rate` of `fewfire.GradientDescent`.
    momentum, nesterov, weight_decay
        As in torch.optim.SGD. A neuron that does not fire coasts: its row in `weight` is up to date once it
        fires, and after `SparseHidden.settle`, which state_dict calls.
    train_output_weights : bool
        Whether the output weights move, too.

    Raises
    ------
    ValueError
        A setting is out of its range, or a module is none of these.

    Notes
    -----
    A backward pass leaves with the module who fired and the derivative by the outputs; `step` moves the
    neurons that fired and tells the index how far. d (and c) multiply-adds per firing pair. One step per
    backward pass: `zero_grad` forgets a pass. From now on backward passes form no gradients of these modules'
    weights, and the modules cannot be converted to another precision.
    """

    def __init__(
        self,
        modules: Iterable[SparseHidden],
        lr: float,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        train_output_weights: bool = False,
    ) -> None:
        self.modules = list(modules)
        strange = [module for module in self.modules if not isinstance(module, SparseHidden)]
        if strange or not self.modules:
            raise ValueError(
                f"fewfire.torch.SGD takes modules, at least one SparseHidden. Got {strange or 'none'}. Give "
                "other parameters to an optimizer of torch.optim."
            )
        if not lr > 0:
            raise ValueError(f"lr must be > 0. Got {lr}. Use fewfire.plan.stable_learning_rate for a start.")
        self._rule, self._trains_outputs = Momentum(momentum, nesterov, weight_decay), train_output_weights
        self._rule.require_stable(lr)
        super().__init__([module.weight for module in self.modules], {"lr": lr})
        self._output_velocities = {}
        for module in self.modules:
            network, tick = module.state.network, module._tick
            tick.requires_grad_()
            module.state.fused = True
            if self._rule.coasts:
                module.state.let_coast(with_momentum=momentum > 0)
                rows = network.width if momentum > 0 else 0
                self._output_velocities[module] = padded_zeros(rows, network.n_outputs, network.dtype)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(
            "fewfire.torch.SGD must be made for modules that are there. Got a request for a copy or a "
            "pickle. Copy the modules, make an optimizer of theirs, and load the state_dict() of this one."
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Of the modules; torch.optim calls it as it begins."""
        if self.param_groups:
            raise ValueError(
                "fewfire.torch.SGD must be made with all of its modules. Got another group of parameters. "
                "Give them to an optimizer of torch.optim."
            )
        super().add_param_group(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the last backward pass."""
        super().zero_grad(set_to_none)
        for module in self.modules:
            module.state.take()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Move what fired in the last backward pass; silent neurons coast."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        rate, rule = self.param_groups[0]["lr"], self._rule
        if not all(module.state.holds_both(module.weight, module.output_weight) for module in self.modules):
            raise RuntimeError(
                "weights must lie where the module put them. Got others, of which its index knows "
                "nothing. Write into them with copy_() or load_state_dict()."
            )
        for module in self.modules:
            state, network = module.state, module.state.network
            pull = state.take()
            if pull is None:
                continue
            n_samples = len(pull.batch)  # by which a descent divides, and the loss has already
            descent = Descent(
                network, pull.batch, pull.fires, n_samples * pull.residuals, rate,
                rate if self._trains_outputs else 0.0,
                flow=rule.flow(rate) if rule.coasts else None,
                gain=rule.gain(rate) if rule.coasts else 1.0,
                output_velocities=self._output_velocities.get(module),
            )  # fmt: skip
            state.descend(descent)
            increment_version(
                [module.weight, module.output_weight] if self._trains_outputs else module.weight
            )
            state.moved_to(module.weight._version)
            velocities = network.layer.velocities
            if velocities is not None and velocities.due:
                module.settle()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """As in torch, the velocities included."""
        for module, outputs in self._output_velocities.items():
            module.settle()
            velocities = module.state.network.layer.velocities
            assert velocities is not None
            self.state[module.weight] = {
                "velocity": torch.from_numpy(velocities.rows.copy()),
                "output_velocity": torch.from_numpy(outputs.copy()),
            }
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state; load that of the modules first.

        Raises
        ------
        ValueError
            It is of other modules or of another rule: velocities are missing, or have another shape. Nothing
            changes.
        """
        for number, (module, outputs) in enumerate(self._output_velocities.items()):
            velocities, kept = module.state.network.layer.velocities, state_dict["state"].get(number, {})
            assert velocities is not None
            expected = {"velocity": velocities.rows.shape, "output_velocity": outputs.shape}
            got = {name: tuple(value.shape) for name, value in kept.items()}
            if got != expected:
                raise ValueError(
                    f"a state must hold the velocities of the same modules, {expected}. Got {got or 'none'}. "
                    "Load it into an optimizer that was made as the one that it is of."
                )
        super().load_state_dict(state_dict)
        for module, outputs in self._output_velocities.items():
            velocities, kept = module.state.network.layer.velocities, self.state[module.weight]
            assert velocities is not None
            velocities.rows[:] = kept["velocity"].numpy()
            outputs[:] = kept["output_velocity"].numpy()
            module.weights_changed()

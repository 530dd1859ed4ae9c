"""The same gradient step computed densely in PyTorch, four ways: the rival of every comparison.

All take the network as it is, a batch and its targets, and move their own copy of the weights.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from fewfire.training.methods.gradient_descent import DescentStepper


def mean_loss(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """The losses of fewfire.networks.losses, as a user of PyTorch would write them."""
    if name == "squared":
        return 0.5 * mse_loss(outputs, targets, reduction="sum") / len(outputs)
    if name == "softmax":
        return cross_entropy(outputs, targets)
    return binary_cross_entropy_with_logits(outputs, targets, reduction="sum") / len(outputs)


def residuals(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Derivative of each sample's loss by its outputs."""
    if name == "squared":
        return outputs - targets
    if name == "softmax":
        return outputs.softmax(dim=1) - targets
    return outputs.sigmoid() - targets


class DenseStep(ABC):
    """A dense training step with its own copy of the weights, and of their velocities where there are some.

    The weights must be settled. Velocities are of the sign of the buffers in torch.optim.SGD.
    """

    def __init__(self, stepper: DescentStepper, rate: float) -> None:
        network, layer = stepper.problem.network, stepper.problem.network.layer
        self.weights = torch.from_numpy(network.weights.copy())
        self.output_weights = torch.from_numpy(network.output_weights.copy())
        self.rule, self.velocities = stepper.rule, []
        if stepper.rule.momentum and layer.velocities is not None and stepper.output_velocities is not None:
            rows = (layer.velocities.rows, network.n_features), (stepper.output_velocities, network.n_outputs)
            self.velocities = [torch.from_numpy(-all[:, :columns]) for all, columns in rows]
        self.threshold, self.scale = network.threshold, network.scale
        self.loss = stepper.problem.loss.name
        self._trains_output_weights = stepper.method.train_output_weights
        self.descend_at(rate)
        self._buffers: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def descend_at(self, rate: float) -> None:
        """The next steps are at this rate."""
        self.rate, self.output_rate = rate, rate if self._trains_output_weights else 0.0

    def _two_arrays(self, n_rows: int, n_columns: int) -> tuple[Tensor, Tensor]:
        """Two work arrays of a shape, the same ones each time: fresh memory would cost more than the sums."""
        if (n_rows, n_columns) not in self._buffers:
            hidden, pull = (torch.empty(n_rows, n_columns, dtype=self.weights.dtype) for _ in range(2))
            self._buffers[n_rows, n_columns] = hidden, pull
        return self._buffers[n_rows, n_columns]

    @abstractmethod
    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        """Take one step on samples (B, d) and targets (B, c)."""

    def _descend(self, layer: int, left: Tensor, right: Tensor, rate: float) -> None:
        """Move a layer down the gradient left @ right, in as few passes over the weights as can be."""
        weights = (self.weights, self.output_weights)[layer]
        momentum, decay = self.rule.momentum, self.rule.weight_decay
        if not momentum:
            weights.addmm_(left, right, beta=1 - rate * decay, alpha=-rate)
        elif not self.rule.nesterov:
            velocity = self.velocities[layer].addmm_(left, right, beta=momentum)
            if decay:
                velocity.add_(weights, alpha=decay)
            weights.add_(velocity, alpha=-rate)
        else:
            velocity = self.velocities[layer]
            gradient = torch.addmm(weights, left, right, beta=decay) if decay else left @ right
            velocity.mul_(momentum).add_(gradient)
            weights.add_(gradient, alpha=-rate).add_(velocity, alpha=-rate * momentum)


class HandWritten(DenseStep):
    """In place, without autograd, into buffers that are made once: (B, m) arrays, one pass each."""

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        hidden, pull = self._two_arrays(len(samples), len(self.weights))
        torch.mm(samples, self.weights.T, out=hidden)
        hidden.sub_(self.threshold).relu_()
        residual = residuals(self.loss, self.scale * (hidden @ self.output_weights), targets)
        residual *= self.scale / len(samples)
        torch.mm(residual, self.output_weights.T, out=pull)
        torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull)
        if self.output_rate:
            self._descend(1, hidden.T, residual, self.output_rate)
        self._descend(0, pull.T, samples, self.rate)


class HandWrittenTransposed(DenseStep):
    """The same with (m, B) arrays, which suit some shapes better."""

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        hidden, pull = self._two_arrays(len(self.weights), len(samples))
        torch.mm(self.weights, samples.T, out=hidden)
        hidden.sub_(self.threshold).relu_()
        residual = residuals(self.loss, self.scale * (hidden.T @ self.output_weights), targets)
        residual *= self.scale / len(samples)
        torch.mm(self.output_weights, residual.T, out=pull)
        torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull)
        if self.output_rate:
            self._descend(1, hidden, residual, self.output_rate)
        self._descend(0, pull, samples, self.rate)


class Autograd(DenseStep):
    """As most users write it: a loss, backward(), and torch.optim.SGD."""

    def __init__(self, stepper: DescentStepper, rate: float) -> None:
        super().__init__(stepper, rate)
        self.weights.requires_grad_()
        self.output_weights.requires_grad_(self.output_rate > 0)
        self._loss_of = self._forward
        parameters = self.weights, self.output_weights
        self._descent = torch.optim.SGD([{"params": [p], "lr": rate} for p in parameters],
                                        **asdict(self.rule))  # fmt: skip
        for parameter, velocity in zip(parameters, self.velocities, strict=False):
            self._descent.state[parameter]["momentum_buffer"] = velocity

    def _forward(self, samples: Tensor, targets: Tensor) -> Tensor:
        hidden = torch.relu(samples @ self.weights.T - self.threshold)
        return mean_loss(self.loss, self.scale * (hidden @ self.output_weights), targets)

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        self._loss_of(samples, targets).backward()
        for group, rate in zip(self._descent.param_groups, (self.rate, self.output_rate), strict=True):
            group["lr"] = rate
        self._descent.step()
        self._descent.zero_grad()


class Compiled(Autograd):
    """The same through torch.compile."""

    def __init__(self, stepper: DescentStepper, rate: float) -> None:
        super().__init__(stepper, rate)
        self._loss_of = torch.compile(self._forward)


DENSE_STEPS: dict[str, type[DenseStep]] = {
    "hand-written": HandWritten,
    "hand-written, transposed": HandWrittenTransposed,
    "autograd": Autograd,
    "torch.compile": Compiled,
}

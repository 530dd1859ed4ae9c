"""The same gradient step computed densely in PyTorch, in all ways that may be the fastest: the rivals.

All take the network as it is, a batch and its targets, and move their own copy of the weights. Products of
bfloat16 take nearly the same step, at eight significant bits: with `BFLOAT16` the weights stay float32, as
torch.autocast has it; with `PURE_BFLOAT16` they are bfloat16 too, and small moves are lost.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from fewfire.training.methods.gradient_descent import DescentStepper

ROWS = 2048  # of the weights, moved by a gradient in one go
FLOAT32, BFLOAT16, PURE_BFLOAT16 = PRECISIONS = ("float32", "bfloat16", "pure bfloat16")


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


def _linear(left: Tensor, right: Tensor) -> Tensor:
    """left @ right.T by oneDNN, as compiled modules call it."""
    return torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")


class DenseStep(ABC):
    """A dense training step with its own copy of the weights, and of their velocities where there are some.

    The weights must be settled. Velocities are of the sign of the buffers in torch.optim.SGD.

    Attributes
    ----------
    precision : str
        One of PRECISIONS. A network of float64 takes its own in place of float32.
    takes_float64 : bool
    """

    precision: ClassVar[str] = FLOAT32
    takes_float64: ClassVar[bool] = True

    def __init__(self, stepper: DescentStepper, rate: float) -> None:
        network, layer = stepper.network, stepper.network.layer
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
            self._descend_by(layer, left @ right, rate)

    def _descend_by(self, layer: int, gradient: Tensor, rate: float) -> None:
        """Move a layer down a gradient that is there, and is not needed any more."""
        weights, rule = (self.weights, self.output_weights)[layer], self.rule
        for first in range(0, len(weights), ROWS):  # which stay in cache, and are made float32 there
            part = slice(first, first + ROWS)
            rows, slope = weights[part], gradient[part]
            if rule.weight_decay:
                slope = slope.add(rows, alpha=rule.weight_decay)
            if rule.momentum:
                velocity = self.velocities[layer][part].mul_(rule.momentum).add_(slope)
                slope = slope.add(velocity, alpha=rule.momentum) if rule.nesterov else velocity
            rows.add_(slope, alpha=-rate)


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
        hidden = self._multiply(self.weights, samples, hidden)
        hidden.sub_(self.threshold).relu_()
        residual = residuals(self.loss, self.scale * (self.output_weights.T @ hidden).T, targets)
        residual *= self.scale / len(samples)
        residual = residual.to(self.weights.dtype)
        pull = self._multiply(self.output_weights, residual, pull)
        torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull)
        if self.output_rate:
            self._descend(1, hidden, residual, self.output_rate)
        self._descend(0, pull, samples, self.rate)

    def _multiply(self, left: Tensor, right: Tensor, out: Tensor) -> Tensor:
        """left @ right.T, perhaps into an array that is there."""
        return torch.mm(left, right.T, out=out)


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


class OneDnn(DenseStep):
    """With products of oneDNN, which PyTorch has beside those of its BLAS: faster on processors of AMD."""

    takes_float64 = False

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        hidden = _linear(self.weights, samples)
        hidden.sub_(self.threshold).relu_()
        residual = residuals(self.loss, self.scale * (self.output_weights.T @ hidden).T, targets)
        residual *= self.scale / len(samples)
        pull = _linear(self.output_weights, residual)
        torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull)
        if self.output_rate:
            self._descend(1, hidden, residual, self.output_rate)
        self._descend_by(0, _linear(pull, samples.T.contiguous()), self.rate)


class OneDnnForward(HandWrittenTransposed):
    """With products of oneDNN forward, and back those of BLAS, which add to the weights as they go."""

    takes_float64 = False

    def _multiply(self, left: Tensor, right: Tensor, out: Tensor) -> Tensor:
        return _linear(left, right)


class Bfloat16(DenseStep):
    """What torch.autocast computes, hand-written: weights of float32, rounded anew for each step."""

    precision = BFLOAT16
    takes_float64 = False

    def __init__(self, stepper: DescentStepper, rate: float) -> None:
        super().__init__(stepper, rate)
        self._rounded = self.weights.bfloat16()
        self._gradient = torch.empty_like(self._rounded)

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        rounded, output_weights = self._rounded.copy_(self.weights), self.output_weights.bfloat16()
        samples = samples.bfloat16()
        hidden = torch.mm(rounded, samples.T)
        hidden.sub_(self.threshold).relu_()
        residual = residuals(self.loss, self.scale * (output_weights.T @ hidden).T.float(), targets)
        residual *= self.scale / len(samples)
        pull = torch.mm(output_weights, residual.bfloat16().T)
        torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull)
        if self.output_rate:
            self._descend_by(1, hidden @ residual.bfloat16(), self.output_rate)
        self._descend_by(0, torch.mm(pull, samples, out=self._gradient), self.rate)


class Autocast(Autograd):
    """As most users write it, with torch.autocast to bfloat16 around the loss."""

    precision = BFLOAT16
    takes_float64 = False

    def _forward(self, samples: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return super()._forward(samples, targets)


class PureBfloat16(HandWrittenTransposed):
    """Weights of bfloat16, too: half of the memory, and moves below a 256th of a weight are lost."""

    precision = PURE_BFLOAT16
    takes_float64 = False

    def __init__(self, stepper: DescentStepper, rate: float) -> None:
        super().__init__(stepper, rate)
        self.weights, self.output_weights = self.weights.bfloat16(), self.output_weights.bfloat16()
        self.velocities = [one.bfloat16() for one in self.velocities]

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        super().__call__(samples.bfloat16(), targets)


DENSE_STEPS: dict[str, type[DenseStep]] = {
    "hand-written": HandWritten,
    "hand-written, transposed": HandWrittenTransposed,
    "autograd": Autograd,
    "torch.compile": Compiled,
    "oneDNN": OneDnn,
    "oneDNN forward": OneDnnForward,
    "bfloat16": Bfloat16,
    "bfloat16 autocast": Autocast,
    "pure bfloat16": PureBfloat16,
}

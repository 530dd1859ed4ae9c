"""The same gradient step computed densely in PyTorch, four ways: the rival of every comparison.

All take the network as it is, a batch and its targets, and move their own copy of the weights.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from fewfire.network import TwoLayerNetwork


def mean_loss(name: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """The losses of fewfire.loss, as a user of PyTorch would write them."""
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
    """A dense training step with its own copy of the weights."""

    def __init__(self, network: TwoLayerNetwork, loss: str, rate: float, output_rate: float) -> None:
        self.weights = torch.from_numpy(network.weights.copy())
        self.output_weights = torch.from_numpy(network.output_weights.copy())
        self.threshold, self.scale = network.threshold, network.scale
        self.loss, self.rate, self.output_rate = loss, rate, output_rate
        self._buffers: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def _two_arrays(self, n_rows: int, n_columns: int) -> tuple[Tensor, Tensor]:
        """Two work arrays of a shape, the same ones each time: fresh memory would cost more than the sums."""
        if (n_rows, n_columns) not in self._buffers:
            hidden, pull = (torch.empty(n_rows, n_columns, dtype=self.weights.dtype) for _ in range(2))
            self._buffers[n_rows, n_columns] = hidden, pull
        return self._buffers[n_rows, n_columns]

    @abstractmethod
    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        """Take one step on samples (B, d) and targets (B, c)."""


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
        self.weights.addmm_(pull.T, samples, alpha=-self.rate)
        if self.output_rate:
            self.output_weights.addmm_(hidden.T, residual, alpha=-self.output_rate)


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
        self.weights.addmm_(pull, samples, alpha=-self.rate)
        if self.output_rate:
            self.output_weights.addmm_(hidden, residual, alpha=-self.output_rate)


class Autograd(DenseStep):
    """As most users write it: a loss, backward(), and a step down the gradient."""

    def __init__(self, network: TwoLayerNetwork, loss: str, rate: float, output_rate: float) -> None:
        super().__init__(network, loss, rate, output_rate)
        self.weights.requires_grad_()
        self.output_weights.requires_grad_(output_rate > 0)
        self._loss_of = self._forward

    def _forward(self, samples: Tensor, targets: Tensor) -> Tensor:
        hidden = torch.relu(samples @ self.weights.T - self.threshold)
        return mean_loss(self.loss, self.scale * (hidden @ self.output_weights), targets)

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        self._loss_of(samples, targets).backward()
        with torch.no_grad():
            for parameter, rate in [(self.weights, self.rate), (self.output_weights, self.output_rate)]:
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad, alpha=rate)
                    parameter.grad = None


class Compiled(Autograd):
    """The same through torch.compile."""

    def __init__(self, network: TwoLayerNetwork, loss: str, rate: float, output_rate: float) -> None:
        super().__init__(network, loss, rate, output_rate)
        self._loss_of = torch.compile(self._forward)


DENSE_STEPS: dict[str, type[DenseStep]] = {
    "hand-written": HandWritten,
    "hand-written, transposed": HandWrittenTransposed,
    "autograd": Autograd,
    "torch.compile": Compiled,
}

"""The step of a deep network, computed densely in PyTorch in all ways that may be the fastest.

    h_l = a_l / |a_l|,   a_l = max(W_l h_(l-1) - b_l, 0),   f = m_L^(-1/2) A^T a_L,   the squared loss

All take the network as it is, and move a copy of its hidden layers. With products of bfloat16 the weights
stay float32, as torch.autocast has it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import sqrt
from time import perf_counter

import torch
from torch import Tensor

from fewfire import DeepNetwork
from fewfire.torch.rivals import BFLOAT16, FLOAT32

ROWS = 1024  # of the weights, moved in one go


class Dense(ABC):
    """A dense step with its own copy of the weights."""

    precision = FLOAT32

    def __init__(self, network: DeepNetwork, rate: float) -> None:
        self.weights = [torch.from_numpy(layer.weights.copy()) for layer in network.layers]
        self.output_weights = torch.from_numpy(network.output_weights.copy())
        self.thresholds, self.scale, self.rate = network.thresholds, 1 / sqrt(network.widths[-1]), rate

    @abstractmethod
    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        """Take one step."""


class HandWritten(Dense):
    """In place, without autograd."""

    def forward(self, hidden: Tensor, weights: Tensor) -> Tensor:
        return torch.mm(hidden, weights.T)

    def back(self, pull: Tensor, weights: Tensor) -> Tensor:
        return torch.mm(pull, weights)

    def move(self, weights: Tensor, pull: Tensor, hidden: Tensor) -> None:
        weights.addmm_(pull.T, hidden, alpha=-self.rate)

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        taken, fired, lengths = [samples], [], []
        for weights, b in zip(self.weights, self.thresholds, strict=True):
            fired.append(self.forward(taken[-1], weights).float().sub_(b).relu_())
            lengths.append(fired[-1].norm(dim=1, keepdim=True))
            taken.append(fired[-1] / lengths[-1])
        residual = self.scale * (fired[-1] @ self.output_weights) - targets
        pull = residual.mul_(self.scale / len(samples)) @ self.output_weights.T
        for layer in reversed(range(len(self.weights))):
            torch.ops.aten.threshold_backward(pull, fired[layer], 0, grad_input=pull)
            below = self.back(pull, self.weights[layer]).float() if layer else pull
            self.move(self.weights[layer], pull, taken[layer])
            if layer:
                h = taken[layer]
                along = (below * h).sum(dim=1, keepdim=True)
                pull = below.sub_(along * h).div_(lengths[layer - 1])


def _linear(left: Tensor, right: Tensor) -> Tensor:
    """left @ right.T by oneDNN."""
    return torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")


class OneDnnForward(HandWritten):
    """The forward products by oneDNN."""

    def forward(self, hidden: Tensor, weights: Tensor) -> Tensor:
        return _linear(hidden, weights)


class OneDnn(OneDnnForward):
    """All large products by oneDNN."""

    def back(self, pull: Tensor, weights: Tensor) -> Tensor:
        return _linear(pull, weights.T)

    def move(self, weights: Tensor, pull: Tensor, hidden: Tensor) -> None:
        below = hidden.T.contiguous()
        for first in range(0, len(weights), ROWS):  # whose gradient is added while it is in cache
            part = slice(first, first + ROWS)
            weights[part].add_(_linear(pull[:, part].T.contiguous(), below), alpha=-self.rate)


class OneDnnButBack(OneDnn):
    """All but the gradients of the inputs."""

    def back(self, pull: Tensor, weights: Tensor) -> Tensor:
        return torch.mm(pull, weights)


class Bfloat16(HandWritten):
    """Products of bfloat16, written by hand: weights are rounded once per step, into arrays that are kept."""

    precision = BFLOAT16

    def __init__(self, network: DeepNetwork, rate: float) -> None:
        super().__init__(network, rate)
        self._rounded = {id(one): one.bfloat16() for one in self.weights}
        self._gradients = {id(one): torch.empty_like(self._rounded[id(one)]) for one in self.weights}

    def forward(self, hidden: Tensor, weights: Tensor) -> Tensor:
        return torch.mm(hidden.bfloat16(), self._rounded[id(weights)].copy_(weights).T)

    def back(self, pull: Tensor, weights: Tensor) -> Tensor:
        return torch.mm(pull.bfloat16(), self._rounded[id(weights)])

    def move(self, weights: Tensor, pull: Tensor, hidden: Tensor) -> None:
        gradient = self._gradients[id(weights)]
        torch.mm(pull.bfloat16().T, hidden.bfloat16(), out=gradient)
        for first in range(0, len(weights), ROWS):  # which stay in cache
            part = slice(first, first + ROWS)
            weights[part].add_(gradient[part], alpha=-self.rate)


class Autograd(Dense):
    """As most users write it."""

    def __init__(self, network: DeepNetwork, rate: float) -> None:
        super().__init__(network, rate)
        for one in self.weights:
            one.requires_grad_()
        self._descent = torch.optim.SGD(self.weights, lr=rate)
        self.loss_of = self.loss

    def loss(self, samples: Tensor, targets: Tensor) -> Tensor:
        hidden = samples
        for number, (weights, b) in enumerate(zip(self.weights, self.thresholds, strict=True)):
            hidden = torch.relu(hidden @ weights.T - b)
            if number < len(self.weights) - 1:
                hidden = torch.nn.functional.normalize(hidden, dim=1)
        outputs = self.scale * (hidden @ self.output_weights)
        return 0.5 * (outputs - targets).square().sum() / len(samples)

    def __call__(self, samples: Tensor, targets: Tensor) -> None:
        self.loss_of(samples, targets).backward()
        self._descent.step()
        self._descent.zero_grad()


class Compiled(Autograd):
    """The same through torch.compile."""

    def __init__(self, network: DeepNetwork, rate: float) -> None:
        super().__init__(network, rate)
        self.loss_of = torch.compile(self.loss)


class Autocast(Autograd):
    """The same with torch.autocast to bfloat16."""

    precision = BFLOAT16

    def loss(self, samples: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return super().loss(samples, targets)


WAYS: dict[str, type[Dense]] = {
    "hand-written": HandWritten,
    "oneDNN": OneDnn,
    "oneDNN forward": OneDnnForward,
    "oneDNN but back": OneDnnButBack,
    "autograd": Autograd,
    "torch.compile": Compiled,
    "bfloat16": Bfloat16,
    "bfloat16 autocast": Autocast,
}


def bare_products(network: DeepNetwork, batch: int, precision: str) -> float:
    """Seconds of the large products of a step alone: a floor under every dense way of this precision."""
    kind = torch.bfloat16 if precision == BFLOAT16 else torch.float32
    seconds = 0.0
    for number, layer in enumerate(network.layers):
        weights, hidden = (torch.ones(size, layer.n_features, dtype=kind) for size in (layer.width, batch))
        multiply = torch.mm if precision == BFLOAT16 else lambda left, right: _linear(left, right.T)
        once = min(_timed(multiply, hidden, weights.T) for _ in range(5))
        seconds += (3 if number else 2) * once
    return seconds


def _timed(multiply: Callable[[Tensor, Tensor], Tensor], left: Tensor, right: Tensor) -> float:
    start = perf_counter()
    multiply(left, right)
    return perf_counter() - start

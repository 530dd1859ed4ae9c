"""Trials of any PyTorch module that a factory makes, for `fewfire.plan.max_rate`, laws and rankings."""

from collections.abc import Callable
from itertools import chain, count
from math import prod

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from fewfire.errors import DataError, TrainingError
from fewfire.plan.trials import Attempt, Seen, Trials
from fewfire.system.words import require_counts
from fewfire.tangent.empirical import largest_of

ON = 512  # samples, at the most, that the sharpness is taken over
TOLERANCE = 1e-5  # of the sharpness

Make = Callable[[], nn.Module]
LossOf = Callable[[Tensor, Tensor], Tensor]
OptimizerOf = Callable[[nn.Module, float], torch.optim.Optimizer]


def plain_sgd(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Plain gradient descent on all parameters of a module at one rate."""
    return torch.optim.SGD(module.parameters(), lr=rate)


class TorchAttempt(Attempt):
    """A module on its way."""

    def __init__(self, trials: "TorchTrials", rate: float, seed: int) -> None:
        self.trials, self.module = trials, trials.fresh(seed)
        self.optimizer = trials.optimizer(self.module, rate)
        self._batches = chain.from_iterable(trials.batches(seed, epoch) for epoch in count(1))

    def step(self) -> Seen:
        ids = next(self._batches)
        targets = self.trials.targets[ids]
        self.optimizer.zero_grad()
        outputs = self.module(self.trials.inputs[ids])
        loss = self.trials.loss(outputs, targets)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(f"the loss must be finite. Got {value}. Use a smaller rate.")
        loss.backward()
        self.optimizer.step()
        right = int((outputs.argmax(1) == targets).sum()) if self.trials.has_classes else None
        return Seen(value, right, len(ids))

    @property
    def layers(self) -> list[tuple[NDArray, NDArray]]:
        parts = list(self.module.children())
        if not isinstance(self.module, nn.Sequential) or len(parts) % 2 == 0:
            return []
        kinds = [nn.ReLU if place % 2 else nn.Linear for place in range(len(parts))]
        if not all(isinstance(part, kind) for part, kind in zip(parts, kinds, strict=True)):
            return []
        return [_weights_and_biases(part) for part in parts[::2]]

    @torch.no_grad()
    def outputs(self, inputs: NDArray) -> NDArray:
        given = torch.as_tensor(inputs, dtype=self.trials.inputs.dtype)
        return self.module(given.reshape(len(given), *self.trials.inputs.shape[1:])).numpy()


def _weights_and_biases(layer: nn.Module) -> tuple[NDArray, NDArray]:
    assert isinstance(layer, nn.Linear)
    weights = layer.weight.detach().numpy().astype(np.float64)
    bias: Tensor | None = layer.bias
    return weights, np.zeros(len(weights)) if bias is None else bias.detach().numpy().astype(np.float64)


class TorchTrials(Trials):
    """Modules of one shape on one training set; `trials_of` makes it."""

    def __init__(
        self,
        make: Make,
        inputs: Tensor,
        targets: Tensor,
        loss: LossOf,
        batch_size: int,
        optimizer: OptimizerOf,
        width: int | None,
        depth: int | None,
        rate: float | None,
        curvature: float,
    ) -> None:
        self.make, self.inputs, self.targets, self.loss, self.optimizer = (
            make,
            inputs,
            targets,
            loss,
            optimizer,
        )
        self.width, self.depth = width, depth
        self.n_samples, self.batch_size = len(inputs), min(batch_size, len(inputs))
        self.has_classes = not targets.is_floating_point()
        self.loss_name = getattr(loss, "__name__", type(loss).__name__)
        module = self.fresh(0)
        self.n_parameters = sum(parameter.numel() for parameter in module.parameters())
        self.sharpness = curvature * sharpness(module, inputs[:ON])
        self.rate = 1 / self.sharpness if rate is None else rate

    def fresh(self, seed: int) -> nn.Module:
        """The module of a seed. The state of PyTorch's own generators is as before."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self.make()

    def batches(self, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        """Sample ids of each batch of an epoch, in the order of the seed."""
        order = np.random.default_rng([seed, epoch]).permutation(self.n_samples)
        return np.array_split(order, self.steps_per_epoch)

    def begin(self, rate: float, seed: int) -> TorchAttempt:
        return TorchAttempt(self, rate, seed)


def trials_of(
    make: Make,
    inputs: ArrayLike | Tensor,
    targets: ArrayLike | Tensor,
    *,
    loss: LossOf = nn.functional.cross_entropy,
    batch_size: int = 256,
    optimizer: OptimizerOf = plain_sgd,
    width: int | None = None,
    depth: int | None = None,
    rate: float | None = None,
    curvature: float = 0.5,
) -> TorchTrials:
    """Trials of the modules that a factory makes, on the processor.

    Parameters
    ----------
    make : callable
        Gives a fresh module; it is called with PyTorch's generator at the seed of the trial.
    inputs : (n, ...) array or Tensor
    targets : (n,) class codes or (n, c) real values
        As the loss takes them.
    loss : callable
        Mean loss of outputs and targets.
    batch_size : int
    optimizer : callable
        Makes the optimizer of a module at a rate, such as one with a smaller rate for the input layer.
    width, depth : int, optional
        For a law over shapes.
    rate : float, optional
        Where searches begin; by default 1 / sharpness.
    curvature : float
        Upper bound on the second derivative of the loss of a sample by its outputs: 1/2 for cross-entropy;
        2 / c for `torch.nn.functional.mse_loss` with c outputs.

    Raises
    ------
    DataError
        Inputs and targets are not as many, or not finite.
    ValueError
        The batch size is no whole number >= 1.

    Examples
    --------
    >>> import torch
    >>> inputs = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    >>> trials = trials_of(lambda: torch.nn.Linear(5, 2), inputs, (inputs[:, 0] > 0).long(), batch_size=16)
    >>> trials.n_parameters
    12
    """
    require_counts(batch_size=batch_size)
    inputs = torch.as_tensor(inputs if isinstance(inputs, Tensor) else np.asarray(inputs, np.float32))
    targets = targets if isinstance(targets, Tensor) else torch.from_numpy(np.asarray(targets))
    if len(inputs) != len(targets) or not torch.isfinite(inputs).all():
        raise DataError(
            f"inputs must be finite, with one target each. Got {len(inputs)} inputs, {len(targets)} targets "
            f"and {int((~torch.isfinite(inputs)).sum())} values that are not finite. Remove those samples."
        )
    return TorchTrials(
        make, inputs, targets, loss, batch_size, optimizer, width, depth, rate, curvature
    )  # fmt: skip


def sharpness(module: nn.Module, inputs: Tensor) -> float:
    """The largest eigenvalue of the Gauss-Newton matrix of a loss whose curvature is 1, on these inputs.

    That is the one of J J^T / n, where J has the derivatives of all outputs by the parameters that train.

    Notes
    -----
    Cost: some tens of derivatives forward and backward, no matrix of parameters by samples.
    The Hessian itself is no use at a ReLU network, whose kinks make it no symmetric operator.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    outputs = module(inputs)
    # J^T v is linear in v, so that its own derivative, pulled back from u, is J u.
    dummy = torch.zeros_like(outputs, requires_grad=True)
    linear = torch.autograd.grad(outputs, parameters, dummy, create_graph=True)

    def times(values: NDArray[np.float64]) -> NDArray[np.float64]:
        pulls = torch.as_tensor(values, dtype=outputs.dtype).reshape(outputs.shape)
        along = torch.autograd.grad(outputs, parameters, pulls, retain_graph=True)
        (pushed,) = torch.autograd.grad(linear, dummy, along, retain_graph=True)
        return pushed.double().numpy().reshape(values.shape)

    start = np.random.default_rng(0).random((len(inputs), prod(outputs.shape[1:]))) + 0.5
    return largest_of(times, start, TOLERANCE) / len(inputs)

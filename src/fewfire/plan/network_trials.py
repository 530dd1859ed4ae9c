"""Trials of networks of ours, through `Trainer` and an index, as training itself would go."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.errors import TrainingError
from fewfire.indexes import index_named, rules
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.deep import DeepNetwork, Network
from fewfire.networks.losses import Loss
from fewfire.networks.threshold import fire_rate_at
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.plan.learning_rate import stable_learning_rate
from fewfire.plan.trials import Attempt, Seen, Trials
from fewfire.training.methods import GradientDescent
from fewfire.training.problem import Problem
from fewfire.training.trainer import Trainer

BATCHES = 50  # of samples at the most, in trials of a training set that is there: each is met twice
LARGEST_BATCH = 1024  # in such trials; a larger one bears no smaller rate


class NetworkAttempt(Attempt):
    """A network on its way."""

    def __init__(self, trainer: Trainer) -> None:
        trainer.build()
        self.trainer = trainer
        self._batches = chain.from_iterable(map(trainer.problem.batches, count(1)))
        self._next = next(self._batches)

    def step(self) -> Seen:
        ids, self._next = self._next, next(self._batches)
        loss, tally = self.trainer.step(ids, self._next)
        right = None if self.trainer.problem.classes is None else int(tally)
        return Seen(loss, right, len(ids))

    def outputs(self, inputs: NDArray) -> NDArray:
        self.trainer.settle()
        network = self.trainer.network
        return predicted_outputs(network, Inputs.of(inputs, network.dtype))


class NetworkTrials(Trials):
    """Networks of one shape, of one hidden layer or several, on one training set.

    Parameters
    ----------
    problem : Problem
        Neither it nor its network is changed.
    method : GradientDescent
        With a number for its rate, where searches begin; its other settings hold in all trials.
    make : callable
        Gives the network of a seed, which is trained in place.
    memory_limit : int, optional
        Bytes that a trial may hold: its network, its samples and its index.
    """

    def __init__(
        self,
        problem: Problem,
        method: GradientDescent,
        make: Callable[[int], Network],
        memory_limit: int | None = None,
    ) -> None:
        network = problem.network
        self.problem, self.method, self.make = problem, method, make
        layers = network.layers
        widths = {layer.width for layer in layers}
        self.width, self.depth = layers[0].width if len(widths) == 1 else None, len(layers)
        self.n_samples, self.batch_size = len(problem), problem.batch_size
        trained_outputs = network.n_outputs if method.train_output_weights else 0
        of_layers = sum(layer.width * layer.n_features for layer in layers)
        self.n_parameters = of_layers + layers[-1].width * trained_outputs
        self.rate = float(method.learning_rate)
        self.sharpness = (1 - method.momentum) / self.rate
        self.has_classes, self.loss_name = problem.classes is not None, problem.loss.name
        if memory_limit is not None:
            weights = sum(layer.weight_rows.nbytes for layer in layers)
            copies = weights * (1 + (method.momentum > 0))
            memory_limit = max(0, memory_limit - copies - problem.inputs.rows.nbytes)
        self._index_limit = memory_limit

    @classmethod
    def from_here(
        cls, problem: Problem, method: GradientDescent, *, memory_limit: int | None = None
    ) -> "NetworkTrials":
        """Trials that all begin with the weights of a problem's network, on up to 50 batches of its samples.

        Of batches of more than 1,024 samples, 1,024 are taken.
        """
        return cls(_on_few_samples(problem), method, lambda seed: _copy(problem.network), memory_limit)

    def begin(self, rate: float, seed: int) -> NetworkAttempt:
        if not self.method.rule.is_stable(rate):
            raise TrainingError(
                f"a rate must leave weights that decay on their side. Got {rate:g} with a weight decay of "
                f"{self.method.weight_decay:g}. Lower either."
            )
        network = self.make(seed)
        index = index_named(rules.for_few_steps(fire_rate_at(network.layer.threshold)), self._index_limit)
        problem = replace(self.problem, network=network, seed=seed)
        return NetworkAttempt(Trainer(problem, replace(self.method, learning_rate=rate), index))


def trials_of(
    width: int | Sequence[int],
    inputs: ArrayLike | Inputs,
    targets: ArrayLike,
    *,
    loss: str | Loss = "squared",
    threshold: float | str | Sequence[float] = "paper",
    fire_rate: float | None = None,
    init: str = "gaussian",
    batch_size: int | None = 256,
    method: GradientDescent = GradientDescent(),  # noqa: B008  frozen
    dtype: str = "float32",
) -> NetworkTrials:
    """Trials of networks of a width, or of the widths of several hidden layers.

    Parameters
    ----------
    width : int, or sequence of int
    inputs : (n, d) array or Inputs
    targets : (n, c) array
        As `fewfire.train` takes them.
    loss : "squared", "softmax", "logistic" or a Loss
    threshold, fire_rate, init
        Of `TwoLayerNetwork.initialize`, or `DeepNetwork.initialize`.
    batch_size : int, optional
    method : GradientDescent
        Its rate is where searches begin; "auto" for the largest safe one.
    dtype : "float32" or "float64"

    Raises
    ------
    DataError
        Inputs or targets are of another shape than they must be, or not finite.
    ValueError
        A name or a number is none that the argument takes.

    Examples
    --------
    >>> import numpy as np
    >>> inputs = np.random.default_rng(0).standard_normal((64, 5))
    >>> trials = trials_of(512, inputs, np.sign(inputs[:, :1]), batch_size=16)
    >>> trials.steps_per_epoch
    4
    """
    inputs = Inputs.of_any(inputs, np.dtype(dtype))
    columns = np.shape(targets)[1] if np.ndim(targets) == 2 else 1
    make = partial(_network, width, inputs.n_features, columns, threshold, fire_rate, init, dtype)
    problem = Problem.of(make(0), inputs, targets, loss=loss, batch_size=batch_size)
    return NetworkTrials(problem, with_safe_rate(method, problem), make)


def with_safe_rate(method: GradientDescent, problem: Problem) -> GradientDescent:
    """The same method, with the largest safe rate for its own where that is a name."""
    if not isinstance(method.learning_rate, str):
        return method
    safe = stable_learning_rate(
        problem.network,
        problem.inputs,
        problem.loss,
        problem.batch_size,
        sample_weight=problem.sample_weight,
        output_weights=method.train_output_weights,
        momentum=method.momentum,
        seed=problem.seed,
    )
    return replace(method, learning_rate=safe)


def _network(
    width: Any, n_features: int, n_outputs: int, threshold: Any, fire_rate: float | None, init: str,
    dtype: str, seed: int,
) -> Network:  # fmt: skip
    make: Any = DeepNetwork.initialize if isinstance(width, Sequence) else TwoLayerNetwork.initialize
    return make(
        width, n_features, n_outputs, threshold=threshold, fire_rate=fire_rate, init=init, seed=seed,
        dtype=dtype,
    )  # fmt: skip


def _copy(network: Network) -> Network:
    copy = network.copy()
    copy.layer.structure = network.layer.structure  # the same weights are written faster with it
    return copy


def _on_few_samples(problem: Problem) -> Problem:
    batch_size = min(problem.batch_size, LARGEST_BATCH)
    count = min(len(problem), BATCHES * batch_size)
    return some_of(problem, count, batch_size)


def some_of(problem: Problem, most: int, batch_size: int) -> Problem:
    """The same problem on so many of its samples, at the most, drawn by its seed."""
    ids = np.sort(np.random.default_rng(problem.seed).choice(len(problem), most, replace=False))
    weights = problem.sample_weight
    return replace(
        problem,
        inputs=Inputs.of(problem.inputs.samples[ids], problem.inputs.dtype),
        targets=problem.targets[ids],
        sample_weight=None if weights is None else weights[ids],
        batch_size=batch_size,
    )

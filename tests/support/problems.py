"""Small training problems with known properties."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fewfire import FireSet, Inputs, TwoLayerNetwork
from fewfire.core.rows import padded_zeros
from fewfire.networks.descent import Descent, Step
from fewfire.networks.momentum import Momentum
from fewfire.networks.velocities import Velocities


@dataclass(frozen=True)
class Problem:
    """A network, the samples it is trained on, and one-hot targets."""

    network: TwoLayerNetwork
    inputs: Inputs
    targets: NDArray

    @property
    def everything(self) -> Inputs:
        """All samples as one batch."""
        return self.inputs.batch(np.arange(len(self.inputs)))

    def restarted(self) -> "Problem":
        """The same problem with a network of its own."""
        return Problem(self.network.copy(), self.inputs, self.targets)


def clustered_samples(n_samples: int, n_features: int, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Unit-norm rows around ten centres, in float64, and the centre of each: digits in miniature."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((10, n_features))
    nearest = random.integers(0, 10, n_samples)
    rows = centres[nearest] + 0.7 * random.standard_normal((n_samples, n_features))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), nearest


def clustered_problem(
    width: int = 300,
    n_features: int = 20,
    n_samples: int = 50,
    n_outputs: int = 3,
    *,
    threshold: float | str = 0.8,
    dtype: DTypeLike = np.float32,
    seed: int = 0,
) -> Problem:
    samples, nearest = clustered_samples(n_samples, n_features, seed)
    network = TwoLayerNetwork.initialize(
        width, n_features, n_outputs, threshold=threshold, seed=seed, dtype=dtype
    )
    targets = np.eye(n_outputs, dtype=dtype)[nearest % n_outputs]
    return Problem(network, Inputs.of(samples, dtype), targets)


def exact_problem(dtype: DTypeLike = np.float32, seed: int = 0) -> Problem:
    """Small whole numbers throughout, and powers of two for the width and the number of samples.

    Every sum is exact in both precisions, and so is every step whose learning rate is 16 times a power of
    two with residuals of small whole numbers. A good part of the pairs lie exactly at the threshold.
    """
    random = np.random.default_rng(seed)
    weights = random.integers(-2, 3, (256, 9))
    output_weights = random.choice([-1, 1], (256, 2))
    network = TwoLayerNetwork(weights, output_weights, 1.0, dtype)
    inputs = Inputs.of(random.integers(-1, 2, (32, 9)), dtype)
    return Problem(network, inputs, random.integers(-1, 2, (32, 2)).astype(dtype))


def threshold_in_gap(network: TwoLayerNetwork, samples: NDArray, near: float) -> float:
    """A threshold >= 0, close to `near`, from which every pre-activation keeps as far away as can be."""
    pre_activations = network.weights.astype(np.float64) @ samples.astype(np.float64).T
    marks = np.sort(np.append(pre_activations[pre_activations > 0], [0.0, near + 1]))
    place = int(np.searchsorted(marks, near))
    around = marks[max(0, place - 20) : place + 20]
    widest = int(np.argmax(np.diff(around)))
    return float(around[widest : widest + 2].mean())


def random_descent(
    problem: Problem, batch: Inputs, fires: FireSet, rate: float, random: np.random.Generator
) -> Descent:
    """A step as residuals of any kind would make it, by the rule that lets the network coast."""
    network = problem.network
    residuals = random.standard_normal((len(batch), network.n_outputs))
    rule = rule_of(network)
    if rule is None:
        return Descent(network, batch, fires, residuals, rate)
    rows = network.width if rule.momentum else 0
    return Descent(
        network, batch, fires, residuals, rate, flow=rule.flow(rate), gain=rule.gain(rate),
        output_velocities=padded_zeros(rows, network.n_outputs, network.dtype),
    )  # fmt: skip


def random_step(
    problem: Problem, batch: Inputs, fires: FireSet, rate: float, random: np.random.Generator
) -> Step:
    """Move the neurons that fired on a batch by such a step; the index is not yet told."""
    return random_descent(problem, batch, fires, rate, random).take()


_RULES: WeakKeyDictionary[Velocities, Momentum] = WeakKeyDictionary()


def let_coast(network: TwoLayerNetwork, rule: Momentum) -> None:
    """From now on the network is trained by this rule, as a trainer would see to it."""
    if rule.coasts:
        layer = network.layer
        layer.velocities = Velocities(layer.weight_rows, with_momentum=rule.momentum > 0)
        _RULES[layer.velocities] = rule


def rule_of(network: TwoLayerNetwork) -> Momentum | None:
    """The rule by which `let_coast` lets it coast."""
    velocities = network.layer.velocities
    return None if velocities is None else _RULES[velocities]

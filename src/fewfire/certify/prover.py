"""Bounds of a network's outputs over a ball around each sample, as `predict` computes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.ball import Ball
from fewfire.certify.candidates import Candidates, row_norms
from fewfire.certify.later_layers import LaterLayer
from fewfire.certify.layers import RULES, Bounded, FirstLayer
from fewfire.certify.region import Region, Way
from fewfire.core.fire_set import FireSet
from fewfire.core.work import Work
from fewfire.indexes.rules import NEW_BATCH
from fewfire.networks.deep import DeepNetwork, Network
from fewfire.system.machine import one_blas_thread
from fewfire.system.words import require_one_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bounds:
    """What a network can say near each sample.

    Attributes
    ----------
    low, high : (n, c)
        No output that `predict` computes in the ball lies outside.
    may_fire : FireSet
        The pairs of the first layer that fire somewhere in the ball of their sample; its values are the upper
        ends of pre-activations.
    undecided : (n,)
        The share of the neurons of the last layer that fire at some points of the ball and not at others.
    exact : (n,) bool
        Whether low and high are attained, but for rounding: with none undecided the outputs are affine.
    work : Work
        Of the index.
    products : int
        Multiply-adds of the bounds themselves.
    """

    low: Floats
    high: Floats
    may_fire: FireSet
    undecided: Floats
    exact: NDArray[np.bool_]
    work: Work
    products: int


def bounds(
    network: Network, ball: Ball, *, method: str = "linear", scaling: Way = None, index: str = "auto"
) -> Bounds:
    """Bounds of all outputs over a ball around each sample.

    Parameters
    ----------
    network : TwoLayerNetwork or DeepNetwork
    ball : Ball
    method : "linear" or "interval"
        "interval": each neuron by itself. "linear": lines around each neuron, added up before the worst input
        is taken; never below the intervals.
    scaling : InputScaling or Preparation, optional
        The way from the columns of the ball to the network's inputs; without it they are the inputs.
    index : str
        What finds the neurons that may fire: an open exact index, or "auto". The bounds are the same.

    Raises
    ------
    ValueError
        The method or the index is none that it can be, or the ball cannot be carried to the network.

    Notes
    -----
    Cost per sample: a search among all neurons, and c d multiply-adds per neuron that may fire.
    docs/theory/certificates.md.

    Examples
    --------
    >>> from fewfire import TwoLayerNetwork
    >>> from fewfire.adversarial import Box
    >>> network = TwoLayerNetwork(weights=[[3.0, 4.0]], output_weights=[[1.0]], threshold=1.0)
    >>> found = bounds(network, Ball(np.array([[1.0, 0.0]]), "l2", 0.2, Box()))
    >>> found.low.round(3).tolist(), found.high.round(3).tolist(), found.exact.tolist()  # 2 -+ 0.2 * 5
    ([[1.0]], [[3.0]], [True])
    """
    prover = Prover(network, scaling, method=method, index=index)
    n, c = len(ball.samples), network.n_outputs
    low, high = np.empty((n, c)), np.empty((n, c))
    undecided, exact = np.empty(n), np.empty(n, bool)
    pairs, values = [], []
    attained = scaling is None and len(network.layers) == 1 and method == "linear" and ball.is_full
    with one_blas_thread():  # small products come in turn
        for sample, layers in prover.layers(ball):
            ends = prover.lower(layers, np.vstack([np.eye(c), -np.eye(c)]), np.zeros(2 * c))
            low[sample], high[sample] = ends[:c], -ends[c:]
            undecided[sample] = np.count_nonzero(layers[-1].undecided) / network.layers[-1].width
            exact[sample] = attained and undecided[sample] == 0
            first, fires = layers[0], layers[0].may_fire
            pairs.append(first.neurons[fires])
            values.append(first.high[fires] + network.layer.threshold)
    may_fire = _fire_set(pairs, values, network.layer.width, network.dtype)
    return Bounds(low, high, may_fire, undecided, exact, prover.work, prover.products)


class Prover:
    """Proves bounds of sums of the outputs of one network.

    Parameters
    ----------
    network : TwoLayerNetwork or DeepNetwork
        At rest: its weights are what they are now.
    way : InputScaling, Preparation or None
    method : "linear" or "interval"
    index : str

    Attributes
    ----------
    products : int
        Multiply-adds of bounds until now.
    """

    def __init__(self, network: Network, way: Way, *, method: str, index: str) -> None:
        require_one_of(method, RULES, "the method of a bound")
        self.network, self._way, self._rules, self._name = network, way, RULES[method], index
        self._candidates: Candidates | None = None
        self.products = 0

    @property
    def work(self) -> Work:
        """Of the index."""
        return Work() if self._candidates is None else self._candidates.work

    @property
    def search_features(self) -> int:
        """Features of what the index multiplies."""
        return 0 if self._candidates is None else self._candidates.n_features

    def candidates(self, ball: Ball) -> list[NDArray]:
        """The neurons of the first layer that may fire near each sample, and perhaps others."""
        found: list[NDArray] = []
        for ids in _batches(len(ball.samples)):
            region = Region.of(ball.part(ids), self._way, self.network.dtype)
            found += self._search(region)
        return found

    def layers(
        self, ball: Ball, share: float | Floats = 1.0, candidates: Sequence[NDArray] | None = None
    ) -> Iterator[tuple[int, list[Bounded]]]:
        """Each sample with what its ball leaves open in each layer, the first one first.

        Parameters
        ----------
        ball : Ball
        share : float or (n, 1)
            Of the radii of the ball.
        candidates : sequence of (k,) arrays, optional
            For each sample, as found for the whole ball; else they are searched for.
        """
        for ids in _batches(len(ball.samples)):
            of_batch = np.broadcast_to(share, (len(ball.samples), 1))[ids]
            region = Region.of(ball.part(ids), self._way, self.network.dtype, of_batch)
            known = self._search(region) if candidates is None else [candidates[i] for i in ids]
            for place, (sample, neurons) in enumerate(zip(ids, known, strict=True)):
                layers = self._layers(region, place, neurons)
                yield int(sample), layers
                self.products += sum(layer.products for layer in layers)

    def lower(
        self, layers: Sequence[Bounded], questions: Floats, offsets: Floats, enough: float = np.inf
    ) -> Floats:
        """The least of each <question, outputs> + offset over the ball, or less, (q,).

        A bound above `enough` is not improved.
        """
        top, network = layers[-1], self.network
        output_weights = network.output_weights[top.neurons].astype(np.float64) * network.layers[-1].scale
        return top.of_outputs(output_weights, questions, offsets, network.dtype, self._rules, enough)

    @cached_property
    def _norms(self) -> Floats:
        return row_norms(self.network.layer.weights)

    def _layers(self, region: Region, place: int, neurons: NDArray) -> list[Bounded]:
        network = self.network
        layers: list[Bounded] = [FirstLayer(network.layer, region, place, neurons, self._norms[neurons])]
        if isinstance(network, DeepNetwork):
            for number, layer in enumerate(network.layers[1:]):
                how = network.normalization(number)
                layers.append(LaterLayer(layers[-1], layer, how, self._rules[:1]))
        return layers

    def _search(self, region: Region) -> list[NDArray]:
        if self._candidates is None or not self._candidates.suits(region):
            self._candidates = Candidates(self.network.layer, region, self._name, self._candidates)
        begins, neurons, _ = self._candidates.find(region).by_sample()
        return np.split(neurons, begins[1:-1])


def _batches(n: int) -> list[NDArray[np.int64]]:
    return np.array_split(np.arange(n), -(-n // NEW_BATCH))


def _fire_set(neurons: list[NDArray], values: list[Floats], width: int, dtype: np.dtype) -> FireSet:
    """Pairs that are known by sample."""
    samples = np.repeat(np.arange(len(neurons), dtype=np.int32), [len(some) for some in neurons])
    of_all = np.concatenate(neurons)
    order = np.argsort(of_all, kind="stable")
    begins = np.concatenate([[0], np.cumsum(np.bincount(of_all, minlength=width))]).astype(np.int64)
    return FireSet(begins, samples[order], np.concatenate(values)[order].astype(dtype), len(neurons))

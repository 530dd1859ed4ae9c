"""The Gram matrix of the Jacobian, G = J J^T, through a fire set (docs/theory/gauss_newton.md).

J is the derivative of the outputs f_k(x_i) by all weights: scale a_rk x_i in the row of neuron r, where r
fires on i, else 0. So

    G_(i,k)(j,l) = <x_i, x_j> scale^2  sum_r a_rk a_rl      over the neurons that fire on both.

J itself, n c times m d numbers, is never formed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded
from fewfire.networks.two_layer import TwoLayerNetwork

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FiringGram:
    """The Gram matrix of a batch of n samples and c outputs, from its fire set."""

    network: TwoLayerNetwork
    batch: Inputs
    fires: FireSet

    def times(self, values: Floats) -> Floats:
        """G v, (n, c): 2 (d + c) multiply-adds per firing pair, in the precision of the network."""
        network, fires = self.network, self.fires
        pulls, products = np.empty((2, len(fires)), network.dtype)
        _core.output_pulls(fires.core_view, network.output_rows, padded(values, network.dtype), 1.0, pulls)
        _core.gram_dots(fires.core_view, pulls, self.batch.core_view, products)
        return network.scale * self._summed(products)

    def response(self, rows: Sequence[NDArray]) -> Floats:
        """J D, (n, c), of one array of rows D (m, stride) as the weights: how outputs follow such a move."""
        network, fires = self.network, self.fires
        products = np.empty(len(fires), network.dtype)
        _core.fire_dots(fires.core_view, rows[0], self.batch.core_view, products)
        return self._summed(products)

    def _summed(self, products: NDArray) -> Floats:
        """m^(-1/2) sum_r a_r products_ri, over the neurons that fire on i."""
        fires, network = self.fires, self.network
        over_zero = FireSet(fires.begins, fires.samples, products, fires.n_samples)
        return network.outputs(over_zero, threshold=0.0).astype(np.float64)

    @property
    def size(self) -> float:
        """The mean of the diagonal of G, but for how |x_i|^2 and |a_r|^2 vary."""
        a = self.network.output_weights.astype(np.float64)
        lengths = np.square(self.batch.norms.astype(np.float64))
        return self.fires.fire_rate * float(np.mean(a * a) * lengths.mean())

    def pattern(self, weights: Floats) -> Floats:
        """sum_r weights_r over the neurons that fire on both, (n, n).

        It costs an addition for every two firing pairs of a neuron. Where the weights are all the same and it
        is cheaper, n^2 / 2 pairs of rows of m bits are compared instead.
        """
        fires = self.fires
        counts = np.empty((fires.n_samples, fires.n_samples))
        if np.all(weights == weights[0]):
            _core.fire_counts(fires.core_view, counts)
            return weights[0] * counts
        _core.fire_gram(fires.core_view, weights, 0.0, False, counts)
        return counts

    def shared(self) -> Floats:
        """The mean of the c diagonal blocks of G, (n, n): G itself for one output.

        Several outputs are coupled by random signs alone, whose sums are small beside these.
        """
        weights = np.square(self.network.output_weights, dtype=np.float64).mean(axis=1)
        return self.batch.inner_products * self.pattern(weights) * self.network.scale**2

    def matrix(self) -> Floats:
        """G, (n, c, n, c)."""
        a = self.network.output_weights.astype(np.float64)
        n, c = self.fires.n_samples, a.shape[1]
        gram = np.empty((n, c, n, c))
        for k in range(c):
            for j in range(k + 1):
                block = self.batch.inner_products * self.pattern(np.ascontiguousarray(a[:, k] * a[:, j]))
                gram[:, k, :, j] = gram[:, j, :, k] = block * self.network.scale**2
        return gram

    def sketched(self, rows: int, seed: int) -> Floats:
        """An estimate of `shared`, (n, n), from about `rows` sums of rows of J^T with random signs.

        Neurons are thrown into rows / d buckets with a random sign each. In a bucket, feature by feature, the
        rows of its neurons in J^T are added up: B = S J^T, whose product B^T B is <x_i, x_j> times the
        product of the signed counts. Cost: an addition per firing pair, n^2 multiply-adds per bucket.

        Source: the sketch of Deng, Hu, Song, Weinstein, Zhuo (arXiv 2208.04508), section on preconditioning,
        as a count sketch (Charikar, Chen, Farach-Colton 2002) over neurons alone.
        """
        network, fires, random = self.network, self.fires, np.random.default_rng(seed)
        buckets = max(1, -(-rows // network.n_features))
        bucket = random.integers(0, buckets, network.width)
        signs = random.choice([-1.0, 1.0], network.width)
        lengths = np.sqrt(np.square(network.output_weights, dtype=np.float64).mean(axis=1))
        counts = np.diff(fires.begins)
        places = np.repeat(bucket, counts) * fires.n_samples + fires.samples
        sums = np.bincount(places, np.repeat(signs * lengths, counts), buckets * fires.n_samples)
        signed = sums.reshape(buckets, fires.n_samples)
        return self.batch.inner_products * (signed.T @ signed) * network.scale**2

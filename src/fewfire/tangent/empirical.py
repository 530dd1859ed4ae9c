"""The tangent kernel of a network on a few samples, and its largest eigenvalue."""

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.inputs import Inputs
from fewfire.indexes import index_for_new_inputs
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.tangent.gram import FiringGram

POWER_ITERATIONS = 100


def firing_kernel(
    network: TwoLayerNetwork, inputs: Inputs, *, output_weights: bool = False
) -> NDArray[np.float64]:
    """H_ij = <x_i, x_j> * (number of neurons that fire on both) / m, on a few samples: (s, s).

    That is for output weights of signs; else each neuron counts as much as the mean of their squares.
    With `output_weights`, plus sum_r phi_ri phi_rj / m with phi the activations: the kernel of training
    both layers. Cost: one fire set of all pairs, then the sum over neurons of their squared firing counts.

    Source: Song, Yang, Zhang, NeurIPS 2021 (arXiv 2110.04622), H^dis.
    """
    fires, ones = index_for_new_inputs(network.layer, inputs).fire_set(inputs), np.ones(network.width)
    counts = np.square(network.output_weights, dtype=np.float64).mean(axis=1)
    pattern = FiringGram(network, inputs, fires).pattern(counts)
    kernel = inputs.inner_products * (pattern / network.width)
    if output_weights:
        _core.fire_gram(fires.core_view, ones, network.threshold, True, pattern)
        kernel += pattern / network.width
    return kernel


def largest_eigenvalue(matrix: NDArray[np.float64]) -> float:
    """The largest eigenvalue of a symmetric matrix without negative ones, by power iteration."""
    vector = np.random.default_rng(0).random(len(matrix)) + 0.5  # the kernel is mostly positive
    value = 0.0
    for _ in range(POWER_ITERATIONS):
        image = matrix @ vector
        norm = float(np.linalg.norm(image))
        if norm == 0:
            return 0.0
        if abs(norm - value) <= 1e-6 * norm:
            return norm
        value, vector = norm, image / norm
    return value

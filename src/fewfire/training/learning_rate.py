"""The largest learning rate that is safe, from the firing kernel (docs/theory/learning_rate.md)."""

import math

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.indexes import open_index
from fewfire.inputs import Inputs
from fewfire.loss import Loss
from fewfire.machine import one_blas_thread
from fewfire.network import TwoLayerNetwork
from fewfire.training.firing_gram import FiringGram

SAMPLED = 512  # samples that the kernel is formed on
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
    fires, ones = open_index(network, inputs).fire_set(inputs), np.ones(network.width)
    counts = np.square(network.output_weights, dtype=np.float64).mean(axis=1)
    pattern = FiringGram(network, inputs, fires).pattern(counts)
    kernel = inputs.inner_products * (pattern / network.width)
    if output_weights:
        _core.fire_gram(fires.begins, fires.samples, fires.values, ones, network.threshold, True, pattern)
        kernel += pattern / network.width
    return kernel


def largest_eigenvalue(matrix: NDArray[np.float64]) -> float:
    """Of a symmetric matrix without negative eigenvalues, by power iteration."""
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


def stable_learning_rate(
    network: TwoLayerNetwork,
    inputs: Inputs,
    loss: Loss,
    batch_size: int,
    *,
    sample_weight: NDArray | None = None,
    output_weights: bool = False,
    momentum: float = 0.0,
    seed: int = 0,
) -> float:
    """Half the rate at which gradient descent on a batch would cease to converge.

    A step on the mean loss of a batch of B multiplies the outputs' error by 1 - rate * curvature * H / B, so
    rate < 2 / (curvature * lambda_max(H) / B) is stable. The largest lambda_max over disjoint batches out of
    512 samples counts; larger batches are judged by 512 samples, which errs to the safe side.

    Momentum adds up 1 / (1 - momentum) steps in one direction: the rate is (1 - momentum) times as large.

    Returns
    -------
    float
        (1 - momentum) / (curvature * lambda_max / B), rounded down to two significant digits, so that it
        depends neither on the number of threads nor on the BLAS.
    """
    count = min(len(inputs), SAMPLED)
    chosen = np.sort(np.random.default_rng(seed).choice(len(inputs), count, replace=False))
    shuffled = np.random.default_rng(seed).permutation(count)
    size = min(batch_size, count)
    batches = [shuffled[i : i + size] for i in range(0, count - size + 1, size)]
    with one_blas_thread():
        kernel = firing_kernel(network, inputs.batch(chosen), output_weights=output_weights)
        if sample_weight is not None:
            roots = np.sqrt(sample_weight[chosen], dtype=np.float64)
            kernel = kernel * roots[:, None] * roots
        largest = max(largest_eigenvalue(kernel[np.ix_(ids, ids)]) / size for ids in batches)
    if largest == 0:
        return 1.0  # nothing fires on the sample: no step will move anything
    rate = (1 - momentum) / (loss.curvature * largest)
    digit = 10 ** (math.floor(math.log10(rate)) - 1)
    return math.floor(rate / digit * (1 - 1e-9)) * digit

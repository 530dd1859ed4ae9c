"""The largest learning rate that is safe, from the firing kernel (docs/theory/learning_rate.md)."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.inputs import Inputs
from fewfire.indexes import index_for_new_inputs
from fewfire.indexes.later_layers import LaterLayers
from fewfire.networks.deep import DeepNetwork, Network
from fewfire.networks.losses import Loss
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.machine import one_blas_thread
from fewfire.tangent.deep_gram import DeepGram
from fewfire.tangent.empirical import firing_kernel, largest_eigenvalue, largest_of
from fewfire.tangent.gram import FiringGram

Floats = NDArray[np.float64]
SAMPLED = 512  # samples that the kernel is formed on
COUPLED_FROM = 0.1  # outputs per neuron that fires on a sample
COUPLED_TOLERANCE = 1e-3  # of the eigenvalue: the rate is half of what would diverge


def stable_learning_rate(
    network: Network,
    inputs: ArrayLike | Inputs,
    loss: Loss,
    batch_size: int,
    *,
    sample_weight: ArrayLike | None = None,
    output_weights: bool = False,
    momentum: float = 0.0,
    seed: int = 0,
) -> float:
    """Half the rate at which gradient descent on a batch would cease to converge.

    A step on the mean loss of a batch of B multiplies the outputs' error by 1 - rate * curvature * H / B, so
    rate < 2 / (curvature * lambda_max(H) / B) is stable. The largest lambda_max over disjoint batches out of
    512 samples counts; larger batches are judged by 512 samples, which errs to the safe side. H is the kernel
    of one output, or of all of them as they are coupled, where they are many beside the neurons that fire; of
    a deep network always the latter, summed over its layers.

    Momentum adds up 1 / (1 - momentum) steps in one direction: the rate is (1 - momentum) times as large.

    Parameters
    ----------
    network : TwoLayerNetwork or DeepNetwork
    inputs : (n, d) array or Inputs
    loss : Loss
    batch_size : int >= 1
    sample_weight : (n,) array, >= 0, optional
    output_weights : bool
        Whether the output weights are trained too.
    momentum : float in [0, 1)
    seed : int
        Seed for which samples are looked at.

    Returns
    -------
    float
        (1 - momentum) / (curvature * lambda_max / B), rounded down to two significant digits, so that it
        depends neither on the number of threads nor on the BLAS.

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        The inputs have another number of features, or another dtype, than the network.
    """
    inputs = Inputs.of_any(inputs, network.dtype)
    if isinstance(network, DeepNetwork) and network.depth == 1:
        network = network.top
    count = min(len(inputs), SAMPLED)
    chosen = np.sort(np.random.default_rng(seed).choice(len(inputs), count, replace=False))
    shuffled = np.random.default_rng(seed).permutation(count)
    size = min(batch_size, count)
    batches = [shuffled[i : i + size] for i in range(0, count - size + 1, size)]
    weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)[chosen]
    with one_blas_thread():
        largest = (
            _of_two_layers(network, inputs.batch(chosen), batches, weights, output_weights)
            if isinstance(network, TwoLayerNetwork)
            else _of_deep(network, inputs.batch(chosen), batches, weights, output_weights)
        )
    largest /= size
    if largest == 0:
        return 1.0  # nothing fires on the sample: no step will move anything
    rate = (1 - momentum) / (loss.curvature * largest)
    digit = 10 ** (math.floor(math.log10(rate)) - 1)
    return math.floor(rate / digit * (1 - 1e-9)) * digit


def _of_two_layers(
    network: TwoLayerNetwork,
    inputs: Inputs,
    batches: list[NDArray[np.int64]],
    weights: Floats | None,
    output_weights: bool,
) -> float:
    """The largest eigenvalue of the kernel over any of the batches, with these weights of the samples."""
    kernel = firing_kernel(network, inputs, output_weights=output_weights)
    roots = None if weights is None else np.sqrt(weights)
    if roots is not None:
        kernel = kernel * roots[:, None] * roots
    largest, worst = max((largest_eigenvalue(kernel[np.ix_(ids, ids)]), n) for n, ids in enumerate(batches))
    ids = batches[worst]
    of_all = _coupled(network, inputs.batch(ids), None if roots is None else roots[ids], output_weights)
    return max(largest, of_all)


def _of_deep(
    network: DeepNetwork,
    inputs: Inputs,
    batches: list[NDArray[np.int64]],
    weights: Floats | None,
    output_weights: bool,
) -> float:
    """The same of a deep network, by power iteration on J J^T through who fires."""
    index, later = index_for_new_inputs(network.layer, inputs), LaterLayers(network)
    largest = 0.0
    for ids in batches:
        batch = inputs.batch(ids)
        firing = later.firing(index.fire_set(batch))
        of_outputs = np.zeros((len(ids), len(ids)))
        if output_weights:
            top, last = network.top, firing.fires[-1]
            _core.fire_gram(last.core_view, np.ones(top.width), top.threshold, True, of_outputs)
            of_outputs *= top.scale**2
        roots = None if weights is None else np.sqrt(weights[ids])
        gram = DeepGram(network, batch, firing)
        largest = max(largest, _largest_of_all(gram, of_outputs, network.n_outputs, roots))
    return largest


def _coupled(network: TwoLayerNetwork, batch: Inputs, roots: Floats | None, output_weights: bool) -> float:
    """The largest eigenvalue of the Gram matrix of all outputs; 0 where they are few, and hardly coupled."""
    fires = index_for_new_inputs(network.layer, batch).fire_set(batch)
    if network.n_outputs <= max(1.0, COUPLED_FROM * len(fires) / len(batch)):
        return 0.0
    gram = FiringGram(network, batch, fires)
    of_outputs = np.zeros((len(batch), len(batch)))
    if output_weights:
        of_outputs = firing_kernel(network, batch, output_weights=True) - gram.shared()
    return _largest_of_all(gram, of_outputs, network.n_outputs, roots)


def _largest_of_all(
    gram: FiringGram | DeepGram, of_outputs: Floats, n_outputs: int, roots: Floats | None
) -> float:
    """The largest eigenvalue of the Gram matrix of all outputs, with what output weights add to it."""
    n = len(gram.batch)
    scales = np.ones((n, 1)) if roots is None else roots[:, None]

    def times(values: Floats) -> Floats:
        scaled = scales * values
        return scales * (gram.times(scaled) + of_outputs @ scaled)

    start = np.random.default_rng(0).random((n, n_outputs)) + 0.5
    return largest_of(times, start, COUPLED_TOLERANCE)

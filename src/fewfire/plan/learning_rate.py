"""The largest learning rate that is safe, from the firing kernel (docs/theory/learning_rate.md)."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import index_for_new_inputs
from fewfire.networks.losses import Loss
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.machine import one_blas_thread
from fewfire.tangent.empirical import firing_kernel, largest_eigenvalue, largest_of
from fewfire.tangent.gram import FiringGram

Floats = NDArray[np.float64]
SAMPLED = 512  # samples that the kernel is formed on
COUPLED_FROM = 0.1  # outputs per neuron that fires on a sample
COUPLED_TOLERANCE = 1e-3  # of the eigenvalue: the rate is half of what would diverge


def stable_learning_rate(
    network: TwoLayerNetwork,
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
    of one output, or of all of them as they are coupled, where they are many beside the neurons that fire.

    Momentum adds up 1 / (1 - momentum) steps in one direction: the rate is (1 - momentum) times as large.

    Parameters
    ----------
    network : TwoLayerNetwork
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
    count = min(len(inputs), SAMPLED)
    chosen = np.sort(np.random.default_rng(seed).choice(len(inputs), count, replace=False))
    shuffled = np.random.default_rng(seed).permutation(count)
    size = min(batch_size, count)
    batches = [shuffled[i : i + size] for i in range(0, count - size + 1, size)]
    with one_blas_thread():
        kernel = firing_kernel(network, inputs.batch(chosen), output_weights=output_weights)
        roots = None
        if sample_weight is not None:
            roots = np.sqrt(np.asarray(sample_weight)[chosen], dtype=np.float64)
            kernel = kernel * roots[:, None] * roots
        largest, worst = max(
            (largest_eigenvalue(kernel[np.ix_(ids, ids)]), n) for n, ids in enumerate(batches)
        )
        ids = batches[worst]
        of_all = _coupled(
            network, inputs.batch(chosen[ids]), None if roots is None else roots[ids], output_weights
        )
        largest = max(largest, of_all) / size
    if largest == 0:
        return 1.0  # nothing fires on the sample: no step will move anything
    rate = (1 - momentum) / (loss.curvature * largest)
    digit = 10 ** (math.floor(math.log10(rate)) - 1)
    return math.floor(rate / digit * (1 - 1e-9)) * digit


def _coupled(network: TwoLayerNetwork, batch: Inputs, roots: Floats | None, output_weights: bool) -> float:
    """The largest eigenvalue of the Gram matrix of all outputs; 0 where they are few, and hardly coupled."""
    fires = index_for_new_inputs(network.layer, batch).fire_set(batch)
    if network.n_outputs <= max(1.0, COUPLED_FROM * len(fires) / len(batch)):
        return 0.0
    gram = FiringGram(network, batch, fires)
    scales = np.ones((len(batch), 1)) if roots is None else roots[:, None]
    of_outputs = np.zeros((len(batch), len(batch)))
    if output_weights:
        of_outputs = firing_kernel(network, batch, output_weights=True) - gram.shared()

    def times(values: Floats) -> Floats:
        scaled = scales * values
        return scales * (gram.times(scaled) + of_outputs @ scaled)

    start = np.random.default_rng(0).random((len(batch), network.n_outputs)) + 0.5
    return largest_of(times, start, COUPLED_TOLERANCE)

"""A start near the tangent kernel, for Gauss-Newton steps: decided here, and only here.

Each neuron stands there twice with opposite output weights, so that the outputs begin at 0 and what training
adds is all there is. Output weights of 10 in place of 1 let neurons turn ten times less for the same outputs:
the network stays near its kernel. A ridge on the weights counts a hundred times less beside such a start, so
it is multiplied by the square. docs/theory/gauss_newton.md derives it.
"""

import numpy as np
from numpy.typing import DTypeLike

from fewfire.core.inputs import Inputs
from fewfire.networks.two_layer import TwoLayerNetwork

OUTPUT_WEIGHTS = 10.0
ONE_STEP_OUTPUT_WEIGHTS = 1000.0  # of one step from thousands of samples, which would turn neurons more


def mirrored_network(
    width: int,
    n_features: int,
    n_outputs: int,
    *,
    threshold: float,
    alive_on: Inputs | None = None,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> TwoLayerNetwork:
    """A network whose outputs begin at 0; an odd width is raised by one.

    The parameters, and what is raised, are those of `TwoLayerNetwork.initialize`.
    """
    return TwoLayerNetwork.initialize(
        width + width % 2, n_features, n_outputs, threshold=threshold, mirrored=True, alive_on=alive_on,
        seed=seed, dtype=dtype,
    )  # fmt: skip


def near_kernel_network(
    width: int,
    n_features: int,
    n_outputs: int,
    *,
    threshold: float,
    init: str = "gaussian",
    alive_on: Inputs | None = None,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> TwoLayerNetwork:
    """A network near its tangent kernel; an odd width is raised by one.

    Parameters
    ----------
    width, n_features, n_outputs : int, >= 1
    threshold : float, >= 0
    init : "gaussian" or "structured"
        Structured weights cannot be mirrored: the outputs begin as they are drawn, and the width stays.
    alive_on : Inputs, optional
        See `TwoLayerNetwork.initialize`; with Gaussian weights.
    seed : int
    dtype : float32 or float64

    Raises
    ------
    ValueError
        See `TwoLayerNetwork.initialize`.
    """
    size = width, n_features, n_outputs
    if init == "gaussian":
        network = mirrored_network(*size, threshold=threshold, alive_on=alive_on, seed=seed, dtype=dtype)
    else:
        network = TwoLayerNetwork.initialize(*size, threshold=threshold, init=init, seed=seed, dtype=dtype)
    network.output_weights[:] *= OUTPUT_WEIGHTS
    return network


def readout_network(
    width: int,
    n_features: int,
    n_outputs: int,
    *,
    threshold: float,
    alive_on: Inputs | None = None,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> TwoLayerNetwork:
    """A network whose output weights are 0, for `fewfire.training.OutputRidge` to find them.

    The parameters, and what is raised, are those of `TwoLayerNetwork.initialize`.
    """
    network = TwoLayerNetwork.initialize(
        width, n_features, n_outputs, threshold=threshold, alive_on=alive_on, seed=seed, dtype=dtype
    )
    network.output_weights[:] = 0
    return network


def copies_for(n_outputs: int) -> int:
    """How often each neuron stands in `orthogonal_network`: the least power of 2 above the outputs."""
    return 1 << n_outputs.bit_length()


def orthogonal_network(
    width: int,
    n_features: int,
    n_outputs: int,
    *,
    threshold: float,
    output_weights: float = ONE_STEP_OUTPUT_WEIGHTS,
    alive_on: Inputs | None = None,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> TwoLayerNetwork:
    """A network whose outputs begin at 0 and share one tangent kernel. The width is raised to whole copies.

    Each neuron stands there `copies_for(n_outputs)` times, next to each other. The output weights of its
    copies are rows of a Hadamard matrix without its first column: over the copies each output's weights add
    up to 0, and those of two outputs are orthogonal, so that outputs do not mix in the tangent kernel.

    Parameters
    ----------
    output_weights : float
        Their size.
    width, n_features, n_outputs, threshold, alive_on, seed, dtype
        See `TwoLayerNetwork.initialize`, as for what is raised.
    """
    from scipy.linalg import hadamard

    copies = copies_for(n_outputs)
    n_different = -(-width // copies)
    drawn = TwoLayerNetwork.initialize(
        n_different, n_features, 1, threshold=threshold, alive_on=alive_on, seed=seed, dtype=dtype
    )
    signs = hadamard(copies)[:, 1 : n_outputs + 1]
    return TwoLayerNetwork(
        np.repeat(drawn.weights, copies, axis=0), np.tile(output_weights * signs, (n_different, 1)),
        threshold, dtype, scale=drawn.scale * copies**-0.5,
    )  # fmt: skip


def near_kernel_ridge(ridge: float, output_weights: float = OUTPUT_WEIGHTS) -> float:
    """The ridge that counts as much beside such a network as this one beside output weights of 1."""
    return ridge * output_weights**2

"""The tangent kernel of a network on a few samples, and its largest eigenvalue."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.tangent.own import OwnKernel

Floats = NDArray[np.float64]
POWER_ITERATIONS = 100


def firing_kernel(
    network: TwoLayerNetwork, inputs: ArrayLike | Inputs, *, output_weights: bool = False
) -> NDArray[np.float64]:
    """The tangent kernel (NTK) of a network as it is now, on a few samples: (s, s).

    H_ij = <x_i, x_j> * (number of neurons that fire on both) / m, for output weights of +1 and -1 and the
    scale m^(-1/2). With other output weights each neuron counts as much as the mean of their squares.

    Parameters
    ----------
    network : TwoLayerNetwork
    inputs : (s, d) array or Inputs
    output_weights : bool
        Whether the output weights are trained too: adds sum_r phi_ri phi_rj / m, with the activations phi.

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        The inputs have another number of features, or another dtype, than the network.

    Notes
    -----
    Cost: one fire set of all pairs, then the sum over neurons of their squared firing counts.
    Source: Song, Yang, Zhang, NeurIPS 2021 (arXiv 2110.04622), H^dis.

    Examples
    --------
    >>> network = TwoLayerNetwork.initialize(width=20_000, n_features=2, n_outputs=1, threshold=0.0)
    >>> firing_kernel(network, [[1.0, 0.0], [0.6, 0.8]]).round(1).tolist()
    [[0.5, 0.2], [0.2, 0.5]]
    """
    trained = "all" if output_weights else "hidden"
    return OwnKernel.of(network, inputs, trained=trained).matrix()


def largest_eigenvalue(matrix: NDArray[np.float64]) -> float:
    """The largest eigenvalue of a symmetric matrix without negative ones, by power iteration."""
    start = np.random.default_rng(0).random(len(matrix)) + 0.5  # the kernel is mostly positive
    return largest_of(lambda vector: matrix @ vector, start)


def largest_of(times: Callable[[Floats], Floats], start: Floats, tolerance: float = 1e-6) -> float:
    """The largest eigenvalue of what multiplies arrays of a shape, symmetric and without negative ones.

    By power iteration: never above it, and as near as two estimates in a row, relatively.
    """
    vector, value = start / np.linalg.norm(start), 0.0
    for _ in range(POWER_ITERATIONS):
        image = times(vector)
        norm = float(np.linalg.norm(image))
        if norm == 0:
            return 0.0
        if abs(norm - value) <= tolerance * norm:
            return norm
        value, vector = norm, image / norm
    return value

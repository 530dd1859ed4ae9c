"""The gradient by the inputs: like the gradient by the weights, a sum over what fires."""

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.rows import padded, padded_zeros
from fewfire.networks.two_layer import TwoLayerNetwork


def input_gradients(network: TwoLayerNetwork, fires: FireSet, residuals: NDArray) -> NDArray:
    """The derivative by the inputs (n, d) of something whose derivative by the outputs is (n, c).

        g_i = m^(-1/2) sum_r <a_r, residual_i> w_r        over the neurons r that fire on sample i

    Parameters
    ----------
    network : TwoLayerNetwork
    fires : FireSet
        Of these samples, found with the present weights.
    residuals : (n, c) array

    Raises
    ------
    ValueError
        The residuals have another shape.

    Notes
    -----
    c + d multiply-adds per firing pair. The bits depend neither on the index nor on the number of threads.
    docs/theory/adversarial.md.
    """
    layer, n = network.layer, fires.n_samples
    residuals = np.asarray(residuals)
    if residuals.shape != (n, network.n_outputs):
        raise ValueError(
            f"residuals must be one per sample and output, ({n}, {network.n_outputs}). Got shape "
            f"{residuals.shape}. Give the derivative by each output."
        )
    gradients = padded_zeros(n, layer.n_features, network.dtype)
    _core.input_gradients(
        fires.core_view,
        network.output_rows,
        padded(residuals, network.dtype),
        layer.core_view,
        network.scale,
        gradients,
    )
    return gradients[:, : layer.n_features]

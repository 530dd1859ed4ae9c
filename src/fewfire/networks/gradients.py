"""Gradients by the inputs and by the weights: sums over what fires."""

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
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
    layer, rows = network.layer, _residual_rows(network, fires, residuals)
    gradients = padded_zeros(fires.n_samples, layer.n_features, network.dtype)
    _core.input_gradients(
        fires.core_view, network.output_rows, rows, layer.core_view, network.scale, gradients
    )
    return gradients[:, : layer.n_features]


def weight_gradients(
    network: TwoLayerNetwork,
    batch: Inputs,
    fires: FireSet,
    residuals: NDArray,
    out: NDArray | None = None,
) -> NDArray:
    """The derivative by the weights (m, d) of something whose derivative by the outputs is (n, c).

        G_r = m^(-1/2) sum_i <a_r, residual_i> x_i        over the samples i that r fires on

    Parameters
    ----------
    network : TwoLayerNetwork
    batch : Inputs
    fires : FireSet
        Of this batch, found with the present weights.
    residuals : (n, c) array
    out : (m, d) array, optional
        Contiguous, to be written over: fresh memory takes longer than the sums.

    Raises
    ------
    ValueError
        The residuals have another shape.

    Notes
    -----
    c + d multiply-adds per firing pair, and all m d numbers written: a step of `Descent`, which sums in the
    same order, writes only the neurons that fire.
    """
    gradients = np.empty((network.width, network.n_features), network.dtype) if out is None else out
    rows = _residual_rows(network, fires, residuals)
    _core.weight_gradients(
        fires.core_view, network.output_rows, rows, batch.core_view, network.scale, gradients
    )
    return gradients


def _residual_rows(network: TwoLayerNetwork, fires: FireSet, residuals: NDArray) -> NDArray:
    residuals, shape = np.asarray(residuals), (fires.n_samples, network.n_outputs)
    if residuals.shape != shape:
        raise ValueError(
            f"residuals must be one per sample and output, {shape}. Got shape {residuals.shape}. Give the "
            "derivative by each output."
        )
    return padded(residuals, network.dtype)

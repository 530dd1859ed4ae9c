"""One step of gradient descent over the neurons that fired."""

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.fire_set import FireSet
from fewfire.indexes import Step
from fewfire.inputs import Inputs
from fewfire.network import TwoLayerNetwork
from fewfire.rows import padded


def gradient_step(
    network: TwoLayerNetwork,
    batch: Inputs,
    fires: FireSet,
    residuals: NDArray,
    learning_rate: float,
    output_learning_rate: float = 0.0,
) -> Step:
    """Move the weights of all neurons that fired, down the gradient of the batch's mean loss.

    w_r <- w_r - rate / (B sqrt(m)) sum_i <a_r, residual_i> x_i      over the samples i that r fires on
    a_r <- a_r - rate / (B sqrt(m)) sum_i (<w_r, x_i> - b) residual_i  where the output weights train too

    Both from the old values. d (and c) multiply-adds a firing pair; silent neurons are not touched.

    Parameters
    ----------
    residuals : (B, c)
        Derivative of each sample's loss by its outputs.
    learning_rate, output_learning_rate : float
        The second is 0 where the output weights stay as they are.
    """
    coefficients = np.empty(len(fires), network.dtype)
    lengths = np.empty(network.width)
    n_samples = len(batch)
    _core.backward(
        fires.begins, fires.samples, fires.values, padded(residuals, network.dtype), batch.rows,
        network.threshold, network.scale, learning_rate / n_samples,
        output_learning_rate / n_samples, network.weight_rows, network.output_rows,
        coefficients, lengths,
    )  # fmt: skip
    return Step(fires, coefficients, lengths, batch)

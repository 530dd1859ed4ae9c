"""Outputs of a network for new inputs, through the index that suits them."""

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import index_for_new_inputs
from fewfire.networks.two_layer import TwoLayerNetwork

PREDICT_BATCH = 1024


def predicted_outputs(network: TwoLayerNetwork, inputs: Inputs) -> NDArray:
    """Outputs (n, c): what fires is found 1,024 inputs at a time, c multiply-adds per firing pair."""
    index = index_for_new_inputs(network.layer, inputs)
    outputs = np.empty((len(inputs), network.n_outputs), network.dtype)
    for first in range(0, len(inputs), PREDICT_BATCH):
        part = np.arange(first, min(first + PREDICT_BATCH, len(inputs)))
        outputs[part] = network.outputs(index.fire_set(inputs.batch(part)))
    return outputs

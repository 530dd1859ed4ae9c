"""Outputs of a network for new inputs, the way that is fastest: through an index, or from all pairs."""

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import index_for_new_inputs, rules
from fewfire.networks.threshold import fire_rate_at
from fewfire.networks.two_layer import TwoLayerNetwork

PREDICT_BATCH = 1024


def predicted_outputs(network: TwoLayerNetwork, inputs: Inputs) -> NDArray:
    """Outputs (n, c), 1,024 inputs at a time: the same bits either way.

    Cost: a search for what fires and c multiply-adds per firing pair; or d + c per pair, where that is less.
    """
    searches = rules.search_pays(len(inputs), network.n_features, fire_rate_at(network.threshold))
    index = index_for_new_inputs(network.layer, inputs) if searches else None
    outputs = np.empty((len(inputs), network.n_outputs), network.dtype)
    for first in range(0, len(inputs), PREDICT_BATCH):
        part = np.arange(first, min(first + PREDICT_BATCH, len(inputs)))
        batch = inputs.batch(part)
        outputs[part] = (
            network.outputs_of_all(batch) if index is None else network.outputs(index.fire_set(batch))
        )
    return outputs

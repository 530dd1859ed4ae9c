"""Outputs of a network for new inputs, the way that is fastest: through an index, or from all pairs."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import index_for_new_inputs, rules
from fewfire.indexes.later_layers import LaterLayers
from fewfire.networks.deep import DeepNetwork, Network
from fewfire.networks.threshold import fire_rate_at

PREDICT_BATCH = 1024


def predicted_outputs(network: Network, inputs: Inputs) -> NDArray:
    """Outputs (n, c), 1,024 inputs at a time: the same bits either way.

    Cost: a search for what fires and c multiply-adds per firing pair; or d + c per pair, where that is less.
    In a deep network that search in the first layer, and in each layer above it a multiply-add per neuron and
    firing input.
    """
    outputs = np.empty((len(inputs), network.n_outputs), network.dtype)
    outputs_of = _way_to_outputs(network, inputs)
    for first in range(0, len(inputs), PREDICT_BATCH):
        part = np.arange(first, min(first + PREDICT_BATCH, len(inputs)))
        outputs[part] = outputs_of(inputs.batch(part))
    return outputs


def _way_to_outputs(network: Network, inputs: Inputs) -> Callable[[Inputs], NDArray]:
    """What gives the outputs of some of these inputs."""
    if isinstance(network, DeepNetwork):
        index, later = index_for_new_inputs(network.layer, inputs), LaterLayers(network)
        return lambda batch: network.outputs(later.firing(index.fire_set(batch)).fires[-1])
    if not rules.search_pays(len(inputs), network.n_features, fire_rate_at(network.threshold)):
        return network.outputs_of_all
    index = index_for_new_inputs(network.layer, inputs)
    return lambda batch: network.outputs(index.fire_set(batch))

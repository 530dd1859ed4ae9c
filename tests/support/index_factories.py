"""The indexes that every behaviour is tested on: a new one joins by one line in `EXACT` or `APPROXIMATE`."""

from collections.abc import Callable
from functools import partial

import numpy as np

from fewfire import Inputs, TwoLayerNetwork
from fewfire.core.rows import BLOCK
from fewfire.indexes import (
    CorrelationTreeByNeuron,
    CorrelationTreeBySample,
    DataTreeIndex,
    DriftIndex,
    ExhaustiveIndex,
    GroverIndex,
    HashingIndex,
    Index,
    RandomIndex,
    ScreenedIndex,
    WeightTreeIndex,
)
from fewfire.networks.layer import Layer
from problems import let_coast, rule_of

Factory = Callable[[TwoLayerNetwork, Inputs], Index]  # an index for this problem, not yet built


class WholeDrift(DriftIndex):
    """A drift index that leaves out no silent neuron: it goes on to hold what the limit is compared with."""

    def _retire(self, layer: Layer) -> None:
        pass


def drift_in_half_bytes(network: TwoLayerNetwork, inputs: Inputs) -> DriftIndex:
    """A drift index with a byte too little memory for a table of bytes."""
    index = WholeDrift()
    index.build(network.layer, inputs)
    return DriftIndex(memory_limit=index.nbytes - 1)


def drift_within(share: float, network: TwoLayerNetwork, inputs: Inputs) -> DriftIndex:
    """A drift index with just the memory for half a byte a pair for this share of the blocks, or for one."""
    blocks = -(-network.width // BLOCK)
    tabled = max(1, int(share * blocks)) * BLOCK
    part = TwoLayerNetwork(np.ones((tabled, network.n_features)), np.ones((tabled, 1)), 0, network.dtype)
    if (rule := rule_of(network)) is not None:
        let_coast(part, rule)
    index = WholeDrift(memory_limit=drift_in_half_bytes(part, inputs).memory_limit)
    index.build(part.layer, inputs)
    places_in_order = 4 * (network.width - min(tabled, network.width))
    return DriftIndex(memory_limit=index.nbytes + places_in_order)


EXACT: dict[str, Factory] = {
    "exhaustive": lambda network, inputs: ExhaustiveIndex(),
    "screened": lambda network, inputs: ScreenedIndex(),
    "grover": lambda network, inputs: GroverIndex(),
    "drift": lambda network, inputs: DriftIndex(),
    "drift-with-sketch": lambda network, inputs: DriftIndex(sketch_size=5),
    "drift-without-sketch": lambda network, inputs: DriftIndex(sketch_size=0),
    "drift-in-half-bytes": drift_in_half_bytes,
    "drift-half-tabled": partial(drift_within, 0.5),
    "drift-one-block-tabled": partial(drift_within, 0),
    "weight-tree": lambda network, inputs: WeightTreeIndex(),
    "data-tree": lambda network, inputs: DataTreeIndex(),
    "correlation-tree-by-sample": lambda network, inputs: CorrelationTreeBySample(),
    "correlation-tree-by-neuron": lambda network, inputs: CorrelationTreeByNeuron(),
}

APPROXIMATE: dict[str, Factory] = {
    "hashing": lambda network, inputs: HashingIndex(bits=4, tables=9, audit=0.5),
    "hashing-wta": lambda network, inputs: HashingIndex("wta", bits=3, tables=3, audit=1),
    "hashing-dwta": lambda network, inputs: HashingIndex("dwta", bits=3, tables=3, audit=0),
    "hashing-centred": lambda network, inputs: HashingIndex(bits=3, tables=4, centre=True),
    "hashing-every-third-step": lambda network, inputs: HashingIndex(bits=3, tables=4, rehash=3),
    "random": lambda network, inputs: RandomIndex(0.6),
}

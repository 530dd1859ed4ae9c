"""Lists of proposed samples: in any order they lead to one fire set."""

import numpy as np

from fewfire import Inputs, TwoLayerNetwork, _core
from fewfire.core.fire_set import FireSet


def test_the_order_of_proposals_does_not_matter():
    random = np.random.default_rng(0)
    layer = TwoLayerNetwork.initialize(70, 5, 1, threshold=0.2).layer
    batch = Inputs.of(random.standard_normal((40, 5)))
    begins = np.arange(71) * 40
    found = []
    for order in (np.arange(40), np.arange(40)[::-1], random.permutation(40)):
        samples = np.tile(order, 70).astype(np.int32)
        fires = _core.proposed_fire_set(begins, samples, layer.core_view, batch.core_view, layer.threshold)
        found.append(FireSet(fires.begins, fires.samples, fires.values, 40))
    assert len(found[0]) > 100
    assert found[0].identical(found[1])
    assert found[0].identical(found[2])

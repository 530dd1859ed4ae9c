"""No rounding error, and no sum of many, makes an index lose a pair that fires by a hair."""

import numpy as np
import pytest

from checks import assert_well_formed, exhaustive_fire_set, mask_of
from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes import DriftIndex
from fewfire.networks.descent import Descent
from problems import clustered_problem


@pytest.mark.parametrize("n_features", [20, 70])
def test_the_smallest_step_of_the_threshold_decides_a_pair(make_exact_index, dtype, n_features):
    problem = clustered_problem(width=130, n_features=n_features, threshold=0.0, dtype=dtype)
    network, batch = problem.network, problem.everything
    all_positive = exhaustive_fire_set(network, batch)
    for pair in np.random.default_rng(0).choice(len(all_positive), 6, replace=False):
        neuron, sample = all_positive.neurons()[pair], all_positive.samples[pair]
        value = all_positive.values[pair]
        for threshold, expected in [(np.nextafter(value, dtype(0)), True), (value, False)]:
            network.layer.threshold = float(threshold)
            index = make_exact_index(network, problem.inputs)
            index.build(network.layer, problem.inputs)
            fires = index.fire_set(batch)
            assert_well_formed(fires, network.threshold)
            assert mask_of(fires)[neuron, sample] == expected


def test_steps_too_small_to_move_a_weight_do_not_deceive_the_sketch():
    """Each is lost in rounding, while the tracked sketch of the drift adds them up."""
    random = np.random.default_rng(0)
    network = TwoLayerNetwork(random.uniform(64, 100, (64, 20)), np.ones((64, 1)), 0.0)
    inputs = Inputs.of(random.uniform(0, 1, (10, 20)))
    index = DriftIndex(sketch_size=20)
    index.build(network.layer, inputs)
    index._wasted[:] = -np.inf  # never refresh
    before, batch = network.weights.copy(), inputs.batch(np.array([0]))
    for _ in range(3000):
        fires = index.fire_set(batch)
        index.moved(Descent(network, batch, fires, np.ones((1, 1)), 1e-5).take())
    np.testing.assert_array_equal(network.weights, before)
    index.check_invariants()
    assert index.fire_set(inputs).identical(exhaustive_fire_set(network, inputs))


def test_a_sum_whose_roundings_all_go_up_is_proposed():
    """Words lose nothing of these rows: only the rounding of the sum lies between bound and threshold."""
    samples, weights = np.full((1, 800), 2.0**-15, np.float32), np.full((1, 800), 5 * 2.0**-11, np.float32)
    samples[0, :16], weights[0, :16] = 0.25, 4
    network, inputs = TwoLayerNetwork(weights, np.ones((1, 1)), 0.0), Inputs.of(samples)
    computed = exhaustive_fire_set(network, inputs).values[0]
    assert computed > np.vdot(weights.astype(np.float64), samples)
    network.layer.threshold = float(np.nextafter(computed, np.float32(0)))
    index = DriftIndex(sketch_size=0)
    index.build(network.layer, inputs)
    assert index.fire_set(inputs.batch(np.arange(1))).identical(exhaustive_fire_set(network, inputs))

"""Pairs proposed as lists: the shared dot kernel decides them."""

import numpy as np
import pytest

import fewfire
from checks import exhaustive_fire_set
from fewfire import FireSet, Inputs, TwoLayerNetwork, _core
from fewfire.networks.momentum import Momentum
from problems import clustered_problem, let_coast, random_step


def decided(problem, mask):
    """The fire set of the pairs of a mask (m, n), and how many dots it took."""
    network, batch = problem.network, problem.everything
    neurons, samples = np.nonzero(mask)
    begins = np.searchsorted(neurons, np.arange(network.width + 1)).astype(np.int64)
    found = _core.proposed_fire_set(
        begins, samples.astype(np.int32), network.layer.core_view, batch.core_view, network.threshold
    )
    fires = FireSet(found.begins, found.samples, found.values, len(batch))
    return fires, int(found.dots.sum())


@pytest.mark.parametrize("width", [1, 63, 64, 65, 300])
def test_of_all_pairs_those_that_fire_are_found(dtype, width):
    problem = clustered_problem(width=width, dtype=dtype)
    fires, dots = decided(problem, np.ones((width, 50), bool))
    assert fires.identical(exhaustive_fire_set(problem.network, problem.everything))
    assert dots == width * 50


def test_only_proposed_pairs_are_decided():
    problem = clustered_problem()
    mask = np.random.default_rng(0).random((300, 50)) < 0.1
    everything = exhaustive_fire_set(problem.network, problem.everything)
    fires, dots = decided(problem, mask)
    kept = mask[everything.neurons(), everything.samples]
    np.testing.assert_array_equal(fires.neurons(), everything.neurons()[kept])
    np.testing.assert_array_equal(fires.samples, everything.samples[kept])
    np.testing.assert_array_equal(fires.values, everything.values[kept])
    assert dots == mask.sum()
    assert len(decided(problem, np.zeros_like(mask))[0]) == 0


def test_any_number_of_threads_decides_alike():
    problem = clustered_problem()
    found = []
    for threads in (1, 2, 3):
        fewfire.set_threads(threads)
        found.append(decided(problem, np.ones((300, 50), bool))[0])
    assert found[0].identical(found[1])
    assert found[0].identical(found[2])


def test_weights_that_coast_are_decided_as_they_are_now():
    problem = clustered_problem()
    let_coast(problem.network, Momentum(0.9, weight_decay=0.01))
    random, batch = np.random.default_rng(0), problem.everything
    for _ in range(3):
        random_step(problem, batch, exhaustive_fire_set(problem.network, batch), 30.0, random)
        fires, _ = decided(problem, np.ones((300, 50), bool))
        assert fires.identical(exhaustive_fire_set(problem.network, batch))


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

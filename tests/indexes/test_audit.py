"""The recall of an approximate index, measured on some samples: the number, and how sure it is."""

import warnings

import numpy as np
import pytest

import fewfire
from checks import exhaustive_fire_set, mask_of
from fewfire import FireSet, Inputs, TwoLayerNetwork, WideClassifier
from fewfire.indexes import Audited, HashingIndex, RandomIndex
from fewfire.indexes.audit import on_samples
from problems import clustered_problem


def fire_set_of(mask, values=None):
    begins = np.concatenate(([0], np.cumsum(mask.sum(axis=1))))
    values = np.ones(mask.shape) if values is None else values
    return FireSet(begins, np.nonzero(mask)[1].astype(np.int32), values[mask], mask.shape[1])


def test_shares_of_pairs_and_of_mass():
    values = np.array([[3.0, 2.0, 5.0], [2.0, 2.5, 0.0]])
    everything = fire_set_of(values > 1, values)
    found = fire_set_of((values > 1) & [[True, False, False], [True, True, True]], values)
    audited = Audited.of(everything, found, threshold=1.0)
    assert (audited.samples, audited.fired, audited.found) == (3, 5, 3)
    assert audited.recall == 3 / 5
    assert audited.missed_mass == pytest.approx(5 / 9.5)
    assert audited + Audited() == audited == (audited + audited) - audited


def test_where_nothing_fires_nothing_is_known():
    nothing = Audited.of(fire_set_of(np.zeros((4, 3), bool)), fire_set_of(np.zeros((4, 3), bool)), 1.0)
    assert (nothing.recall, nothing.interval, nothing.missed_mass) == (None, None, None)


@pytest.mark.parametrize("positions", [[0, 2], [1], [0, 1, 2, 3]])
def test_a_part_of_a_fire_set_is_that_of_a_part_of_the_batch(positions):
    mask = np.random.default_rng(0).random((50, 4)) < 0.4
    values = np.random.default_rng(1).random((50, 4))
    part = on_samples(fire_set_of(mask, values), np.array(positions))
    assert part.identical(fire_set_of(mask[:, positions], values[:, positions]))


def test_pairs_that_are_found_independently_count_each():
    random = np.random.default_rng(0)
    fired = random.random((400, 60)) < 0.5
    audited = Audited.of(fire_set_of(fired), fire_set_of(fired & (random.random(fired.shape) < 0.3)), 0.0)
    low, high = audited.interval
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / audited.fired), rel=0.3)


def test_pairs_that_are_found_together_count_once():
    random = np.random.default_rng(0)
    fired = np.ones((400, 60), bool)
    audited = Audited.of(fire_set_of(fired), fire_set_of(fired & (random.random(60) < 0.3)), 0.0)
    low, high = audited.interval
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 60), rel=0.2)


@pytest.mark.parametrize("found", [0.0, 1.0])
def test_at_the_ends_samples_count_and_not_pairs(found):
    fired = np.ones((400, 10), bool)
    low, high = Audited.of(fire_set_of(fired), fire_set_of(fired & (found > 0)), 0.0).interval
    assert (low, high) == pytest.approx(fewfire.system.wilson(10 * found, 10))


def test_the_interval_holds_the_true_recall_in_95_of_100_runs():
    random, right = np.random.default_rng(0), 0
    samples = random.standard_normal((1600, 30))
    inputs = Inputs.of(samples / np.linalg.norm(samples, axis=1, keepdims=True))
    network = TwoLayerNetwork.initialize(512, 30, 1, threshold=1.0)
    batches = [inputs.batch(ids) for ids in np.split(np.arange(1600), 4)]
    everything = len(exhaustive_fire_set(network, inputs))
    for seed in range(100):
        index = HashingIndex(bits=6, tables=10, audit=1, seed=seed)
        index.build(network.layer, inputs)
        recall = sum(len(index.fire_set(batch)) for batch in batches) / everything
        low, high = index.audited.interval
        right += low <= recall <= high
        assert high - low < 0.03
    assert right >= 95


@pytest.mark.parametrize(("audit", "audits"), [(0, 0), (0.3, 3), (0.5, 4), (1, 7)])
def test_so_many_batches_are_audited(audit, audits):
    problem = clustered_problem()
    index = RandomIndex(0.5, audit=audit)
    index.build(problem.network.layer)
    for _ in range(7):
        index.fire_set(problem.everything)
    assert index.audited.samples == 32 * audits
    assert index.work.multiplied == 300 * 32 * audits


# Random pairs, as a control


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7, 1.0])
def test_random_pairs_are_found_as_often_as_they_are_drawn(share):
    problem = clustered_problem(width=2000, n_samples=200)
    index = RandomIndex(share, audit=1)
    index.build(problem.network.layer)
    everything = exhaustive_fire_set(problem.network, problem.everything)
    fires = index.fire_set(problem.everything)
    assert index.work.dots / index.work.asked == pytest.approx(share, abs=0.002)
    assert len(fires) / len(everything) == pytest.approx(share, abs=0.01)
    assert index.audited.recall == pytest.approx(share, abs=0.03)


def test_random_pairs_are_others_after_a_step_and_with_another_seed():
    problem = clustered_problem()
    found = []
    for seed in (0, 0, 1):
        index = RandomIndex(0.5, seed=seed)
        index.build(problem.network.layer)
        found.append(mask_of(index.fire_set(problem.everything)))
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    index.moved(None)
    assert not np.array_equal(mask_of(index.fire_set(problem.everything)), found[2])


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_must_be_one(share):
    with pytest.raises(ValueError, match=f"share must be from 0 to 1. Got {share}"):
        RandomIndex(share)


# Said once

APPROXIMATE = "the hashing index is approximate: it misses pairs that fire, so the weights are not those of"


def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(str(one.message), one.filename) for one in caught if one.category is UserWarning]


def test_training_through_an_approximate_index_warns_once():
    problem = clustered_problem()

    def train(index):
        fewfire.train(problem.network, problem.inputs, problem.targets, epochs=2, index=index)

    ((message, place),) = warned(lambda: train("hashing"))
    assert message.startswith(APPROXIMATE)
    assert place == __file__
    assert warned(lambda: train("drift")) == []


def test_an_estimator_with_an_approximate_index_warns_once():
    samples = np.random.default_rng(0).standard_normal((60, 4))

    def fit(index):
        WideClassifier(width=256, index=index, random_state=0).fit(samples, samples[:, 0] > 0)

    ((message, place),) = warned(lambda: fit("hashing"))
    assert message.startswith(APPROXIMATE)
    assert place == __file__
    assert warned(lambda: fit("drift")) == []

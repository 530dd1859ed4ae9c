"""The fire set: its pairs by neuron and by sample, its fire rate, and what makes two identical."""

from dataclasses import replace

import numpy as np
import pytest

from checks import exhaustive_fire_set, mask_of
from fewfire import FireSet
from problems import clustered_problem


@pytest.fixture
def fires():
    """Neuron 0 fires on samples 1 and 3, neuron 2 on sample 1; neuron 1 is silent."""
    return FireSet(
        begins=np.array([0, 2, 2, 3]),
        samples=np.array([1, 3, 1], np.int32),
        values=np.array([0.5, 0.75, 2.0], np.float32),
        n_samples=4,
    )


def test_its_size_is_the_number_of_pairs(fires):
    assert len(fires) == 3
    assert fires.width == 3
    assert fires.fire_rate == 3 / 12


def test_the_neuron_of_each_pair(fires):
    assert fires.neurons().tolist() == [0, 0, 2]


def test_the_same_pairs_by_sample(fires):
    begins, neurons, values = fires.by_sample()
    assert begins.tolist() == [0, 0, 2, 2, 3]
    assert neurons.tolist() == [0, 2, 0]
    assert values.tolist() == [0.5, 2.0, 0.75]


def test_by_sample_turns_a_large_fire_set_over():
    problem = clustered_problem(width=200)
    fires = exhaustive_fire_set(problem.network, problem.everything)
    begins, neurons, values = fires.by_sample()
    samples = np.repeat(np.arange(fires.n_samples), np.diff(begins))
    turned = np.zeros((fires.n_samples, fires.width), np.float32)
    turned[samples, neurons] = values
    straight = np.zeros((fires.width, fires.n_samples), np.float32)
    straight[fires.neurons(), fires.samples] = fires.values
    np.testing.assert_array_equal(turned, straight.T)
    np.testing.assert_array_equal(turned.T > 0, mask_of(fires))


def test_an_empty_fire_set_can_be_viewed_both_ways():
    fires = FireSet(np.zeros(4, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), n_samples=2)
    begins, neurons, values = fires.by_sample()
    assert begins.tolist() == [0, 0, 0]
    assert len(fires) == len(neurons) == len(values) == len(fires.neurons()) == 0
    assert fires.fire_rate == 0


def test_a_fire_set_is_identical_to_its_copy(fires):
    assert fires.identical(replace(fires, values=fires.values.copy()))


@pytest.mark.parametrize(
    "change",
    [
        {"n_samples": 5},
        {"begins": np.array([0, 1, 2, 3])},
        {"samples": np.array([1, 2, 1], np.int32)},
        {"values": np.array([0.5, np.nextafter(np.float32(0.75), np.float32(1)), 2.0], np.float32)},
        {"values": np.array([0.5, 0.75, 2.0])},
    ],
    ids=["batch", "neuron", "sample", "last-bit", "dtype"],
)
def test_any_difference_makes_two_fire_sets_not_identical(fires, change):
    assert not fires.identical(replace(fires, **change))

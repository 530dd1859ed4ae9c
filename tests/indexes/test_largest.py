"""The k largest pre-activations of each sample: those of a full sort, wherever the level stands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes import INDEXES, ExhaustiveIndex, Largest, OpenIndex
from strategies import seeds

OPEN = [name for name, index in INDEXES.items() if issubclass(index, OpenIndex) and index().is_exact]


def built(name, weights, inputs):
    index = INDEXES[name]()
    assert isinstance(index, OpenIndex)
    index.build(TwoLayerNetwork(weights, np.ones((len(weights), 1)), 0.5).layer, inputs)
    return index


def sorted_out(index, batch, k):
    """The pairs of a full sort of each sample's positive pre-activations, as (sample, neuron, value)."""
    begins, neurons, values = index.pairs_above(batch, 0.0).by_sample()
    found = []
    for sample, (begin, end) in enumerate(zip(begins, begins[1:], strict=False)):
        pairs = sorted(zip(-values[begin:end], neurons[begin:end], strict=True))[:k]
        found += sorted((sample, int(neuron), float(-value)) for value, neuron in pairs)
    return found


@given(
    seed=seeds,
    name=st.sampled_from(OPEN),
    width=st.integers(1, 80),
    n_features=st.integers(1, 5),
    k=st.sampled_from([1, 2, 7, 100]),
    level=st.sampled_from([None, 0.0, 0.7, 100.0]),
    whole=st.booleans(),  # numbers, with many ties
)
def test_they_are_those_of_a_full_sort(seed, name, width, n_features, k, level, whole):
    random = np.random.default_rng(seed)

    def draw(*shape):
        return random.integers(-2, 3, shape) if whole else random.standard_normal(shape)

    inputs, weights = Inputs.of(draw(12, n_features)), draw(width, n_features)
    index, exhaustive = built(name, weights, inputs), built("exhaustive", weights, inputs)
    largest = Largest(index, k)
    largest.level = level
    for ids in (np.arange(12), np.array([3]), np.array([5, 0, 5])):  # the level follows the batches
        batch = inputs.batch(ids)
        fires = largest.fire_set(batch)
        begins, neurons, values = fires.by_sample()
        samples = np.repeat(np.arange(len(batch)), np.diff(begins))
        found = list(zip(samples.tolist(), neurons.tolist(), map(float, values), strict=True))
        assert found == sorted_out(exhaustive, batch, k)


def test_few_pairs_are_looked_at_once_the_level_is_known():
    random = np.random.default_rng(0)
    inputs = Inputs.of(random.standard_normal((256, 20)))
    looked_at = []

    class Counting(ExhaustiveIndex):
        def pairs_above(self, batch, threshold):
            pairs = super().pairs_above(batch, threshold)
            looked_at.append(len(pairs))
            return pairs

    index = Counting()
    index.build(TwoLayerNetwork(random.standard_normal((4000, 20)), np.ones((4000, 1)), 0.5).layer, inputs)
    largest = Largest(index, 10)
    largest.fire_set(inputs.batch(np.arange(128)))
    looked_at.clear()
    fires = largest.fire_set(inputs.batch(np.arange(128, 256)))
    assert len(fires) == 128 * 10
    assert sum(looked_at) < 128 * 2000 / 10  # where half of all pairs are positive
    assert index.work.fired == 2 * 128 * 10


def test_no_number_that_is_not_whole_is_taken():
    index = built("exhaustive", np.ones((3, 2)), Inputs.of(np.ones((2, 2))))
    with pytest.raises(ValueError, match="k must be a whole number >= 1. Got 0"):
        Largest(index, 0)

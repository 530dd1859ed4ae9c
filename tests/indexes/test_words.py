"""Rows in words of 16 bits: what is lost of them, and that the drift index's table allows for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewfire import Inputs, TwoLayerNetwork, _core
from fewfire.indexes import DriftIndex
from index_factories import WholeDrift
from problems import clustered_samples
from strategies import seeds


def words_of(inputs: Inputs):
    words = np.empty((len(inputs), inputs.n_features + inputs.n_features % 2), np.int16)
    units = np.empty(len(inputs), inputs.dtype)
    limits = _core.word_inputs(inputs.rows, words, units)
    return words, units, limits.largest, limits.lost


@given(
    n_features=st.integers(1, 70),
    exponent=st.integers(-12, 12),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=seeds,
)
def test_words_times_their_unit_miss_a_row_by_what_is_stated(n_features, exponent, dtype, seed):
    random = np.random.default_rng(seed)
    rows = random.standard_normal((9, n_features)) * 10.0**exponent * random.choice([1, 0, 1e-3], n_features)
    inputs = Inputs.of(rows, dtype)
    words, units, largest, lost = words_of(inputs)
    samples = inputs.samples.astype(np.float64)
    missed = np.linalg.norm(words[:, :n_features] * units[:, None].astype(np.float64) - samples, axis=1)
    assert np.all(missed <= lost * np.linalg.norm(samples, axis=1) * (1 + 1e-12))
    assert np.all(np.linalg.norm(words.astype(np.float64), axis=1) <= largest)
    assert lost <= np.sqrt(n_features) / 2**14  # half a word a feature; the largest may saturate by one


def test_numbers_on_the_grid_of_inputs_lose_nothing(dtype):
    samples, _ = clustered_samples(30, 17)
    grid = np.round(samples * 2**15) / 2**15
    words, units, _, lost = words_of(Inputs.of(grid, dtype))
    assert lost == 0
    np.testing.assert_array_equal(words[:, :17] * units[:, None], grid.astype(dtype))


@pytest.mark.parametrize("lossy", [slice(0, 256), slice(256, 300), slice(100, 101), slice(299, 300)], ids=str)
def test_what_is_lost_of_many_rows_is_the_most_that_is_lost_of_any(lossy):
    samples = np.full((300, 20), 0.25)
    samples[lossy] = np.random.default_rng(0).uniform(0.1, 0.5, samples[lossy].shape)
    *_, largest, lost = words_of(Inputs.of(samples))
    alone = [words_of(Inputs.of(row[None]))[2:] for row in samples]
    assert (largest, lost) == tuple(np.max(alone, axis=0))
    assert lost > 0


@pytest.mark.parametrize("factor", [1e20, 1e30])
def test_of_rows_beyond_any_use_nothing_is_claimed(factor):
    samples, _ = clustered_samples(20, 5)
    samples[3] *= factor
    network = TwoLayerNetwork.initialize(70, 5, 1)
    index = DriftIndex()
    index.build(network.layer, Inputs.of(samples))
    assert np.all(index._table == 0)
    index.check_invariants()


def test_a_neuron_beyond_any_use_has_no_effect_on_the_others():
    samples, _ = clustered_samples(20, 5)
    weights = np.random.default_rng(0).standard_normal((70, 5))
    network = TwoLayerNetwork(weights, np.ones((70, 1)), 2.0)
    index = WholeDrift()
    index.build(network.layer, Inputs.of(samples))
    before = index._table[:, :, index._order[:64] != 7].copy()
    network.weights[7] *= 1e20
    index._refresh(network.layer, np.arange(2))
    place = list(index._order).index(7)
    assert np.all(index._table[place // 64, :, place % 64] == 0)
    np.testing.assert_array_equal(index._table[:, :, index._order[:64] != 7][0], before[0])
    index.check_invariants()

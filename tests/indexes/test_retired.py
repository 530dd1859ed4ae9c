"""The drift index leaves out the neurons that fire on no sample, and nothing else changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewfire import _core
from fewfire.core.rows import BLOCK
from fewfire.indexes import DriftIndex, ExhaustiveIndex
from fewfire.networks.momentum import Momentum
from fewfire.networks.silent import fires_on_any
from index_factories import drift_in_half_bytes, drift_within
from problems import clustered_problem, let_coast, random_step
from trainers import descend

SPARSE = {"width": 1000, "n_features": 4, "n_samples": 60, "threshold": 2.0}  # most of them are silent


def built_on(problem, **settings):
    index = DriftIndex(**settings)
    index.build(problem.network.layer, problem.inputs)
    return index


def silent_share(problem):
    layer = problem.network.layer
    return 1 - fires_on_any(layer.weight_rows, problem.inputs, layer.threshold).mean()


def test_silent_neurons_take_no_room_and_no_time(dtype):
    problem = clustered_problem(dtype=dtype, **SPARSE)
    index = built_on(problem)
    assert silent_share(problem) > 0.5
    assert index.retired_share == pytest.approx(silent_share(problem), abs=0.07)
    assert index.tabled_share == 1
    index.fire_set(problem.everything)
    searched = (1 - index.retired_share) * problem.network.width * len(problem.inputs)
    assert index.work.checked == round(searched)
    index.check_invariants()


@pytest.mark.parametrize("bits", [8, 4])
def test_training_is_the_same_without_them(dtype, bits):
    problem = clustered_problem(dtype=dtype, **SPARSE)
    index = DriftIndex() if bits == 8 else drift_in_half_bytes(problem.network, problem.inputs)
    others = problem.restarted()
    for one, way in ((problem, index), (others, ExhaustiveIndex())):
        descend(one.network, one.inputs, one.targets, index=way, epochs=8, batch_size=16, learning_rate=20.0)
    assert index.table_bits == bits
    assert index.retired_share > 0.4
    np.testing.assert_array_equal(problem.network.weights, others.network.weights)
    index.check_invariants()


def test_beyond_a_memory_limit_the_searched_ones_come_first(dtype):
    problem = clustered_problem(dtype=dtype, **SPARSE)
    index = drift_within(0.7, problem.network, problem.inputs)
    index.build(problem.network.layer, problem.inputs)
    assert 0 < index.tabled_share < 1
    assert index.retired_share > 0
    random, batch = np.random.default_rng(0), problem.everything
    exhaustive = ExhaustiveIndex()
    exhaustive.build(problem.network.layer, problem.inputs)
    for _ in range(5):
        fires, expected = index.fire_set(batch), exhaustive.fire_set(batch)
        np.testing.assert_array_equal(fires.begins, expected.begins)
        np.testing.assert_array_equal(fires.samples, expected.samples)
        step = random_step(problem, batch, fires, 1e2, random)
        index.moved(step)
        exhaustive.moved(step)
    index.check_invariants()


@pytest.mark.parametrize("rule", [Momentum(0.9), Momentum(weight_decay=1e-5)], ids=["momentum", "decay"])
def test_none_is_left_out_where_weights_coast(rule):
    problem = clustered_problem(**SPARSE)
    let_coast(problem.network, rule)
    assert built_on(problem).retired_share == 0


def test_all_may_be_silent():
    problem = clustered_problem(width=200, threshold=50.0)
    index = built_on(problem)
    assert index.retired_share == 1
    assert len(index.fire_set(problem.everything)) == 0
    index.check_invariants()


def test_none_is_left_out_where_all_fire():
    problem = clustered_problem(threshold=0.0, n_samples=200)
    assert built_on(problem).retired_share == 0


@given(st.integers(1, 5), st.integers(1, 40), st.sampled_from([8, 4]), st.integers(0, 2**32 - 1))
def test_columns_are_found_and_copied(n_blocks, n_samples, bits, seed):
    random = np.random.default_rng(seed)
    codes = random.integers(0, 2**bits, (n_blocks, n_samples, BLOCK), np.uint8)
    reach = random.integers(0, 2**bits, n_blocks * BLOCK, dtype=np.uint8) // 4
    table = packed(codes, bits)

    silent = np.empty(n_blocks * BLOCK, np.uint8)
    _core.beyond_reach(table, reach, silent)
    np.testing.assert_array_equal(silent, columns(codes).min(axis=0) > reach)

    chosen = random.permutation(n_blocks * BLOCK)
    count = int(random.integers(0, n_blocks * BLOCK // 2 + 1))
    source, target = chosen[:count], chosen[count : 2 * count]
    _core.copy_columns(table, source, target)
    expected = columns(codes)
    expected[:, target] = expected[:, source]
    expected = expected.reshape(n_samples, n_blocks, BLOCK).transpose(1, 0, 2)
    np.testing.assert_array_equal(table, packed(expected, bits))


def columns(codes):
    """(n_blocks, n, 64) -> (n, neurons)"""
    return codes.transpose(1, 0, 2).reshape(codes.shape[1], -1)


def packed(codes, bits):
    """Lines of the table, of one byte per code or half of one."""
    if bits == 8:
        return codes.copy()
    return np.ascontiguousarray(codes[..., : BLOCK // 2] | codes[..., BLOCK // 2 :] << 4)

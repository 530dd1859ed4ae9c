"""The codes of the drift index's table and the filters that read them, against NumPy."""

import numpy as np
import pytest

from fewfire.indexes import DriftIndex
from fewfire.indexes.drift_check import decoded
from fewfire.system import machine
from problems import clustered_problem, random_step


def codes_of(index):
    """The codes of its table, (neurons with a table in index order, n)."""
    return decoded(index._table, index.table_bits)[: len(index._reference)]


WAYS = pytest.mark.parametrize("instruction_set", machine.available_instruction_sets())
BITS = pytest.mark.parametrize("bits", [8, 4])


def built(problem, bits, sketch_size=None):
    index = DriftIndex(sketch_size=sketch_size)
    index.build(problem.network.layer, problem.inputs)
    if bits == 4:
        index.memory_limit = index.nbytes - 1
        index.build(problem.network.layer, problem.inputs)
    assert index.table_bits == bits
    return index


def silences(problem, index):
    """How far below the threshold each pair is, in float64, neurons in index order."""
    network = problem.network
    weights = network.weights[index._order].astype(np.float64)
    return network.threshold - weights @ problem.inputs.samples.astype(np.float64).T


@WAYS
@BITS
def test_a_code_is_the_distance_rounded_down(dtype, bits, instruction_set):
    machine.use_instruction_set(instruction_set)
    problem = clustered_problem(dtype=dtype)
    index = built(problem, bits)
    distances = silences(problem, index) / np.linalg.norm(problem.inputs.samples, axis=1)
    exact = distances * index._resolution + 1 + index._codes.firing
    codes = codes_of(index)
    assert codes.shape == exact.shape == (300, 50)
    assert {codes.min(), codes.max()} == {0, 2**bits - 1}
    expected = np.clip(np.floor(exact), 0, 2**bits - 1)
    assert np.all(codes <= expected)  # never more than there is
    assert np.all(codes >= expected - 1)
    assert np.mean(codes == expected) > 0.95


@WAYS
@BITS
def test_the_pairs_within_reach_are_those_whose_code_is(dtype, bits, instruction_set):
    machine.use_instruction_set(instruction_set)
    problem = clustered_problem(dtype=dtype)
    index, batch = built(problem, bits), problem.everything
    index.moved(random_step(problem, batch, index.fire_set(batch), 100.0, np.random.default_rng(0)))
    before = index.work.near
    index.fire_set(batch)
    within = codes_of(index) <= index._reach[:300, None]
    assert len(np.unique(index._reach[:300])) > 5
    assert index.work.near - before == np.count_nonzero(within) < within.size / 2


@WAYS
@BITS
@pytest.mark.parametrize("rate", [3.0, 1000.0], ids=["pair-by-pair", "whole-blocks"])
def test_the_sketch_bound_decides_as_its_formula_does(bits, instruction_set, rate):
    machine.use_instruction_set(instruction_set)
    problem = clustered_problem(width=256, n_features=70, threshold=1.5)
    index, batch = built(problem, bits, sketch_size=30), problem.everything
    for _ in range(3):
        step = random_step(problem, batch, index.fire_set(batch), rate, np.random.default_rng(0))
        index._wasted[:] = -np.inf  # never refresh
        index.moved(step)
    before = index.work.copy()
    index.fire_set(batch)
    work = index.work - before
    assert (work.sketch_products == 30 * work.near) == (rate == 3)

    codes = codes_of(index).astype(np.float64)
    norms = np.linalg.norm(problem.inputs.samples.astype(np.float64), axis=1)
    bound = index._sketch.astype(np.float64) @ index._sample_sketch.T
    bound += np.outer(index._perps, index._sample_perps) + np.outer(index._slacks, norms)
    margin = bound - (codes - 1 - index._codes.firing) / index._resolution * norms
    near = codes <= index._reach[:, None]
    left = [np.count_nonzero(near & ((codes == 0) | (margin > level))) for level in (1e-5, -1e-5)]
    assert left[0] <= work.dots <= left[1]
    assert work.dots < work.near

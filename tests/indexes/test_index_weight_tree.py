"""What is particular to the weight tree: few rows are looked at in few dimensions, and memory is limited."""

import numpy as np
import pytest

from checks import assert_right, exhaustive_fire_set
from fewfire import Inputs, MemoryLimitError, TwoLayerNetwork
from fewfire.core.rows import BLOCK
from fewfire.indexes import WeightTreeIndex
from fewfire.indexes.weight_tree import REFRESH_PAIRS
from fewfire.networks.descent import Step
from fewfire.networks.momentum import Momentum
from problems import clustered_problem, let_coast, random_step


def built(problem):
    index = WeightTreeIndex()
    index.build(problem.network.layer, problem.inputs)
    return index


def test_it_answers_for_inputs_that_it_was_not_built_on():
    problem = clustered_problem(width=1000, n_features=3)
    others = Inputs.of(np.random.default_rng(9).standard_normal((70, 3)))
    assert_right(built(problem).fire_set(others), problem.network, others)


@pytest.mark.parametrize(("d", "most"), [(1, 0.002), (2, 0.04), (4, 0.2)])
def test_few_pairs_are_looked_at_in_few_dimensions(d, most):
    problem = clustered_problem(width=2**14, n_features=d, threshold="paper")
    index = built(problem)
    index.fire_set(problem.everything)
    work = index.work
    assert work.asked == 2**14 * 50
    assert work.multiplied < most * work.asked
    assert work.nodes < most * work.asked
    assert work.dots - work.fired <= 10  # within rounding of the threshold
    assert work.multiply_adds(d) == (work.multiplied + work.dots + 2 * work.nodes) * d


@pytest.mark.parametrize(
    "optimizer", [Momentum(), Momentum(0.9, weight_decay=0.01)], ids=["plain", "coasting"]
)
def test_it_stays_right_and_good_through_a_long_run(optimizer):
    problem = clustered_problem(width=3000, n_features=3, threshold=1.5)
    let_coast(problem.network, optimizer)
    index, random = built(problem), np.random.default_rng(0)
    looked_at = []
    for step in range(200):
        batch = problem.inputs.batch(random.permutation(50)[:16])
        before = index.work.multiplied
        fires = index.fire_set(batch)
        looked_at.append(index.work.multiplied - before)
        if step % 20 == 0:
            assert fires.identical(exhaustive_fire_set(problem.network, batch))
            index.check_invariants()
        index.moved(random_step(problem, batch, fires, 3.0, random))
    assert index.work.placed < 10 * 3000 * 9
    assert np.mean(looked_at[-20:]) < 2 * np.mean(looked_at[:20])


def trained(problem, rate, steps=30):
    """The index after some steps, all samples in each."""
    index, random = built(problem), np.random.default_rng(0)
    for _ in range(steps):
        fires = index.fire_set(problem.everything)
        index.moved(random_step(problem, problem.everything, fires, rate, random))
    return index


def drifts_of(index, problem):
    points = np.empty((problem.network.width, problem.network.n_features + 1), problem.network.dtype)
    index._tree.copy(np.arange(len(points), dtype=np.int32), points)
    return points[:, -1]


def test_rows_that_move_a_little_stay_as_they_are_in_the_tree():
    problem = clustered_problem(width=3000, n_features=3, threshold=1.5)
    index = trained(problem, 0.1)
    assert index.work.refreshed == 0
    assert 0 < index.wear < 1
    assert np.count_nonzero(drifts_of(index, problem)) > 1000
    assert index.work.dots < 1.1 * index.work.fired


def test_no_more_is_spent_on_refreshes_than_was_wasted_on_pairs_in_vain():
    problem = clustered_problem(width=3000, n_features=3, threshold=1.5)
    index = trained(problem, 300.0)
    refreshes = index.work.refreshed / -(-3000 // BLOCK)
    assert 0 < refreshes <= index.wear <= (index.work.dots - index.work.fired) / (REFRESH_PAIRS * 3000)


def test_a_refresh_leaves_no_drift_and_no_pair_in_vain():
    problem = clustered_problem(width=3000, n_features=3, threshold=1.5)
    index = trained(problem, 3.0)
    index._wasted = np.inf
    fires = index.fire_set(problem.everything)
    index.moved(random_step(problem, problem.everything, fires, 3.0, np.random.default_rng(0)))
    assert not drifts_of(index, problem).any()
    before = index.work.copy()
    index.fire_set(problem.everything)
    work = index.work - before
    assert work.dots - work.fired <= 10  # within rounding of the threshold


def test_weights_that_coast_are_refreshed_at_each_step_and_do_not_wear_it():
    problem = clustered_problem(width=300, n_features=3)
    let_coast(problem.network, Momentum(0.9, weight_decay=0.01))
    index = trained(problem, 3.0, steps=7)
    assert index.work.refreshed == 7 * -(-300 // BLOCK)
    assert index.wear < 0.1
    index.check_invariants()


def test_moves_that_it_is_not_told_are_found_by_its_invariants():
    problem = clustered_problem()
    index = trained(problem, 1.0)
    index.check_invariants()
    problem.network.weights[7] += 1
    with pytest.raises(AssertionError, match="a neuron has drifted further than its bound"):
        index.check_invariants()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_leave_the_finite_numbers_are_left_to_the_dot_kernel(dtype, value):
    problem = clustered_problem(width=1000, n_features=3, dtype=dtype)
    index, random = built(problem), np.random.default_rng(0)
    with np.errstate(invalid="ignore"):
        for rate in (1.0, np.abs(value), 1.0, 1.0):
            fires = index.fire_set(problem.everything)
            assert fires.identical(exhaustive_fire_set(problem.network, problem.everything))
            index.moved(random_step(problem, problem.everything, fires, rate, random))
    problem.network.weights[::7, 1] = value
    fires = built(problem).fire_set(problem.everything)
    assert fires.identical(exhaustive_fire_set(problem.network, problem.everything))


def test_too_little_memory_is_an_error_that_says_how_much_it_takes():
    problem = clustered_problem()
    needed = built(problem).nbytes
    index = WeightTreeIndex(memory_limit=needed - 1)
    with pytest.raises(MemoryLimitError, match=f"of {needed - 1:,} bytes. Got a need of {needed:,} bytes"):
        index.build(problem.network.layer, problem.inputs)
    assert index.nbytes == 0
    index = WeightTreeIndex(memory_limit=needed)
    index.build(problem.network.layer, problem.inputs)
    assert index.nbytes == needed


def test_steps_far_shorter_than_what_a_row_has_drifted_still_count():
    network = TwoLayerNetwork([[-1.0, 0.0]], [[1.0]], 2e-5)
    inputs = Inputs.of([[1.0, 0.0]])
    index = WeightTreeIndex()
    index.build(network.layer, inputs)
    batch = inputs.batch(np.arange(1))
    for by in [1.0] + 1000 * [4e-8]:
        network.weights[0, 0] += by
        fires = exhaustive_fire_set(network, inputs)
        coefficients = np.zeros(len(fires), network.dtype)
        index.moved(Step(fires, coefficients, np.array([by * (1 + 3e-6)]), batch))
    index.check_invariants()
    assert len(exhaustive_fire_set(network, inputs)) == 1
    assert index.fire_set(batch).identical(exhaustive_fire_set(network, inputs))

"""What is particular to the weight tree: few rows are looked at in few dimensions, and memory is limited."""

import numpy as np
import pytest
from checks import assert_right, exhaustive_fire_set
from problems import clustered_problem, let_coast, random_step

from fewfire import Inputs, MemoryLimitError, WeightTreeIndex
from fewfire.optimiser import Optimiser


def built(problem):
    index = WeightTreeIndex()
    index.build(problem.network, problem.inputs)
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
    "optimiser", [Optimiser(), Optimiser(0.9, weight_decay=0.01)], ids=["plain", "coasting"]
)
def test_it_stays_right_and_good_through_a_long_run(optimiser):
    problem = clustered_problem(width=3000, n_features=3, threshold=1.5)
    let_coast(problem.network, optimiser)
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


def test_too_little_memory_is_an_error_that_says_how_much_it_takes():
    problem = clustered_problem()
    needed = built(problem).nbytes
    index = WeightTreeIndex(memory_limit=needed - 1)
    with pytest.raises(MemoryLimitError, match=f"the weight tree needs {needed:,} bytes. Got a limit of"):
        index.build(problem.network, problem.inputs)
    assert index.nbytes == 0
    index = WeightTreeIndex(memory_limit=needed)
    index.build(problem.network, problem.inputs)
    assert index.nbytes == needed

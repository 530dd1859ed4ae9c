"""Correlation trees: their searches and updates, counted; bounds that stay close; and the memory limit."""

import re
from math import ceil, log2

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

import fewfire
from checks import assert_right, exhaustive_fire_set
from fewfire import Inputs, MemoryLimitError, TwoLayerNetwork
from fewfire.core.rows import BLOCK
from fewfire.indexes import CorrelationTreeByNeuron, CorrelationTreeBySample
from fewfire.indexes.correlation_tree import gram_of
from fewfire.indexes.sketch import PAIR_OVERHEAD
from fewfire.networks.momentum import Momentum
from machines import OnAnyMachine
from problems import Problem, clustered_problem, exact_problem, let_coast, random_step
from strategies import seeds

EITHER = pytest.mark.parametrize(
    "make", [CorrelationTreeBySample, CorrelationTreeByNeuron], ids=["by-sample", "by-neuron"]
)


def built(make, problem, **settings):
    index = make(**settings)
    index.build(problem.network.layer, problem.inputs)
    return index


def without_gram(make, problem):
    """An index with a byte too little memory for the Gram matrix."""
    index = built(make, problem)
    assert index.keeps_gram
    index = built(make, problem, memory_limit=index.nbytes - 1)
    assert not index.keeps_gram
    return index


def depth(index, problem):
    leaves = -(-problem.network.width // BLOCK) * BLOCK if index.by_sample else len(problem.inputs) + 15
    return ceil(log2(leaves)) + 1


@EITHER
@pytest.mark.parametrize("width", [1, 2, 63, 64, 65, 129, 300, 513])
@pytest.mark.parametrize("n_samples", [1, 2, 15, 16, 17, 50])
def test_trees_of_any_size_find_what_fires(make, dtype, width, n_samples):
    problem = clustered_problem(width, 20, n_samples, dtype=dtype)
    index = built(make, problem)
    index.check_invariants()
    random = np.random.default_rng(0)
    batch = problem.inputs.batch(random.integers(0, n_samples, n_samples + 3))  # in disorder, some twice
    for _ in range(3):
        fires = index.fire_set(batch)
        assert_right(fires, problem.network, batch)
        index.moved(random_step(problem, batch, fires, 3.0, random))
        index.check_invariants()


@EITHER
def test_a_search_visits_what_it_reports_and_the_way_there(make):
    problem = clustered_problem(2000, 20, 100, threshold=2.5)
    index = built(make, problem)
    roots = len(problem.inputs) if index.by_sample else problem.network.width
    fired = len(index.fire_set(problem.everything))
    assert 500 < fired <= index.work.dots <= fired + 2
    assert index.work.compared <= roots + 2 * depth(index, problem) * index.work.dots
    assert index.work.compared < index.work.asked / 10


@EITHER
def test_where_nothing_fires_only_the_roots_are_looked_at(make):
    problem = clustered_problem(threshold=100.0)
    index = built(make, problem)
    assert len(index.fire_set(problem.everything)) == 0
    assert index.work.compared == (50 if index.by_sample else 300)
    assert index.work.dots == 0


def test_trees_of_samples_that_are_not_asked_are_not_visited():
    problem = clustered_problem(1000, 20, 100, threshold=1.5)
    index = built(CorrelationTreeBySample, problem)
    batch = problem.inputs.batch(np.array([7]))
    fires = index.fire_set(batch)
    assert index.work.compared <= 1 + 2 * depth(index, problem) * len(fires)


@EITHER
def test_a_step_touches_only_the_trees_of_what_moved(make):
    problem = clustered_problem(1024, 20, 100, threshold=1.5)
    index = without_gram(make, problem)
    before = index.work.copy()
    batch = problem.inputs.batch(np.array([3]))
    fires = index.fire_set(batch)
    index.moved(random_step(problem, batch, fires, 1.0, np.random.default_rng(0)))
    spent = index.work - before
    moved = len(fires)
    assert 0 < moved < 200
    assert spent.multiplied == moved * 100
    nodes_each = 112 * depth(index, problem) if index.by_sample else 112
    assert spent.maxima <= moved * nodes_each


@EITHER
@pytest.mark.parametrize("rate", [0.01, 3.0])
def test_the_gram_matrix_moves_correlations_as_a_recomputation_does(make, dtype, rate):
    problems = [clustered_problem(300, 70, 60, threshold=1.5, dtype=dtype) for _ in range(2)]
    through = built(make, problems[0])
    anew = without_gram(make, problems[1])
    start = through.work.copy()
    for seed in range(20):
        for index, problem in zip((through, anew), problems, strict=True):
            batch = problem.everything
            fires = index.fire_set(batch)
            index.moved(random_step(problem, batch, fires, rate, np.random.default_rng(seed)))
    through.check_invariants()
    assert problems[0].network.weights.tobytes() == problems[1].network.weights.tobytes()
    spent = through.work - start
    assert spent.gram_products > 0
    assert spent.multiplied < (anew.work - start).multiplied / 5
    difference = np.abs(through.correlations() - anew.correlations())
    assert difference.max() < 100 * 70 * np.finfo(dtype).eps * 30
    assert through.work.dots <= 1.01 * through.work.fired


@EITHER
def test_the_cheaper_way_is_taken(make):
    """A neuron that fires on many samples of few features is recomputed; one that fires on few is not."""
    problem = clustered_problem(300, 5, 400, threshold=1.0)
    index = built(make, problem)
    before, batch = index.work.copy(), problem.everything
    fires = index.fire_set(batch)
    times = np.diff(fires.begins)
    index.moved(random_step(problem, batch, fires, 0.1, np.random.default_rng(0)))
    spent = index.work - before
    often = times + 1 > 16 + PAIR_OVERHEAD  # with the padding of its features
    seldom = (times > 0) & ~often
    assert 10 < often.sum() < 290
    assert 10 < seldom.sum()
    assert spent.multiplied == 400 * often.sum()
    assert spent.gram_products == 400 * (times[seldom] + 1).sum()


@EITHER
def test_an_error_that_has_grown_is_cleared_by_a_recomputation(make):
    """Over many small steps the bounds never become much wider than the dot kernel's own rounding."""
    problem = clustered_problem(200, 8, 40, threshold=1.5)
    index = built(make, problem)
    start = index.work.copy()
    random = np.random.default_rng(0)
    for _ in range(300):
        fires = index.fire_set(problem.everything)
        index.moved(random_step(problem, problem.everything, fires, 0.01, random))
    index.check_invariants()
    norm, spread = index._bounds.T
    rounding = (16 + 8) * np.finfo(np.float32).eps  # of the dot kernel, as in csrc/core/rows.h
    assert spread.max() <= 8.01 * (rounding * norm).max()
    spent = index.work - start
    assert 0 < spent.multiplied < spent.gram_products / 10
    assert spent.dots <= 1.01 * spent.fired


@EITHER
def test_everything_is_recomputed_while_weights_coast(make):
    problem = clustered_problem()
    let_coast(problem.network, Momentum(0.9, weight_decay=0.01))
    index = built(make, problem)
    random, batch = np.random.default_rng(0), problem.everything
    for _ in range(4):
        before = index.work.copy()
        fires = index.fire_set(batch)
        assert fires.identical(exhaustive_fire_set(problem.network, batch))
        index.moved(random_step(problem, batch, fires, 3.0, random))
        index.check_invariants()
        spent = index.work - before
        assert (spent.multiplied, spent.gram_products) == (300 * 50, 0)


@EITHER
@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_samples_that_might_underflow_or_overflow_are_not_added_up(make, size):
    problem = clustered_problem()
    inputs = Inputs.of(size * problem.inputs.samples)
    problem = Problem(problem.network, inputs, problem.targets)
    assert not built(make, problem).keeps_gram


@EITHER
def test_a_gram_matrix_larger_than_the_trees_is_not_kept(make):
    assert not built(make, clustered_problem(3, 5, 500)).keeps_gram


def test_the_gram_matrix_is_rounded_once(dtype):
    inputs = exact_problem(dtype).inputs
    gram = gram_of(inputs)
    np.testing.assert_array_equal(gram[:32, :32], inputs.samples @ inputs.samples.T)
    np.testing.assert_array_equal(gram[32, :32], inputs.norms)
    assert not gram[:, 32:].any()


@EITHER
def test_any_number_of_threads_gives_the_same_trees(make):
    nodes = []
    for threads in (1, 2, 3):
        fewfire.set_threads(threads)
        problem = clustered_problem(500, 20, 40)
        index = built(make, problem)
        for seed in range(4):
            fires = index.fire_set(problem.everything)
            index.moved(random_step(problem, problem.everything, fires, 1.0, np.random.default_rng(seed)))
        nodes.append(index._nodes.tobytes())
    assert nodes[0] == nodes[1] == nodes[2]


@EITHER
def test_moves_that_it_is_not_told_are_found_by_its_invariants(make):
    problem = clustered_problem()
    index = built(make, problem)
    problem.network.weights[:] += 0.01
    with pytest.raises(AssertionError, match="lies below its bound|lies above its bound|a norm is too low"):
        index.check_invariants()


@EITHER
def test_weights_that_are_not_finite_are_left_to_the_dot_kernel(make, dtype):
    problem = clustered_problem(dtype=dtype)
    problem.network.weights[::7, 3] = np.nan
    problem.network.weights[1::7, 3] = np.inf
    with np.errstate(invalid="ignore"):
        index = built(make, problem)
        fires = index.fire_set(problem.everything)
        assert fires.identical(exhaustive_fire_set(problem.network, problem.everything))


@EITHER
def test_a_limit_is_kept_first_without_the_gram_matrix_then_not_at_all(make):
    problem = clustered_problem()
    index = without_gram(make, problem)
    needed = index.nbytes
    assert needed == built(make, problem, memory_limit=needed).nbytes
    message = (
        f"the {index.name} index must fit in the memory limit of {needed - 1:,} bytes. "
        f"Got a need of {needed:,} bytes. Raise the limit, or"
    )
    with pytest.raises(MemoryLimitError, match=re.escape(message)):
        built(make, problem, memory_limit=needed - 1)


@EITHER
def test_an_index_that_is_not_built_says_so(make):
    with pytest.raises(RuntimeError, match=f"the {make.name} index must be built before it is asked"):
        make().fire_set(clustered_problem().everything)


@EITHER
def test_duplicate_neurons_and_samples_are_all_reported(make, dtype):
    random = np.random.default_rng(0)
    weights, samples = (np.repeat(random.standard_normal((3, 8)), 50, axis=0) for _ in range(2))
    network = TwoLayerNetwork(weights, np.ones((150, 1)), 0.5, dtype)
    problem = Problem(network, Inputs.of(samples, dtype), np.zeros((150, 1)))
    index = built(make, problem)
    for _ in range(3):
        fires = index.fire_set(problem.everything)
        assert_right(fires, network, problem.everything)
        index.moved(random_step(problem, problem.everything, fires, 1.0, random))


class CorrelationTreesMachine(OnAnyMachine):
    """Any sequence of what can happen to both kinds of trees leaves them exact."""

    @initialize(
        width=st.integers(1, 200),
        n_features=st.sampled_from([1, 3, 17, 70]),
        n_samples=st.integers(1, 40),
        threshold=st.sampled_from([0.0, 0.5, 1.5]),
        dtype=st.sampled_from([np.float32, np.float64]),
        optimizer=st.sampled_from([Momentum(), Momentum(), Momentum(0.9, weight_decay=0.001)]),
        seed=seeds,
    )
    def start(self, width, n_features, n_samples, threshold, dtype, optimizer, seed):
        self.problem = clustered_problem(
            width, n_features, n_samples, threshold=threshold, dtype=dtype, seed=seed
        )
        let_coast(self.problem.network, optimizer)
        self.random = np.random.default_rng(seed)
        self.indexes = [
            built(make, self.problem) for make in (CorrelationTreeBySample, CorrelationTreeByNeuron)
        ]

    @rule(data=st.data(), rate=st.sampled_from([1e-3, 1.0, 100.0, 1e4]))
    def step(self, data, rate):
        ids = data.draw(st.lists(st.integers(0, len(self.problem.inputs) - 1), min_size=1, max_size=50))
        batch = self.problem.inputs.batch(np.array(ids))
        expected = exhaustive_fire_set(self.problem.network, batch)
        for index in self.indexes:
            assert index.fire_set(batch).identical(expected)
        step = random_step(self.problem, batch, expected, rate, self.random)
        for index in self.indexes:
            index.moved(step)

    @rule()
    def settle(self):
        if self.problem.network.layer.velocities is not None:
            self.problem.network.layer.velocities.settle()

    @invariant()
    def the_fire_set_of_everything_is_that_of_the_exhaustive_index(self):
        batch = self.problem.everything
        expected = exhaustive_fire_set(self.problem.network, batch)
        for index in self.indexes:
            assert index.fire_set(batch).identical(expected)
            index.check_invariants()


TestCorrelationTreesMachine = CorrelationTreesMachine.TestCase
TestCorrelationTreesMachine.settings = settings(stateful_step_count=15)

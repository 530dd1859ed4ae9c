"""Open indexes at any threshold, and what fires among pairs that they gave."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import exhaustive_fire_set, mask_of
from fewfire import Inputs, reference
from fewfire.indexes import INDEXES, OpenIndex
from fewfire.networks.momentum import Momentum
from problems import clustered_problem, exact_problem, let_coast
from strategies import seeds

OPEN = {name: kind for name, kind in INDEXES.items() if issubclass(kind, OpenIndex) and kind.is_exact}


def built(kind, problem):
    index = kind()
    index.build(problem.network.layer, problem.inputs)
    return index


def test_the_open_indexes_are_those_that_say_so():
    assert {*OPEN, "hashing"} == {name for name, kind in INDEXES.items() if kind.is_open}


@given(
    width=st.integers(1, 200), n_features=st.integers(1, 12), n_samples=st.integers(1, 70),
    threshold=st.sampled_from([-50.0, -0.3, 0.0, 0.5, 1.0, 50.0]), seed=seeds,
    dtype=st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_all_of_them_find_the_same_pairs_at_any_threshold(
    width, n_features, n_samples, threshold, seed, dtype
):
    problem = clustered_problem(width, n_features, n_samples, dtype=dtype, seed=seed)
    found = [built(kind, problem).pairs_above(problem.everything, threshold) for kind in OPEN.values()]
    assert (found[0].values > threshold).all()
    assert all(pairs.identical(found[0]) for pairs in found[1:])
    values = reference.pre_activations(problem.network.weights, problem.inputs.samples)
    sure = np.abs(values - threshold) > 1e-4
    np.testing.assert_array_equal(mask_of(found[0])[sure], (values > threshold)[sure])


@pytest.mark.parametrize("kind", OPEN.values(), ids=OPEN)
@pytest.mark.parametrize("threshold", [-1.0, 0.0, 1.0, 2.0])
def test_ties_are_not_above(kind, threshold, dtype):
    problem = exact_problem(dtype)
    pairs = built(kind, problem).pairs_above(problem.everything, threshold)
    values = reference.pre_activations(problem.network.weights, problem.inputs.samples)
    assert (values == threshold).any()
    np.testing.assert_array_equal(mask_of(pairs), values > threshold)


@pytest.mark.parametrize("kind", OPEN.values(), ids=OPEN)
@pytest.mark.parametrize("coasts", [False, True])
def test_among_all_pairs_that_fires_which_fires(kind, coasts):
    problem = clustered_problem()
    if coasts:
        let_coast(problem.network, Momentum(0.9))
    index = built(kind, problem)
    everything = index.pairs_above(problem.everything, -100.0)
    assert len(everything) == 300 * 50
    assert index.firing_among(everything, problem.everything).identical(index.fire_set(problem.everything))


def test_among_some_pairs_no_other_is_looked_at():
    problem = clustered_problem()
    index = built(OPEN["exhaustive"], problem)
    near = index.pairs_above(problem.everything, 0.6)
    moved = Inputs.of(problem.inputs.samples + 0.3 * np.random.default_rng(0).standard_normal((50, 20)))
    before = index.work.copy()
    found = index.firing_among(near, moved)
    spent = index.work - before
    assert (spent.dots, spent.near, spent.multiplied) == (len(near), len(near), 0)
    assert (spent.asked, spent.fired) == (300 * 50, len(found))
    exact = exhaustive_fire_set(problem.network, moved)
    assert 0 < len(found) < len(exact)
    np.testing.assert_array_equal(mask_of(found), mask_of(exact) & mask_of(near))


@pytest.mark.parametrize("kind", OPEN.values(), ids=OPEN)
def test_pairs_near_firing_are_counted_as_work_and_not_as_fires(kind):
    problem = clustered_problem()
    index = built(kind, problem)
    before = index.work.copy()
    near = index.pairs_above(problem.everything, 0.6)
    spent = index.work - before
    assert spent.dots >= len(near) > 0
    assert (spent.asked, spent.fired) == (0, 0)


def test_pairs_of_another_batch_are_refused():
    problem = clustered_problem()
    index = built(OPEN["exhaustive"], problem)
    pairs = index.pairs_above(problem.inputs.batch(np.arange(7)), 0.6)
    with pytest.raises(ValueError, match="300 and 50. Got pairs of 300 and 7"):
        index.firing_among(pairs, problem.everything)

"""Grover search for an unknown number of items: amplitudes, queries drawn and expected, giving up."""

from math import ceil, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewfire.quantum.search import (
    GROWTH,
    PATIENCE,
    chances,
    draw_reports,
    draw_searches,
    expected_report,
    expected_searches,
    mean_chances,
    round_bounds,
)

# Items, and how many of them are marked: none, one, some, nearly all, all; sizes of every kind.
CASES = [
    (1, 0),
    (1, 1),
    (2, 1),
    (3, 2),
    (7, 7),
    (64, 1),
    (100, 99),
    (1000, 0),
    (1000, 1),
    (1000, 40),
    (4096, 700),
]


@st.composite
def sizes(draw):
    n_items = draw(st.integers(1, 70))
    return n_items, draw(st.integers(0, n_items))


def state_after(n_items, marked, iterations):
    """All amplitudes, by the definition: the oracle, then the reflection about the mean."""
    state = np.full(n_items, 1 / sqrt(n_items))
    for _ in range(iterations):
        state[:marked] *= -1
        state = 2 * state.mean() - state
    return state


@given(sizes(), st.integers(0, 12))
def test_chances_are_those_of_the_whole_state(size, iterations):
    n_items, marked = size
    expected = np.square(state_after(n_items, marked, iterations)[:marked]).sum()
    assert chances(n_items, marked, iterations) == pytest.approx(expected, abs=1e-12)


@given(sizes(), st.integers(1, 12))
def test_the_mean_chance_is_the_mean_over_all_iterations(size, bound):
    expected = chances(*size, np.arange(bound)).mean()
    assert mean_chances(*size, bound) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n_items", [1, 2, 5, 64, 1000, 2**20])
def test_bounds_grow_from_one_to_the_root_and_stay_there(n_items):
    bounds = round_bounds(n_items)
    assert bounds[0] == 1
    assert np.all(np.diff(bounds) >= 0)
    assert np.all(bounds[1:] <= np.ceil(GROWTH * bounds[:-1]))
    assert np.all(bounds[-PATIENCE:] == ceil(sqrt(n_items)))
    assert len(round_bounds(n_items, 1)) == len(bounds) - PATIENCE + 1


def test_a_round_at_the_largest_bound_finds_an_item_with_probability_a_quarter():
    for n_items in [*range(1, 200), 1000, 2**16]:
        assert mean_chances(n_items, np.arange(1, n_items + 1), ceil(sqrt(n_items))).min() >= 1 / 4


@pytest.mark.parametrize("n_items", [2, 3, 64, 1000, 2**16])
def test_the_expected_iterations_keep_the_bound_of_the_paper(n_items):
    """Boyer et al., Theorem 3: 9/2 n / (2 sqrt((n - k) k)) for k <= 3 n / 4 marked items."""
    marked = np.arange(1, 3 * n_items // 4 + 1)
    searching, iterations = np.ones(len(marked)), np.zeros(len(marked))
    for bound in round_bounds(n_items):
        iterations += searching * (bound - 1) / 2
        searching *= 1 - mean_chances(n_items, marked, bound)
    assert np.all(iterations <= 9 / 2 * n_items / (2 * np.sqrt((n_items - marked) * marked)))


@pytest.mark.parametrize(("n_items", "marked"), CASES)
def test_searches_take_the_queries_that_are_expected(n_items, marked):
    drawn = draw_searches(n_items, np.full(20_000, marked), np.random.default_rng(0))
    expected = expected_searches(n_items, marked)
    assert drawn.queries.mean() == pytest.approx(expected.queries, rel=0.03)
    assert drawn.gives_up.mean() == pytest.approx(expected.gives_up, abs=1e-4)
    assert expected.gives_up == pytest.approx(float(marked == 0), abs=1e-4)


@pytest.mark.parametrize("patience", [1, 2, PATIENCE])
@pytest.mark.parametrize(("n_items", "marked"), CASES)
def test_reports_take_the_queries_and_miss_the_items_that_are_expected(n_items, marked, patience):
    n_reports = 200_000 // (marked + 10)
    queries, missed = draw_reports(n_items, np.full(n_reports, marked), np.random.default_rng(0), patience)
    expected_queries, expected_missed = expected_report(n_items, marked, patience)
    assert queries.mean() == pytest.approx(expected_queries, rel=0.03)
    assert missed.mean() == pytest.approx(expected_missed, abs=5 * missed.std() / sqrt(n_reports) + 1e-4)


def test_an_impatient_search_misses_items_and_a_patient_one_hardly_any():
    assert expected_report(1000, 40, patience=1)[1] > 0.05
    for n_items, marked in CASES:
        assert expected_report(n_items, marked)[1] < 1e-4


@given(st.integers(1, 70), st.lists(st.integers(0, 70), max_size=5), st.integers(1, 3), st.integers(0, 99))
def test_any_reports_are_within_their_bounds(n_items, marked, patience, seed):
    marked = np.minimum(np.array(marked, np.int64), n_items)
    queries, missed = draw_reports(n_items, marked, np.random.default_rng(seed), patience)
    assert len(queries) == len(missed) == len(marked)
    assert np.all((missed >= 0) & (missed <= marked))
    bounds = round_bounds(n_items, patience)
    assert np.all(queries >= marked - missed + len(bounds))  # a check an item, then all rounds in vain
    assert np.all(queries <= (marked - missed + 1) * bounds.sum())
    again = draw_reports(n_items, marked, np.random.default_rng(seed), patience)
    assert np.array_equal(queries, again[0])


@given(st.integers(1, 70))
def test_where_all_are_marked_one_query_finds_one(n_items):
    assert draw_searches(n_items, np.array([n_items]), np.random.default_rng(0)).queries == 1
    assert expected_searches(n_items, n_items).queries == 1


def test_finding_all_takes_queries_as_the_root_of_items_times_marked():
    for n_items in (2**14, 2**16, 2**18, 2**20):
        for marked in (64, 256, 1024):
            queries = expected_report(n_items, marked)[0] - expected_searches(n_items, 0).queries
            assert queries / sqrt(n_items * marked) == pytest.approx(3, rel=0.1)

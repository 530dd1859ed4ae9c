"""The Grover index counts the queries that searches for its fire sets would make, and misses none of them."""

from functools import partial

import numpy as np
import pytest

from fewfire.indexes import GroverIndex, grover
from fewfire.quantum.search import draw_reports, expected_report
from problems import clustered_problem

WIDTH = 1000


def counted(seed=0, times=1):
    """(index, firing neurons of each sample) after this many fire sets of all samples."""
    problem = clustered_problem(width=WIDTH, n_samples=64, threshold="paper")
    index = GroverIndex(seed=seed)
    index.build(problem.network.layer, problem.inputs)
    for _ in range(times):
        fires = index.fire_set(problem.everything)
    return index, np.bincount(fires.samples, minlength=64)


def test_the_queries_of_searches_for_the_fire_set_are_counted():
    index, firing = counted()
    queries, missed = draw_reports(WIDTH, firing, np.random.default_rng(0))
    assert index.work.oracle_queries == queries.sum()
    assert index.missed == missed.sum() == 0


def test_queries_are_within_five_percent_of_the_expected():
    index, firing = counted(times=5)
    expected = 5 * sum(expected_report(WIDTH, k)[0] for k in firing)
    assert index.work.oracle_queries == pytest.approx(expected, rel=0.05)


def test_the_seed_decides_what_is_drawn_and_a_build_begins_anew():
    first, again, other = (counted(seed)[0] for seed in (1, 1, 2))
    assert first.work == again.work != other.work
    problem = clustered_problem(width=WIDTH, n_samples=64, threshold="paper")
    before = first.work.copy()
    first.build(problem.network.layer, problem.inputs)
    first.fire_set(problem.everything)
    assert first.work - before == before


def test_many_samples_are_drawn_in_parts_from_one_generator(monkeypatch):
    monkeypatch.setattr(grover, "DRAWN_AT_ONCE", 10 * WIDTH)
    index, firing = counted()
    random = np.random.default_rng(0)
    parts = [draw_reports(WIDTH, firing[first : first + 10], random)[0] for first in range(0, 64, 10)]
    assert index.work.oracle_queries == sum(queries.sum() for queries in parts)


def test_what_searches_miss_is_counted_and_stays_in_the_fire_set(monkeypatch):
    patient, firing = counted()
    monkeypatch.setattr(grover, "draw_reports", partial(draw_reports, patience=1))
    impatient, all_the_same = counted()
    assert impatient.missed > 0
    assert impatient.work.oracle_queries < patient.work.oracle_queries
    np.testing.assert_array_equal(firing, all_the_same)


def test_only_this_index_counts_queries(make_index):
    problem = clustered_problem()
    index = make_index(problem.network, problem.inputs)
    index.build(problem.network.layer, problem.inputs)
    index.fire_set(problem.everything)
    assert (index.work.oracle_queries > 0) == isinstance(index, GroverIndex)

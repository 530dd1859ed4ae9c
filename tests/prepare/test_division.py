"""Rows divided among networks: sizes of parts, ties, one row's place, and the way through a file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewfire.prepare.division import Division
from fewfire.prepare.preparation import Preparation

ROWS = np.random.default_rng(0).standard_normal((500, 4)) @ np.diag([3.0, 1.0, 1.0, 0.1])


def prepared(rows, directions=None):
    preparation = Preparation.fit(rows)
    return preparation if directions is None else preparation.along(directions, 1.0)


@pytest.mark.parametrize(
    "directions", [None, np.array([1.0, 0.0, 2.0, 0.5]), np.random.default_rng(1).standard_normal((2, 4))]
)
def test_parts_are_halves_of_halves_until_they_are_small(directions):
    division = Division.of(prepared(ROWS, directions), ROWS, 130)
    parts = division.parts(ROWS)
    assert [len(part) for part in parts] == [125] * 4
    assert sorted(np.concatenate(parts)) == list(range(500))


def test_the_first_cut_is_where_weighed_rows_differ_most():
    division = Division.of(prepared(ROWS, np.array([0.1, 5.0, 0.1, 0.1])), ROWS, 250)
    first = ROWS[:, 1] <= np.median(ROWS[:, 1])
    places = division.places(ROWS)
    assert max(np.mean(places == first), np.mean(places != first)) > 0.97


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 20), st.integers(1, 3))
def test_no_part_is_empty_or_too_large_but_where_rows_are_alike(seed, n, most, d):
    rows = np.random.default_rng(seed).integers(0, 3, (n, d)).astype(float)
    division = Division.of(prepared(rows), rows, most)
    parts = division.parts(rows)
    assert len(parts) == division.n_parts
    for part in parts:
        assert len(part)
        assert len(part) <= most or len(np.unique(rows[part], axis=0)) == 1


def test_a_row_has_its_place_alone_as_among_others():
    division = Division.of(prepared(ROWS, np.random.default_rng(1).standard_normal((3, 4))), ROWS, 20)
    alone = [division.places(row[None])[0] for row in ROWS]
    assert alone == division.places(ROWS).tolist()


def test_few_rows_stay_together_and_no_rows_have_no_place():
    division = Division.of(prepared(ROWS), ROWS, 500)
    assert division.n_parts == 1
    assert not division.places(ROWS).any()
    assert len(division.places(ROWS[:0])) == 0


@pytest.mark.parametrize("most", [100, 1000])
def test_it_comes_back_from_its_arrays(most):
    division = Division.of(prepared(ROWS), ROWS, most)
    known = Division.from_state(division.state())
    assert known is not None
    np.testing.assert_array_equal(known.places(ROWS), division.places(ROWS))
    assert Division.from_state({"mean": np.zeros(1)}) is None


def test_rows_around_a_centre_have_their_constant_from_their_own_size():
    around = prepared(ROWS, np.array([1.0, 0.0, 2.0, 0.5])).around(ROWS[:50], 0.5)
    standard = (ROWS[:50] - ROWS[:50].mean(axis=0)) / ROWS.std(axis=0) * [1.0, 0.0, 2.0, 0.5]
    size = np.sqrt(np.square(standard).sum(axis=1).mean())
    assert around.scaling.constant == pytest.approx(0.5 * size)
    units = around.transform(ROWS[:50], np.float64)
    assert np.square(units).sum(axis=1) == pytest.approx(1)
    np.testing.assert_allclose(units[:, :-1] / units[:, -1:] * 0.5 * size, standard[:, [0, 2, 3]])
    assert prepared(ROWS).around(ROWS[:1], 0.5).scaling.constant == 1.0

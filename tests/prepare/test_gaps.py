"""Numbers that are missing."""

import numpy as np
import pytest

from fewfire.prepare.curves import CODINGS
from fewfire.prepare.gaps import Gaps
from fewfire.prepare.preparation import Preparation

NAN = np.nan
ROWS = np.array([[1.0, NAN, 5.0, 0.0], [2.0, NAN, 5.0, 1.0], [NAN, NAN, 5.0, NAN], [9.0, NAN, 5.0, 1.0]])


def test_a_gap_is_filled_with_the_median_of_what_is_there():
    gaps = Gaps.of(ROWS, range(4))
    assert gaps.medians.tolist() == [2, 0, 5, 1]
    assert gaps.columns.tolist() == [0, 1, 3]
    assert gaps.filled(ROWS)[2].tolist() == [2, 0, 5, 1]
    assert gaps.told(ROWS)[2].tolist() == [1, 1, 1]
    assert gaps.told(ROWS)[0].tolist() == [0, 1, 0]


def test_rows_without_a_gap_are_not_copied():
    rows = ROWS[:, 2:3]
    assert Gaps.of(rows, [0]).filled(rows) is rows


def test_a_gap_that_is_new_is_filled_and_not_told():
    gaps = Gaps.of(ROWS, [2])
    new = np.array([[NAN], [7.0]])
    assert gaps.filled(new).tolist() == [[5], [7]]
    assert gaps.told(new).shape == (2, 0)


def test_infinity_is_no_gap():
    assert np.isinf(Gaps.of(ROWS, range(4)).filled(np.full((1, 4), np.inf))).all()


@pytest.mark.parametrize("coding", [None, *CODINGS])
def test_a_preparation_tells_of_gaps_by_columns_that_come_last(coding):
    random = np.random.default_rng(0)
    rows = random.standard_normal((60, 3))
    rows[:, 2] = random.integers(0, 3, 60)
    rows[::4, 0] = NAN
    rows[::5, 2] = NAN
    plain = Preparation.fit(rows, [2])
    preparation = plain if coding is None else plain.coded(coding, rows)
    assert preparation.sources[-1] == 0
    assert len(preparation.sources) == len(preparation.equal_weights)
    told = preparation.standardized(rows)[:, -1]
    assert len(np.unique(told[::4])) == 1
    assert len(np.unique(told)) == 2
    assert np.isfinite(preparation.standardized(rows)).all()
    assert preparation.standardized(rows).shape == (60, len(preparation.sources))
    assert np.isfinite(preparation.transform(np.full((2, 3), NAN))).all()


@pytest.mark.parametrize("coding", CODINGS)
def test_codings_are_learned_of_what_is_there(coding):
    values = np.random.default_rng(0).standard_exponential((40, 1))
    with_gaps = np.concatenate([values, np.full((20, 1), NAN)])
    whole, lacking = Preparation.fit(values).coded(coding, values), Preparation.fit(with_gaps)
    lacking = lacking.coded(coding, with_gaps)
    assert whole.curves is not None
    assert lacking.curves is not None
    for knots, others in zip(whole.curves.knots, lacking.curves.knots, strict=True):
        np.testing.assert_array_equal(knots, others)

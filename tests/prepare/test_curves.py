"""Codings of columns: ranks as normal scores, and ramps between quantiles."""

import numpy as np
import pytest
from scipy.stats import rankdata

from fewfire.prepare import preparation
from fewfire.prepare.curves import Curves
from fewfire.prepare.preparation import Preparation


def test_ranks_are_the_normal_scores_of_mean_ranks():
    from scipy.special import ndtri

    column = np.random.default_rng(0).integers(0, 9, (100, 1)).astype(float)
    expected = ndtri((rankdata(column[:, 0]) - 0.5) / 100)
    np.testing.assert_allclose(Curves.of_ranks(column).transform(column)[:, 0], expected)


def test_ranks_of_many_values_are_nearly_those_of_all():
    column = np.random.default_rng(0).standard_cauchy((5_000, 1))
    scores = Curves.of_ranks(column).transform(column)[:, 0]
    assert np.corrcoef(scores, np.argsort(np.argsort(column[:, 0])))[0, 1] > 0.95
    assert (np.diff(scores[np.argsort(column[:, 0])]) >= 0).all()
    assert np.abs(scores).max() < 5


def test_ramps_rise_one_after_the_other():
    column = np.arange(81.0)[:, None]
    ramps = Curves.of_ramps(column)
    assert ramps.n_curves.tolist() == [8]
    coded = ramps.transform(np.array([[-5.0], [15.0], [80.0]]))
    np.testing.assert_allclose(coded, [[0] * 8, [1, 0.5, *[0] * 6], [1] * 8])


@pytest.mark.parametrize("of", [Curves.of_ranks, Curves.of_ramps])
@pytest.mark.parametrize("column", [[3.0] * 7, [0.0, 1.0] * 4, [1e300, -1e300, 0.0], [2.0]])
def test_curves_of_few_values(of, column):
    column = np.array(column)[:, None]
    curves = of(column)
    coded = curves.transform(column)
    assert np.isfinite(coded).all()
    assert len(np.unique(coded, axis=0)) == len(np.unique(column))
    np.testing.assert_array_equal(
        curves.transform(column - 1e301), np.broadcast_to(coded.min(0), coded.shape)
    )


@pytest.mark.parametrize("coding", ["raw", "ranks", "ramps"])
def test_a_preparation_knows_where_its_columns_come_from(coding):
    random = np.random.default_rng(0)
    inputs = np.column_stack(
        [random.integers(0, 3, 90), random.standard_normal(90), random.standard_normal(90)]
    )
    preparation = Preparation.fit(inputs, [0])
    preparation = preparation if coding == "raw" else preparation.coded(coding, inputs)
    rows, repeats = preparation.standardized(inputs), 8 if coding == "ramps" else 1
    assert preparation.sources.tolist() == [1] * repeats + [2] * repeats + [0] * 3
    assert rows.shape == (90, len(preparation.sources))
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(rows.std(axis=0), 1)
    np.testing.assert_allclose(np.square(preparation.equal_weights[:repeats]).sum(), 1)


def test_directions_turn_and_drop_columns():
    inputs = np.random.default_rng(0).standard_normal((50, 3))
    plain = Preparation.fit(inputs)
    rows = plain.standardized(inputs)
    weighted = plain.along(np.array([2.0, 0.0, 1.0]), 1.5)
    assert weighted.scaling.n_outputs == 3
    expected = np.column_stack([2 * rows[:, 0], rows[:, 2], np.full(50, 1.5)])
    expected /= np.linalg.norm(expected, axis=1)[:, None]
    np.testing.assert_allclose(weighted.transform(inputs, np.float64), expected)
    turned = plain.along(np.array([[2.0, 0, 0], [0, 0, 1.0]]), 1.5)
    np.testing.assert_allclose(turned.transform(inputs, np.float64), expected)
    restored = type(plain.scaling).from_state(turned.scaling.state())
    np.testing.assert_array_equal(restored.transform(inputs), turned.transform(inputs))


@pytest.mark.parametrize("coding", ["ranks", "ramps"])
def test_rows_come_in_parts_as_they_do_together(coding, monkeypatch):
    inputs = np.random.default_rng(0).standard_normal((50, 3))
    prepared = Preparation.fit(inputs).coded(coding, inputs)
    whole = prepared.transform(inputs)
    monkeypatch.setattr(preparation, "CHUNK_ROWS", 7)
    np.testing.assert_array_equal(prepared.transform(inputs), whole)

"""Representations: their features, and whitening by a strength."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from fewfire import WideRegressor
from fewfire.models import QuadraticHead, Representation
from fewfire.models.feature_maps import degree_two
from fewfire.models.whitening import Whitening


@parametrize_with_checks(
    [Representation(kind, n_features=32, random_state=0) for kind in ("degree2", "indicator", "fire")]
)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def test_features_of_degree_two_are_orthonormal_for_gaussian_rows():
    features = degree_two(np.random.default_rng(0).standard_normal((100_000, 6)))
    assert features.shape[1] == 21
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=0.02)
    moment = features.T @ features / len(features)
    np.testing.assert_allclose(moment, np.eye(21), atol=0.05)
    assert np.abs(moment - np.eye(21)).mean() < 0.02


def test_features_of_degree_two_of_one_column():
    np.testing.assert_allclose(degree_two(np.array([[1.0], [2.0]])), [[0.0], [3 / np.sqrt(2)]])


@given(
    count=st.integers(1, 40), features=st.integers(1, 6), strength=st.floats(0, 1), seed=st.integers(0, 99)
)
def test_whitening_is_the_inverse_root_of_its_formula(count, features, strength, seed):
    random = np.random.default_rng(seed)
    rows = random.standard_normal((count, features)) @ random.standard_normal((features, features)) + 3
    white = Whitening.fit(rows, strength)
    s, centred = white.strength, rows - rows.mean(axis=0)
    assert s <= strength
    moment = centred.T @ centred / count
    inner = (1 - s) * np.trace(moment) / features * np.eye(features) + s * moment
    values, vectors = np.linalg.eigh(inner)
    if count == 1:  # nothing varies, nothing is left
        assert not white.transform(rows).any()
    elif values[0] > 1e-6 * values[-1]:
        root = (vectors / np.sqrt(values)) @ vectors.T
        np.testing.assert_allclose(white.transform(rows), centred @ root, atol=1e-6 * np.sqrt(1 / values[0]))


def test_full_strength_gives_the_identity_and_none_only_centres():
    random = np.random.default_rng(1)
    rows = random.standard_normal((100, 5)) * [1, 2, 3, 4, 5] + 7
    full = Whitening.fit(rows, 1.0)
    white = full.transform(rows)
    np.testing.assert_allclose(white.T @ white / 100, np.eye(5), atol=1e-8)
    np.testing.assert_allclose(full.spectrum[1], 1)
    plain, centred = Whitening.fit(rows, 0.0).transform(rows), rows - rows.mean(axis=0)
    np.testing.assert_allclose(plain, centred / np.sqrt(np.square(centred).mean()), atol=1e-8)


def test_directions_that_never_varied_go_at_full_strength():
    rows = np.random.default_rng(2).standard_normal((50, 3))
    rows = np.column_stack([rows, np.ones(50), rows[:, 0]])  # a constant, and a copy
    white = Whitening.fit(rows, 1.0).transform(rows)
    assert np.isfinite(white).all()
    values = np.linalg.eigvalsh(white.T @ white / 50)
    np.testing.assert_allclose(values, [0, 0, 1, 1, 1], atol=1e-8)


def test_too_few_rows_lower_the_strength_and_others_without_labels_help():
    rows = np.random.default_rng(3).standard_normal((400, 10))
    asked = Representation("degree2", whiten=1.0)
    with pytest.warns(UserWarning, match="whitening 55 features needs at least 220 rows .* Got 100."):
        assert asked.fit(rows[:100]).strength_ == pytest.approx(100 / 220)
    assert asked.fit(rows[:100], unlabelled=rows[100:]).strength_ == 1
    assert Representation("degree2").fit(rows[:20]).strength_ < 0.5  # "auto" says nothing


def test_the_report_of_the_second_moment():
    rows = np.random.default_rng(4).standard_normal((5000, 3))
    found = Representation(lambda rows: rows * [3, 1, 1], whiten=0.5).fit(rows)
    assert found.largest_share_ == pytest.approx(9 / 11, abs=0.02)
    assert found.effective_rank_ == pytest.approx(121 / 83, abs=0.05)
    before, after = found.spectrum_
    assert before[0] / before[-1] > after[0] / after[-1] > 1


def test_indicators_and_who_fires_are_zeros_and_ones():
    rows = np.random.default_rng(5).standard_normal((300, 8))
    plain = Representation("indicator", n_features=500, whiten=None, random_state=0).fit_transform(rows)
    assert set(np.unique(plain)) == {0, 1}
    assert plain.mean() == pytest.approx(0.5, abs=0.05)
    fires = Representation("fire", n_features=2000, fire_rate=0.02, random_state=0).fit(rows)
    sparse = fires.transform(rows)
    assert sparse.shape == (300, 2000)
    assert sparse.nnz / (300 * 2000) == pytest.approx(0.02, abs=0.005)
    assert set(sparse.data) == {1}
    np.testing.assert_array_equal(fires.transform(rows[:7]).toarray(), sparse.toarray()[:7])
    dense = Representation("fire", n_features=100, whiten=0.0, random_state=0).fit_transform(rows)
    np.testing.assert_allclose(dense.mean(axis=0), 0, atol=1e-12)


def test_units_of_rows_do_not_count():
    rows = np.random.default_rng(6).standard_normal((60, 4))
    for kind in ("degree2", "indicator"):
        made = Representation(kind, n_features=50, random_state=0)
        np.testing.assert_allclose(made.fit_transform(1e4 * rows), made.fit_transform(rows), atol=1e-9)


def test_in_a_pipeline_before_a_head_a_wide_network_and_a_ridge():
    random = np.random.default_rng(7)
    rows = random.standard_normal((400, 6))
    targets = rows[:, 0] * rows[:, 1] * rows[:, 2] * rows[:, 3]
    head = make_pipeline(Representation("degree2"), QuadraticHead(random_state=0)).fit(rows, targets)
    assert head.score(rows, targets) > 0.9
    wide = make_pipeline(Representation("degree2"), WideRegressor(width=256, random_state=0))
    noisy = rows[:, 0] ** 2 + 0.1 * random.standard_normal(400)
    assert wide.fit(rows, noisy).score(rows, noisy) > 0.9
    ridge = make_pipeline(Representation("fire", n_features=2000, random_state=0), Ridge(1.0))
    assert ridge.fit(rows, rows[:, 0]).score(rows, rows[:, 0]) > 0.8


def test_degree_four_of_one_direction_is_of_rank_one_in_features_of_degree_two():
    """He4 with d = 20 and 2,500 rows: the kernel has .68 there (docs/theory/hierarchical.md)."""
    random = np.random.default_rng(0)
    rows, new = (unit_rows(count, 20, random) for count in (2500, 1000))
    direction = unit_rows(1, 20, random)[0]
    targets, new_targets = (hermite_four(20**0.5 * (some @ direction)) for some in (rows, new))
    made = Representation("degree2", whiten=0.0).fit(rows)
    head = QuadraticHead(n_components=2, penalty=1e-3, random_state=0).fit(made.transform(rows), targets)
    missed = np.square(head.predict(made.transform(new)) - new_targets)
    assert missed.mean() / new_targets.var() < 0.1


def unit_rows(count, features, random):
    rows = random.standard_normal((count, features))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def hermite_four(z):
    return (z**4 - 6 * z**2 + 3) / np.sqrt(24)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "random"}, "kind must be one of indicator, fire, degree2"),
        ({"kind": "fire", "n_features": 0}, "n_features must be a whole number >= 1"),
        ({"kind": "fire", "fire_rate": 0.9}, r"the fire rate must be in \(0, 0.5\]"),
        ({"whiten": 1.5}, r"whiten must be a number in \[0, 1\], None or 'auto'. Got 1.5"),
        ({"kind": lambda rows: rows[0]}, r"must give finite features .* Got shape \(3,\)"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        Representation(**settings).fit(np.eye(3))


def test_too_many_features_of_degree_two_are_refused():
    with pytest.raises(ValueError, match=r"of 785 columns would be 308,505. Got a limit of 20,000. Use Rep"):
        Representation("degree2").fit(np.ones((2, 785)))


def test_a_fit_that_fails_changes_nothing_and_another_leaves_nothing_behind():
    rows = np.random.default_rng(0).standard_normal((60, 4))
    model = Representation("degree2").fit(rows)
    before = model.transform(rows)
    with pytest.raises(ValueError, match="Got a limit of 20,000"):
        model.fit(np.ones((5, 300)))
    np.testing.assert_array_equal(model.transform(rows), before)
    assert not hasattr(model.set_params(whiten=None).fit(rows), "largest_share_")

"""Many classes, labels and targets: the output weights are solved for, in one step."""

import numpy as np
import pytest

from fewfire import WideClassifier, WideRegressor

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.standard_normal((400, 6))
CENTRES = RANDOM.standard_normal((40, 6))
CLASSES = np.square(ROWS[:, None] - CENTRES).sum(axis=2).argmin(axis=1)
CLASSES[:40] = range(40)
LABELS = (ROWS @ CENTRES.T > 1.5).astype(int)
SMALL = {"width": 1024, "random_state": 0}


def test_many_classes(methods, tmp_path):
    model = WideClassifier(**SMALL).fit(ROWS[:300], CLASSES[:300])
    assert methods == ["OutputRidge"]
    assert model.score(ROWS[300:], CLASSES[300:]) > 0.4  # of 40 classes
    shares = model.predict_proba(ROWS)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(WideClassifier.load(tmp_path / "model").predict_proba(ROWS), shares)


def test_many_labels_with_weights_and_two_members(methods):
    model = WideClassifier(**SMALL, n_members=2).fit(
        ROWS[:300], LABELS[:300], sample_weight=np.r_[np.zeros(50), np.full(250, 0.5)]
    )
    assert methods == ["OutputRidge"] * 2
    assert np.mean(model.predict(ROWS[300:]) == LABELS[300:]) > 0.9


def test_many_targets_and_more_samples_later():
    values = np.sin(ROWS @ CENTRES.T / 2)
    model = WideRegressor(**SMALL, warm_start=True).fit(ROWS[:300], values[:300])
    assert model.score(ROWS[300:], values[300:]) > 0.9
    hidden = model.network_.weights.copy()
    model.fit(ROWS, values)
    np.testing.assert_array_equal(model.network_.weights, hidden)
    model.partial_fit(ROWS, values)
    assert model.score(ROWS, values) > 0.9


@pytest.mark.parametrize("settings", [{"max_epochs": 1}, {"features": "diagonal"}])
def test_who_asks_for_steps_or_learned_columns_gets_them(settings, methods):
    WideClassifier(**SMALL, **settings).fit(ROWS, CLASSES)
    assert methods == ["GaussNewton"] * 2


def test_it_is_the_same_for_any_number_of_threads():
    outputs = [WideClassifier(**SMALL, n_threads=k).fit(ROWS, CLASSES).predict_proba(ROWS) for k in (1, 3)]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("count", [400, 100])  # more samples than neurons, and fewer
def test_a_ridge_below_what_rounding_allows_is_raised(count):
    rows = ROWS[:count, :2]
    values = np.sin(rows[:, :1] * np.arange(40) / 20)
    model = WideRegressor(256, ridge=1e-9, random_state=0).fit(rows, values)
    assert model.score(rows, values) > 0.99

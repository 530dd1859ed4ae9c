"""Tables with gaps, from fit to prediction."""

import numpy as np
import pytest

from fewfire.estimators import WideClassifier, WideRegressor

SMALL = {"width": 512, "random_state": 0}


def table(n=400, share=0.2, seed=0):
    random = np.random.default_rng(seed)
    whole = random.standard_normal((n, 4))
    rows = np.where(random.random(whole.shape) < share, np.nan, whole)
    return rows, whole[:, 0] + 2 * whole[:, 1] > 0


def test_a_table_with_gaps_is_learned_from_what_is_there():
    rows, labels = table()
    model = WideClassifier(**SMALL).fit(rows[:300], labels[:300])
    assert model.score(rows[300:], labels[300:]) > 0.75
    assert np.isfinite(model.predict_proba(np.full((1, 4), np.nan))).all()
    assert model.feature_importances_.shape == (4,)
    assert model.feature_importances_.sum() == pytest.approx(1)


def test_that_a_value_is_missing_may_tell_all():
    random = np.random.default_rng(0)
    labels = random.random(300) < 0.4
    rows = random.standard_normal((300, 3))
    rows[labels, 1] = np.nan
    model = WideClassifier(**SMALL).fit(rows[:200], labels[:200])
    assert model.score(rows[200:], labels[200:]) == 1
    assert np.argmax(model.feature_importances_) == 1


@pytest.mark.parametrize("settings", [{"optimizer": "sgd", "max_epochs": 3}, {"early_stopping": True}])
def test_every_way_to_train_takes_gaps(settings):
    rows, labels = table()
    model = WideRegressor(**SMALL, **settings).fit(rows, labels.astype(float))
    assert model.score(rows, labels) > 0.2


def test_parts_of_a_table_come_in_turn_with_gaps_of_their_own():
    rows, labels = table()
    rows[:100] = np.nan_to_num(rows[:100])
    model = WideClassifier(**SMALL)
    for part in (slice(0, 100), slice(100, 200)):
        model.partial_fit(rows[part], labels[part], classes=[False, True])
    assert np.isfinite(model.predict_proba(rows)).all()


def test_scikit_learn_is_told():
    assert WideClassifier().__sklearn_tags__().input_tags.allow_nan

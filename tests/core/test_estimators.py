"""The estimators of scikit-learn's kind."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from fewfire.estimators import WideClassifier, WideRegressor

SMALL = {"width": 128, "random_state": 0}


@parametrize_with_checks([WideClassifier(**SMALL), WideRegressor(**SMALL)])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


def test_iris_and_wine():
    for load in (load_iris, load_wine):
        X, y = load(return_X_y=True)
        assert cross_val_score(WideClassifier(width=1024, random_state=0), X, y, cv=3).mean() > 0.93


def test_diabetes():
    X, y = load_diabetes(return_X_y=True)
    assert cross_val_score(WideRegressor(width=1024, random_state=0), X, y, cv=3).mean() > 0.45


def test_labels_of_any_kind_and_probabilities():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = WideClassifier(**SMALL).fit(X, names)
    assert set(model.predict(X)) <= set(names)
    shares = model.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (model.classes_[shares.argmax(axis=1)] == model.predict(X)).all()


def test_two_classes():
    X, y = load_iris(return_X_y=True)
    X, y = X[y > 0], y[y > 0]
    model = WideClassifier(**SMALL).fit(X, y)
    decision = model.decision_function(X)
    assert decision.shape == (100,)
    np.testing.assert_array_equal(model.predict(X), np.where(decision > 0, 2, 1))
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1] > 0.5, decision > 0)


def test_several_values_of_any_scale():
    X = np.random.default_rng(0).standard_normal((80, 3))
    y = np.column_stack([1e6 * X[:, 0], X[:, 1] - 5e3, np.full(80, 7.0)])
    model = WideRegressor(**SMALL).fit(X, y)
    assert WideRegressor(**SMALL).fit(X, y[:, :2]).score(X, y[:, :2]) > 0.95
    np.testing.assert_allclose(model.predict(X)[:, 2], 7, atol=0.05)


def test_clone_pickle_and_grid_search():
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(WideClassifier(**SMALL), {"ridge": [1e-3, 10.0], "threshold": [0.5]}, cv=2).fit(
        X, y
    )
    model = search.best_estimator_
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    np.testing.assert_array_equal(clone(model).fit(X, y).decision_function(X), model.decision_function(X))
    assert model.threshold_ == 0.5


def test_named_categories():
    random = np.random.default_rng(0)
    X = random.integers(0, 20, (200, 2)).astype(float)
    y = (X[:, 0] % 2).astype(int)
    model = WideClassifier(categories=[0], **SMALL).fit(X, y)
    assert list(model.preparation_.one_hot.categories) == [0]
    assert model.score(X, y) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width must be a whole number >= 1"),
        ({"max_steps": 1.5}, "max_steps must be a whole number >= 1"),
        ({"threshold": "high"}, "threshold must be a number or 'auto'"),
        ({"ridge": 0.0}, "ridge must be a finite number > 0"),
        ({"constant": np.inf}, "constant must be a finite number > 0"),
        ({"categories": "all"}, "categories must be a number or 'auto'"),
    ],
)
def test_bad_settings(settings, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        WideClassifier(**settings).fit(X, y)

"""Estimators with several hidden layers."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_friedman1

from fewfire import DeepNetwork, WideClassifier, WideRegressor

DEEP = {"hidden_layers": (256, 128), "fire_rate": 0.1, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600]


def test_a_classifier_trains_every_layer(digits):
    model = WideClassifier(**DEEP, max_epochs=8).fit(*digits)
    assert isinstance(model.network_, DeepNetwork)
    assert model.network_.widths == (256, 128)
    assert model.optimizer_ == "sgd"
    assert model.score(*digits) > 0.9
    first, last = model.history_[0], model.history_[-1]
    assert last.loss < first.loss
    assert all(layer["moved_max"] > 0 for layer in last.layers)


def test_a_regressor_takes_gauss_newton_steps():
    X, y = make_friedman1(200, random_state=0)
    model = WideRegressor(**DEEP, optimizer="gauss-newton", max_epochs=2).fit(X, y)
    assert model.optimizer_ == "gauss-newton"
    assert model.score(X, y) > 0.8


def test_one_layer_is_the_width(digits):
    X, y = digits
    named = WideClassifier(hidden_layers=[128], optimizer="sgd", max_epochs=2, random_state=0).fit(X, y)
    given = WideClassifier(width=128, optimizer="sgd", max_epochs=2, random_state=0).fit(X, y)
    assert np.array_equal(named.decision_function(X), given.decision_function(X))


def test_copies_pickles_and_files_keep_every_bit(digits, tmp_path):
    X, y = digits
    model = WideClassifier(**DEEP, max_epochs=2).fit(X, y)
    assert clone(model).hidden_layers == (256, 128)
    expected = model.decision_function(X)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).decision_function(X), expected)
    model.save(tmp_path / "model.safetensors")
    loaded = WideClassifier.load(tmp_path / "model.safetensors")
    assert loaded.hidden_layers == (256, 128)
    assert np.array_equal(loaded.decision_function(X), expected)


def test_early_stopping_goes_back_in_every_layer(digits):
    model = WideClassifier(**DEEP, max_epochs=6, early_stopping=True, n_iter_no_change=2).fit(*digits)
    assert model.score(*digits) > 0.8


def test_parts_of_the_samples_train_it_too(digits):
    X, y = digits
    model = WideClassifier(**DEEP).partial_fit(X[:300], y[:300], classes=np.unique(y))
    before = model.network_.layers[1].weights.copy()
    model.partial_fit(X[300:], y[300:])
    assert not np.array_equal(model.network_.layers[1].weights, before)


@pytest.mark.parametrize("layers", ["8192", (), 8192, (5, 0), (5, 2.5)])
def test_layers_that_are_none_are_refused(digits, layers):
    with pytest.raises(ValueError, match="must be a (sequence|whole number)"):
        WideClassifier(hidden_layers=layers).fit(*digits)

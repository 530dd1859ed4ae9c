"""Thousands of bad inputs to the estimators: each is refused, in words, and leaves nothing behind."""

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_matrix
from sklearn.utils.validation import check_is_fitted

from fewfire.errors import FewfireError
from fewfire.estimators import WideClassifier, WideRegressor

CASES = 3_000
SMALL = {"width": 16, "threshold": 1.0, "ridge": 0.1, "constant": 1.0, "categories": (), "max_epochs": 1}


def good(random, estimator):
    n, d = random.integers(6, 20), random.integers(1, 5)
    X = random.standard_normal((n, d))
    y = np.arange(n) % 3 if estimator is WideClassifier else random.standard_normal(n)
    return X, y


def spoil_inputs(X, random):
    """X with one thing wrong."""
    n, d = X.shape
    row, column = random.integers(n), random.integers(d)
    bad = X.copy()
    way = random.integers(12)
    if way < 3:
        bad[row, column] = (1e200, np.inf, -np.inf)[way]
        return csr_matrix(bad) if random.random() < 0.3 else bad
    if way == 3:
        bad[row, column] = 10.0 ** random.integers(160, 308)  # its square is infinite
        return bad
    if way == 4:
        return bad.ravel()
    if way == 5:
        return bad[None]
    if way == 6:
        return bad[:0]
    if way == 7:
        return bad[:, :0]
    if way == 8:
        return bad + 1j
    if way == 9:
        table = bad.astype(object)
        table[row, column] = random.choice(["a", "", "1,5", "?", "inf"])
        return table
    if way == 10:
        table = bad.astype(object)
        table[row, column] = [(), {}, [1, 2], b"\xff"][random.integers(4)]
        return table
    return [None, "a table", 3.0, {"a": [1]}, [[1.0], [1.0, 2.0]], coo_array(bad.ravel())][random.integers(6)]


def spoil_targets(y, random, estimator):
    n = len(y)
    way = random.integers(7)
    if way == 0:
        return y[:-1]
    if way == 1:
        return None
    if way == 2:
        bad = y.astype(float)
        bad[random.integers(n)] = [np.nan, np.inf, -np.inf][random.integers(3)]
        return bad
    if way == 3:
        return y[:0]
    if way == 4:
        return np.stack([np.stack([y, y])] * n)
    if way == 5:  # real numbers are no classes; texts are no numbers
        return random.standard_normal(n) if estimator is WideClassifier else np.array(["a", "b"] * n)[:n]
    return np.zeros(n, int) if estimator is WideClassifier else np.array(y, dtype=object) + 1j


def spoil_weights(n, random):
    bad = random.random(n)
    way = random.integers(6)
    if way < 3:
        bad[random.integers(n)] = (np.nan, np.inf, -1.0)[way]
        return bad
    return [np.zeros(n), bad[:-1], np.array(["heavy"] * n)][way - 3]


def spoil_settings(random):
    bad_number = [-1, 0, 0.5, np.nan, "many", [], True][random.integers(7)]
    return [
        {"width": bad_number},
        {"max_epochs": bad_number},
        {"n_threads": bad_number},
        {"batch_size": bad_number},
        {"n_iter_no_change": bad_number},
        {"memory_limit": bad_number},
        {"threshold": [-1.0, np.nan, np.inf, "paper", [1.0]][random.integers(5)]},
        {"threshold": "auto", "fire_rate": [0.0, 0.9, -1.0, np.nan, "few"][random.integers(5)]},
        {"ridge": [0, -1.0, np.nan, np.inf, "much", [1.0]][random.integers(6)]},
        {"constant": [0, -1.0, np.nan, np.inf, "much", [1.0]][random.integers(6)]},
        {"learning_rate": [0, -1.0, np.nan, "fast", [1.0]][random.integers(5)]},
        {"optimizer": ["adam", None, 1, ["sgd"]][random.integers(4)]},
        {"index": ["drifting", None, 1, ["drift"]][random.integers(4)]},
        {"categories": [[99], [-1], ["colour"], [1.5], [None], 3, "all"][random.integers(7)]},
        {"tol": [-0.1, 1.0, np.nan, "small"][random.integers(4)]},
        {"early_stopping": True, "validation_fraction": [0.0, 1.0, -1.0, np.nan, "half"][random.integers(5)]},
        {"random_state": ["seed", -1, 1.5][random.integers(3)]},
    ][random.integers(17)]  # fmt: skip


def refusal(call, *inputs, **more):
    """The words with which a call is refused."""
    try:
        call(*inputs, **more)
    except (ValueError, TypeError, FewfireError) as error:
        return str(error)
    return ""


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("part", range(6))
def test_bad_inputs_are_refused_in_words(part):
    random = np.random.default_rng(part)
    for _ in range(CASES // 6):
        estimator = [WideClassifier, WideRegressor][random.integers(2)]
        X, y = good(random, estimator)
        weights, settings, where = None, dict(SMALL), random.integers(4)
        if where == 0:
            X = spoil_inputs(X, random)
        elif where == 1:
            y = spoil_targets(y, random, estimator)
        elif where == 2:
            weights = spoil_weights(len(y), random)
        else:
            settings |= spoil_settings(random)
        model = estimator(**settings)
        words = refusal(model.fit, X, y, sample_weight=weights)
        assert len(words) > 15, f"accepted: {where=} {settings=} {X=} {y=} {weights=}"
        with pytest.raises(ValueError, match="not fitted"):
            check_is_fitted(model, "network_")


def test_bad_inputs_to_a_fitted_model_are_refused_in_words():
    random = np.random.default_rng(9)
    X, y = random.standard_normal((20, 3)), np.arange(20) % 2
    model = WideClassifier(features="none", **SMALL).fit(
        X, y
    )  # a coded column has no value that is too large
    before = model.predict_proba(X)
    for _ in range(500):
        bad = spoil_inputs(random.standard_normal((5, 3)), random)
        assert len(refusal(model.predict, bad)) > 15, f"accepted: {bad=}"
    np.testing.assert_array_equal(model.predict_proba(X), before)

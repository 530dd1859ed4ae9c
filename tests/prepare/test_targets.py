"""Real-valued targets to standardized ones and back, and what is said of predictions."""

import numpy as np
import pytest

from fewfire.prepare import TargetScaling
from fewfire.prepare.scores import scores
from fewfire.prepare.targets import is_given


def test_targets_are_standardized_and_come_back():
    targets = np.random.default_rng(0).normal([3, -1e6], [0.1, 1e4], size=(50, 2))
    scaling = TargetScaling.fit(targets)
    standardized = scaling.transform(targets)
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(standardized.std(axis=0), 1)
    np.testing.assert_allclose(scaling.inverse(standardized), targets, rtol=1e-12)
    restored = TargetScaling.from_state(scaling.state())
    np.testing.assert_array_equal(restored.transform(targets), standardized)
    assert len(scaling) == 2


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_targets_of_any_size_are_standardized(size):
    targets = size * np.array([[1.0], [2.0], [4.0]])
    standardized = TargetScaling.fit(targets).transform(targets)
    np.testing.assert_allclose(standardized, TargetScaling.fit(targets / size).transform(targets / size))


@pytest.mark.parametrize("value", [0.0, 0.1, -3e200])
def test_a_target_without_spread_is_centred_alone(value):
    targets = np.full((10, 1), value)
    scaling = TargetScaling.fit(targets)
    assert scaling.scale.tolist() == [1.0]
    np.testing.assert_allclose(scaling.mean, [value])


def test_weights_stand_for_copies():
    targets, weights = np.array([[1.0], [5.0], [2.0]]), np.array([3, 1, 2])
    weighted, copied = TargetScaling.fit(targets, weights), TargetScaling.fit(targets.repeat(weights, axis=0))
    np.testing.assert_allclose(weighted.mean, copied.mean)
    np.testing.assert_allclose(weighted.scale, copied.scale)


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_scores_of_real_values_are_those_of_scikit_learn(size):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(30, 2)) * [1, 100]
    predicted = targets + rng.normal(size=(30, 2))
    found = scores(size * predicted, size * targets)
    assert found["R2"] == pytest.approx(metrics.r2_score(targets, predicted))
    assert found["RMSE"] == pytest.approx(size * metrics.root_mean_squared_error(targets, predicted))


def test_r2_is_left_out_where_there_is_none():
    assert scores(np.array([[1.0], [2.0]]), np.array([[3.0], [3.0]])) == {"RMSE": pytest.approx(2.5**0.5)}


def test_rows_without_a_label_do_not_count():
    assert scores(np.array([1, 2, 3]), np.array(["1", "", "2"])) == {"accuracy": 0.5}
    targets = np.array([[1.0, 2.0], [np.nan, 1.0], [3.0, 5.0]])
    assert is_given(targets).tolist() == [True, False, True]
    assert scores(targets[[0, 0, 2]], targets) == {"R2": 1.0, "RMSE": 0.0}

"""How sure predictions of a regression are."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from fewfire import DataError, WideClassifier, WideRegressor
from fewfire.prepare.spread import Spread
from fewfire.tangent import wide_kernel
from problems import clustered_samples


def waves(n, seed=0):
    random = np.random.default_rng(seed)
    X = random.uniform(-2, 2, (n, 2))
    return X, np.sin(2 * X[:, 0]) + 0.3 * random.standard_normal(n)


@pytest.fixture(scope="module")
def fitted():
    return WideRegressor(width=512, random_state=0).fit(*waves(300))


def test_nine_of_ten_values_lie_within_the_interval(fitted):
    X, y = waves(1000, seed=1)
    mean, deviation = fitted.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, fitted.predict(X))
    assert mean.shape == deviation.shape == (1000,)
    assert 0.85 <= np.mean(np.abs(y - mean) <= 1.645 * deviation) <= 0.95


def test_far_from_the_samples_predictions_are_less_sure(fitted):
    near, far = np.zeros((1, 2)), np.array([[0.0, 40.0]])
    (at,), (away,) = (fitted.predict(X, return_std=True)[1] for X in (near, far))
    assert away > 1.1 * at


def test_several_outputs_have_deviations_of_their_own():
    X, y = waves(200)
    both = WideRegressor(width=512, random_state=0).fit(X, np.column_stack([y, 1000 * X[:, 1]]))
    mean, deviation = both.predict(X[:5], return_std=True)
    assert mean.shape == deviation.shape == (5, 2)
    assert np.all(deviation > 0)


@pytest.mark.parametrize("nearness", [0.0, 1e-7, 1e-4])
def test_copies_and_near_copies_are_as_sure_as_one(nearness):
    """Rounding of their kernel can weigh more than a ridge that data without noise choose."""
    random = np.random.default_rng(0)
    rows = np.repeat(random.normal(size=(40, 5)), 50, axis=0)
    rows += nearness * random.normal(size=rows.shape)
    units = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    for ridge in (0.0, 1e-5):
        spread = Spread.fit(units, 0.0, ridge, np.full((len(units), 1), 1e-3))
        found = spread.deviations(units[::50])
        assert np.all(np.isfinite(found))
        assert np.all(found < 0.1)


def test_values_without_noise_are_learned():
    X = np.random.default_rng(2).uniform(-1, 1, (400, 6))
    regressor = WideRegressor(width=256, random_state=0).fit(X, X[:, 0] ** 2)
    assert regressor.score(X, X[:, 0] ** 2) > 0.999


def test_deviations_outlive_a_file(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    X, _ = waves(10)
    again = WideRegressor.load(tmp_path / "model").predict(X, return_std=True)
    np.testing.assert_array_equal(again, fitted.predict(X, return_std=True))


def test_a_model_without_errors_of_its_own_says_so(fitted):
    fitted = WideRegressor(width=512, random_state=0).fit(*waves(50))
    fitted.spread_ = None
    with pytest.raises(
        DataError, match="Standard deviations must come from errors on rows that were left out"
    ):
        fitted.predict([[0.0, 0.0]], return_std=True)


def test_the_shape_is_that_of_the_posterior_and_the_size_that_of_the_errors():
    units, _ = clustered_samples(60, 6)
    new, _ = clustered_samples(20, 6, seed=1)
    errors = np.random.default_rng(0).standard_normal((60, 1))
    spread = Spread.fit(units, 0.5, 0.1, errors)
    kernel = wide_kernel(units @ units.T, 0.5) + 0.1 * np.eye(60)
    cross = wide_kernel(new @ units.T, 0.5)
    variance = 1.1 - np.einsum("ij,ji->i", cross, np.linalg.solve(kernel, cross.T))
    found = spread.deviations(new)[:, 0]
    np.testing.assert_allclose(found / spread.factors, np.sqrt(variance), rtol=1e-4)
    alone = 1 / np.sqrt(np.linalg.inv(kernel).diagonal())
    within = np.abs(errors[:, 0]) <= 1.6449 * alone * spread.factors[0]
    assert within.sum() == 54
    twice = Spread.fit(units, 0.5, 0.1, errors, np.full(60, 2.0))
    np.testing.assert_array_equal(twice.factors, spread.factors)


@pytest.mark.parametrize("make", [WideRegressor, WideClassifier])
def test_an_estimator_says_which_regime_its_fit_was_in(make):
    X, y = load_diabetes(return_X_y=True)
    model = make(width=512, random_state=0).fit(X, y > 150 if make is WideClassifier else y)
    assert 0 < model.regime_.kernel_change < 1
    assert model.regime_.n_samples == 442
    assert model.regime_.kernel_width > 0

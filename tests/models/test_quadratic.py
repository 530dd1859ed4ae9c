"""The quadratic head: its gradient, what it finds, and with how many samples."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from fewfire.models import QuadraticHead
from fewfire.models.low_rank import fit_low_rank, loss_and_gradient
from fewfire.tangent import Layers
from processes import run_python


def unit_rows(count, features, random):
    rows = random.standard_normal((count, features))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def hermite_two(along):
    return (np.square(along) - 1) / np.sqrt(2)


def share_missed(predicted, true):
    return np.mean(np.square(predicted - true)) / np.var(true)


def kernel_error(rows, targets, new_rows, new_targets):
    """Of the tangent kernel of both layers, at the ridge that is best on the new rows: its very best."""
    layers, mean = Layers(1, 0.0, trained="all"), targets.mean()
    kernel, across = layers.kernel(rows @ rows.T), layers.kernel(new_rows @ rows.T)
    return min(
        share_missed(
            across @ np.linalg.solve(kernel + ridge * np.eye(len(rows)), targets - mean) + mean, new_targets
        )
        for ridge in 10.0 ** np.arange(-6, 2)
    )


@parametrize_with_checks([QuadraticHead(random_state=0)])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("count", "features", "rows"), [(1, 1, 1), (2, 3, 5), (5, 4, 3)])
def test_the_gradient_is_that_of_the_loss(count, features, rows):
    random = np.random.default_rng(count)
    w, u = random.standard_normal((count, features)), random.standard_normal(features)
    signs, h = np.where(np.arange(count) % 2, -1.0, 1.0), random.standard_normal((rows, features))
    y, step = random.standard_normal(rows), 1e-6

    def loss(w, u):
        return loss_and_gradient(w, u, signs, h, y, 0.3)[0]

    _, by_w, by_u = loss_and_gradient(w, u, signs, h, y, 0.3)
    for place in np.ndindex(w.shape):
        move = np.zeros_like(w)
        move[place] = step
        assert (loss(w + move, u) - loss(w - move, u)) / (2 * step) == pytest.approx(by_w[place], abs=1e-6)
    for move, slope in zip(step * np.eye(features), by_u, strict=True):
        assert (loss(w, u + move) - loss(w, u - move)) / (2 * step) == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize(("features", "count"), [(20, 120), (50, 250)])
@pytest.mark.parametrize("seed", range(5))
def test_one_direction_takes_samples_of_the_order_of_the_columns(features, count, seed):
    random = np.random.default_rng(seed)
    rows, new_rows = unit_rows(count, features, random), unit_rows(1000, features, random)
    direction = unit_rows(1, features, random)[0]
    targets, new_targets = (hermite_two(features**0.5 * (some @ direction)) for some in (rows, new_rows))
    head = QuadraticHead(random_state=seed).fit(rows, targets)
    assert share_missed(head.predict(new_rows), new_targets) < 0.01
    assert head.rank_ == 1
    assert abs(head.directions_[0] @ direction) > 0.99
    assert kernel_error(rows, targets, new_rows, new_targets) > 0.5


def test_two_directions_of_two_hundred_columns():
    random = np.random.default_rng(0)
    rows, new_rows = random.standard_normal((1600, 200)), random.standard_normal((500, 200))
    head = QuadraticHead(random_state=0).fit(rows, rows[:, 3] * rows[:, 5])
    assert share_missed(head.predict(new_rows), new_rows[:, 3] * new_rows[:, 5]) < 0.05
    assert head.rank_ == 2
    np.testing.assert_allclose(sorted(head.eigenvalues_[:2]), [-0.5, 0.5], atol=0.01)


def test_rotated_samples_give_the_rotated_function():
    random = np.random.default_rng(1)
    rows, new_rows = random.standard_normal((100, 12)), random.standard_normal((50, 12))
    targets = rows[:, 0] * rows[:, 1] + np.sin(rows[:, 2]) + 0.1 * random.standard_normal(100)
    turn, _ = np.linalg.qr(random.standard_normal((12, 12)))
    plain = QuadraticHead(penalty=0.1, random_state=0).fit(rows, targets)
    turned = QuadraticHead(penalty=0.1, random_state=0).fit(rows @ turn.T, targets)
    np.testing.assert_allclose(turned.predict(new_rows @ turn.T), plain.predict(new_rows), atol=1e-6)
    cosines = np.sum(turned.directions_[:2] @ turn * plain.directions_[:2], axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-6)


def test_units_of_samples_and_targets_do_not_count():
    random = np.random.default_rng(2)
    rows = random.standard_normal((80, 5))
    targets = rows[:, 0] ** 2 + rows[:, 1]
    plain = QuadraticHead(penalty=0.01, random_state=0).fit(rows, targets)
    other = QuadraticHead(penalty=0.01, random_state=0).fit(1e3 * rows, 50 * targets - 7)
    np.testing.assert_allclose(other.predict(1e3 * rows), 50 * plain.predict(rows) - 7, rtol=1e-5)


def test_all_starts_end_at_one_value():
    """With components enough the problem is a convex one in disguise."""
    random = np.random.default_rng(3)
    rows = random.standard_normal((60, 4))
    targets = rows[:, 0] * rows[:, 1] + random.standard_normal(60)
    found = [
        fit_low_rank(rows, targets, n_components=10, penalty=0.05, n_starts=1, seed=seed)[0].objective
        for seed in range(6)
    ]
    assert np.ptp(found) < 1e-6 * found[0]


def test_what_was_fitted_is_what_its_attributes_say():
    random = np.random.default_rng(4)
    rows = random.standard_normal((50, 6))
    head = QuadraticHead(random_state=0).fit(rows, rows[:, 0] ** 2 - rows[:, 1] * rows[:, 2] + rows[:, 3])
    quadratic = np.square(rows @ head.directions_.T) @ head.eigenvalues_
    np.testing.assert_allclose(quadratic + rows @ head.linear_ + head.constant_, head.predict(rows))
    assert (np.diff(head.singular_values_) <= 0).all()


def test_without_order_one_a_function_without_it_is_found_and_one_with_it_is_not():
    rows = np.random.default_rng(5).standard_normal((100, 4))
    head = QuadraticHead(order_one=False, random_state=0)
    assert clone(head).fit(rows, rows[:, 0] ** 2).score(rows, rows[:, 0] ** 2) > 0.999
    straight = clone(head).fit(rows, rows[:, 0])
    assert straight.score(rows, rows[:, 0]) < 0.5
    assert not straight.linear_.any()


@pytest.mark.parametrize(
    ("rows", "targets"),
    [
        (np.zeros((6, 3)), np.arange(6.0)),  # no column says anything
        (np.ones((6, 3)), np.full(6, 2.5)),  # nothing to say
        (np.array([[1.0], [1.0], [2.0], [2.0]]), np.array([1.0, 1.0, 4.0, 4.0])),  # copies of one column
        (np.array([[3.0]]), np.array([7.0])),  # one row
    ],
)
def test_ugly_cases_predict_finite_numbers_and_the_mean_at_least(rows, targets):
    head = QuadraticHead(random_state=0).fit(rows, targets)
    assert np.mean(np.square(head.predict(rows) - targets)) <= targets.var() + 1e-12
    assert head.rank_ <= 3


def test_targets_that_do_not_vary_have_rank_0():
    head = QuadraticHead(random_state=0).fit(np.eye(5), np.full(5, 3.0))
    assert (head.rank_, head.constant_) == (0, pytest.approx(3.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_components": 0}, "n_components must be a whole number >= 1"),
        ({"n_starts": 1.5}, "n_starts must be a whole number >= 1"),
        ({"penalty": -1.0}, "penalty must be a finite number >= 0, or 'auto'. Got -1.0. Use 'auto'"),
        ({"penalty": "none"}, "penalty must be a finite number >= 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        QuadraticHead(**settings).fit(np.eye(3), np.arange(3.0))


def test_without_scikit_learn_the_class_is_a_clear_error_and_its_mathematics_is_there():
    code = """
        import sys
        sys.modules["sklearn"] = None
        import fewfire.models.low_rank
        print("there")
        fewfire.models.QuadraticHead
    """
    done = run_python(code)
    assert done.stdout.strip() == "there"
    assert "fewfire.models.QuadraticHead must have scikit-learn 1.6 or newer. Got none" in done.stderr


def test_another_name_is_not_there():
    import fewfire.models

    assert "QuadraticHead" in dir(fewfire.models)
    with pytest.raises(AttributeError, match="module 'fewfire.models' has no attribute 'CubicHead'"):
        _ = fewfire.models.CubicHead

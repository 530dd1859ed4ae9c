"""Ridge regression through centres, against the normal equations."""

import numpy as np
import pytest

import fewfire.tangent.centres
from fewfire.tangent.centres import CentredRidge, least_ridge_error
from fewfire.tangent.conjugate_gradients import conjugate_gradients
from fewfire.tangent.infinite import wide_kernel
from problems import clustered_samples


def ridge_by_centres(kernel, centres, targets, ridge, weights=None, tolerance=1e-2):
    return CentredRidge(kernel, centres, weights).solve(targets, ridge, tolerance=tolerance)


def problem(n=300, m=40, c=2, seed=0):
    samples, _ = clustered_samples(n, 8, seed)
    random = np.random.default_rng(seed)
    centres = np.sort(random.choice(n, m, replace=False))
    kernel = wide_kernel(samples @ samples[centres].T, 0.5).astype(np.float32)
    return kernel, centres, random.standard_normal((n, c)), random.integers(1, 4, n).astype(float)


def normal_equations(kernel, centres, targets, ridge, weights):
    wide = kernel.astype(np.float64)
    left = wide.T @ (weights[:, None] * wide) + ridge * wide[centres]
    return wide @ np.linalg.solve(left, wide.T @ (weights[:, None] * targets))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("m", [1, 40, 300])
def test_predictions_are_those_of_the_normal_equations(m, weighted):
    kernel, centres, targets, weights = problem(m=m)
    weights = weights if weighted else np.ones(len(weights))
    alpha = ridge_by_centres(kernel, centres, targets, 0.1, weights if weighted else None, tolerance=1e-6)
    expected = normal_equations(kernel, centres, targets, 0.1, weights)
    np.testing.assert_allclose(kernel @ alpha, expected, atol=2e-3)


def test_all_samples_as_centres_are_kernel_ridge_regression():
    kernel, centres, targets, _ = problem(m=300)
    alpha = ridge_by_centres(kernel, centres, targets, 0.5, tolerance=1e-6)
    expected = kernel @ np.linalg.solve(kernel.astype(np.float64) + 0.5 * np.eye(300), targets)
    np.testing.assert_allclose(kernel @ alpha, expected, atol=2e-3)


def test_weights_count_copies():
    kernel, centres, targets, weights = problem()
    copies = np.repeat(np.arange(len(kernel)), weights.astype(int))
    first = np.searchsorted(copies, centres)  # the place of each centre among the copies
    weighed = ridge_by_centres(kernel, centres, targets, 0.1, weights, tolerance=1e-6)
    copied = ridge_by_centres(kernel[copies], first, targets[copies], 0.1, tolerance=1e-6)
    np.testing.assert_allclose(kernel @ weighed, kernel @ copied, atol=2e-3)


def test_samples_that_are_alike_and_hardly_a_ridge_end_in_finite_numbers():
    kernel, centres, targets, _ = problem()
    twice = np.concatenate([kernel, kernel]), np.concatenate([centres, centres + len(kernel)])
    doubled = np.concatenate([twice[0], twice[0]], axis=1)
    alpha = ridge_by_centres(doubled, twice[1], np.concatenate([targets, targets]), 1e-12)
    residual = np.concatenate([targets, targets]) - doubled @ alpha
    assert np.square(residual).mean() < np.square(targets).mean()


@pytest.mark.parametrize("weighted", [False, True])
def test_the_ridge_that_errs_least_on_samples_held_out(weighted):
    kernel, centres, noise, weights = problem(n=3000, m=300)
    signal = kernel @ np.random.default_rng(1).standard_normal((300, 2))
    solver = CentredRidge(kernel, centres, weights if weighted else None)
    grid = [100.0, 10.0, 1.0, 0.1, 1e-2]
    assert least_ridge_error(solver, signal, grid, 0)[0] <= 1
    assert least_ridge_error(solver, noise, grid, 0)[0] >= 1


def test_a_start_near_the_solution_leads_to_it_and_saves_products(monkeypatch):
    kernel, centres, targets, _ = problem(n=3000, m=300)
    solver, products = CentredRidge(kernel, centres), []

    def counted(*given, **settings):
        found = conjugate_gradients(*given, **settings)
        products.append(found[2])
        return found

    monkeypatch.setattr(fewfire.tangent.centres, "conjugate_gradients", counted)
    near = solver.without(np.arange(0, 3000, 20)).solve(targets, 0.1, tolerance=1e-6)
    expected = solver.solve(targets, 0.1, tolerance=1e-6)
    np.testing.assert_allclose(
        kernel @ solver.solve(targets, 0.1, start=near, tolerance=1e-6), kernel @ expected, atol=2e-3
    )
    np.testing.assert_array_equal(solver.solve(targets, 0.1, start=expected, tolerance=1e-2), expected)
    assert products[3] == 0 < products[2] < products[1]

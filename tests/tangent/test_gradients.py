"""Gradients of kernel regressions by the columns, beside central differences."""

import numpy as np
import pytest

from fewfire.tangent.gradients import MOST_OUTPUTS, mean_outer_gradients
from fewfire.tangent.infinite import wide_kernel, wide_kernel_slope

CONSTANT = 1.3


@pytest.mark.parametrize("threshold", [0.0, 0.7, 1.5])
def test_the_slope_of_the_kernel(threshold):
    r, step = np.array([-0.9, -0.3, 0.0, 0.2, 0.8, 0.99]), 1e-4
    difference = (wide_kernel(r + step, threshold) - wide_kernel(r - step, threshold)) / (2 * step)
    np.testing.assert_allclose(wide_kernel_slope(r, threshold), difference, atol=2e-3)


def regression(rows, dual, threshold):
    """f(z) without the sample of a number."""
    units = np.column_stack([rows, np.full(len(rows), CONSTANT)])
    units /= np.linalg.norm(units, axis=1)[:, None]

    def output(z, without):
        u = np.append(z, CONSTANT)
        kernel = wide_kernel(units @ (u / np.linalg.norm(u)), threshold)
        kernel[without] = 0
        return kernel @ dual

    return output


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_moments_of_gradients_are_those_of_central_differences(threshold):
    random, step = np.random.default_rng(0), 1e-4
    rows, dual = random.standard_normal((20, 3)), random.standard_normal((20, 2))
    weights = random.uniform(1, 3, 20)
    output = regression(rows, dual, threshold)
    gradients = np.array(
        [[(output(z + step * e, i) - output(z - step * e, i)) / (2 * step) for e in np.eye(3)]
         for i, z in enumerate(rows)]
    )  # fmt: skip
    expected = np.einsum("i,idc,iec->de", weights / weights.sum(), gradients, gradients)
    full = mean_outer_gradients(rows, CONSTANT, dual, threshold, full=True, weights=weights)
    np.testing.assert_allclose(full, expected, rtol=1e-3, atol=1e-4)
    diagonal = mean_outer_gradients(rows, CONSTANT, dual, threshold, full=False, weights=weights)
    np.testing.assert_allclose(diagonal, np.diag(full))


def test_copies_give_no_direction():
    random = np.random.default_rng(0)
    rows, dual = random.standard_normal((15, 2)), random.standard_normal((15, 1))
    twice = mean_outer_gradients(np.tile(rows, (2, 1)), CONSTANT, np.tile(dual, (2, 1)), 0.0, full=True)
    assert np.isfinite(twice).all()
    np.testing.assert_allclose(twice, 4 * mean_outer_gradients(rows, CONSTANT, dual, 0.0, full=True))


def test_many_outputs_are_summed_up_by_random_signs():
    random = np.random.default_rng(0)
    rows, dual = random.standard_normal((60, 4)) * [3, 1, 1, 0.1], random.standard_normal((60, 400))
    sketched = mean_outer_gradients(rows, CONSTANT, dual, 0.0, full=False)
    each = [
        mean_outer_gradients(rows, CONSTANT, dual[:, k : k + 8], 0.0, full=False) for k in range(0, 400, 8)
    ]
    assert dual.shape[1] > MOST_OUTPUTS
    ratio = sketched / np.sum(each, axis=0)
    assert (ratio > 0.5).all()
    assert (ratio < 2).all()

"""Ends of a spectrum and sums over it, beside all eigenvalues."""

import numpy as np
import pytest

from fewfire.tangent import Layers
from fewfire.tangent.lanczos import ends, quadrature
from problems import clustered_samples

RIDGE = 1e-3


@pytest.fixture(scope="module")
def kernel():
    samples, _ = clustered_samples(300, 20)
    return Layers(1, 1.0).kernel(samples @ samples.T)


def test_the_ends_are_those_of_all_eigenvalues(kernel):
    values = np.linalg.eigvalsh(kernel)
    found = ends(lambda v: kernel @ v, len(kernel))
    assert found.converged
    assert found.largest == pytest.approx(values[-1], rel=1e-6)
    assert found.smallest == pytest.approx(values[0], rel=1e-2)


def test_ends_that_were_not_reached_are_bounds(kernel):
    values = np.linalg.eigvalsh(kernel)
    found = ends(lambda v: kernel @ v, len(kernel), max_products=20)
    assert not found.converged
    assert found.products == 20
    assert values[0] <= found.smallest <= found.largest <= values[-1] * (1 + 1e-12)


def test_a_matrix_of_few_eigenvalues_is_exhausted():
    matrix = np.diag([1.0] * 5 + [3.0] * 5)
    found = ends(lambda v: matrix @ v, 10)
    assert (found.largest, found.smallest) == (pytest.approx(3), pytest.approx(1))
    assert found.products <= 3


def test_sums_are_within_three_standard_errors(kernel):
    values = np.linalg.eigvalsh(kernel)
    functions = {
        "log determinant": lambda x: np.log(np.maximum(x, 0) + RIDGE),
        "effective dimension": lambda x: x / (x + RIDGE),
    }
    within = dict.fromkeys(functions, 0)
    for seed in range(10):
        found = quadrature(lambda v: kernel @ v, len(kernel), functions, seed=seed)
        for name, function in functions.items():
            off = abs(found[name].value - function(values).sum())
            within[name] += off <= 3 * found[name].standard_error
    assert all(count >= 9 for count in within.values()), within

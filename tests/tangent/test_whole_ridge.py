"""Ridge regression through all samples: against NumPy's solution, and the ridge that it chooses."""

import numpy as np
import pytest

import fewfire
from fewfire.tangent.infinite import wide_kernel
from fewfire.tangent.whole_ridge import whole_ridge
from problems import clustered_samples


def problem(n=200, noise=0.0, seed=0):
    samples, _ = clustered_samples(n, 8, seed)
    random = np.random.default_rng(seed)
    kernel = wide_kernel(samples @ samples.T, 0.5).astype(np.float32)
    smooth = kernel @ random.standard_normal((n, 2))
    return kernel, smooth / smooth.std() + noise * random.standard_normal((n, 2))


@pytest.mark.parametrize("weighted", [False, True])
def test_it_solves_the_system(weighted):
    kernel, targets = problem()
    weights = np.random.default_rng(1).integers(1, 4, len(kernel)).astype(float) if weighted else None
    alpha = whole_ridge(kernel, targets, [0.1], weights=weights)
    system = kernel + 0.1 * np.diag(1 / (np.ones(len(kernel)) if weights is None else weights))
    np.testing.assert_allclose(system @ alpha, targets, atol=1e-9)


def test_samples_of_no_weight_teach_nothing():
    kernel, targets = problem()
    weights = (np.arange(len(kernel)) % 3 > 0).astype(float)
    counts = np.flatnonzero(weights)
    alpha = whole_ridge(kernel, targets, [1.0, 0.1], weights=weights)
    assert not alpha[weights == 0].any()
    np.testing.assert_array_equal(
        alpha[counts], whole_ridge(kernel[np.ix_(counts, counts)], targets[counts], [1.0, 0.1])
    )


@pytest.mark.parametrize(("noise", "place"), [(0.0, 4), (30.0, 0)])
def test_noise_asks_for_a_large_ridge_and_none_for_a_small_one(noise, place):
    kernel, targets = problem(noise=noise)
    ridges = [100.0, 10.0, 1.0, 0.1, 0.01]
    np.testing.assert_array_equal(
        whole_ridge(kernel, targets, ridges), whole_ridge(kernel, targets, ridges[place : place + 1])
    )


def test_the_solution_is_the_same_for_any_number_of_threads():
    kernel, targets = problem(noise=0.3)
    found = []
    for count in (1, 2, 3):
        fewfire.set_threads(count)
        found.append(whole_ridge(kernel, targets, [10.0, 1.0, 0.1]).tobytes())
    assert len(set(found)) == 1


def test_one_sample_and_a_ridge_below_what_rounding_allows():
    assert whole_ridge(np.ones((1, 1), np.float32), np.ones((1, 1)), [1.0, 0.5]) == pytest.approx(0.5)
    alike = np.ones((50, 50), np.float32)
    assert np.isfinite(whole_ridge(alike, np.ones((50, 1)), [1e-12])).all()

"""The evidence of a kernel, beside densities and scikit-learn."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, WhiteKernel

from fewfire.tangent import kernel_evidence
from problems import clustered_samples


@pytest.fixture
def problem():
    samples, _ = clustered_samples(30, 8)
    random = np.random.default_rng(1)
    return samples, samples @ random.standard_normal(8) + 0.1 * random.standard_normal(30)


def test_it_is_the_largest_density_over_scales(problem):
    samples, y = problem
    kernel, ridge = samples @ samples.T, 0.3
    (found,) = kernel_evidence(kernel, y, np.array([ridge]))
    scales = np.geomspace(0.01, 100, 20_001)
    covariance = kernel + ridge * np.eye(30)
    best = max(multivariate_normal(np.zeros(30), s * covariance).logpdf(y) for s in scales[::400])
    fine = [multivariate_normal(np.zeros(30), s * covariance).logpdf(y) for s in
            np.linspace(0.5, 1.5, 201) * (y @ np.linalg.solve(covariance, y) / 30)]  # fmt: skip
    assert best <= found + 1e-9
    assert max(fine) == pytest.approx(found, abs=1e-10)


def test_it_is_that_of_scikit_learn_at_this_scale(problem):
    samples, y = problem
    kernel, ridge = samples @ samples.T, 0.3
    scale = y @ np.linalg.solve(kernel + ridge * np.eye(30), y) / 30
    theirs = ConstantKernel(scale) * DotProduct(sigma_0=0, sigma_0_bounds="fixed") + WhiteKernel(
        scale * ridge
    )
    model = GaussianProcessRegressor(theirs, alpha=0, optimizer=None).fit(samples, y)
    found = kernel_evidence(kernel, y, np.array([ridge]))[0]
    assert found == pytest.approx(model.log_marginal_likelihood_value_, abs=1e-8)


def test_outputs_add_up(problem):
    samples, y = problem
    kernel, ridges = samples @ samples.T, np.array([0.1, 1.0])
    other = np.cos(3 * y)
    both = kernel_evidence(kernel, np.column_stack([y, other]), ridges)
    alone = kernel_evidence(kernel, y, ridges) + kernel_evidence(kernel, other, ridges)
    np.testing.assert_allclose(both, alone, rtol=1e-12)


@pytest.mark.parametrize(("targets", "ridge"), [(np.zeros(30), 1.0), (np.ones(30), 0.0)])
def test_what_has_no_evidence_is_refused(problem, targets, ridge):
    with pytest.raises(ValueError, match="ridges must be above 0, and each column of targets not all 0"):
        kernel_evidence(problem[0] @ problem[0].T, targets, np.array([ridge]))

"""The kernel of great width, and leaving one out with it."""

import numpy as np
import pytest

from fewfire import TwoLayerNetwork, reference
from fewfire.networks.threshold import fire_rate_at
from fewfire.tangent import wide_kernel
from fewfire.tangent.leave_one_out import leave_one_out, left_out
from problems import clustered_samples


@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.0])
def test_a_wide_network_has_it(threshold):
    samples, _ = clustered_samples(20, 5)
    weights = np.random.default_rng(0).standard_normal((200_000, 5))
    kernel = reference.firing_kernel(weights, samples, threshold) / fire_rate_at(threshold)
    np.testing.assert_allclose(wide_kernel(samples @ samples.T, threshold), kernel, atol=0.05)


def test_without_threshold_it_is_that_of_the_arc_cosine():
    """P[Z > 0 and Z' > 0] = 1/2 - angle / (2 pi) (Sheppard 1899)."""
    cosines = np.linspace(-1, 1, 1001)
    exact = cosines * (1 - np.arccos(cosines) / np.pi)
    np.testing.assert_allclose(wide_kernel(cosines, 0.0), exact, atol=1e-6)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 2.0, 4.0])
def test_ends(threshold):
    """The same sample, one across, one opposite; rounding may lead beyond."""
    values = wide_kernel(np.array([1.0, 1 + 1e-12, 0.0, -1.0, -1 - 1e-12]), threshold)
    np.testing.assert_allclose(values, [1, 1, 0, 0, 0], atol=1e-6)


def test_leaving_one_out_is_what_it_says():
    samples, nearest = clustered_samples(25, 6)
    targets = np.eye(10)[nearest][:, :3]
    kernel, ridges = wide_kernel(samples @ samples.T, 1.0), np.array([1e-3, 0.1, 10.0])
    errors = []
    for ridge in ridges:
        residuals = []
        for i in range(25):
            others = np.arange(25) != i
            system = kernel[np.ix_(others, others)] + ridge * np.eye(24)
            residuals.append(targets[i] - kernel[i, others] @ np.linalg.solve(system, targets[others]))
        errors.append(np.mean(np.square(residuals)))
    np.testing.assert_allclose(leave_one_out(kernel, targets, ridges), errors, rtol=1e-9)


def test_a_mirrored_network_begins_at_zero():
    network = TwoLayerNetwork.initialize(500, 6, 3, threshold=0.5, mirrored=True)
    samples, _ = clustered_samples(25, 6)
    assert np.abs(network.forward(samples)).max() < 1e-5
    assert np.abs(TwoLayerNetwork.initialize(500, 6, 3, threshold=0.5).forward(samples)).max() > 0.1


@pytest.mark.parametrize(("width", "init"), [(501, "gaussian"), (512, "structured")])
def test_what_cannot_be_mirrored(width, init):
    with pytest.raises(ValueError, match="a mirrored network must have an even width and Gaussian weights"):
        TwoLayerNetwork.initialize(width, 6, 3, mirrored=True, init=init)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_last_samples_are_missed_as_by_leaving_one_out(weighted):
    random = np.random.default_rng(0)
    samples = random.standard_normal((40, 4))
    samples /= np.linalg.norm(samples, axis=1)[:, None]
    kernel, targets = wide_kernel(samples @ samples.T, 1.0), random.standard_normal((40, 2))
    weights = random.integers(1, 4, 40).astype(float) if weighted else None
    missed = left_out(kernel, targets, 0.1, 40, weights)
    mean = np.average(np.square(missed).mean(axis=1), weights=weights)
    np.testing.assert_allclose(mean, leave_one_out(kernel, targets, np.array([0.1]), weights)[0])
    np.testing.assert_allclose(left_out(kernel, targets, 0.1, 7, weights), missed[-7:])

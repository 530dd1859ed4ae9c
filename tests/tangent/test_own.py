"""Products with a network's own kernel, beside its matrix and the limit of great width."""

import numpy as np
import pytest

from fewfire import TwoLayerNetwork
from fewfire.networks import DeepNetwork
from fewfire.networks.threshold import fire_rate_at
from fewfire.tangent import DeepOwnKernel, Layers, OwnKernel, own_kernel
from problems import clustered_problem, clustered_samples


@pytest.mark.parametrize(("dtype", "near"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("trained", ["hidden", "all", "output"])
def test_products_are_those_of_the_matrix(dtype, near, trained):
    problem = clustered_problem(dtype=dtype)
    problem.network.output_weights[:] *= np.linspace(0.5, 2, 300)[:, None]
    own = OwnKernel.of(problem.network, problem.inputs, trained=trained)
    matrix, vector = own.matrix(), np.random.default_rng(0).standard_normal(len(own))
    expected = matrix @ vector
    assert np.abs(own.times(vector) - expected).max() <= near * np.abs(expected).max()


@pytest.mark.parametrize("b", [0.0, 1.0])
def test_a_wide_network_is_near_the_limit(b):
    samples, _ = clustered_samples(200, 10)
    network = TwoLayerNetwork.initialize(1 << 16, 10, 1, threshold=b)
    limit = Layers(1, b)
    expected = limit.size * limit.kernel(samples @ samples.T)
    distance = np.linalg.norm(OwnKernel.of(network, samples).matrix() - expected) / np.linalg.norm(expected)
    assert distance <= 3 / np.sqrt((1 << 16) * fire_rate_at(b))


def test_products_of_a_deep_network_are_those_of_its_matrix():
    problem = clustered_problem(dtype=np.float64)
    network = DeepNetwork.initialize((80, 60), 20, 3, threshold=0.5, dtype=np.float64)
    own = own_kernel(network, problem.inputs)
    assert isinstance(own, DeepOwnKernel)
    matrix, vector = own.matrix(), np.random.default_rng(0).standard_normal(len(own))
    np.testing.assert_allclose(own.times(vector), matrix @ vector, rtol=1e-10, atol=1e-12)
    outputs = network.forward(problem.inputs.samples)
    np.testing.assert_allclose(own.outputs(), outputs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_wide_deep_network_is_near_the_limit_of_as_many_layers(depth):
    samples, _ = clustered_samples(40, 10)
    network = DeepNetwork.initialize((4096,) * depth, 10, 1, threshold=0.5, constant=0.0)
    limit = Layers(depth, 0.5)
    expected = limit.size * limit.kernel(samples @ samples.T)
    distance = np.linalg.norm(own_kernel(network, samples).matrix() - expected) / np.linalg.norm(expected)
    assert distance <= 0.08


def test_a_deep_kernel_is_that_of_hidden_weights():
    network = DeepNetwork.initialize((20, 10), 5, 1)
    with pytest.raises(ValueError, match="the kernel of a deep network must be that of its hidden weights"):
        own_kernel(network, np.ones((2, 5)), "all")

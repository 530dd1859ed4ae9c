"""Products with a network's own kernel, beside its matrix and the limit of great width."""

import numpy as np
import pytest

from fewfire import TwoLayerNetwork
from fewfire.networks.threshold import fire_rate_at
from fewfire.tangent import Layers, OwnKernel
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

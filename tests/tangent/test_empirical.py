"""The tangent kernel of a network as it is now."""

import numpy as np
import pytest

from fewfire import DataError, reference
from fewfire.networks.losses import SquaredLoss
from fewfire.plan import stable_learning_rate
from fewfire.tangent import firing_kernel
from problems import clustered_problem


@pytest.mark.parametrize("output_weights", [False, True])
def test_it_is_that_of_the_reference_for_arrays_and_for_inputs(output_weights):
    problem = clustered_problem(dtype=np.float64)
    samples = problem.inputs.samples
    found = firing_kernel(problem.network, samples.tolist(), output_weights=output_weights)
    weights, threshold = problem.network.weights, problem.network.threshold
    expected = reference.firing_kernel(weights, samples, threshold, output_weights=output_weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    of_inputs = firing_kernel(problem.network, problem.inputs, output_weights=output_weights)
    np.testing.assert_array_equal(found, of_inputs)


def test_what_it_cannot_be_formed_on_is_named():
    network = clustered_problem().network
    with pytest.raises(DataError, match="two-dimensional"):
        firing_kernel(network, [1.0, 2.0])
    with pytest.raises(ValueError, match="must fit the network: 20 features"):
        firing_kernel(network, [[1.0, 2.0]])


def test_the_safe_learning_rate_is_that_of_the_same_samples_as_an_array():
    problem = clustered_problem()
    of_inputs, of_an_array = (
        stable_learning_rate(problem.network, samples, SquaredLoss(), 16)
        for samples in (problem.inputs, problem.inputs.samples.tolist())
    )
    assert of_inputs == of_an_array > 0

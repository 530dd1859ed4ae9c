"""The gradient by the weights as an array: what a step down it moves, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fewfire
from fewfire.indexes import ExhaustiveIndex
from fewfire.networks import Descent, weight_gradients
from problems import clustered_problem
from strategies import seeds


def asked(problem, seed=0):
    index = ExhaustiveIndex()
    index.build(problem.network.layer, problem.inputs)
    residuals = np.random.default_rng(seed).standard_normal((len(problem.inputs), problem.network.n_outputs))
    return problem.network, problem.inputs, index.fire_set(problem.inputs), residuals


@settings(max_examples=40)
@given(
    width=st.integers(1, 300), n_features=st.integers(1, 40), n_samples=st.integers(1, 40),
    n_outputs=st.integers(1, 20), threshold=st.sampled_from([0.0, 0.5, 2.0, 50.0]), seed=seeds,
)  # fmt: skip
def test_it_is_the_dense_formula(width, n_features, n_samples, n_outputs, threshold, seed):
    problem = clustered_problem(
        width, n_features, n_samples, n_outputs, threshold=threshold, dtype=np.float64, seed=seed
    )
    network, inputs, fires, residuals = asked(problem, seed)
    x = inputs.samples
    firing = x @ network.weights.T > threshold
    exact = ((residuals @ network.output_weights.T) * firing).T @ x * network.scale
    np.testing.assert_allclose(weight_gradients(*asked(problem, seed)), exact, rtol=1e-10, atol=1e-12)


def test_a_step_from_zero_moves_by_it(dtype):
    problem = clustered_problem(width=200, n_samples=64, dtype=dtype)
    network, inputs, fires, residuals = asked(problem)
    expected = weight_gradients(network, inputs, fires, residuals)
    network.weights[:] = 0
    Descent(network, inputs, fires, residuals, -64.0).take()
    np.testing.assert_array_equal(network.weights, expected)
    assert expected.any()


def test_the_bits_depend_on_no_threads(dtype):
    arguments, before, found = asked(clustered_problem(width=5000, dtype=dtype)), fewfire.threads(), []
    try:
        for count in (1, 2, 3):
            fewfire.set_threads(count)
            found.append(weight_gradients(*arguments))
    finally:
        fewfire.set_threads(before)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_residuals_of_another_shape_are_refused():
    network, inputs, fires, residuals = asked(clustered_problem())
    with pytest.raises(ValueError, match="residuals must be one per sample and output"):
        weight_gradients(network, inputs, fires, residuals[:-1])

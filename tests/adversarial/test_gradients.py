"""The gradient by the inputs, and its way back to the user's units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fewfire
from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes import ExhaustiveIndex
from fewfire.networks.gradients import input_gradients
from fewfire.networks.momentum import Momentum
from fewfire.prepare import InputScaling
from fewfire.reference import adversarial as reference
from problems import clustered_problem, exact_problem, let_coast
from strategies import seeds


def fires_on(network, inputs):
    index = ExhaustiveIndex()
    index.build(network.layer, inputs)
    return index.fire_set(inputs)


def residuals_for(problem, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((len(problem.inputs), problem.network.n_outputs))


def expected(network, samples, residuals):
    return reference.input_gradients(
        network.weights, network.output_weights, samples, network.threshold, residuals
    )


@settings(max_examples=40)
@given(
    width=st.integers(1, 300), n_features=st.integers(1, 40), n_samples=st.integers(1, 40),
    n_outputs=st.integers(1, 20), threshold=st.sampled_from([0.0, 0.5, 2.0, 50.0]), seed=seeds,
)  # fmt: skip
def test_it_is_that_of_the_reference(width, n_features, n_samples, n_outputs, threshold, seed):
    problem = clustered_problem(
        width, n_features, n_samples, n_outputs, threshold=threshold, dtype=np.float64, seed=seed
    )
    residuals = residuals_for(problem, seed)
    found = input_gradients(problem.network, fires_on(problem.network, problem.inputs), residuals)
    exact = expected(problem.network, problem.inputs.samples, residuals)
    np.testing.assert_allclose(found, exact, rtol=1e-11, atol=1e-12)


def test_ties_at_the_threshold_do_not_count(dtype):
    problem = exact_problem(dtype)
    residuals = np.random.default_rng(0).integers(-3, 4, (len(problem.inputs), 2))
    found = input_gradients(problem.network, fires_on(problem.network, problem.inputs), residuals)
    exact = expected(problem.network, problem.inputs.samples, residuals)
    np.testing.assert_array_equal(found, exact)


def test_central_differences_agree():
    problem = clustered_problem(width=500, dtype=np.float64)
    network, x, h = problem.network, problem.inputs.samples, 1e-7
    residuals = residuals_for(problem)
    pre_activations = x @ network.weights.T
    lengths = np.linalg.norm(network.weights, axis=1)
    far = (np.abs(pre_activations - network.threshold) > 2 * h * lengths).all(axis=1)
    assert far.any()
    gradients = input_gradients(network, fires_on(network, problem.inputs), residuals)
    for column in range(x.shape[1]):
        moved = np.zeros_like(x)
        moved[:, column] = h
        rise = ((network.forward(x + moved) - network.forward(x - moved)) * residuals).sum(axis=1) / (2 * h)
        np.testing.assert_allclose(gradients[far, column], rise[far], rtol=1e-5, atol=1e-7)


def test_the_bits_depend_on_no_threads(dtype):
    problem = clustered_problem(width=5000, n_samples=90, dtype=dtype)
    residuals, before, found = residuals_for(problem), fewfire.threads(), []
    fires = fires_on(problem.network, problem.inputs)
    try:
        for count in (1, 2, 3):
            fewfire.set_threads(count)
            found.append(input_gradients(problem.network, fires, residuals))
    finally:
        fewfire.set_threads(before)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_weights_that_coast_are_taken_as_they_are_now():
    problem = clustered_problem()
    let_coast(problem.network, Momentum(0.9))
    settled = problem.network.copy()
    residuals = residuals_for(problem)
    found = input_gradients(problem.network, fires_on(problem.network, problem.inputs), residuals)
    same = input_gradients(settled, fires_on(settled, problem.inputs), residuals)
    np.testing.assert_array_equal(found, same)


@pytest.mark.parametrize("directions", [None, "weights", "matrix"])
@pytest.mark.parametrize("standardize", [True, False])
def test_the_way_back_to_the_user_s_units(directions, standardize):
    random = np.random.default_rng(0)
    samples = 3 * random.standard_normal((50, 6)) + 5
    scaling = InputScaling.fit(samples, standardize=standardize)
    if directions == "weights":
        scaling = scaling.along(np.array([1.0, 0.0, 2.0, 0.5, 0.0, 1.0]), scaling.constant)
    elif directions == "matrix":
        scaling = scaling.along(random.standard_normal((4, 6)), scaling.constant)
    of_rows, h = random.standard_normal((50, scaling.n_outputs)), 1e-6
    found = scaling.pull_back(samples, of_rows)
    for column in range(6):
        moved = np.zeros_like(samples)
        moved[:, column] = h
        change = scaling.transform(samples + moved, np.float64) - scaling.transform(
            samples - moved, np.float64
        )
        np.testing.assert_allclose(
            found[:, column], (of_rows * change).sum(axis=1) / (2 * h), rtol=1e-6, atol=1e-9
        )


def test_nothing_fires():
    network = TwoLayerNetwork(np.ones((3, 2)), np.ones((3, 1)), 100.0)
    inputs = Inputs.of(np.ones((4, 2)))
    assert not input_gradients(network, fires_on(network, inputs), np.ones((4, 1))).any()


@pytest.mark.parametrize("shape", [(49, 3), (50, 2), (50, 20), (50,)])
def test_residuals_of_another_shape_are_refused(shape):
    problem = clustered_problem()
    fires = fires_on(problem.network, problem.inputs)
    with pytest.raises(ValueError, match=r"residuals must be one per sample and output, \(50, 3\)"):
        input_gradients(problem.network, fires, np.ones(shape))

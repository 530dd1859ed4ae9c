"""Kernels against the reference in float64: no worse than plain NumPy arithmetic at the same precision.

The tolerance is twice the error that the same formula in plain float32 NumPy makes, plus one rounding of
the result: it scales itself with the shapes.
"""

import numpy as np
import pytest

from checks import exhaustive_fire_set
from fewfire import reference
from fewfire.networks.descent import Descent
from fewfire.system import machine
from problems import clustered_problem, exact_problem, threshold_in_gap

SHAPES = pytest.mark.parametrize(
    "shape",  # width, features, samples, outputs
    [(1, 1, 1, 1), (97, 113, 203, 5), (300, 20, 50, 3), (1000, 65, 64, 10), (4096, 70, 257, 1)],
    ids=lambda shape: "x".join(map(str, shape)),
)
THRESHOLDS = pytest.mark.parametrize("near", [0.0, 0.5, 1.5])


@pytest.fixture(params=machine.available_instruction_sets(), autouse=True)
def _instruction_set(request):
    machine.use_instruction_set(request.param)


@pytest.fixture
def problem(shape, near):
    """In float32, with a threshold that no pair is within rounding of."""
    problem = clustered_problem(*shape)
    gap = threshold_in_gap(problem.network, problem.inputs.samples, near)
    problem.network.layer.threshold = float(np.float32(gap))
    return problem


def assert_no_worse_than_plain(computed, plain, exact):
    assert plain.dtype == computed.dtype == np.float32
    one_rounding = np.finfo(np.float32).eps * np.abs(exact).max()
    assert np.abs(computed - exact).max() <= 2 * np.abs(plain - exact).max() + one_rounding


def plain_pre_activations(problem):
    return problem.inputs.samples @ problem.network.weights.T - np.float32(problem.network.threshold)


@SHAPES
@THRESHOLDS
def test_outputs_from_the_fire_set(problem):
    network, batch = problem.network, problem.everything
    exact = reference.forward(network.weights, network.output_weights, batch.samples, network.threshold)
    activations = np.maximum(plain_pre_activations(problem), 0)
    plain = np.float32(network.scale) * (activations @ network.output_weights)
    computed = network.outputs(exhaustive_fire_set(network, batch))
    assert_no_worse_than_plain(computed, plain, exact)
    assert_no_worse_than_plain(network.forward(batch.samples), plain, exact)
    assert network.outputs_of_all(batch).tobytes() == computed.tobytes()


@SHAPES
@THRESHOLDS
def test_a_step_moves_both_layers_down_the_gradient(problem):
    network, batch = problem.network, problem.everything
    old_weights, old_output_weights = network.weights.copy(), network.output_weights.copy()
    residuals = np.random.default_rng(0).standard_normal(problem.targets.shape).astype(np.float32)
    rate = np.float32(1000 * network.width)  # the moves are longer than the weights were
    gradients = reference.gradients(
        old_weights, old_output_weights, batch.samples, network.threshold, residuals
    )

    pre_activations = plain_pre_activations(problem)
    share = rate * np.float32(network.scale) / np.float32(len(batch))
    pull = (residuals @ old_output_weights.T) * (pre_activations > 0)
    plain_weights = old_weights - share * (pull.T @ batch.samples)
    plain_output_weights = old_output_weights - share * (np.maximum(pre_activations, 0).T @ residuals)

    fires = exhaustive_fire_set(network, batch)
    Descent(network, batch, fires, residuals, float(rate), float(rate)).take()
    exact_weights = old_weights - float(rate) * gradients[0]
    exact_output_weights = old_output_weights - float(rate) * gradients[1]
    assert_no_worse_than_plain(network.weights, plain_weights, exact_weights)
    assert_no_worse_than_plain(network.output_weights, plain_output_weights, exact_output_weights)


@SHAPES
@THRESHOLDS
def test_the_step_tells_how_far_each_neuron_moved(problem):
    network, batch = problem.network, problem.everything
    old = network.weights.copy()
    fires = exhaustive_fire_set(network, batch)
    residuals = np.random.default_rng(0).standard_normal(problem.targets.shape)
    step = Descent(network, batch, fires, residuals, 10.0).take()
    moved = np.linalg.norm(network.weights.astype(np.float64) - old, axis=1)
    assert np.all(moved <= step.lengths)
    assert np.all(step.lengths <= 1.001 * moved + 1e-17)
    silent = np.diff(fires.begins) == 0
    assert np.all(step.lengths[silent] == 0)
    np.testing.assert_array_equal(network.weights[silent], old[silent])


def test_frozen_output_weights_are_not_touched():
    problem = clustered_problem()
    before = problem.network.output_weights.copy()
    fires = exhaustive_fire_set(problem.network, problem.everything)
    Descent(problem.network, problem.everything, fires, problem.targets, 10.0).take()
    np.testing.assert_array_equal(problem.network.output_weights, before)


def test_padding_stays_zero():
    problem = clustered_problem(n_features=17, n_outputs=3)
    fires = exhaustive_fire_set(problem.network, problem.everything)
    Descent(problem.network, problem.everything, fires, problem.targets, 10.0, 10.0).take()
    assert not problem.network.layer.weight_rows[:, 17:].any()
    assert not problem.network.output_rows[:, 3:].any()


def test_exact_numbers_give_exact_outputs_and_steps(dtype):
    problem = exact_problem(dtype)
    network, batch, b = problem.network, problem.everything, problem.network.threshold
    old = network.weights.copy(), network.output_weights.copy()
    fires = exhaustive_fire_set(network, batch)
    np.testing.assert_array_equal(network.outputs(fires), reference.forward(*old, batch.samples, b))
    rate = 16.0 * len(batch)
    Descent(network, batch, fires, problem.targets, rate, rate).take()
    gradients = reference.gradients(*old, batch.samples, b, problem.targets)
    np.testing.assert_array_equal(network.weights, old[0] - rate * gradients[0])
    np.testing.assert_array_equal(network.output_weights, old[1] - rate * gradients[1])

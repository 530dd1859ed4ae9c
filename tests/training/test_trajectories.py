"""Whole trajectories in float64: fewfire and the dense reference go the same way."""

import numpy as np
import pytest

from checks import exhaustive_fire_set, rounding_band
from fewfire import reference
from fewfire.networks.descent import Descent
from problems import clustered_problem
from trainers import descent_trainer

STEPS = 50


def pairs_within_rounding(network, samples, weights):
    """Pairs of a network with these weights that rounding alone decides."""
    pre_activations = reference.pre_activations(weights, samples)
    return np.count_nonzero(np.abs(pre_activations - network.threshold) <= rounding_band(network, samples))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", ["squared", "softmax", "logistic"])
@pytest.mark.parametrize("train_output_weights", [False, True], ids=["one-layer", "both-layers"])
def test_fifty_full_batch_steps_agree_with_the_reference(seed, loss, train_output_weights):
    problem = clustered_problem(width=200, n_samples=60, dtype=np.float64, seed=seed)
    network, samples = problem.network, problem.inputs.samples
    trainer = descent_trainer(
        network.copy(), problem.inputs, problem.targets, loss=loss, train_output_weights=train_output_weights
    )
    trainer.build()
    weights, output_weights = network.weights, network.output_weights
    undecided = 0
    for _ in range(STEPS):
        undecided += pairs_within_rounding(network, samples, weights)
        weights, output_weights = reference.gradient_step(
            weights, output_weights, samples, problem.targets, network.threshold, loss=loss,
            learning_rate=trainer.stepper.learning_rate, train_output_weights=train_output_weights,
        )  # fmt: skip
        trainer.epoch()
    assert undecided == 0  # so nothing but rounding may tell the two apart
    np.testing.assert_allclose(trainer.network.weights, weights, rtol=0, atol=1e-10 * np.abs(weights).max())
    np.testing.assert_allclose(trainer.network.output_weights, output_weights, rtol=0, atol=1e-10)
    assert np.abs(weights - network.weights).max() > 0.01


def test_a_pair_within_rounding_of_the_threshold_moves_its_own_neuron_alone():
    """Whichever way such a pair is decided, all else agrees with the reference."""
    problem = clustered_problem(width=200, n_samples=60, dtype=np.float64)
    network, batch = problem.network, problem.everything
    pre_activations = reference.pre_activations(network.weights, batch.samples)
    neuron, sample = np.unravel_index(np.argmin(np.abs(pre_activations - 0.8)), pre_activations.shape)
    network.layer.threshold = b = float(pre_activations[neuron, sample])
    assert pairs_within_rounding(network, batch.samples, network.weights) == 1

    old = network.weights.copy()
    residuals = np.random.default_rng(0).standard_normal(problem.targets.shape)
    firing, silent = (
        old - reference.gradients(old, network.output_weights, batch.samples, threshold, residuals)[0]
        for threshold in (b - 1e-12, b + 1e-12)
    )
    Descent(network, batch, exhaustive_fire_set(network, batch), residuals, 1.0).take()
    as_firing, as_silent = (np.isclose(network.weights, way, rtol=0, atol=1e-13).all(axis=1)
                            for way in (firing, silent))  # fmt: skip
    others = np.arange(network.width) != neuron
    assert as_firing[others].all()
    assert as_silent[others].all()
    assert as_firing[neuron] != as_silent[neuron]

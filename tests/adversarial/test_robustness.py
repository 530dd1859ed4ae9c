"""Robust accuracy: samples without a gradient, what is left after Ctrl-C, and the work that is counted."""

import numpy as np
import pytest

import fewfire
from fewfire import TwoLayerNetwork
from fewfire.adversarial import Attack, AttackInterrupted, Box, Surface, robust_accuracy
from fewfire.indexes import ExhaustiveIndex
from fewfire.prepare import InputScaling
from problems import clustered_problem
from trainers import descend


@pytest.fixture(scope="module")
def trained():
    """(network, samples, labels) of three classes, attacked on the network's own inputs."""
    problem = clustered_problem(width=1000, n_features=12, n_samples=300, n_outputs=3, threshold=1.0)
    network, samples = problem.network, problem.inputs.samples.copy()
    descend(network, samples, problem.targets, epochs=30, batch_size=25, learning_rate=8.0)
    return network, samples, problem.targets.argmax(axis=1)


@pytest.fixture(scope="module")
def mostly_silent():
    """(network, samples, labels) where nothing fires on many samples, which are right all the same."""
    random = np.random.default_rng(0)
    samples = random.random((200, 6)).astype(np.float32)
    weights = random.standard_normal((50, 6))
    network = TwoLayerNetwork(weights, random.choice([-1.0, 1.0], (50, 2)), threshold=2.5)
    labels = network.forward(samples).argmax(axis=1)
    return network, samples, labels


def silent_on(network, samples):
    return ~(samples @ network.weights.T > network.threshold).any(axis=1)


def test_samples_on_which_nothing_fires_are_attacked_all_the_same(mostly_silent):
    network, samples, labels = mostly_silent
    silent = silent_on(network, samples)
    attack = Attack(radius=0.25, steps=10, random_start=False, box=Box(0, 1))
    found = robust_accuracy(network, samples, labels, attack)
    assert found.no_gradient == np.count_nonzero(silent) > 50
    assert found.broken[silent].mean() > 0.2
    np.testing.assert_array_equal(
        fewfire.predict(network, found.examples).argmax(axis=1) != labels, found.broken
    )
    assert np.abs(found.examples - samples).max() <= 0.25


def test_without_that_such_samples_would_look_robust(mostly_silent):
    """No gradient moves them: what breaks them is the lowered threshold alone."""
    network, samples, labels = mostly_silent
    silent = silent_on(network, samples)
    surface = Surface(network, None, ExhaustiveIndex())
    surface.index.build(network.layer, None)
    gradients = surface.gradients(surface.at(samples), np.ones((len(samples), 2)) * [1, -1])
    assert not gradients[silent].any()
    lowered = surface.at_threshold(0.0)
    gradients = lowered.gradients(lowered.at(samples), np.ones((len(samples), 2)) * [1, -1])
    assert gradients.any(axis=1).all()


def test_the_lowered_network_shares_weights_and_outputs_up_to_the_threshold(mostly_silent):
    network, samples, _ = mostly_silent
    lowered = network.at_threshold(1.5)
    assert lowered.layer.weight_rows is network.layer.weight_rows
    activations = np.maximum(samples @ network.weights.T - 1.5, 0)
    expected = activations @ network.output_weights * network.scale
    np.testing.assert_allclose(lowered.forward(samples), expected, rtol=1e-5, atol=1e-6)


def interrupted(trained, after, **settings):
    """What is found where Ctrl-C comes after so many batches."""
    network, samples, labels = trained
    left = [after]

    def stop(share):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    with pytest.raises(AttackInterrupted) as stopped:
        robust_accuracy(network, samples, labels, Attack(radius=0.1, **settings), on_batch=stop)
    return stopped.value.found


def test_after_ctrl_c_what_was_found_is_there(trained):
    network, samples, labels = trained
    settings = {"steps": 5, "restarts": 3}
    whole = robust_accuracy(network, samples, labels, Attack(radius=0.1, **settings))
    found = interrupted(trained, after=3, **settings)  # a run has two batches here
    assert found.per_restart == whole.per_restart[:1]
    assert whole.robust <= found.robust <= found.per_restart[0]
    assert 0 < found.broken.sum() <= whole.broken.sum()
    assert whole.broken[found.broken].all()
    np.testing.assert_array_equal(found.examples[found.broken], whole.examples[found.broken])
    np.testing.assert_array_equal(found.examples[~found.broken], samples[~found.broken])
    assert found.clean == whole.clean


def test_ctrl_c_before_the_first_run_is_whole_keeps_its_first_batches(trained):
    found = interrupted(trained, after=1, steps=5)
    assert found.per_restart == ()
    assert found.robust < found.clean


def test_work_is_that_of_the_search_and_gradients_are_counted_apart(trained, monkeypatch):
    network, samples, labels = trained
    looks, pairs, summed = [], [], []
    at, gradients = Surface.at, Surface.gradients

    def counted_at(self, points):
        seen = at(self, points)
        looks.append(len(points))
        pairs.append(len(seen.fires))
        return seen

    def counted_gradients(self, seen, residuals):
        summed.append(len(seen.fires))
        return gradients(self, seen, residuals)

    monkeypatch.setattr(Surface, "at", counted_at)
    monkeypatch.setattr(Surface, "gradients", counted_gradients)
    attack = Attack(radius=0.05, steps=4, restarts=2)
    found = robust_accuracy(network, samples, labels, attack, index="exhaustive")
    assert found.no_gradient == 0
    assert found.work.asked == found.work.multiplied == network.width * sum(looks)
    assert found.work.fired == sum(pairs)
    assert found.gradient_pairs == sum(summed) < sum(pairs)  # of the last points no gradient is asked
    screened = robust_accuracy(network, samples, labels, attack, index="screened")
    assert (screened.work.asked, screened.work.fired) == (found.work.asked, found.work.fired)
    assert screened.gradient_pairs == found.gradient_pairs
    assert found.work.fired <= screened.work.dots < found.work.asked


def test_the_work_of_the_lowered_threshold_is_counted_too(mostly_silent):
    network, samples, labels = mostly_silent
    attack = Attack(radius=0.05, steps=1, random_start=False, box=Box(0, 1))
    found = robust_accuracy(network, samples, labels, attack, index="exhaustive")
    once = len(samples)  # as they are
    silent, right = found.no_gradient, round(found.robust * len(samples))
    fewest = once + 2 * right + 2 * right  # at the start and at the end of the one run
    assert found.work.asked > network.width * (once + 2 * silent)
    assert found.work.asked <= network.width * (fewest + 4 * silent)


def test_a_radius_of_zero_breaks_nothing_though_nothing_fires(mostly_silent):
    network, samples, labels = mostly_silent
    found = robust_accuracy(network, samples, labels, Attack(radius=0.0, restarts=2, box=Box(0, 1)))
    assert found.robust == found.clean == 1
    np.testing.assert_array_equal(found.examples, samples)


def test_robust_accuracy_through_scaling_with_mean(mostly_silent):
    """The mean decides where nothing fires: also at the lowered threshold."""
    network, samples, _ = mostly_silent
    scaling = InputScaling.fit(samples, standardize=False)
    wide = TwoLayerNetwork.initialize(100, 7, 2, threshold=0.9)
    mean = np.array([0.0, 0.3])
    labels = (fewfire.predict(wide, scaling.transform(samples)) + mean).argmax(axis=1)
    attack = Attack(radius=0.2, steps=10, box=Box(0, 1))
    found = robust_accuracy(wide, samples, labels, attack, scaling=scaling, mean=mean)
    assert found.clean == 1
    outputs = fewfire.predict(wide, scaling.transform(found.examples)) + mean
    np.testing.assert_array_equal(outputs.argmax(axis=1) != labels, found.broken)

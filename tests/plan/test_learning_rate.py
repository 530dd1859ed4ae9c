"""The firing kernel, its largest eigenvalue, and the learning rate that follows from it."""

import numpy as np
import pytest
from hypothesis import given

from fewfire import Inputs, TwoLayerNetwork, reference
from fewfire.indexes import index_for_new_inputs
from fewfire.networks.losses import loss_named
from fewfire.plan.learning_rate import stable_learning_rate
from fewfire.tangent.empirical import firing_kernel, largest_eigenvalue
from fewfire.tangent.gram import FiringGram
from problems import clustered_problem
from strategies import seeds
from trainers import descent_trainer


@pytest.mark.parametrize("output_weights", [False, True], ids=["one-layer", "both-layers"])
@pytest.mark.parametrize("threshold", [0.0, 0.8])
@pytest.mark.parametrize("n_samples", [1, 15, 16, 50])
def test_the_firing_kernel_is_that_of_the_reference(dtype, output_weights, threshold, n_samples):
    problem = clustered_problem(n_samples=n_samples, threshold=threshold, dtype=dtype)
    network = problem.network
    kernel = firing_kernel(network, problem.inputs, output_weights=output_weights)
    exact = reference.firing_kernel(
        network.weights, problem.inputs.samples, network.threshold, output_weights=output_weights
    )
    np.testing.assert_allclose(kernel, exact, rtol=0, atol=20 * np.finfo(dtype).eps * np.abs(exact).max())
    np.testing.assert_array_equal(kernel, kernel.T)


def assert_close_to_the_largest(estimate, matrix):
    """Never above, and far from the half of it that would make the learning rate unstable."""
    exact = np.linalg.eigvalsh(matrix)[-1]
    assert 0.8 * exact <= estimate <= exact * (1 + 1e-12)


@given(seed=seeds)
def test_the_largest_eigenvalue_is_that_of_numpy(seed):
    random = np.random.default_rng(seed)
    n, rank = random.integers(1, 40, 2)
    root = random.standard_normal((n, rank)) * random.exponential(1, rank)
    assert_close_to_the_largest(largest_eigenvalue(root @ root.T), root @ root.T)


@given(seed=seeds)
def test_the_largest_eigenvalue_of_a_firing_kernel_is_that_of_numpy(seed):
    problem = clustered_problem(width=100, seed=seed)
    kernel = firing_kernel(problem.network, problem.inputs)
    assert_close_to_the_largest(largest_eigenvalue(kernel), kernel)


@pytest.mark.parametrize("values", [[3.0], [5.0, 1.0], [7.0, 2.0, 0.0]], ids=str)
def test_a_well_separated_eigenvalue_is_found_to_six_digits(values):
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((len(values), len(values))))[0]
    matrix = basis @ np.diag(values) @ basis.T
    assert largest_eigenvalue(matrix) == pytest.approx(values[0], rel=1e-6)


def test_the_largest_eigenvalue_of_zeros_is_zero():
    assert largest_eigenvalue(np.zeros((3, 3))) == 0


@pytest.mark.parametrize("loss", ["squared", "softmax", "logistic"])
@pytest.mark.parametrize("train_output_weights", [False, True], ids=["one-layer", "both-layers"])
@given(seed=seeds)
def test_the_loss_falls_at_every_step_at_the_stable_rate(loss, train_output_weights, seed):
    random = np.random.default_rng(seed)
    # Wide, and of enough features for samples to keep apart: the kernel stays about what it was.
    width, n_features = int(random.integers(500, 2000)), int(random.integers(16, 80))
    n_samples = int(random.integers(1, 60))
    problem = clustered_problem(width, n_features, n_samples, threshold=random.uniform(0, 1.5), seed=seed)
    trainer = descent_trainer(
        problem.network, problem.inputs, problem.targets, index="exhaustive", loss=loss,
        train_output_weights=train_output_weights,
    )  # fmt: skip
    trainer.build()
    losses = np.array([trainer.epoch().loss for _ in range(30)])
    assert np.all(np.diff(losses) <= 1e-6 * losses[0])


def linear_problem(dtype=np.float64):
    """All neurons fire on all samples, and go on doing so: gradient descent is exactly linear."""
    random = np.random.default_rng(0)
    samples = random.uniform(0.1, 1, (20, 5))
    weights = random.uniform(90, 110, (64, 5))
    network = TwoLayerNetwork(weights, random.choice([-1, 1], (64, 1)), 0.0, dtype)
    return network, Inputs.of(samples / np.linalg.norm(samples, axis=1, keepdims=True), dtype)


def squared_losses(rate_factor):
    network, inputs = linear_problem()
    rate = stable_learning_rate(network, inputs, loss_named("squared"), len(inputs))
    targets = network.forward(inputs.samples) + np.random.default_rng(1).standard_normal((len(inputs), 1))
    trainer = descent_trainer(network, inputs, targets, learning_rate=rate_factor * rate)
    trainer.build()
    losses = [trainer.epoch().loss for _ in range(10)]
    assert trainer.history[-1].fire_rate == 1
    return np.array(losses)


def test_three_times_the_stable_rate_is_past_stability():
    assert np.all(np.diff(squared_losses(1.0)) < 0)
    past = squared_losses(3.0)
    assert past[-1] > 10 * past[1]


def test_the_rate_is_rounded_down_to_two_digits_below_the_inverse_of_the_largest_eigenvalue():
    network, inputs = linear_problem()
    kernel = reference.firing_kernel(network.weights, inputs.samples, network.threshold)
    exact = len(inputs) / np.linalg.eigvalsh(kernel)[-1]
    rate = stable_learning_rate(network, inputs, loss_named("squared"), len(inputs))
    assert 0.9 * exact < rate <= exact
    assert float(f"{rate:.2g}") == pytest.approx(rate, rel=1e-12)


def test_larger_output_weights_need_a_lower_rate():
    network, inputs = linear_problem()
    base = stable_learning_rate(network, inputs, loss_named("squared"), len(inputs))
    network.output_weights[:] *= 4
    rate = stable_learning_rate(network, inputs, loss_named("squared"), len(inputs))
    assert rate == pytest.approx(base / 16, rel=0.1)


def test_heavier_samples_need_a_lower_rate():
    network, inputs = linear_problem()
    base = stable_learning_rate(network, inputs, loss_named("squared"), len(inputs))
    weights = np.full(len(inputs), 4.0)
    rate = stable_learning_rate(network, inputs, loss_named("squared"), len(inputs), sample_weight=weights)
    assert rate == pytest.approx(base / 4, rel=0.1)


@pytest.mark.parametrize(("loss", "factor"), [("squared", 1), ("softmax", 2), ("logistic", 4)])
def test_a_loss_that_curves_less_allows_a_higher_rate(loss, factor):
    network, inputs = linear_problem()
    base = stable_learning_rate(network, inputs, loss_named("squared"), len(inputs))
    assert stable_learning_rate(network, inputs, loss_named(loss), len(inputs)) == pytest.approx(
        factor * base, rel=0.1
    )


def test_a_batch_larger_than_the_training_set_is_the_training_set():
    network, inputs = linear_problem()
    of_all = stable_learning_rate(network, inputs, loss_named("squared"), len(inputs))
    assert stable_learning_rate(network, inputs, loss_named("squared"), 10**6) == of_all


def test_where_nothing_fires_any_rate_is_stable():
    problem = clustered_problem(threshold=100.0)
    assert stable_learning_rate(problem.network, problem.inputs, loss_named("squared"), 10) == 1.0


def test_the_rate_is_judged_on_samples_that_the_seed_chooses():
    problem = clustered_problem(n_samples=600)

    def rate(seed):
        return stable_learning_rate(problem.network, problem.inputs, loss_named("squared"), 2, seed=seed)

    assert rate(3) == rate(3)
    assert len({rate(seed) for seed in range(5)}) > 1


@pytest.mark.parametrize("worst", range(4))
def test_the_rate_is_that_of_the_worst_batch(worst):
    """Its samples are all alike, while those of the others are at right angles."""
    batches = np.random.default_rng(0).permutation(40).reshape(4, 10)
    samples = np.eye(40)
    samples[batches[worst]] = samples[batches[worst, 0]]
    network = TwoLayerNetwork(np.ones((4, 40)), np.full((4, 1), 0.5), 0.0)

    def rate(rows, batch_size):
        inputs = Inputs.of(rows)
        return stable_learning_rate(network, inputs, loss_named("squared"), batch_size)

    assert rate(samples, 10) == rate(samples[batches[worst]], 10)
    assert rate(np.eye(40), 10) > 5 * rate(samples, 10)


def problem_of_many_labels(n_samples=150, width=300, n_labels=200):
    """Rows of few ones, three labels each, that a few topics tell; a dozen neurons fire on a row."""
    random = np.random.default_rng(0)
    topics, shares = random.standard_normal((6, 40)), random.dirichlet(np.full(6, 0.1), n_samples)
    rows = (random.random((n_samples, 40)) < 1 / (1 + np.exp(2 - 2 * shares @ topics))).astype(float) + 1e-3
    scores = shares @ random.standard_normal((6, n_labels)) + 0.1 * random.standard_normal(
        (n_samples, n_labels)
    )
    labels = (scores >= np.sort(scores, axis=1)[:, -3:-2]).astype(float)
    network = TwoLayerNetwork.initialize(width, 40, n_labels, threshold=1.7, dtype=np.float64)
    return network, Inputs.of(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64), labels


@pytest.mark.parametrize("output_weights", [False, True], ids=["one-layer", "both-layers"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_many_outputs_are_judged_as_they_are_coupled(output_weights, weighted):
    network, inputs, _ = problem_of_many_labels(40, 100, 15)
    weights = np.linspace(0.2, 3, len(inputs)) if weighted else np.ones(len(inputs))
    gram = FiringGram(network, inputs, index_for_new_inputs(network.layer, inputs).fire_set(inputs))
    coupled = gram.matrix()
    if output_weights:
        of_outputs = firing_kernel(network, inputs, output_weights=True) - firing_kernel(network, inputs)
        for output in range(15):
            coupled[:, output, :, output] += of_outputs
    roots = np.sqrt(weights)
    coupled *= roots[:, None, None, None] * roots[:, None]
    exact = len(inputs) / np.linalg.eigvalsh(coupled.reshape(15 * len(inputs), -1))[-1]
    rate = stable_learning_rate(
        network, inputs, loss_named("squared"), len(inputs),
        sample_weight=weights if weighted else None, output_weights=output_weights,
    )  # fmt: skip
    assert 0.9 * exact < rate < 1.05 * exact
    alone = largest_eigenvalue(gram.shared() * roots * roots[:, None])
    assert rate < 0.7 * len(inputs) / alone


@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_a_thousand_labels_do_not_diverge(loss):
    """At the rate of one output, 30 times as large, neurons are thrown out of reach of all samples."""
    losses, fires = [], []
    for factor in (1, 30):
        network, inputs, labels = problem_of_many_labels(n_labels=1000)
        rate = stable_learning_rate(network, inputs, loss_named(loss), len(inputs))
        trainer = descent_trainer(network, inputs, labels, loss=loss, learning_rate=factor * rate)
        trainer.build()
        losses.append(np.array([trainer.epoch().loss for _ in range(20)]))
        fires.append(trainer.history[-1].fire_rate)
    assert np.all(np.diff(losses[0]) <= 1e-6 * losses[0][0])
    assert fires[1] < 0.1 * fires[0]

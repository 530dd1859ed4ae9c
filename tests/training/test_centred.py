"""One step through centres: against the normal equations of all weights, and what it refuses."""

import numpy as np
import pytest

import fewfire
from fewfire import GaussNewton, Inputs
from fewfire.indexes import INDEXES
from fewfire.networks.near_kernel import copies_for, orthogonal_network
from fewfire.plan import plan_trainer
from fewfire.reference.gauss_newton import jacobian
from fewfire.training import CentredGaussNewton
from problems import clustered_problem, clustered_samples

SAMPLES, NEAREST = clustered_samples(n_samples=120, n_features=6)
NETWORK = orthogonal_network(64, 6, 2, threshold=0.5)
TARGETS = np.eye(3)[NEAREST % 3] - 1 / 3


def trained(index="exhaustive", sample_weight=None, targets=TARGETS, width=512, **settings):
    inputs = Inputs.of(SAMPLES)
    network = orthogonal_network(
        width, 6, targets.shape[1], threshold=0.5, output_weights=300.0, alive_on=inputs
    )
    start = network.copy()
    method = CentredGaussNewton(**({"ridges": (300.0**2 * 0.1,)} | settings))
    trainer = plan_trainer(network, inputs, targets, method=method, index=index, sample_weight=sample_weight)
    trainer.build()
    return start, trainer, trainer.epoch()


@pytest.mark.parametrize("n_outputs", [1, 2, 3, 4, 7, 8])
def test_outputs_begin_at_zero_and_do_not_mix_in_the_kernel(n_outputs):
    network = orthogonal_network(33, 6, n_outputs, threshold=0.5, dtype=np.float64)
    copies = copies_for(n_outputs)
    assert network.width % copies == 0
    assert 33 <= network.width < 33 + copies
    np.testing.assert_allclose(network.forward(SAMPLES), 0, atol=1e-12)
    slopes = jacobian(network.weights, network.output_weights, SAMPLES[:20], network.threshold)
    slopes = slopes.reshape(20, n_outputs, -1)
    gram = np.einsum("ikp,jlp->klij", slopes, slopes)
    for k in range(n_outputs):
        np.testing.assert_allclose(gram[k, k], gram[0, 0], atol=1e-9)
        for other in range(k):
            np.testing.assert_allclose(gram[k, other], 0, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_with_all_samples_as_centres_it_is_the_gauss_newton_step(weighted):
    weights = np.random.default_rng(0).integers(1, 4, len(SAMPLES)).astype(float) if weighted else None
    start, trainer, _ = trained(sample_weight=weights, n_centres=120)
    slopes = jacobian(
        start.weights.astype(float), start.output_weights.astype(float), SAMPLES, start.threshold
    )
    slopes = slopes.reshape(-1, start.weights.size) * start.scale * len(start.weights) ** 0.5
    copies = np.repeat(np.ones(120) if weights is None else weights, 3)
    gram = slopes @ slopes.T + 300.0**2 * 0.1 * np.diag(1 / copies)
    delta = slopes.T @ np.linalg.solve(gram, TARGETS.ravel())
    moved = (trainer.network.weights - start.weights).astype(float)
    np.testing.assert_allclose(moved, delta.reshape(moved.shape), atol=0.02 * np.abs(delta).max())


def test_fewer_centres_fit_less_and_still_fit():
    losses = [trained(n_centres=count)[2].loss for count in (120, 30, 3)]
    assert losses == sorted(losses)
    assert losses[-1] < 0.5 * np.square(TARGETS).sum(axis=1).mean()


@pytest.mark.parametrize("index", ["exhaustive", "drift", "screened", "weight_tree"])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_weights_are_the_same_through_every_index(index, threads):
    assert index in INDEXES
    fewfire.set_threads(threads)
    expected = trained()[1].network.weights.tobytes()
    assert trained(index=index)[1].network.weights.tobytes() == expected


def test_training_ends_after_one_step():
    trainer = trained()[1]
    assert trainer.stepper.finished
    assert trainer.stepper.steps_taken == 1


def test_a_step_that_is_too_long_is_halved(monkeypatch):
    from fewfire.training.methods import centred

    solve = centred.CentredRidge.solve
    monkeypatch.setattr(centred.CentredRidge, "solve", lambda *given, **start: 50 * solve(*given, **start))
    _, trainer, record = trained(n_centres=60)
    assert record.loss < 0.5 * np.square(TARGETS).sum(axis=1).mean()
    assert trainer.stepper.steps_taken == 1


def test_no_step_is_taken_that_does_not_pay(monkeypatch):
    from fewfire.training.methods import centred

    solve = centred.CentredRidge.solve
    monkeypatch.setattr(centred.CentredRidge, "solve", lambda *given, **start: -solve(*given, **start))
    start, trainer, _ = trained(n_centres=60)
    assert trainer.network.weights.tobytes() == start.weights.tobytes()
    assert trainer.stepper.steps_taken == 0


def test_the_kernel_keeps_to_the_memory_limit():
    method, _, needed = CentredGaussNewton(ridges=(1.0,)).sized(NETWORK, 100_000, None, 300_000_000)
    assert method.n_centres == 250
    assert needed < 300_000_000
    with pytest.raises(fewfire.MemoryLimitError, match="the kernel of 100,000 samples"):
        CentredGaussNewton(ridges=(1.0,)).sized(NETWORK, 100_000, None, 200_000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ridges": (0.0,)}, "ridges must be finite numbers > 0. Got"),
        ({"ridges": (1.0, np.nan)}, "ridges must be finite numbers > 0. Got"),
        ({"ridges": ()}, "ridges must be finite numbers > 0. Got"),
        ({"ridges": (1.0,), "n_centres": 0}, "n_centres must be a whole number >= 1. Got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CentredGaussNewton(**settings)


def test_other_losses_and_networks_are_refused():
    problem = clustered_problem()
    with pytest.raises(ValueError, match="need each neuron 4 times"):
        plan_trainer(
            problem.network, problem.inputs, problem.targets, method=CentredGaussNewton(ridges=(1.0,))
        )
    network = orthogonal_network(64, 20, 3, threshold=0.5)
    with pytest.raises(ValueError, match="loss='squared'. Got 'softmax'"):
        plan_trainer(
            network, problem.inputs, problem.targets, method=CentredGaussNewton(ridges=(1.0,)), loss="softmax"
        )
    plan_trainer(network, problem.inputs, problem.targets, method=GaussNewton())


def test_nothing_is_learned_where_nothing_fires():
    network = orthogonal_network(64, 6, 3, threshold=30.0)
    before = network.weights.copy()
    method = CentredGaussNewton(ridges=(1.0, 0.1))
    trainer = plan_trainer(network, Inputs.of(SAMPLES), TARGETS, method=method, index="exhaustive")
    trainer.build()
    assert trainer.epoch().loss == pytest.approx(0.5 * np.square(TARGETS).sum(axis=1).mean())
    np.testing.assert_array_equal(network.weights, before)


def test_a_step_that_fails_leaves_the_weights_as_they_were(monkeypatch):
    from fewfire.training.methods import centred

    asked = []

    def fails(network, inputs):
        asked.append(network.weights.copy())
        if len(asked) > 1:
            raise KeyboardInterrupt
        return network.outputs_of_all(inputs)

    monkeypatch.setattr(centred, "predicted_outputs", fails)
    network = orthogonal_network(64, 6, 3, threshold=0.5)
    method = CentredGaussNewton(ridges=(1.0,))
    trainer = plan_trainer(network, Inputs.of(SAMPLES), TARGETS, method=method, index="exhaustive")
    trainer.build()
    with pytest.raises(KeyboardInterrupt):
        trainer.epoch()
    assert (asked[1] != asked[0]).any()
    np.testing.assert_array_equal(network.weights, asked[0])

"""Neurons that fire on no sample are drawn anew, and what is left out changes nothing."""

import numpy as np
import pytest

import fewfire
from checks import exhaustive_fire_set
from fewfire import Inputs, TwoLayerNetwork
from fewfire.networks import silent
from fewfire.networks.silent import fires_on_any
from fewfire.system import machine
from problems import clustered_problem, clustered_samples
from trainers import descent_trainer

SAMPLES, NEAREST = clustered_samples(n_samples=70, n_features=6)


@pytest.mark.parametrize("instruction_set", machine.available_instruction_sets())
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("threshold", [0.0, 1.5, 2.5, 9.0])
def test_who_fires_somewhere_is_who_has_a_pair_in_the_fire_set(threshold, threads, instruction_set, dtype):
    machine.use_instruction_set(instruction_set)
    fewfire.set_threads(threads)
    problem = clustered_problem(width=333, n_features=6, n_samples=131, threshold=threshold, dtype=dtype)
    network = problem.network
    fires = exhaustive_fire_set(network, problem.everything)
    found = fires_on_any(network.layer.weight_rows, problem.everything, network.threshold)
    np.testing.assert_array_equal(found, np.diff(fires.begins) > 0)


@pytest.mark.parametrize("mirrored", [False, True])
def test_all_neurons_fire_somewhere_and_the_scale_counts_all_that_were_drawn(mirrored, dtype):
    inputs = Inputs.of(SAMPLES, dtype)
    settings = {"width": 400, "n_features": 6, "n_outputs": 2, "threshold": 2.0, "mirrored": mirrored}
    plain = TwoLayerNetwork.initialize(**settings, dtype=dtype)
    network = TwoLayerNetwork.initialize(**settings, dtype=dtype, alive_on=inputs)
    alive = fires_on_any(plain.layer.weight_rows, inputs, plain.threshold)
    assert 0.2 < alive.mean() < 0.8
    assert fires_on_any(network.layer.weight_rows, inputs, network.threshold).all()
    np.testing.assert_array_equal(network.weights[alive], plain.weights[alive])
    assert network.scale**-2 == pytest.approx(400 / alive.mean(), rel=0.15)
    if mirrored:
        np.testing.assert_array_equal(network.weights[::2], network.weights[1::2])
        np.testing.assert_allclose(network.forward(SAMPLES), 0, atol=1e-5)


def test_it_trains_as_the_wider_network_that_holds_the_silent_ones_too():
    inputs, targets = Inputs.of(SAMPLES, np.float64), np.eye(10)[NEAREST]
    alive = TwoLayerNetwork.initialize(300, 6, 10, threshold=2.0, dtype=np.float64, alive_on=inputs)
    drawn = round(alive.scale**-2)
    candidates = np.random.default_rng(5).standard_normal((10 * drawn, 6))
    silent_ones = candidates[~fires_on_any(fewfire.core.rows.padded(candidates, np.float64), inputs, 2.0)]
    weights = np.concatenate([alive.weights, silent_ones[: drawn - 300]])
    signs = np.concatenate([alive.output_weights, np.ones((drawn - 300, 10))])
    wide = TwoLayerNetwork(weights, signs, 2.0, np.float64)
    assert wide.scale == pytest.approx(alive.scale)
    for network in (alive, wide):
        trainer = descent_trainer(network, inputs, targets, batch_size=16, learning_rate=5.0)
        trainer.build()
        for _ in range(5):
            trainer.epoch()
    np.testing.assert_allclose(wide.weights[:300], alive.weights, rtol=1e-9)
    np.testing.assert_array_equal(wide.weights[300:], silent_ones[: drawn - 300])


def test_what_hardly_ever_fires_stays_silent_after_many_draws(monkeypatch):
    monkeypatch.setattr(silent, "MOST_DRAWS", 3)
    network = TwoLayerNetwork.initialize(50, 6, 1, threshold=30.0, alive_on=Inputs.of(SAMPLES))
    assert network.scale == pytest.approx((50 + 3 * 50) ** -0.5)


def test_a_dead_network_costs_no_division_by_zero():
    network = TwoLayerNetwork.initialize(8, 6, 1, threshold=0.0, alive_on=Inputs.of(np.zeros((3, 6))))
    assert np.isfinite(network.weights).all()


@pytest.mark.parametrize(
    ("settings", "got"),
    [
        ({"n_features": 5}, "Got 6 features in float32 and init='gaussian'"),
        ({"dtype": np.float64}, "Got 6 features in float32"),
        ({"init": "structured"}, "init='structured'"),
    ],
)
def test_samples_that_do_not_fit_are_refused(settings, got):
    known = {"width": 8, "n_features": 6, "n_outputs": 1, "alive_on": Inputs.of(SAMPLES)}
    with pytest.raises(ValueError, match=f"alive_on must have .*{got}.*Prepare the samples as for training"):
        TwoLayerNetwork.initialize(**(known | settings))


def test_the_tangent_kernel_counts_with_the_scale_of_the_network():
    inputs = Inputs.of(SAMPLES)
    network = TwoLayerNetwork.initialize(20_000, 6, 1, threshold=2.0, alive_on=inputs)
    plain = TwoLayerNetwork.initialize(40_000, 6, 1, threshold=2.0, seed=1)
    kernels = [fewfire.tangent.firing_kernel(one, inputs) for one in (network, plain)]
    assert np.trace(kernels[0]) == pytest.approx(np.trace(kernels[1]), rel=0.05)

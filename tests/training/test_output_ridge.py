"""The output weights in one step: against the normal equations of NumPy, through every index."""

import numpy as np
import pytest

import fewfire
from fewfire import Inputs
from fewfire.networks.near_kernel import readout_network
from fewfire.plan import plan_trainer
from fewfire.training import OutputRidge
from problems import clustered_samples

SAMPLES, NEAREST = clustered_samples(n_samples=150, n_features=6)
TARGETS = np.eye(40)[NEAREST % 40] - 1 / 40


def trained(index="exhaustive", width=64, sample_weight=None, ridge=0.1, dtype=np.float64):
    network = readout_network(width, 6, 40, threshold=0.5, dtype=dtype)
    trainer = plan_trainer(
        network, Inputs.of(SAMPLES, dtype), TARGETS, method=OutputRidge(ridge=ridge), index=index,
        sample_weight=sample_weight,
    )  # fmt: skip
    trainer.build()
    return trainer, trainer.epoch()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("width", [64, 500])
def test_it_solves_the_normal_equations(width, weighted):
    weights = np.random.default_rng(0).integers(1, 4, len(SAMPLES)).astype(float) if weighted else None
    network = trained(width=width, sample_weight=weights)[0].network
    given = network.scale * np.maximum(SAMPLES @ network.weights.T - 0.5, 0)
    counts = np.ones(len(SAMPLES)) if weights is None else weights
    system = given.T @ (counts[:, None] * given) + 0.1 * np.eye(width)
    expected = np.linalg.solve(system, given.T @ (counts[:, None] * TARGETS))
    np.testing.assert_allclose(network.output_weights, expected, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(network.forward(SAMPLES), given @ network.output_weights, atol=1e-10)


@pytest.mark.parametrize("index", ["drift", "screened", "weight_tree"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("width", [64, 500])
def test_the_weights_are_the_same_through_every_index(index, threads, width):
    fewfire.set_threads(threads)
    expected = trained(dtype=np.float32, width=width)[0].network
    network = trained(index, dtype=np.float32, width=width)[0].network
    assert network.output_weights.tobytes() == expected.output_weights.tobytes()
    assert network.weights.tobytes() == expected.weights.tobytes()


def test_training_ends_after_one_step_and_hidden_weights_stay():
    trainer, record = trained()
    assert trainer.finished
    assert record.moved_max == 0
    assert record.loss < np.square(TARGETS).sum(axis=1).mean() / 2


def test_nothing_is_learned_where_nothing_fires():
    network = readout_network(64, 6, 40, threshold=30.0)
    trainer = plan_trainer(network, SAMPLES, TARGETS, method=OutputRidge(ridge=1.0), index="exhaustive")
    trainer.build()
    trainer.epoch()
    assert not network.output_weights.any()


def test_what_it_refuses():
    with pytest.raises(ValueError, match="ridge must be a finite number > 0. Got 0"):
        OutputRidge(ridge=0)
    with pytest.raises(ValueError, match="ridge must be a finite number > 0. Got nan"):
        OutputRidge(ridge=np.nan)
    network = readout_network(64, 6, 40, threshold=0.5)
    with pytest.raises(ValueError, match="loss='squared'. Got 'softmax'"):
        plan_trainer(network, SAMPLES, TARGETS, method=OutputRidge(ridge=1.0), loss="softmax")
    with pytest.raises(fewfire.MemoryLimitError, match="the matrices of 64 neurons"):
        plan_trainer(network, SAMPLES, TARGETS, method=OutputRidge(ridge=1.0), memory_limit=1000)

"""Adversarial training: what it is without an attack, what it takes, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

import fewfire
from fewfire import TwoLayerNetwork
from fewfire.adversarial import Attack, Box, robust_accuracy
from fewfire.plan import plan_trainer
from fewfire.training import Adversarial
from fewfire.training.methods.trades import distance
from robust import SCHEMES, pictures, robust_trainer, robustly_trained
from trainers import descend

DATA = pictures()
SMALL = Attack(radius=0.03, steps=3, box=Box(0, 1))


def test_an_index_of_training_samples_is_refused():
    with pytest.raises(ValueError, match="needs an exact index that answers for new inputs. Got drift"):
        robust_trainer(DATA, "pgd", index="drift")


def test_samples_come_with_their_scaling():
    for half in ({"samples": DATA.samples}, {"scaling": DATA.scaling}):
        with pytest.raises(ValueError, match="must be given together"):
            Adversarial(**half)


def test_trades_without_a_weight_is_plain_training():
    attacked = robustly_trained(DATA, "trades", attack=SMALL, beta=0.0).network
    plain = TwoLayerNetwork.initialize(600, 13, 3, threshold=1.0)
    descend(plain, DATA.inputs, DATA.targets, epochs=3, batch_size=30, learning_rate=4.0, loss="softmax")
    np.testing.assert_allclose(attacked.weights, plain.weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", ["softmax", "squared"])
def test_the_derivatives_of_trades_are_those_of_its_distance(loss):
    random, h = np.random.default_rng(0), 1e-6
    clean, moved = random.standard_normal((2, 8, 4))
    by_clean, by_moved, distances = distance(clean, moved, loss)
    assert (distances > 0).all()
    assert not distance(clean, clean, loss)[2].any()
    for column in range(4):
        step = np.zeros((8, 4))
        step[:, column] = h
        rises = [
            (distance(clean + step, moved, loss)[2] - distance(clean - step, moved, loss)[2]) / (2 * h),
            (distance(clean, moved + step, loss)[2] - distance(clean, moved - step, loss)[2]) / (2 * h),
        ]
        np.testing.assert_allclose(by_clean[:, column], rises[0], rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(by_moved[:, column], rises[1], rtol=1e-5, atol=1e-8)


def test_trades_makes_a_network_more_robust():
    test = Attack(radius=0.06, steps=10, box=Box(0, 1))

    def robust(beta):
        network = robustly_trained(DATA, "trades", epochs=30, beta=beta).network
        return robust_accuracy(network, DATA.samples, DATA.labels, test, scaling=DATA.scaling).robust

    assert robust(6.0) > robust(0.0) + 0.02


@pytest.mark.parametrize("setting", [{"radius": 0.04}, {"box": Box(0, 2)}, {"step_size": 0.01}])
def test_another_attack_is_another_run(setting, tmp_path):
    robustly_trained(DATA, "pgd", epochs=1, attack=SMALL).save(tmp_path / "state")
    other = robust_trainer(DATA, "pgd", attack=replace(SMALL, **setting))
    with pytest.raises(fewfire.DataError, match=next(iter(setting))):
        other.restore(tmp_path / "state")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_training_that_overflows_says_so_and_returns_to_the_last_epoch(scheme):
    trainer = robust_trainer(DATA, scheme, learning_rate=1e30, loss="squared")
    trainer.build()
    before = trainer.network.weights.copy()
    with pytest.raises(fewfire.TrainingError, match="must stay finite"):
        trainer.epoch()
    np.testing.assert_array_equal(trainer.network.weights, before)


def test_trades_needs_a_start_that_is_not_the_sample():
    for attack in (Attack.fgsm(radius=0.1), Attack(objective="margin")):
        with pytest.raises(ValueError, match="TRADES must have an attack with a random start"):
            Adversarial(attack=attack, scheme="trades")


def test_other_samples_than_those_of_training_are_refused():
    method = Adversarial(learning_rate=1.0, samples=DATA.samples[:50], scaling=DATA.scaling)
    network = TwoLayerNetwork.initialize(64, 13, 3)
    with pytest.raises(ValueError, match="must be those of training, 150 of them. Got 50"):
        plan_trainer(network, DATA.inputs, DATA.targets, method=method, index="exhaustive")

"""Adversarial training: the attack goes through the same index, and the bits are those of every open one."""

import numpy as np
import pytest

import fewfire
from fewfire import Inputs, TwoLayerNetwork
from fewfire.adversarial import Attack, Box, robust_accuracy
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.training import Adversarial
from fewfire.training.methods.trades import distance
from problems import clustered_samples


@pytest.fixture(scope="module")
def pictures():
    """(samples in [0, 1], one-hot targets, scaling)"""
    rows, nearest = clustered_samples(150, 12)
    samples = np.clip(rows - rows.min(), 0, 1).astype(np.float32)
    return samples, np.eye(3, dtype=np.float32)[nearest % 3], InputScaling.fit(samples, standardize=False)


def trainer_on(
    pictures, *, attack=None, index="exhaustive", seed=0, learning_rate=4.0, loss="softmax", **settings
):
    samples, targets, scaling = pictures
    network = TwoLayerNetwork.initialize(600, 13, 3, threshold=1.0)
    method = Adversarial(
        learning_rate=learning_rate, attack=attack or Attack(radius=0.03, steps=3, box=Box(0, 1)),
        samples=samples, scaling=scaling, **settings,
    )  # fmt: skip
    inputs = Inputs.of(scaling.transform(samples))
    return plan_trainer(
        network, inputs, targets, method=method, index=index, batch_size=30, loss=loss, seed=seed
    )


def trained(pictures, epochs=3, **settings):
    trainer = trainer_on(pictures, **settings)
    trainer.build()
    for _ in range(epochs):
        trainer.epoch()
    return trainer.network


def plainly_trained(pictures):
    samples, targets, scaling = pictures
    network = TwoLayerNetwork.initialize(600, 13, 3, threshold=1.0)
    method = fewfire.GradientDescent(learning_rate=4.0)
    fewfire.train(
        network, scaling.transform(samples), targets, epochs=3, method=method, batch_size=30, loss="softmax"
    )
    return network


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_weights_are_the_same_through_every_open_index_and_with_any_threads(pictures, momentum):
    before, found = fewfire.threads(), []
    try:
        for count, index in [(1, "exhaustive"), (2, "screened"), (3, "exhaustive"), (2, "grover")]:
            fewfire.set_threads(count)
            found.append(trained(pictures, index=index, momentum=momentum).weights)
    finally:
        fewfire.set_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_it_goes_on_after_a_break_with_the_same_bits(pictures, tmp_path):
    whole = trained(pictures, epochs=4)
    first = trainer_on(pictures)
    first.build()
    for _ in range(2):
        first.epoch()
    first.save(tmp_path / "state")
    second = trainer_on(pictures)
    second.restore(tmp_path / "state")
    second.build()
    for _ in range(2):
        second.epoch()
    np.testing.assert_array_equal(second.network.weights, whole.weights)


def test_another_attack_is_another_run(pictures, tmp_path):
    first = trainer_on(pictures)
    first.build()
    first.epoch()
    first.save(tmp_path / "state")
    other = trainer_on(pictures, attack=Attack(radius=0.04, steps=3, box=Box(0, 1)))
    with pytest.raises(fewfire.DataError, match="radius"):
        other.restore(tmp_path / "state")


def test_a_radius_of_zero_is_plain_training(pictures):
    attacked = trained(pictures, attack=Attack(radius=0.0, box=Box(0, 1)))
    plain = plainly_trained(pictures)
    np.testing.assert_array_equal(attacked.weights, plain.weights)


def test_it_makes_a_network_more_robust(pictures):
    samples, targets, scaling = pictures
    test = Attack(radius=0.06, steps=10, restarts=2, box=Box(0, 1))
    labels = targets.argmax(axis=1)

    def robust(radius):
        network = trained(pictures, epochs=30, attack=Attack(radius=radius, steps=3, box=Box(0, 1)))
        return robust_accuracy(network, samples, labels, test, scaling=scaling).robust

    assert robust(0.06) > robust(0.0) + 0.02


def test_an_index_of_training_samples_is_refused(pictures):
    with pytest.raises(ValueError, match="needs an index that answers for new inputs. Got drift"):
        trainer_on(pictures, index="drift")


def test_samples_come_with_their_scaling(pictures):
    samples, _, scaling = pictures
    for half in ({"samples": samples}, {"scaling": scaling}):
        with pytest.raises(ValueError, match="must be given together"):
            Adversarial(**half)


def test_trades_without_a_weight_is_plain_training(pictures):
    attacked = trained(pictures, scheme="trades", beta=0.0)
    plain = plainly_trained(pictures)
    np.testing.assert_allclose(attacked.weights, plain.weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", ["softmax", "squared"])
def test_the_derivatives_of_trades_are_those_of_itsdistance(loss):
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


def test_trades_makes_a_network_more_robust(pictures):
    samples, targets, scaling = pictures
    test, labels = Attack(radius=0.06, steps=10, box=Box(0, 1)), targets.argmax(axis=1)

    def robust(beta):
        attack = Attack(radius=0.06, steps=3, box=Box(0, 1))
        network = trained(pictures, epochs=30, attack=attack, scheme="trades", beta=beta)
        return robust_accuracy(network, samples, labels, test, scaling=scaling).robust

    assert robust(6.0) > robust(0.0) + 0.02


def test_another_box_is_another_run(pictures, tmp_path):
    first = trainer_on(pictures)
    first.build()
    first.epoch()
    first.save(tmp_path / "state")
    other = trainer_on(pictures, attack=Attack(radius=0.03, steps=3, box=Box(0, 2)))
    with pytest.raises(fewfire.DataError, match="box"):
        other.restore(tmp_path / "state")


def test_training_that_overflows_says_so_and_returns_to_the_last_epoch(pictures):
    trainer = trainer_on(pictures, learning_rate=1e30, loss="squared")
    trainer.build()
    before = trainer.network.weights.copy()
    with pytest.raises(fewfire.TrainingError, match="must stay finite"):
        trainer.epoch()
    np.testing.assert_array_equal(trainer.network.weights, before)


def test_trades_needs_a_start_that_is_not_the_sample():
    for attack in (Attack.fgsm(radius=0.1), Attack(objective="margin")):
        with pytest.raises(ValueError, match="TRADES must have an attack with a random start"):
            Adversarial(attack=attack, scheme="trades")


def test_other_samples_than_those_of_training_are_refused(pictures):
    samples, targets, scaling = pictures
    method = Adversarial(learning_rate=1.0, samples=samples[:50], scaling=scaling)
    network = TwoLayerNetwork.initialize(64, 13, 3)
    with pytest.raises(ValueError, match="must be those of training, 150 of them. Got 50"):
        plan_trainer(network, scaling.transform(samples), targets, method=method, index="exhaustive")

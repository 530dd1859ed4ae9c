"""Certified training: what it lowers, what it is without a radius, and what it does not go with."""

import numpy as np
import pytest

from fewfire.adversarial import Attack, Box
from fewfire.certify import Ball
from fewfire.certify.prover import Prover
from fewfire.system.machine import using_threads
from fewfire.training import Robust
from robust import pictures, robust_trainer, robustly_trained

RADIUS, EARLY = 0.06, Robust(share=0.5, ramp=(0.0, 1.0))


def attack_of(norm="linf", radius=RADIUS):
    return Attack(norm=norm, radius=radius, steps=1, box=Box(0, 1))


def certified_share(network, data, radius=RADIUS, norm="linf"):
    prover = Prover(network, data.scaling, method="linear", index="exhaustive")
    certified = 0
    for sample, layers in prover.layers(Ball(data.samples, norm, radius, Box(0, 1))):
        label = data.labels[sample]
        questions = np.eye(3)[label] - np.eye(3)[np.arange(3) != label]
        certified += prover.lower(layers, questions, np.zeros(2)).min() > 0
    return certified / len(data.samples)


@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.1), ("l2", 0.25)])
def test_more_is_certified_than_after_plain_training(norm, radius):
    data = pictures(n_samples=60)
    settings = {"width": 150, "learning_rate": 60.0, "epochs": 8}
    shares = []
    for of_training in (0.0, radius):
        robust = Robust(share=0.7, ramp=(0.0, 2.0))
        trainer = robustly_trained(
            data, "certified", attack=attack_of(norm, of_training), robust=robust, **settings
        )
        shares.append(certified_share(trainer.problem.network, data, radius, norm))
    plain, certified = shares
    assert certified > plain + 0.1


def test_before_the_ramp_it_is_plain_training():
    """Until then its weights are those of an attack that goes nowhere."""
    data = pictures(n_samples=60)
    late = Robust(share=0.5, ramp=(2.0, 3.0))
    one = robustly_trained(data, "certified", epochs=2, attack=attack_of(), robust=late)
    two = robustly_trained(data, "pgd", epochs=2, attack=attack_of(radius=0.0))
    np.testing.assert_array_equal(one.problem.network.weights, two.problem.network.weights)
    one.epoch()
    two.epoch()
    assert np.abs(one.problem.network.weights - two.problem.network.weights).max() > 1e-3


def test_the_loss_of_a_step_falls_along_its_gradient():
    """A step of the worst loss alone lowers it by rate times the square of its gradient."""
    data = pictures(n_samples=20)
    settings = {"attack": attack_of(), "robust": Robust(share=1.0, ramp=(0.0, 0.0)), "batch_size": 20}
    trainer = robust_trainer(data, "certified", learning_rate=1e-3, **settings)
    trainer.build()
    before = trainer.problem.network.weights.astype(np.float64)
    ids = np.arange(20)
    first, _ = trainer.step(ids)
    moved = np.square(trainer.problem.network.weights - before).sum()
    second, _ = trainer.step(ids)
    assert first - second == pytest.approx(moved / 1e-3, rel=0.05)


def test_it_has_the_same_bits_through_every_open_index_and_with_any_threads():
    data, found = pictures(n_samples=60, n_features=4), []
    for threads, index in [(1, "exhaustive"), (2, "screened"), (3, "weight_tree"), (2, "grover")]:
        with using_threads(threads):
            trainer = robustly_trained(
                data, "certified", index=index, attack=attack_of(), robust=EARLY, width=200, epochs=4
            )
        trainer.asking.index.check_invariants()
        found.append(trainer.problem.network.weights)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_after_a_break_it_goes_on_with_the_same_bits(tmp_path):
    data = pictures(n_samples=60)
    settings = {"attack": attack_of(), "robust": Robust(ramp=(0.5, 2.5)), "width": 200}
    whole = robustly_trained(data, "certified", epochs=3, **settings)
    before = robustly_trained(data, "certified", epochs=1, **settings)
    before.save(tmp_path / "state")
    resumed = robust_trainer(data, "certified", **settings)
    resumed.restore(tmp_path / "state")
    resumed.build()
    for _ in range(2):
        resumed.epoch()
    np.testing.assert_array_equal(resumed.problem.network.weights, whole.problem.network.weights)


def test_a_ramp_rises_from_nothing_to_all():
    robust = Robust(ramp=(2, 6))
    assert [robust.risen(epoch) for epoch in (0, 2, 3, 4, 6, 9)] == [0, 0, 0.25, 0.5, 1, 1]
    assert [Robust(ramp=(1, 1)).risen(epoch) for epoch in (0.9, 1)] == [0, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 0.9}, "certified training must take plain steps of the hidden weights"),
        ({"train_output_weights": True}, "certified training must take plain steps of the hidden weights"),
        ({"loss": "squared"}, "certified training must have classes and the softmax loss. Got the loss"),
    ],
)
def test_what_it_does_not_go_with_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        robust_trainer(pictures(), "certified", attack=attack_of(), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 0.0}, r"the share of worst outputs must be in \(0, 1\]. Got 0.0"),
        ({"ramp": (3.0, 2.0)}, "a ramp must begin at an epoch >= 0 and not end before. Got"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Robust(**settings)

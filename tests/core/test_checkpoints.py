"""Checkpoints: training goes on with the same bits, and takes nothing but its own."""

import numpy as np
import pytest
from problems import clustered_problem

from fewfire import GaussNewtonTrainer, Trainer
from fewfire.training import Cosine, StepDecay

EPOCHS = 4
PLAIN = {"batch_size": 16, "learning_rate": 0.5}
SGD = {
    "plain": {},
    "cosine, both layers": {"schedule": Cosine(EPOCHS), "train_output_weights": True, "loss": "softmax"},
    "step decay": {"schedule": StepDecay(every=1, gamma=0.5)},
    "heavy ball": {"momentum": 0.9, "schedule": Cosine(EPOCHS)},
    "nesterov, decay": {
        "momentum": 0.8,
        "nesterov": True,
        "weight_decay": 1e-3,
        "train_output_weights": True,
    },
    "decay alone": {"weight_decay": 1e-3},
    "auto rate and index": {"learning_rate": "auto", "index": "auto"},
    "float64": {"dtype": np.float64},
}
GAUSS_NEWTON = {
    "one step an epoch": {},
    "ridge": {"ridge": 0.1},
    "softmax, batches": {"loss": "softmax", "batch_size": 20, "preconditioner": "shared"},
}
WAYS = {f"sgd: {name}": (Trainer, PLAIN | settings) for name, settings in SGD.items()} | {
    f"gauss-newton: {name}": (GaussNewtonTrainer, settings) for name, settings in GAUSS_NEWTON.items()
}


def made(way, **others):
    """A trainer on a problem of its own."""
    kind, settings = WAYS[way]
    settings = {"index": "drift"} | settings | others
    problem = clustered_problem(dtype=settings.pop("dtype", np.float32))
    return kind(problem.network, problem.inputs, problem.targets, **settings)


def trained(trainer, epochs=EPOCHS):
    trainer.build()
    while len(trainer.history) < epochs:
        trainer.epoch()
    return trainer


def held(trainer):
    """All bits that training has changed."""
    return {name: rows.tobytes() for name, rows in trainer.state().rows.items()}


def what_happened(trainer):
    """The history, but for what depends on the machine and on the index."""
    names = ("epoch", "steps", "learning_rate", "loss", "accuracy", "fire_rate", "damping", "actual")
    return [{name: getattr(record, name, None) for name in names} for record in trainer.history]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("index", ["drift", "exhaustive"])
def test_training_goes_on_with_the_same_bits(tmp_path, way, index):
    undisturbed = trained(made(way))
    path = tmp_path / "checkpoint"
    for _ in range(EPOCHS):  # each epoch by a trainer of its own
        trainer = made(way, index=index)
        if path.exists():
            trainer.restore(path)
        trained(trainer, len(trainer.history) + 1)
        trainer.save(path)
    assert held(trainer) == held(undisturbed)
    assert trainer.steps_taken == undisturbed.steps_taken
    fire_rates = [record.pop("fire_rate") for record in what_happened(trainer)]
    assert np.allclose(fire_rates, [record.fire_rate for record in undisturbed.history], rtol=0.2)
    for one, other in zip(what_happened(trainer), what_happened(undisturbed), strict=True):
        del one["fire_rate"], other["fire_rate"]  # a trainer that begins asks about its first batch too
        assert one == other

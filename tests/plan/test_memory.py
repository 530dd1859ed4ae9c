"""The account of memory: what it says is what training holds."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  whose own memory is not to be counted
import threadpoolctl  # noqa: F401

from fewfire import Inputs, TwoLayerNetwork
from fewfire.networks.threshold import threshold_for_fire_rate
from fewfire.plan import plan_trainer
from fewfire.plan.memory import training_memory
from fewfire.training import GaussNewton, GradientDescent

WIDTH, FEATURES, OUTPUTS, SAMPLES, FIRE_RATE = 30_000, 64, 3, 24, 0.001
SMALL = 2_000_000  # bytes of modules, matrices and records, beside 8 MB of weights
METHODS = {
    "descent": (GradientDescent(learning_rate=0.1), None),
    "momentum": (GradientDescent(learning_rate=0.1, momentum=0.9), None),
    "decay": (GradientDescent(learning_rate=0.1, weight_decay=0.01), None),
    "gauss-newton": (GaussNewton(), None),
    "gauss-newton, ridge": (GaussNewton(ridge=0.1), None),
    "gauss-newton, ridge, batches": (GaussNewton(ridge=0.1), 8),
}


def held_in_training(method, batch_size) -> int:
    """The most bytes that arrays take while a network is made and trained for three epochs."""
    random = np.random.default_rng(0)
    samples = random.standard_normal((SAMPLES, FEATURES))
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    inputs, targets = Inputs.of(samples), np.eye(OUTPUTS)[random.integers(0, OUTPUTS, SAMPLES)]
    threshold = threshold_for_fire_rate(FIRE_RATE)
    tracemalloc.start()
    network = TwoLayerNetwork.initialize(WIDTH, FEATURES, OUTPUTS, threshold=threshold)
    trainer = plan_trainer(network, inputs, targets, method=method, batch_size=batch_size, index="exhaustive")
    trainer.build()
    for _ in range(3):
        trainer.epoch()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", METHODS)
def test_the_account_is_what_training_holds(name):
    method, batch_size = METHODS[name]
    descends = isinstance(method, GradientDescent)
    account = training_memory(
        widths=[WIDTH],
        n_samples=SAMPLES,
        n_features=FEATURES,
        n_outputs=OUTPUTS,
        batch_size=batch_size,
        fire_rates=[FIRE_RATE],
        momentum=descends and method.momentum > 0,
        decay=descends and method.weight_decay > 0,
        second_order=not descends,
        ridge=not descends and method.ridge > 0,
    )
    held = held_in_training(method, batch_size)
    assert held <= account.total + SMALL
    assert account.total - account.fire_sets <= held + SMALL

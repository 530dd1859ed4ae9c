"""The product's promise: the same weights, bit for bit, through any exact index, with any number of
threads, and with every instruction set that has fused multiply-add.
"""

from itertools import chain, count, islice, product

import numpy as np
import pytest

import fewfire
from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes import INDEXES
from fewfire.system import machine
from problems import clustered_samples
from trainers import descent_trainer

SAMPLES, NEAREST = clustered_samples(n_samples=800, n_features=65)
FAST = ["exhaustive", "screened", "drift", "grover"]
OTHERS = [name for name, index in INDEXES.items() if index.is_exact and name not in FAST]
FUSED = [name for name in machine.available_instruction_sets() if name != "base"]
FAMILIES = [family for family in (FUSED, ["base"]) if family]  # the same bits within each


def weights_after_training(
    index, threads, instruction_set, *, width, train_output_weights, steps=200, dtype=np.float32
):
    """The bytes of both layers."""
    fewfire.set_threads(threads)
    machine.use_instruction_set(instruction_set)
    network = TwoLayerNetwork.initialize(width, 65, 10, dtype=dtype)
    trainer = descent_trainer(
        network, Inputs.of(SAMPLES, dtype), np.eye(10)[NEAREST], index=index, loss="softmax",
        batch_size=64, learning_rate=20.0, train_output_weights=train_output_weights,
    )  # fmt: skip
    before = network.weights.tobytes(), network.output_weights.tobytes()
    trainer.build()
    batches = chain.from_iterable(trainer.problem.batches(epoch) for epoch in count(1))
    for ids in islice(batches, steps):
        trainer.step(ids)
    after = network.weights.tobytes(), network.output_weights.tobytes()
    assert after[0] != before[0]
    assert (after[1] != before[1]) == train_output_weights
    assert width == 1 or steps < 50 or index != "drift" or trainer.index.work.refreshed > 0
    return after


def assert_all_the_same(ways, **settings):
    expected, *others = (weights_after_training(*way, **settings) for way in ways)
    assert all(weights == expected for weights in others)


EITHER_LAYER = pytest.mark.parametrize(
    "train_output_weights", [False, True], ids=["one-layer", "both-layers"]
)


@EITHER_LAYER
@pytest.mark.parametrize("sets", FAMILIES, ids=" ".join)
@pytest.mark.parametrize("width", [1, 1000])
def test_weights_are_the_same_in_every_way(width, train_output_weights, sets):
    """Fewer steps without fused multiply-add, which takes many times as long. Blocks of the drift index are
    refreshed within them as well."""
    steps = 60 if sets == ["base"] else 200
    ways = product(FAST, [1, 2, 3], sets)
    assert_all_the_same(ways, width=width, train_output_weights=train_output_weights, steps=steps)


@EITHER_LAYER
def test_weights_of_a_wide_network_are_the_same(train_output_weights):
    best, *_, last = FAMILIES[0] * 2
    ways = [("exhaustive", 2, best), ("screened", 3, last), ("drift", 1, last), ("drift", 3, best),
            ("weight_tree", 2, best)]  # fmt: skip
    assert_all_the_same(ways, width=16384, train_output_weights=train_output_weights)


def test_weights_of_a_wide_network_are_the_same_without_fused_multiply_add():
    ways = [("exhaustive", 2, "base"), ("screened", 1, "base"), ("drift", 3, "base")]
    assert_all_the_same(ways, width=16384, train_output_weights=True, steps=20)


@EITHER_LAYER
@pytest.mark.parametrize("width", [1, 1000])
@pytest.mark.parametrize("index", OTHERS)
def test_weights_through_slower_indexes_are_the_same(index, width, train_output_weights):
    best, *_, last = FAMILIES[0] * 2
    ways = [("exhaustive", 2, best), (index, 1, last), (index, 2, best), (index, 3, best)]
    assert_all_the_same(ways, width=width, train_output_weights=train_output_weights, steps=40)


def test_weights_in_float64_are_the_same():
    ways = product(FAST, [1, 3], FAMILIES[0])
    assert_all_the_same(ways, width=1000, train_output_weights=True, dtype=np.float64)

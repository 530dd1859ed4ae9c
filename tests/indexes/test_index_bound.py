"""Bound indexes answer for the samples of their training set, by their ids."""

from dataclasses import replace

import numpy as np
import pytest

from fewfire import GradientDescent, train
from fewfire.indexes import INDEXES, DriftIndex
from problems import clustered_problem


@pytest.mark.parametrize("make", [index for index in INDEXES.values() if not index.is_open])
@pytest.mark.parametrize(
    "ids",
    [
        pytest.param(None, id="none"),
        pytest.param(np.arange(1, 51, dtype=np.int32), id="beyond"),
        pytest.param(np.arange(-1, 49, dtype=np.int32), id="negative"),
    ],
)
def test_ids_must_be_those_of_the_training_set(make, ids):
    problem = clustered_problem(n_samples=50)
    index = make()
    index.build(problem.network.layer, problem.inputs)
    with pytest.raises(ValueError, match=f"the {index.name} index answers for samples of the training set"):
        index.fire_set(replace(problem.everything, ids=ids))


def test_a_sketch_size_must_not_be_negative():
    with pytest.raises(ValueError, match=r"sketch_size must be >= 0. Got -1. Use 0 for no sketch."):
        DriftIndex(sketch_size=-1)


@pytest.mark.parametrize("make", [index for index in INDEXES.values() if not index.is_open])
def test_they_are_built_on_rows_in_order_and_say_so_otherwise(make):
    problem = clustered_problem(n_samples=50)
    shuffled = problem.inputs.batch(np.random.default_rng(0).permutation(50))
    for inputs in (shuffled, replace(problem.inputs, ids=None)):
        with pytest.raises(
            ValueError, match=r"inputs that are numbered 0 .. n - 1.* Use inputs.numbered\(\)"
        ):
            make().build(problem.network.layer, inputs)
    make().build(problem.network.layer, shuffled.numbered())


def test_training_on_a_part_of_a_set_is_training_on_its_rows():
    problem = clustered_problem(n_samples=50)
    order = np.random.default_rng(0).permutation(50)
    rows, weights, method = problem.inputs.samples, [], GradientDescent(learning_rate=0.5)
    for inputs in (
        problem.inputs.batch(order),
        rows[order],
        problem.inputs.batch(order[:30]),
        rows[order[:30]],
    ):
        trained = problem.network.copy()
        targets = problem.targets[order[: len(inputs)]]
        train(trained, inputs, targets, index="drift", epochs=3, batch_size=10, method=method)
        weights.append(trained.weights.tobytes())
    assert weights[0] == weights[1]
    assert weights[2] == weights[3]

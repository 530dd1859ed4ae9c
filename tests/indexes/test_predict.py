"""Outputs for new inputs: the same bits through an index and from all pairs."""

import numpy as np
import pytest

import fewfire
from checks import exhaustive_fire_set
from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes import predict, rules
from fewfire.indexes.predict import predicted_outputs
from problems import clustered_problem

WAYS = pytest.mark.parametrize("searches", [False, True])


@WAYS
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_both_ways_give_the_outputs_of_the_fire_set(searches, threads, dtype, monkeypatch):
    monkeypatch.setattr(rules, "search_pays", lambda *shape: searches)
    monkeypatch.setattr(predict, "PREDICT_BATCH", 70)
    fewfire.set_threads(threads)
    problem = clustered_problem(width=333, n_features=33, n_samples=150, threshold=0.3, dtype=dtype)
    parts = [problem.inputs.batch(np.arange(first, min(first + 70, 150))) for first in (0, 70, 140)]
    expected = [problem.network.outputs(exhaustive_fire_set(problem.network, part)) for part in parts]
    assert predicted_outputs(problem.network, problem.inputs).tobytes() == np.concatenate(expected).tobytes()


@WAYS
def test_weights_that_coast_are_taken_as_they_are_now(searches, monkeypatch):
    monkeypatch.setattr(rules, "search_pays", lambda *shape: searches)
    problem, seen = clustered_problem(n_samples=40), []

    def look(record, trainer):
        settled = trainer.network.copy()
        seen.append(predicted_outputs(trainer.network, problem.inputs))
        assert seen[-1].tobytes() == predicted_outputs(settled, problem.inputs).tobytes()

    fewfire.train(
        problem.network, problem.inputs, problem.targets, epochs=3, batch_size=7, on_epoch=look,
        method=fewfire.GradientDescent(learning_rate=1.0, momentum=0.9),
    )  # fmt: skip
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("shape", "searches"),
    [
        ((1000, 10, 0.5), False),
        ((15, 10, 0.5), True),
        ((1000, 128, 0.5), False),
        ((1000, 129, 0.5), True),
        ((1000, 64, 0.09), False),
        ((1000, 64, 0.07), True),
    ],
)
def test_a_search_pays_where_little_fires_or_there_is_much_to_multiply(shape, searches):
    assert rules.search_pays(*shape) == searches


def test_no_list_is_made_where_half_of_all_pairs_fire(monkeypatch):
    monkeypatch.setattr(predict, "index_for_new_inputs", None)  # what a search would begin with
    network = TwoLayerNetwork.initialize(64, 5, 2, threshold=0.0)
    rows = np.random.default_rng(0).standard_normal((30, 5))
    outputs = predicted_outputs(network, Inputs.of(rows))
    np.testing.assert_allclose(outputs, network.forward(rows), rtol=1e-4, atol=1e-5)

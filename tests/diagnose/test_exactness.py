"""The check of a trained index against exhaustive search."""

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from checks import exhaustive_fire_set
from fewfire import FireSet, Trainer
from fewfire.diagnose import exactness
from fewfire.diagnose.exactness import check_exactness
from fewfire.errors import ExactnessError
from fewfire.indexes import INDEXES
from problems import clustered_problem
from trainers import descent_trainer, gauss_newton_trainer


def trained(index: str, kind: Callable[..., Trainer] = descent_trainer, **settings) -> Trainer:
    problem = clustered_problem()
    trainer = kind(problem.network, problem.inputs, problem.targets, index=index, **settings)
    trainer.build()
    trainer.epoch()
    return trainer


EXACT = [name for name, index in INDEXES.items() if index.is_exact and name != "exhaustive"]


@pytest.mark.parametrize("index", EXACT)
def test_an_exact_index_agrees_on_every_pair(index):
    trainer = trained(index, batch_size=16)
    found = check_exactness(trainer)
    assert found is not None
    assert found.equal
    assert found.pairs == 300 * 50
    assert 0 < found.fired < found.pairs
    found.require_equal(index)
    assert str(found) == "bit for bit as exhaustive search, on 15,000 pairs"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (descent_trainer, {"batch_size": 16, "momentum": 0.9, "weight_decay": 1e-3}),
        (gauss_newton_trainer, {}),
        (gauss_newton_trainer, {"ridge": 0.1, "batch_size": 25}),
    ],
)
def test_it_agrees_after_any_way_to_train_which_goes_on_as_if_unasked(kind, settings):
    trainers = [trained("drift", kind, **settings) for _ in range(2)]
    found = check_exactness(trainers[0])
    assert found is not None
    assert found.equal
    for trainer in trainers:
        trainer.epoch()
    weights = [trainer.network.weights for trainer in trainers]
    assert np.array_equal(*weights)


def test_an_index_that_a_step_taken_back_left_behind_is_built_anew():
    trainer = trained("drift", gauss_newton_trainer, ridge=0.1)
    while not trainer.finished:
        trainer.epoch()
    assert trainer.asking._is_stale
    found = check_exactness(trainer)
    assert found is not None
    assert found.equal
    assert not trainer.asking._is_stale


def test_of_an_approximate_index_the_recall_is_told():
    trainer = trained("hashing", batch_size=16)
    found = check_exactness(trainer)
    assert found is not None
    assert found.recall is not None
    assert not found.equal
    assert not found.is_broken
    found.require_equal("hashing")
    assert 0 < found.recall_low < found.recall < found.recall_high < 1
    assert 0 < found.missed_mass < 1
    everything, own = exhaustive_fire_set(trainer.network, trainer.problem.inputs), trainer.index
    assert found.recall == len(own.fire_set(trainer.problem.inputs)) / len(everything)
    assert found.as_dict().keys() == {field.name for field in fields(found)}
    text = str(found)
    assert text.startswith(f"approximate: finds {found.recall:.1%} of the pairs that fire (95 %: ")
    assert text.endswith("on 15,000 pairs")


def test_the_exhaustive_index_has_nothing_to_be_compared_with():
    assert check_exactness(trained("exhaustive")) is None


def losing_a_pair(fires: FireSet) -> FireSet:
    begins = np.minimum(fires.begins, len(fires) - 1)
    return FireSet(begins, fires.samples[:-1], fires.values[:-1], fires.n_samples)


def a_bit_off(fires: FireSet) -> FireSet:
    values = fires.values.copy()
    values[0] = np.nextafter(values[0], np.inf)
    return FireSet(fires.begins, fires.samples, values, fires.n_samples)


@pytest.mark.parametrize("wrong", [losing_a_pair, a_bit_off])
def test_one_pair_or_one_bit_is_found_to_differ(monkeypatch, wrong):
    trainer = trained("drift")
    right = trainer.index.fire_set
    monkeypatch.setattr(trainer.index, "fire_set", lambda batch: wrong(right(batch)))
    found = check_exactness(trainer)
    assert found is not None
    assert not found.equal
    assert str(found) == "NOT AS EXHAUSTIVE SEARCH, on 15,000 pairs"
    with pytest.raises(
        ExactnessError, match=r"must find the fire sets .*\. Got others on 15,000 pairs.* bug of fewfire"
    ):
        found.require_equal("drift")


def test_the_work_is_bounded_and_spread_over_the_samples(monkeypatch):
    trainer, asked = trained("drift"), []
    right = trainer.index.fire_set
    monkeypatch.setattr(trainer.index, "fire_set", lambda batch: asked.append(batch.ids) or right(batch))
    monkeypatch.setattr(exactness, "MOST_PAIRS", 3000)
    monkeypatch.setattr(exactness, "BATCH", 4)
    found = check_exactness(trainer)
    assert found is not None
    assert found.pairs == 3000
    assert [ids.tolist() for ids in asked] == [[0, 5, 10, 15], [20, 25, 30], [35, 40, 45]]
    monkeypatch.setattr(exactness, "MOST_PAIRS", 10)
    least = check_exactness(trainer)
    assert least is not None
    assert least.pairs == 300  # of one sample

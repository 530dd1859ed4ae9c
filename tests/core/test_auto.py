"""index="auto": the decision, what it costs, and that no weight depends on it."""

import logging

import numpy as np
import pytest
from problems import Problem, clustered_problem

from fewfire import ExhaustiveIndex, MemoryLimitError, Trainer, train
from fewfire.indexes import INDEXES
from fewfire.training import choose
from fewfire.training.choose import Choice, Prediction, Probe, choose_index, worn


class Clock:
    """Time that passes only where an index says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def costing(clock: Clock, build: float, step: float, fails: bool = False) -> type[ExhaustiveIndex]:
    """An exact index that takes so many seconds, in proportion to the neurons."""

    class Costing(ExhaustiveIndex):
        def build(self, network, inputs=None, progress=None):
            if fails:
                raise MemoryLimitError("too large")
            super().build(network, inputs, progress)
            clock.now += build * network.width

        def descend(self, descent, next_batch):
            clock.now += step * descent.network.width
            return super().descend(descent, next_batch)

    return Costing


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """A clock by which each index costs nothing, until `indexes_cost` says otherwise."""
    return Clock()


def indexes_cost(monkeypatch, clock: Clock, **costs: tuple) -> None:
    monkeypatch.setattr(choose, "WORTH_A_PROBE", {name: lambda network, inputs: True for name in costs})
    monkeypatch.setattr(choose, "PROBED_NEURONS", 16)
    for name, cost in costs.items():
        monkeypatch.setitem(INDEXES, name, costing(clock, *cost))


def trainer_of(problem: Problem, **settings) -> Trainer:
    settings = {"batch_size": 10, "learning_rate": 0.1} | settings
    return Trainer(problem.network, problem.inputs, problem.targets, **settings)


def test_the_cheapest_whole_run_is_chosen(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 0.9), drift=(50, 0.25))
    trainer = trainer_of(clustered_problem())  # 5 steps an epoch
    short, long = (choose_index(trainer, epochs, clock=clock) for epochs in (4, 100))
    assert short.name == "screened"
    assert long.name == "drift"
    assert [prediction.name for prediction in long.predictions] == ["drift", "screened", "exhaustive"]
    seconds = [prediction.seconds for prediction in long.predictions]
    assert seconds == pytest.approx([300 * (50 + 0.25 * 500), 300 * 0.9 * 500, 300 * 500])


def test_where_exhaustive_wins_it_is_chosen(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 1.2), drift=(1, 1.1))
    assert choose_index(trainer_of(clustered_problem()), 100, clock=clock).name == "exhaustive"


@pytest.mark.parametrize("epochs", [1, 4, 20, 100, 1000])
@pytest.mark.parametrize("build", [0, 2, 10])
def test_probing_takes_a_tenth_of_the_run_and_at_most_one_probe_more(monkeypatch, clock, epochs, build):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 0.5), drift=(build, 0.1))
    choice = choose_index(trainer_of(clustered_problem(width=2048)), epochs, clock=clock)
    assert choice.probe_seconds == clock.now
    neurons = max(16, int(2048 * min(1 / 32, 5 * epochs / 800)))
    last = neurons * (build + 2)  # that could not be foreseen
    assert choice.probe_seconds <= 0.1 * choice.predictions[0].seconds + last


def test_without_time_there_is_no_second_probe(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), drift=(0, 0.1))
    choice = choose_index(trainer_of(clustered_problem(width=16)), 1, clock=clock)  # 2 of 5 steps are probed
    assert choice.name == "exhaustive"
    assert choice.unprobed == ("drift",)
    assert "no time to try drift" in str(choice)


def test_an_index_that_does_not_fit_is_not_chosen(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), drift=(0, 0.1, True))
    choice = choose_index(trainer_of(clustered_problem()), 100, clock=clock)
    assert [prediction.name for prediction in choice.predictions] == ["exhaustive"]


def test_an_index_without_a_rule_is_never_probed(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1))
    monkeypatch.setitem(INDEXES, "simulated", costing(clock, 0, 0))
    choice = choose_index(trainer_of(clustered_problem()), 100, clock=clock)
    assert [prediction.name for prediction in choice.predictions] == ["exhaustive"]


def test_the_reason_is_one_line():
    predictions = (Prediction("drift", 31.2), Prediction("screened", 120.4), Prediction("exhaustive", 0.0456))
    assert str(Choice(predictions, (), 0.41)) == (
        "index auto: drift (predicted 31.2 s; screened 120 s; exhaustive 46 ms; probed in 0.41 s)"
    )


# Age


def test_age_costs_nothing_where_there_is_none():
    assert worn(0, 0, 1000) == 0


def test_age_adds_up_until_a_refresh_is_due():
    assert worn(0.1, 0, 5) == pytest.approx(0.5)
    assert worn(0, 0.02, 10) == pytest.approx(1)  # 0.02 * 10^2 / 2: due now
    assert worn(0, 0.02, 100) == pytest.approx(2 * 100 / 10)  # ten refreshes, and what led to each


def test_a_run_is_predicted_from_build_steps_and_age():
    young = Probe(1.0, 2.0, [9, 0.1, 0.1], [0, 0, 0], 1 / 3)
    assert young.seconds(100, scale=10) == pytest.approx(1 + 10 * (2 + 0.1 * 100))
    aged = Probe(1.0, 2.0, [9, 0.1, 0.1], [0.01, 0.03, 0.06], 1 / 3)
    assert aged.seconds(100, scale=10) > young.seconds(100, scale=10)


# Real indexes


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9, "weight_decay": 0.01}, {"batch_size": None}])
def test_the_weights_are_those_of_the_exhaustive_index(settings):
    problem = clustered_problem()
    weights = {}
    for index in ("exhaustive", "auto"):
        again = problem.restarted()
        train(
            again.network, problem.inputs, problem.targets, epochs=3, index=index,
            **({"batch_size": 16} | settings),
        )  # fmt: skip
        weights[index] = again.network.weights.tobytes()
    assert weights["auto"] == weights["exhaustive"]


def test_choosing_touches_neither_weights_nor_counters():
    problem = clustered_problem(width=3000)
    trainer = trainer_of(problem, index="auto")
    before = problem.network.weights.tobytes()
    choice = choose_index(trainer, 50)
    assert problem.network.weights.tobytes() == before
    assert (trainer.steps_taken, trainer.choice, trainer.history) == (0, None, [])
    assert {prediction.name for prediction in choice.predictions} <= set(INDEXES)


def test_the_choice_is_made_once_and_logged_in_one_line(caplog):
    trainer = trainer_of(clustered_problem(), index="auto", epochs=50)
    with caplog.at_level(logging.INFO, logger="fewfire"):
        trainer.build()
        index = trainer.index
        trainer.build()
    assert trainer.index is index
    assert trainer.choice is not None
    assert index.name == trainer.choice.name
    assert caplog.messages == [str(trainer.choice)]


def test_a_slice_moves_as_the_whole_would_at_first():
    problem = clustered_problem(width=4000, threshold=0.5)
    problem.targets[:] = 0  # residuals are outputs, of one size on average for any width
    trainer = trainer_of(problem, batch_size=None, index="exhaustive")
    neurons = np.arange(0, 4000, 2)
    sliced = trainer.sliced(neurons, "exhaustive")
    moved = []
    for one in (trainer, sliced):
        before = one.network.weights.copy()
        one.build()
        one.step(*one.batches(1))
        moved.append(np.linalg.norm(one.network.weights - before) / np.sqrt(one.network.width))
    assert moved[1] == pytest.approx(moved[0], rel=0.3)


def test_the_drift_index_wears_and_a_new_one_has_not():
    problem = clustered_problem(threshold=0.5)
    trainer = trainer_of(problem, index="drift", learning_rate="auto")
    trainer.build()
    assert trainer.index.wear == 0
    trainer.epoch()
    assert trainer.index.wear > 0
    assert ExhaustiveIndex().wear == 0

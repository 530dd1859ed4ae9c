"""index="auto": the decision, what it costs, and that no weight depends on it."""

import logging

import numpy as np
import pytest

import fewfire
from fewfire import MemoryLimitError, Trainer, TwoLayerNetwork
from fewfire.indexes import INDEXES, ExhaustiveIndex
from fewfire.plan import index as choose
from fewfire.plan.index import (
    Choice,
    Prediction,
    Probe,
    choose_index,
    evenly,
    intercept,
    probe_trainer,
    probed_count,
    worn,
)
from problems import Problem, clustered_problem
from trainers import descend, descent_trainer


class Clock:
    """Time that passes only where an index says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def costing(
    clock: Clock,
    build: float,
    step: float,
    *,
    setup: float = 0,
    overhead: float = 0,
    bound: bool = False,
    fails: bool = False,
) -> type[ExhaustiveIndex]:
    """An exact index that takes so many seconds, of the build and of a step for each neuron."""

    class Costing(ExhaustiveIndex):
        is_open = not bound

        def build(self, layer, inputs=None, progress=None):
            if fails:
                raise MemoryLimitError("too large")
            super().build(layer, inputs, progress)
            clock.now += setup
            if progress is not None:
                progress(0.0)
            clock.now += build * layer.width

        def descend(self, descent, next_batch):
            clock.now += overhead + step * descent.network.width
            return super().descend(descent, next_batch)

    return Costing


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """A clock by which each index costs nothing, until `indexes_cost` says otherwise."""
    return Clock()


def indexes_cost(monkeypatch, clock: Clock, **costs: type[ExhaustiveIndex] | tuple[float, float]) -> None:
    """These are all that there are; 16 neurons are probed, and first of all 4."""
    monkeypatch.setattr(choose.rules, "worth_a_probe", lambda n_features, steps_per_epoch: list(costs))
    monkeypatch.setattr(choose, "ENOUGH_WORK", 0)
    monkeypatch.setattr(choose, "BLOCK", 1)
    monkeypatch.setattr(choose, "threads", lambda: 4)
    for name, cost in costs.items():
        monkeypatch.setitem(INDEXES, name, costing(clock, *cost) if isinstance(cost, tuple) else cost)


def trainer_of(problem: Problem, **settings) -> Trainer:
    settings = {"batch_size": 10, "learning_rate": 0.1} | settings
    return descent_trainer(problem.network, problem.inputs, problem.targets, **settings)


def chosen(trainer: Trainer, epochs: int, **settings) -> Choice:
    return choose_index(trainer.problem, trainer.method, epochs, **settings)


def test_no_approximate_index_is_probed_or_taken_for_new_inputs():
    for n_features in (1, 3, 7, 20, 100, 785, 5000, 10**6):
        for count in (1, 10, 300, 10**6):
            probed = [*choose.rules.worth_a_probe(n_features, count), choose.rules.for_one_pass()]
            probed += [choose.rules.for_new_inputs(count, n_features), choose.rules.for_few_steps(1 / count)]
            assert all(INDEXES[name].is_exact for name in probed)


def test_the_cheapest_whole_run_is_chosen(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 0.9), drift=(50, 0.25))
    trainer = trainer_of(clustered_problem())  # 5 steps an epoch
    short, long = (chosen(trainer, epochs, clock=clock) for epochs in (4, 100))
    assert short.name == "screened"
    assert long.name == "drift"
    assert [prediction.name for prediction in long.predictions] == ["drift", "screened", "exhaustive"]
    seconds = [prediction.seconds for prediction in long.predictions]
    assert seconds == pytest.approx([300 * (50 + 0.25 * 500), 300 * 0.9 * 500, 300 * 500])


def test_where_exhaustive_wins_it_is_chosen(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 1.2), drift=(1, 1.1))
    assert chosen(trainer_of(clustered_problem()), 100, clock=clock).name == "exhaustive"


@pytest.mark.parametrize("epochs", [1, 4, 20, 100, 1000])
@pytest.mark.parametrize("build", [0, 2, 10])
def test_probing_takes_a_tenth_of_the_run_and_at_most_one_build_more(monkeypatch, clock, epochs, build):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 0.9), drift=(build, 0.8))
    choice = chosen(trainer_of(clustered_problem(width=2048)), epochs, clock=clock)
    assert choice.probe_seconds == clock.now
    last = 16 * (build + 2)  # that could not be foreseen
    assert choice.probe_seconds <= 0.1 * choice.predictions[0].seconds + last


@pytest.mark.parametrize("epochs", [4, 6, 8, 10, 20])
def test_a_round_that_would_exceed_the_budget_is_not_begun(monkeypatch, clock, epochs):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 0.95), drift=(0, 0.9))
    choice = chosen(trainer_of(clustered_problem(width=100)), epochs, clock=clock)
    first = 3 * 4 + 2 * 16 * (1 + 0.95 + 0.9)  # of the few neurons, and of each index
    assert choice.probe_seconds <= max(first, choose.BUDGET * choice.predictions[0].seconds)


def test_without_time_there_is_no_second_probe(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), drift=(0, 0.1))
    choice = chosen(trainer_of(clustered_problem(width=16)), 1, clock=clock)  # 2 of 5 steps are probed
    assert choice.name == "exhaustive"
    assert choice.unprobed == ("drift",)
    assert "no time to try drift" in str(choice)


@pytest.mark.parametrize("bound", [False, True])
def test_a_bound_index_is_expected_to_take_in_the_samples(monkeypatch, clock, bound):
    # Of a run of 5 * 400 s. So far 3 * 4 + 2 * 16; first steps are expected to take 5 * 16, an epoch 5 * 16.
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), drift=costing(clock, 0, 1, bound=bound))
    choice = chosen(trainer_of(clustered_problem(width=400)), 1, clock=clock)
    assert choice.unprobed == (("drift",) if bound else ())


def test_an_index_that_has_lost_takes_no_more_steps(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 2), drift=(0, 1.1))
    choice = chosen(trainer_of(clustered_problem()), 1000, clock=clock)
    assert choice.probe_seconds == pytest.approx(3 * 4 + 8 * 16 + 2 * 32 + 8 * 17.6)


def test_probing_ends_when_all_but_one_have_lost(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), screened=(0, 2))
    choice = chosen(trainer_of(clustered_problem()), 1000, clock=clock)
    assert choice.probe_seconds == 3 * 4 + 2 * 16 + 2 * 32


def test_what_does_not_grow_with_the_neurons_is_not_scaled(monkeypatch, clock):
    indexes_cost(
        monkeypatch, clock,
        exhaustive=costing(clock, 0, 1, overhead=4), drift=costing(clock, 3, 0.5, setup=1000, overhead=4),
    )  # fmt: skip
    choice = chosen(trainer_of(clustered_problem()), 100, clock=clock)
    drift, exhaustive = choice.predictions
    assert drift == Prediction("drift", pytest.approx(1000 + 300 * 3 + (4 + 300 * 0.5) * 500))
    assert exhaustive == Prediction("exhaustive", pytest.approx((4 + 300) * 500))


def test_few_neurons_are_probed_but_enough_to_time_a_step():
    fewfire.set_threads(2)
    wide = TwoLayerNetwork.initialize(100_000, 20, 1)
    assert probed_count(wide, 10_000, 0.5) == 4 * 64 * 2
    assert probed_count(wide, 100, 0.5) == 2**28 // (100 * 84)
    assert probed_count(wide, 10, 0.5) == 50_000
    assert probed_count(TwoLayerNetwork.initialize(100, 2, 1), 1, 0.5) == 100
    assert evenly(wide, 5).tolist() == [0, 24999, 49999, 74999, 99999]


def test_a_line_is_followed_to_nothing_but_not_below():
    assert intercept(1, 5, 3, 9) == 3
    assert intercept(1, 1, 3, 9) == 0


def test_an_index_that_does_not_fit_is_not_chosen(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1), drift=costing(clock, 0, 0.1, fails=True))
    choice = chosen(trainer_of(clustered_problem()), 100, clock=clock)
    assert [prediction.name for prediction in choice.predictions] == ["exhaustive"]


def test_an_index_without_a_rule_is_never_probed(monkeypatch, clock):
    indexes_cost(monkeypatch, clock, exhaustive=(0, 1))
    monkeypatch.setitem(INDEXES, "simulated", costing(clock, 0, 0))
    choice = chosen(trainer_of(clustered_problem()), 100, clock=clock)
    assert [prediction.name for prediction in choice.predictions] == ["exhaustive"]


def test_the_reason_is_one_line():
    predictions = (Prediction("drift", 31.2), Prediction("screened", 120.4), Prediction("exhaustive", 0.0456))
    assert str(Choice(predictions, (), 0.41)) == (
        "index auto: drift (predicted 31.2 s; screened 120 s; exhaustive 45.6 ms; probed in 410 ms)"
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
    assert young.seconds(100, scale=10, overhead=0.04) == pytest.approx(1 + 10 * 2 + (0.04 + 10 * 0.06) * 100)
    assert young.seconds(100, scale=10, overhead=9) == pytest.approx(1 + 10 * 2 + (0.05 + 10 * 0.05) * 100)
    aged = Probe(1.0, 2.0, [9, 0.1, 0.1], [0.01, 0.03, 0.06], 1 / 3)
    assert aged.seconds(100, scale=10) > young.seconds(100, scale=10)
    shaken = Probe(1.0, 2.0, [9, 0.1, 0.1], [0.9, 0.9, 0.9], 1 / 3)  # by the first step: 0.3 refreshes each
    later = 10 * worn(0.3, 0, 100) * 2.0 / 3
    assert shaken.seconds(100, scale=10) == pytest.approx(young.seconds(100, scale=10) + later)


def test_no_more_than_half_of_a_step_is_put_down_to_age():
    aged = Probe(0, 10, [0.1, 0.1, 0.1], [0.1, 0.2, 0.3], 1)  # each step a tenth of a refresh of 10 s
    assert aged.seconds(100, 10) == pytest.approx(10 * (10 + worn(0.1, 0, 100) * 10 + 0.05 * 100))


# Real indexes


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9, "weight_decay": 0.01}, {"batch_size": None}])
def test_the_weights_are_those_of_the_exhaustive_index(settings):
    problem = clustered_problem()
    weights = {}
    for index in ("exhaustive", "auto"):
        again = problem.restarted()
        descend(
            again.network, problem.inputs, problem.targets, epochs=3, index=index,
            **({"batch_size": 16} | settings),
        )  # fmt: skip
        weights[index] = again.network.weights.tobytes()
    assert weights["auto"] == weights["exhaustive"]


def test_choosing_touches_neither_weights_nor_counters():
    problem = clustered_problem(width=3000)
    trainer = trainer_of(problem)
    before = problem.network.weights.tobytes()
    choice = chosen(trainer, 50)
    assert problem.network.weights.tobytes() == before
    assert (trainer.steps_taken, trainer.choice, trainer.history) == (0, None, [])
    assert {prediction.name for prediction in choice.predictions} <= set(INDEXES)


def test_the_choice_is_made_once_and_logged_in_one_line(caplog):
    with caplog.at_level(logging.INFO, logger="fewfire"):
        trainer = trainer_of(clustered_problem(), index="auto", epochs=50)
        index = trainer.index
        trainer.build()
        trainer.build()
    assert trainer.index is index
    assert trainer.choice is not None
    assert index.name == trainer.choice.name
    assert caplog.messages == [str(trainer.choice)]


def test_a_limit_that_the_whole_keeps_is_kept_by_a_probe():
    problem = clustered_problem(width=5000, n_features=20, n_samples=400)
    trainer = trainer_of(problem, index="drift")
    trainer.build()
    probe = probe_trainer(trainer.problem, trainer.method, np.arange(64), "drift", trainer.index.nbytes)
    probe.build()
    assert probe.index.table_bits == 8
    assert probe.index.tabled_share == 1


def test_a_probe_moves_neurons_as_the_whole_would_at_first():
    problem = clustered_problem(width=4000, threshold=0.5)
    problem.targets[:] = 1000  # beside which the outputs, which differ, are small
    trainer = trainer_of(problem, batch_size=None, index="exhaustive")
    neurons = np.arange(0, 4000, 2)
    probe = probe_trainer(trainer.problem, trainer.method, neurons, "exhaustive", None)
    moved = []
    for one in (trainer, probe):
        before = one.network.weights.copy()
        one.build()
        one.step(*one.problem.batches(1))
        moved.append(one.network.weights - before)
    np.testing.assert_allclose(moved[1], moved[0][neurons], rtol=0.02, atol=1e-3)
    assert np.abs(moved[1]).max() > 0.1


def test_the_drift_index_wears_and_a_new_one_has_not():
    problem = clustered_problem(threshold=0.5)
    trainer = trainer_of(problem, index="drift", learning_rate="auto")
    trainer.build()
    assert trainer.index.wear == 0
    trainer.epoch()
    assert trainer.index.wear > 0
    assert ExhaustiveIndex().wear == 0

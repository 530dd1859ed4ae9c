"""The largest rate: bisected per seed, with an interval; networks stay untouched."""

import math
import random

import numpy as np
import pytest

import fewfire
from fewfire.errors import DataError, TrainingError
from fewfire.plan import Accuracy, Loss, NetworkTrials, best_rate, max_rate, trials_of
from fewfire.plan.network_trials import with_safe_rate
from fewfire.training import GradientDescent, Problem
from problems import clustered_problem, clustered_samples
from toy_trials import ToyTrials

MANY = 500  # epochs, in which the parabola is solved at any rate that is not too large


def classes(n=400, n_classes=3):
    samples, nearest = clustered_samples(n, 20)
    return samples, np.eye(n_classes, dtype=np.float32)[nearest % n_classes]


@pytest.mark.parametrize("curvature", [0.05, 1.0, 7.0])
def test_the_largest_rate_on_a_parabola_is_two_over_its_curvature(curvature):
    trials = ToyTrials(curvature, rate=0.5 / curvature)
    found = max_rate(trials, seeds=1, epochs=MANY)
    assert found.low <= 2 / curvature <= found.high
    assert found.high / found.low <= 1.15
    assert found.rate == pytest.approx(2 / curvature, rel=0.15)
    assert found.monotone
    assert trials.begun == len(found.trials) <= 13
    assert found.start == found.rate / 4


def test_three_seeds_take_thirty_runs_at_the_most():
    found = max_rate(ToyTrials(1 / 8), seeds=3, epochs=MANY)
    assert len(found.by_seed) == 3
    assert len(found.trials) <= 30
    assert found.spread < 1e-9  # of toys, whose seeds are all alike
    assert found.low <= 16 <= found.high
    assert 1.01 < found.high / found.low <= 1.15


def test_a_rate_that_is_far_too_large_at_first_is_halved():
    found = max_rate(ToyTrials(rate=900.0), seeds=1, epochs=MANY)
    assert found.low <= 2 <= found.high


def test_a_first_rate_that_is_too_slow_is_doubled():
    found = max_rate(ToyTrials(rate=0.01), seeds=1, epochs=1)
    # The fourth step sees (1 - rate)^6 / 2, which is below 0.1 between 0.24 and 1.76.
    assert found.low <= 1 + 0.2 ** (1 / 6) <= found.high
    assert not found.trials[0].succeeded
    assert not found.trials[0].broke


def test_success_that_returns_at_larger_rates_is_flagged():
    found = max_rate(ToyTrials(succeeds=lambda rate: rate < 1 or rate > 1.9), seeds=1)
    assert not found.monotone
    assert "do not rely on it" in str(found)
    assert max_rate(ToyTrials(succeeds=lambda rate: rate < 1), seeds=1).monotone


def test_where_no_rate_is_too_large_there_is_no_limit_and_it_is_said_why():
    found = max_rate(ToyTrials(succeeds=lambda rate: True))
    assert math.isinf(found.rate)
    assert len(found.trials) == 11
    assert str(found).startswith(
        "accuracy 0.5 does not tell a rate that is too large here: 102, 1,024 times the first, still"
    )


def test_where_no_rate_succeeds_that_is_an_error():
    with pytest.raises(
        TrainingError, match=r"None between 6e-06 and 1e\+02 reached accuracy 0.5 in 2 epochs"
    ):
        max_rate(ToyTrials(succeeds=lambda rate: False))


@pytest.mark.parametrize("threads", [1, 3])
def test_nothing_is_touched_and_the_answer_is_the_same_whatever_the_threads(threads):
    samples, targets = classes()
    network = fewfire.TwoLayerNetwork.initialize(512, 20, 3, threshold=1.0)
    problem = Problem.of(network, samples, targets, batch_size=50)
    before, state = network.weights.copy(), random.getstate()
    method = with_safe_rate(GradientDescent(), problem)
    trainer = fewfire.Trainer(problem, method, fewfire.indexes.index_named("drift"))
    trainer.build()
    trainer.epoch()
    during, history = network.weights.copy(), list(trainer.history)
    work = trainer.index.work.copy()
    usual = fewfire.threads()
    fewfire.set_threads(threads)
    try:
        found = [max_rate(NetworkTrials.from_here(problem, method), seeds=2) for _ in range(2)]
    finally:
        fewfire.set_threads(usual)
    assert found[0].by_seed == found[1].by_seed
    assert found[0].trials == found[1].trials
    np.testing.assert_array_equal(network.weights, during)
    assert random.getstate() == state
    assert (trainer.history, trainer.index.work) == (history, work)
    assert not np.array_equal(before, during)  # the trainer itself did train


def test_networks_of_two_seeds_differ_and_of_one_do_not():
    samples, targets = classes(100)
    trials = trials_of(64, samples, targets, batch_size=20)
    seen = [trials.begin(0.1, seed).step() for seed in (0, 0, 1)]
    assert seen[0] == seen[1] != seen[2]


def test_deep_networks_have_rates_too():
    samples, targets = classes()
    trials = trials_of([128, 128], samples, targets, threshold=0.5, batch_size=50)
    assert (trials.width, trials.depth) == (128, 2)
    found = max_rate(trials, seeds=1, epochs=4)
    assert trials.rate < found.rate < math.inf
    assert best_rate(trials).rate < found.rate * 2
    assert trials_of([64, 32], samples, targets, threshold=0.5).width is None


def test_the_softmax_loss_has_no_largest_rate_by_accuracy_and_has_a_best_one():
    samples, targets = classes()
    trials = trials_of(512, samples, targets, loss="softmax", threshold=1.0, batch_size=50)
    assert math.isinf(max_rate(trials, seeds=1).rate)
    found = best_rate(trials)
    plateau = [rate for rate, loss in found.losses.items() if loss <= 1.1 * min(found.losses.values())]
    assert min(plateau) / 4 <= found.rate <= 4 * min(plateau)


def test_success_by_loss_suits_real_values_and_accuracy_does_not():
    small = clustered_problem(n_samples=200)
    targets = small.inputs.samples[:, :1] * 3
    trials = trials_of(256, small.inputs, targets, threshold=0.5, batch_size=20)
    assert math.isfinite(max_rate(trials, success=Loss(0.7), seeds=2).rate)
    with pytest.raises(DataError, match="accuracy must have targets that are classes"):
        max_rate(trials)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Accuracy(1.5), "accuracy must lie between 0 and 1. Got 1.5"),
        (lambda: Loss(0.0), "a share of the loss must lie between 0 and 1. Got 0.0"),
        (lambda: max_rate(ToyTrials(), seeds=0), "seeds must be a whole number >= 1. Got 0"),
        (lambda: max_rate(ToyTrials(), tolerance=0), "tolerance must be > 0. Got 0"),
    ],
)
def test_numbers_out_of_their_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""learning_rate="measured": some rates are tried on copies of the network, and the best is taken."""

import numpy as np
import pytest

import fewfire
from fewfire import Inputs, TwoLayerNetwork
from fewfire.plan import NetworkTrials, plan_trainer
from fewfire.plan import best_rate as best_of
from fewfire.training import GradientDescent, Problem
from problems import clustered_problem


def problem_of(small, **settings):
    return Problem.of(small.network, small.inputs, small.targets, **settings)


def best_rate(problem, method, memory_limit=None):
    return best_of(NetworkTrials.from_here(problem, method, memory_limit=memory_limit), seed=problem.seed)


def quadratic(curvature=1.0, n=64):
    """One neuron that fires on every sample: a step multiplies the error by 1 - rate * curvature."""
    network = TwoLayerNetwork([[2.0]], [[1.0]], 0.0)
    inputs = Inputs.of(np.full((n, 1), np.sqrt(curvature)))
    return Problem.of(network, inputs, np.full((n, 1), 3.0), batch_size=16)


def test_nothing_is_changed_and_the_answer_is_the_same_each_time(dtype):
    small = clustered_problem(dtype=dtype, n_samples=200)
    before = small.network.weights.copy(), small.network.output_weights.copy()
    method = GradientDescent(learning_rate=1.0, momentum=0.5)
    found = [best_rate(problem_of(small, batch_size=16), method) for _ in range(2)]
    assert found[0].losses == found[1].losses
    assert found[0].rate == found[1].rate
    np.testing.assert_array_equal(small.network.weights, before[0])
    np.testing.assert_array_equal(small.network.output_weights, before[1])
    assert small.network.layer.velocities is None


@pytest.mark.parametrize("threads", [1, 3])
def test_the_answer_depends_on_no_threads(threads):
    small = clustered_problem(n_samples=200, width=1000)
    problem, method = problem_of(small, batch_size=32), GradientDescent(learning_rate=1.0)
    expected = best_rate(problem, method)
    before = fewfire.threads()
    fewfire.set_threads(threads)
    try:
        assert best_rate(problem, method).losses == expected.losses
    finally:
        fewfire.set_threads(before)


@pytest.mark.parametrize("curvature", [1.0, 16.0])
def test_a_rate_beyond_two_over_the_curvature_is_never_taken(curvature):
    found = best_rate(quadratic(curvature), GradientDescent(learning_rate=0.5 / curvature))
    assert found.rate < 2 / curvature
    assert np.isinf(found.losses[max(found.losses)]) or max(found.losses) <= 2 / curvature


def test_from_a_rate_that_is_too_large_the_search_goes_down():
    found = best_rate(quadratic(), GradientDescent(learning_rate=1000.0))
    assert found.rate < 2
    assert found.losses[found.rate] < 1e-3
    assert np.isinf(found.losses[1000.0])
    assert np.isinf(found.losses[2000.0])


def test_of_rates_that_do_as_well_the_smallest_is_taken():
    small = clustered_problem(n_samples=300, width=2000)
    found = best_rate(problem_of(small, batch_size=32), GradientDescent(learning_rate=4.0))
    as_well = [rate for rate, loss in found.losses.items() if loss <= 1.02 * min(found.losses.values())]
    assert found.rate == min(as_well)


def test_where_nothing_can_be_learned_the_safe_rate_stays():
    small = clustered_problem(threshold=50.0)  # nothing fires, so no rate moves anything
    found = best_rate(problem_of(small), GradientDescent(learning_rate=1.0))
    assert found.rate == 1.0
    assert np.isinf(list(found.losses.values())).all()


def test_a_better_rate_than_the_safe_one_is_found():
    small = clustered_problem(width=2000, n_samples=300)
    problem = problem_of(small, batch_size=32)
    found = best_rate(problem, GradientDescent(learning_rate=0.01))
    assert found.rate >= 0.16
    assert found.losses[found.rate] < 0.5 * found.losses[0.01]
    assert max(found.losses) >= 2 * found.rate


def test_a_rate_at_which_decay_turns_weights_around_is_too_large():
    small = clustered_problem()
    found = best_rate(problem_of(small), GradientDescent(learning_rate=0.9, weight_decay=1.0))
    assert found.losses[1.8] == np.inf
    assert found.rate <= 0.9


def test_weights_of_samples_count():
    small = clustered_problem(n_samples=60)
    heavy = np.full(60, 8.0, np.float32)
    method = GradientDescent(learning_rate=1.0)
    plain = best_rate(problem_of(small), method)
    weighted = best_rate(problem_of(small, sample_weight=heavy), GradientDescent(learning_rate=1 / 8))
    assert weighted.rate == plain.rate / 8


def test_a_trainer_says_what_was_measured():
    small = clustered_problem(n_samples=200)
    method = GradientDescent(learning_rate="measured")
    trainer = plan_trainer(small.network, small.inputs, small.targets, method=method, batch_size=16)
    assert trainer.best_rate is not None
    assert trainer.method == GradientDescent(learning_rate=trainer.best_rate.rate)
    safe = plan_trainer(small.network, small.inputs, small.targets, batch_size=16)
    assert safe.best_rate is None
    assert trainer.best_rate.safe_rate == safe.method.learning_rate
    assert str(trainer.best_rate).startswith(
        f"learning rate measured: {trainer.best_rate.rate:g} (tried on 200"
    )


def test_the_memory_limit_holds_for_the_copy_of_a_trial():
    small = clustered_problem(width=3000, threshold=2.0)
    rows = small.network.layer.weight_rows.nbytes
    with pytest.raises(fewfire.MemoryLimitError):
        best_rate(problem_of(small), GradientDescent(learning_rate=1.0), memory_limit=rows)
    found = best_rate(problem_of(small), GradientDescent(learning_rate=1.0), memory_limit=rows + 10**7)
    assert found.losses == best_rate(problem_of(small), GradientDescent(learning_rate=1.0)).losses

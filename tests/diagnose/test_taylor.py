"""The shares of first and of higher order in what training changed."""

import numpy as np
import pytest

from fewfire import TwoLayerNetwork
from fewfire.diagnose import taylor_shares
from fewfire.plan import plan_trainer
from fewfire.training import GradientDescent
from problems import clustered_problem


def dense_outputs(weights, output_weights, network, rows):
    active = np.maximum(rows @ weights.T - network.threshold, 0)
    return network.scale * active @ output_weights


@pytest.mark.parametrize("train_output_weights", [False, True])
def test_the_shares_are_those_of_the_dense_formula(train_output_weights):
    problem = clustered_problem()
    start = problem.network.copy()
    method = GradientDescent(train_output_weights=train_output_weights)
    trainer = plan_trainer(
        problem.network, problem.inputs, problem.targets, method=method, index="exhaustive"
    )
    trainer.build()
    for _ in range(20):
        trainer.epoch()
    trainer.settle()
    rows = np.asarray(problem.inputs.samples, np.float64)
    w0, a0, w, a = (
        np.asarray(one, np.float64)
        for one in (
            start.weights,
            start.output_weights,
            problem.network.weights,
            problem.network.output_weights,
        )
    )
    before, after = (dense_outputs(*both, start, rows) for both in ((w0, a0), (w, a)))
    fired = rows @ w0.T > start.threshold
    first = start.scale * ((fired * (rows @ (w - w0).T)) @ a0)
    first += dense_outputs(w0, a - a0, start, rows)
    shares = taylor_shares(start, problem.network, problem.inputs)
    change = np.linalg.norm(after - before)
    assert shares.first == pytest.approx(np.linalg.norm(first) / change, rel=1e-3)
    assert shares.second == pytest.approx(np.linalg.norm(after - before - first) / change, rel=1e-2, abs=1e-5)
    assert shares.second > 0


def test_a_move_without_a_crossing_is_of_first_order():
    start = TwoLayerNetwork([[2.0, 0.0], [0.0, 0.5]], [[1.0], [1.0]], threshold=1.0)
    moved = TwoLayerNetwork([[3.0, 1.0], [0.2, 0.6]], [[1.0], [1.0]], threshold=1.0)
    shares = taylor_shares(start, moved, [[1.0, 0.0], [0.0, 1.0]])
    assert (shares.first, shares.second, shares.is_lazy) == (1.0, 0.0, True)
    assert str(shares) == "100.0% of first order, 0.0% of higher: linear in the weights"


def test_a_move_that_is_all_crossing_is_of_higher_order():
    start = TwoLayerNetwork([[0.0]], [[1.0]], threshold=1.0)
    moved = TwoLayerNetwork([[3.0]], [[1.0]], threshold=1.0)
    shares = taylor_shares(start, moved, [[1.0]])
    assert (shares.first, shares.second) == (0.0, 1.0)
    assert "not linear" in str(shares)


def test_without_a_change_all_is_of_first_order():
    network = TwoLayerNetwork([[2.0]], [[1.0]], threshold=1.0)
    assert taylor_shares(network, network, [[1.0]]).as_dict() == {"first": 1.0, "second": 0.0, "n_samples": 1}


def test_other_networks_are_refused():
    one, other = (TwoLayerNetwork([[2.0]], [[1.0]], threshold=b) for b in (1.0, 2.0))
    with pytest.raises(
        ValueError, match="must be one before and after training. Got two that differ in threshold"
    ):
        taylor_shares(one, other, [[1.0]])

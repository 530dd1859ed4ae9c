"""How far training carries networks of growing width, and the regime line."""

import numpy as np
import pytest

from fewfire import DataError, TwoLayerNetwork
from fewfire.diagnose import lazy
from fewfire.diagnose.regime import Start
from fewfire.networks import DeepNetwork
from fewfire.plan import plan_trainer
from fewfire.tangent import OwnKernel
from fewfire.training import GradientDescent, OutputRidge
from problems import clustered_problem, clustered_samples


@pytest.fixture(scope="module")
def found():
    samples, nearest = clustered_samples(60, 10)
    seen = []
    study = lazy(samples, nearest % 2 * 2.0 - 1, widths=(200, 801, 3200), threshold=0.0, steps=200,
                 progress=lambda width, share: seen.append((width, share)))  # fmt: skip
    return study, seen


def test_wider_networks_move_less(found):
    study, seen = found
    assert [point.width for point in study.points] == [200, 802, 3200]
    for name in ("moved", "moved_relative", "flipped", "kernel_change"):
        figures = [getattr(point, name) for point in study.points]
        assert figures == sorted(figures, reverse=True)
        assert -0.9 < study.exponents[name] < -0.25
    assert all(point.loss <= 0.05 or point.steps == 200 for point in study.points)
    assert {width for width, _ in seen} == {200, 801, 3200}


def test_curves_and_table_hold_what_happened(found):
    study, _ = found
    point = study.points[0]
    assert len(point.losses) == point.steps + 1
    assert point.losses[-1] / point.losses[0] == pytest.approx(point.loss)
    assert point.spectrum[0] >= point.spectrum[-1] >= 0
    assert len(study.table().splitlines()) == 4
    assert "losses" not in study.table()


def test_one_width_has_no_exponent():
    samples, nearest = clustered_samples(20, 5)
    assert lazy(samples, nearest % 2, widths=[50], steps=3).exponents["moved"] is None


def test_what_cannot_be_studied_is_refused():
    samples, nearest = clustered_samples(20, 5)
    with pytest.raises(ValueError, match=r"widths must be at least 2, and loss a share .* Got widths=\[1\]"):
        lazy(samples, nearest, widths=[1])
    with pytest.raises(ValueError, match="must have at most 4,096 samples. Got 5,000"):
        lazy(np.ones((5000, 2)), np.ones(5000))
    with pytest.raises(DataError, match="targets must not all be 0"):
        lazy(samples, np.zeros(20))


def test_the_regime_compares_a_training_with_its_start():
    problem = clustered_problem()
    trainer = plan_trainer(problem.network, problem.inputs, problem.targets, index="exhaustive")
    start, before = Start.of(trainer), OwnKernel.of(problem.network, problem.inputs).matrix()
    rows = problem.network.weights.copy()
    still = start.regime(problem.network)
    assert (still.moved, still.kernel_change, still.name) == (0, 0, "kernel")
    trainer.build()
    asked = trainer.index.work.asked
    for _ in range(3):
        trainer.epoch()
    regime = start.regime(problem.network)
    moved = np.linalg.norm(problem.network.weights - rows, axis=1).mean()
    assert regime.moved == pytest.approx(moved, rel=1e-5)
    after = OwnKernel.of(problem.network, problem.inputs).matrix()
    change = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert regime.kernel_change == pytest.approx(change)
    assert (regime.effective_depth, regime.n_looked_at) == (50 / 300, 50)
    assert regime.kernel_width > 0
    assert "neurons moved" in str(regime)
    assert asked == 50 * 300 or asked == 0  # the look counts as no work of the trainer's


def test_neurons_that_do_not_train_do_not_move_the_kernel():
    problem = clustered_problem()
    problem.network.output_weights[:] = 0
    trainer = plan_trainer(problem.network, problem.inputs, problem.targets, method=OutputRidge(ridge=1e-3))
    start = Start.of(trainer)
    trainer.build()
    trainer.epoch()
    regime = start.regime(problem.network)
    assert (regime.moved, regime.kernel_change) == (0, 0)
    assert problem.network.output_weights.any()


def test_targets_that_do_not_vary_have_no_kernel_width():
    problem = clustered_problem()
    trainer = plan_trainer(
        problem.network, problem.inputs, np.ones((50, 3)), method=GradientDescent(), index="exhaustive"
    )
    regime = Start.of(trainer).regime(problem.network)
    assert regime.kernel_width is None
    assert "kernel width" not in str(regime)


def test_a_network_that_does_not_fire_has_a_regime():
    problem = clustered_problem()
    silent = TwoLayerNetwork(problem.network.weights, problem.network.output_weights, threshold=50.0)
    trainer = plan_trainer(silent, problem.inputs, problem.targets, method=GradientDescent(learning_rate=0.1))
    regime = Start.of(trainer).regime(silent)
    assert (regime.condition, regime.kernel_change, regime.kernel_width) == (None, 0, None)


def test_a_deep_network_has_a_regime_of_all_its_layers():
    problem = clustered_problem()
    network = DeepNetwork.initialize((200, 100), 20, 3, threshold=0.5)
    before = [layer.weights.copy() for layer in network.layers]
    trainer = plan_trainer(network, problem.inputs, problem.targets, index="exhaustive")
    start = Start.of(trainer)
    trainer.build()
    for _ in range(2):
        trainer.epoch()
    regime = start.regime(network)
    moves = [
        np.linalg.norm(layer.weights - rows, axis=1)
        for layer, rows in zip(network.layers, before, strict=True)
    ]
    assert regime.moved == pytest.approx(np.concatenate(moves).mean(), rel=1e-4)
    assert regime.kernel_change > 0
    assert regime.kernel_width is None
    assert (regime.width, regime.effective_depth) == (100, 1.0)

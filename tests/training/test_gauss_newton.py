"""Gauss-Newton training: the weights of the normal equations, the same bits through every exact index."""

import numpy as np
import pytest

import fewfire
from fewfire import MemoryLimitError, TrainingError, TwoLayerNetwork, reference
from fewfire.indexes import INDEXES
from fewfire.networks.losses import LOSSES
from fewfire.networks.threshold import paper_threshold
from fewfire.tangent.gram import FiringGram
from problems import clustered_problem
from trainers import gauss_newton_trainer

EXACT = [name for name, index in INDEXES.items() if index.is_exact and name != "exhaustive"]


def small_problem(n_outputs=2, **settings):
    defaults = {"width": 40, "n_features": 5, "n_samples": 12, "dtype": np.float64, "threshold": 0.3}
    return clustered_problem(n_outputs=n_outputs, **(defaults | settings))


def trainer_of(problem, **settings):
    trainer = gauss_newton_trainer(problem.network, problem.inputs, problem.targets, **settings)
    trainer.build()
    return trainer


def residual_square(trainer):
    outputs = trainer.network.forward(trainer.problem.inputs.samples)
    return float(np.sum((outputs - trainer.problem.targets) ** 2, dtype=np.float64))


def taken(trainer, loss, ridge, initial, monkeypatch):
    """The weights after a step, and those by the normal equations with the same damping."""
    before = trainer.network.weights.copy()
    fires = trainer.index.fire_set(trainer.problem.inputs)
    size = FiringGram(trainer.network, trainer.problem.inputs, fires).size
    stepper, dampings, take = trainer.stepper, [], trainer.stepper.linear.take
    monkeypatch.setattr(
        stepper.linear, "take", lambda *step, **how: dampings.append(stepper.damping) or take(*step, **how)
    )
    assert trainer.epoch().actual > 0
    monkeypatch.undo()
    dense = reference.gauss_newton_step(
        before, trainer.network.output_weights, trainer.problem.inputs.samples, trainer.problem.targets,
        trainer.network.threshold, loss=loss, damping=dampings[-1] * size, ridge=ridge, initial=initial,
    )  # fmt: skip
    return trainer.network.weights, dense


@pytest.mark.parametrize("preconditioner", ["exact", "shared", "sketch"])
@pytest.mark.parametrize("ridge", [0.0, 0.05])
@pytest.mark.parametrize(
    ("loss", "n_outputs"), [("squared", 1), ("squared", 3), ("softmax", 3), ("logistic", 1)]
)
def test_weights_of_the_normal_equations(loss, n_outputs, ridge, preconditioner, monkeypatch):
    problem = small_problem(n_outputs, seed=1)
    targets = problem.targets
    if n_outputs == 1:
        targets = (np.arange(len(targets)) % 2).astype(np.float64)[:, None]
    trainer = gauss_newton_trainer(
        problem.network, problem.inputs, targets, loss=loss, ridge=ridge, preconditioner=preconditioner,
        tolerance=1e-13, damping=0.1,
    )  # fmt: skip
    trainer.build()
    initial = problem.network.weights.copy()
    for _ in range(3):
        ours, dense = taken(trainer, loss, ridge, initial, monkeypatch)
        np.testing.assert_allclose(ours, dense, rtol=0, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_labels_are_fitted(dtype):
    """In a handful of steps, down to the rounding of the outputs."""
    random = np.random.default_rng(0)
    samples = random.standard_normal((48, 16))
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    network = TwoLayerNetwork.initialize(
        8192, 16, 1, threshold=paper_threshold(8192, second_order=True), dtype=dtype
    )
    trainer = gauss_newton_trainer(network, samples, random.choice([-1.0, 1.0], (48, 1)))
    trainer.build()
    steps = 0
    while not trainer.finished:
        trainer.epoch()
        steps += 1
    assert steps <= 9
    assert residual_square(trainer) < (1e-24 if dtype == np.float64 else 1e-8)


@pytest.mark.parametrize("ridge", [0.0, 0.02])
@pytest.mark.parametrize("batch_size", [None, 13])
@pytest.mark.parametrize("index", EXACT)
def test_the_same_bits_through_every_index(index, batch_size, ridge):
    settings = {"loss": "softmax", "batch_size": batch_size, "ridge": ridge}
    ends = []
    for name in ("exhaustive", index):
        trainer = trainer_of(clustered_problem(width=130, n_samples=40), index=name, **settings)
        for _ in range(3):
            trainer.epoch()
        trainer.index.check_invariants()
        ends.append(trainer.network.layer.weight_rows.tobytes())
    assert ends[0] == ends[1]


def test_threads_change_no_bit():
    before, ends = fewfire.threads(), []
    try:
        for count in (1, 2, 3):
            fewfire.set_threads(count)
            trainer = trainer_of(clustered_problem())
            for _ in range(3):
                trainer.epoch()
            ends.append(trainer.network.layer.weight_rows.tobytes())
    finally:
        fewfire.set_threads(before)
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.parametrize("loss", LOSSES)
def test_the_objective_never_grows(loss):
    """From far away, with next to no damping at first."""
    problem = clustered_problem(width=30, n_samples=60, threshold=0.5)
    problem.network.weights[:] *= 3
    trainer = trainer_of(problem, loss=loss, damping=1e-9)
    outputs = problem.network.forward(problem.inputs.samples)
    losses = [float(LOSSES[loss].values(outputs, problem.targets).mean())]
    losses += [trainer.epoch().loss for _ in range(6)]
    assert np.all(np.diff(losses) < 1e-6)
    assert losses[-1] < 0.1 * losses[0]


def test_model_foresees_the_decrease():
    """A step that damping or a ridge makes small goes as the model says."""
    for loss, ridge in [("squared", 0.0), ("softmax", 0.0), ("squared", 1e4), ("softmax", 1e4)]:
        damping = 1e5 if ridge == 0 else 1e3
        trainer = trainer_of(small_problem(3), loss=loss, ridge=ridge, damping=damping, tolerance=1e-10)
        for _ in range(2):
            trainer.stepper.damping = damping
            record = trainer.epoch()
            assert record.actual == pytest.approx(record.predicted, rel=1e-3)


def test_ridge_is_kernel_ridge_regression_where_the_network_is_wide():
    """Then the kernel does not move: f = f_0 + H (H + ridge)^(-1) (y - f_0)."""
    samples = np.random.default_rng(0).standard_normal((15, 6))
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    targets = np.random.default_rng(1).standard_normal((15, 1))
    network = TwoLayerNetwork.initialize(60_000, 6, 1, threshold=1.0, dtype=np.float64)
    kernel = reference.firing_kernel(network.weights, samples, network.threshold)
    start = network.forward(samples)
    ridge = 0.1
    regression = start + kernel @ np.linalg.solve(kernel + ridge * np.eye(15), targets - start)
    trainer = gauss_newton_trainer(network, samples, targets, ridge=ridge)
    trainer.build()
    for _ in range(4):
        trainer.epoch()
    np.testing.assert_allclose(network.forward(samples), regression, atol=0.01)


def test_ridge_draws_back():
    """The more ridge, the less the weights leave their place."""
    lengths = []
    for ridge in (0.001, 0.1, 10.0):
        problem = clustered_problem()
        start = problem.network.weights.copy()
        trainer = trainer_of(problem, ridge=ridge)
        for _ in range(4):
            trainer.epoch()
        lengths.append(np.linalg.norm(problem.network.weights - start))
    assert lengths[0] > 1.3 * lengths[1] > 1.3**2 * lengths[2] > 0


def test_mini_batches_fit_all_samples():
    trainer = trainer_of(clustered_problem(width=2000, n_samples=100), batch_size=20)
    for _ in range(6):
        record = trainer.epoch()
    assert record.steps == 5
    assert record.accuracy == 1
    assert record.loss < 1e-3


def test_mini_batches_with_a_ridge_come_to_the_solution_of_all_samples():
    """Each batch solves for its own part, and leaves those of the others."""
    outputs = []
    for batch_size, passes in ((None, 4), (10, 25), (10, 1)):
        problem = clustered_problem(
            n_samples=40, width=40_000, n_features=12, dtype=np.float64, threshold=0.5
        )
        trainer = trainer_of(problem, ridge=0.05, batch_size=batch_size, tolerance=1e-6)
        for _ in range(passes):
            trainer.epoch()
        outputs.append(problem.network.forward(problem.inputs.samples))
    together, apart, one_pass = outputs
    moved = np.abs(together).max()
    assert np.abs(apart - together).max() < 0.02 * moved
    assert np.abs(one_pass - together).max() > 0.05 * moved


def test_duplicates_with_different_targets():
    """The Gram matrix is singular: damping keeps the system solvable, and the mean is fitted."""
    problem = small_problem(1)
    samples = np.repeat(problem.inputs.samples, 2, axis=0)
    targets = np.tile([[0.0], [1.0]], (len(problem.inputs), 1))
    trainer = gauss_newton_trainer(problem.network, samples, targets)
    trainer.build()
    for _ in range(8):
        trainer.epoch()
    np.testing.assert_allclose(problem.network.forward(samples), 0.5, atol=1e-3)


def test_nothing_fires():
    problem = clustered_problem(threshold=100.0)
    before = problem.network.weights.copy()
    trainer = trainer_of(problem)
    record = trainer.epoch()
    assert trainer.finished
    assert record.actual == 0
    np.testing.assert_array_equal(problem.network.weights, before)


def test_interrupt_leaves_the_weights_of_before(monkeypatch):
    trainer = trainer_of(clustered_problem())
    trainer.epoch()
    before = trainer.network.weights.copy()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer.asking, "fire_set", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trainer.epoch()
    np.testing.assert_array_equal(trainer.network.weights, before)
    monkeypatch.undo()
    trainer.epoch()  # builds the index anew
    trainer.index.check_invariants()


def test_targets_too_large():
    problem = clustered_problem(dtype=np.float64)
    trainer = gauss_newton_trainer(problem.network, problem.inputs, np.full((50, 3), 1e300))
    trainer.build()
    with pytest.raises(TrainingError, match="the loss must stay finite"):
        trainer.epoch()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ridge": -1.0}, "ridge must be a finite number >= 0"),
        ({"ridge": np.inf}, "ridge must be a finite number >= 0"),
        ({"damping": 0.0}, "damping must be a finite number > 0"),
        ({"tolerance": 1.0}, "tolerance must lie between 0 and 1"),
        ({"preconditioner": "none"}, "preconditioner must be one of auto, exact, shared, sketch"),
        ({"index": "auto"}, "Gauss-Newton steps need a named index"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1"),
    ],
)
def test_bad_settings(settings, message):
    problem = clustered_problem()
    with pytest.raises(ValueError, match=message):
        gauss_newton_trainer(problem.network, problem.inputs, problem.targets, **settings)


class TestMemoryLimit:
    def test_batches_fit_into_it(self):
        problem = clustered_problem()
        trainer = gauss_newton_trainer(problem.network, problem.inputs, problem.targets, memory_limit=60_000)
        assert trainer.problem.batch_size == 30
        assert "30 x 30" in trainer.stepper.description

    def test_smaller_batches_are_advised_only_where_there_are_any(self):
        problem = clustered_problem()
        with pytest.raises(
            MemoryLimitError,
            match=r"1 samples must fit .* 16 bytes\. Got a need of 32 bytes\. Raise the limit",
        ):
            gauss_newton_trainer(problem.network, problem.inputs, problem.targets, memory_limit=16)

    def test_batches_that_do_not_fit(self):
        problem = clustered_problem()
        with pytest.raises(
            MemoryLimitError,
            match=r"limit of 60,000 bytes\. Got a need of 80,000 bytes\. Use batches of 30",
        ):
            gauss_newton_trainer(
                problem.network, problem.inputs, problem.targets, batch_size=50, memory_limit=60_000
            )


def test_a_trial_whose_objective_is_no_number_is_damped_like_one_that_is_worse(monkeypatch):
    trainer = trainer_of(small_problem(), damping=0.01)
    stepper, trials = trainer.stepper, []
    objective, take = stepper._objective, stepper.linear.take
    monkeypatch.setattr(
        stepper.linear, "take", lambda *step, **how: trials.append(stepper.damping) or take(*step, **how)
    )
    monkeypatch.setattr(
        stepper, "_objective", lambda *args: np.nan if trials and trials[-1] < 0.5 else objective(*args)
    )
    trainer.epoch()
    assert trials == pytest.approx([0.01, 0.1, 1.0])
    assert not trainer.finished

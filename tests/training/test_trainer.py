"""The training loop: batches, records, settings, and predictions."""

from dataclasses import fields

import numpy as np
import pytest

from fewfire import DataError, Inputs, MemoryLimitError, TwoLayerNetwork, predict, reference
from fewfire.indexes import DriftIndex, ExhaustiveIndex
from fewfire.networks.losses import LOSSES
from fewfire.plan.learning_rate import stable_learning_rate
from fewfire.training import EpochRecord, accounts
from problems import clustered_problem
from trainers import descend, descent_trainer


def trainer_of(problem, **settings):
    return descent_trainer(problem.network, problem.inputs, problem.targets, **settings)


@pytest.mark.parametrize("batch_size", [1, 7, 16, 49, 50])
def test_each_epoch_visits_every_sample_once(batch_size):
    batches = trainer_of(
        clustered_problem(n_samples=50), batch_size=batch_size, learning_rate=1.0
    ).problem.batches(1)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(50))


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(50, {50}), (16, {12, 13}), (49, {25}), (7, {6, 7}), (1, {1})]
)
def test_batches_are_as_few_and_as_equal_as_can_be(batch_size, sizes):
    batches = trainer_of(
        clustered_problem(n_samples=50), batch_size=batch_size, learning_rate=1.0
    ).problem.batches(1)
    assert {len(ids) for ids in batches} == sizes
    assert len(batches) == -(-50 // batch_size)


@pytest.mark.parametrize("batch_size", [None, 50, 10**6])
def test_a_batch_of_all_samples_is_full_batch_gradient_descent(batch_size):
    batches = trainer_of(
        clustered_problem(n_samples=50), batch_size=batch_size, learning_rate=1.0
    ).problem.batches(3)
    np.testing.assert_array_equal(batches, [np.arange(50)])


def test_the_order_of_samples_depends_on_the_seed_and_the_epoch():
    def order(seed, epoch):
        trainer = trainer_of(clustered_problem(n_samples=50), batch_size=10, learning_rate=1.0, seed=seed)
        return np.concatenate(trainer.problem.batches(epoch)).tolist()

    assert order(0, 1) == order(0, 1)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (1, 2, 3)}) == 6


def test_training_takes_the_batches_in_turn():
    problem = clustered_problem(dtype=np.float64)
    trainer = trainer_of(problem, batch_size=16, learning_rate=5.0, loss="softmax", train_output_weights=True)
    start = problem.network.copy()
    trainer.build()
    trainer.epoch()
    trainer.epoch()
    weights, output_weights = reference.train(
        start.weights, start.output_weights, problem.inputs.samples, problem.targets, start.threshold,
        loss="softmax", learning_rate=5.0, batches=trainer.problem.batches(1) + trainer.problem.batches(2),
        train_output_weights=True,
    )  # fmt: skip
    np.testing.assert_allclose(problem.network.weights, weights, rtol=0, atol=1e-12)
    np.testing.assert_allclose(problem.network.output_weights, output_weights, rtol=0, atol=1e-12)


def test_output_weights_are_frozen_unless_asked_for():
    problem = clustered_problem()
    before = problem.network.output_weights.copy()
    trainer = trainer_of(problem, learning_rate=5.0)
    trainer.build()
    trainer.epoch()
    np.testing.assert_array_equal(problem.network.output_weights, before)


def test_training_learns():
    problem = clustered_problem(width=1000)
    history = descend(problem.network, problem.inputs, problem.targets, epochs=30, batch_size=16)
    assert history[-1].loss < 0.1 * history[0].loss
    assert history[-1].accuracy == 1


def test_inputs_may_be_plain_arrays():
    problem = clustered_problem()
    plain = problem.restarted()
    descend(problem.network, problem.inputs, problem.targets, epochs=2, learning_rate=1.0)
    descend(plain.network, problem.inputs.samples, problem.targets.tolist(), epochs=2, learning_rate=1.0)
    np.testing.assert_array_equal(plain.network.weights, problem.network.weights)


def test_an_epoch_records_what_it_did():
    problem = clustered_problem(width=300, n_samples=50)
    trainer = trainer_of(problem, batch_size=16, learning_rate=2.0)
    trainer.build()
    start = problem.restarted()
    first, second = trainer.epoch(), trainer.epoch()
    assert trainer.history == [first, second]
    assert (first.epoch, second.epoch) == (1, 2)
    assert first.steps == 4
    assert second.loss < first.loss
    assert 0 < first.accuracy <= 1
    fired = reference.fires(start.network.weights, problem.inputs.samples, start.network.threshold)
    assert first.fire_rate == pytest.approx(fired.mean(), rel=0.1)
    assert first.fire_rate <= first.dot_rate <= first.near_rate <= 1
    assert first.work_share == pytest.approx((first.dot_rate + first.fire_rate) / 2, rel=0.1)
    assert first.index_bytes == trainer.index.nbytes
    parts = [value for name, value in first.as_dict().items() if name.startswith("seconds_")]
    assert len(parts) == 3
    assert all(seconds > 0 for seconds in parts)
    assert sum(parts) <= first.seconds
    assert set(first.as_dict()) == {field.name for field in fields(EpochRecord)}


@pytest.mark.parametrize("index", ["drift", "exhaustive"])
def test_an_epoch_records_how_far_neurons_moved(index, monkeypatch):
    monkeypatch.setattr(accounts, "ROWS_AT_A_TIME", 128)  # of 300
    trainer = trainer_of(clustered_problem(width=300), index=index, batch_size=16, momentum=0.9)
    trainer.build()
    trainer.epoch()
    before = trainer.network.weights.astype(np.float64)
    record = trainer.epoch()
    moved = np.linalg.norm(trainer.network.weights - before, axis=1)
    assert record.moved_mean == pytest.approx(moved.mean(), rel=1e-5)
    assert record.moved_max == pytest.approx(moved.max(), rel=1e-5)
    assert 0 < record.moved_mean < record.moved_max


def test_the_loss_and_accuracy_are_means_over_the_samples_before_each_step():
    problem = clustered_problem(n_samples=50)
    trainer = trainer_of(problem, loss="softmax", learning_rate=2.0)
    trainer.build()
    outputs = problem.network.forward(problem.inputs.samples)
    record = trainer.epoch()
    exact = reference.loss_values("softmax", outputs, problem.targets).mean()
    assert record.loss == pytest.approx(exact, rel=1e-5)
    right = outputs.argmax(axis=1) == problem.targets.argmax(axis=1)
    assert record.accuracy == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("targets", "has_classes"),
    [
        pytest.param(np.eye(3)[np.arange(50) % 3], True, id="one-hot"),
        pytest.param((np.arange(50) % 2)[:, None], True, id="zero-or-one"),
        pytest.param(np.linspace(0, 1, 50)[:, None], False, id="real-values"),
        pytest.param(np.ones((50, 2)), False, id="two-hot"),
    ],
)
def test_accuracy_is_recorded_where_targets_are_classes(targets, has_classes):
    problem = clustered_problem(n_outputs=targets.shape[1], n_samples=50)
    (record,) = descend(problem.network, problem.inputs, targets, epochs=1, learning_rate=0.1)
    assert (record.accuracy is not None) == has_classes


def test_each_step_and_each_epoch_is_announced():
    problem = clustered_problem(n_samples=50)
    trainer = trainer_of(problem, batch_size=20, learning_rate=1.0)
    steps, records, shares = [], [], []
    trainer.build(shares.append)
    trainer.epoch(lambda done, of: steps.append((done, of)))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert shares[-1] == 1
    history = descend(
        problem.network,
        problem.inputs,
        problem.targets,
        epochs=3,
        on_epoch=lambda record, trainer: records.append(record),
    )
    assert records == history
    assert len(history) == 3


def test_no_epochs_train_nothing():
    problem = clustered_problem()
    before = problem.network.weights.copy()
    assert descend(problem.network, problem.inputs, problem.targets, epochs=0) == []
    np.testing.assert_array_equal(problem.network.weights, before)


def test_the_learning_rate_is_chosen_for_the_batches():
    problem = clustered_problem()
    trainer = trainer_of(problem, batch_size=10, loss="logistic", train_output_weights=True)
    assert trainer.stepper.learning_rate == stable_learning_rate(
        problem.network, problem.inputs, LOSSES["logistic"], 10, output_weights=True
    )


def test_an_index_may_be_named_or_given():
    problem = clustered_problem()
    assert isinstance(trainer_of(problem).index, DriftIndex)
    assert isinstance(trainer_of(problem, index="exhaustive").index, ExhaustiveIndex)
    mine = DriftIndex(sketch_size=3)
    assert trainer_of(problem, index=mine).index is mine


def test_the_memory_limit_reaches_the_index():
    problem = clustered_problem()
    with pytest.raises(MemoryLimitError, match="the memory limit of 1,000 bytes"):
        descend(problem.network, problem.inputs, problem.targets, memory_limit=1000)


@pytest.mark.parametrize("n_samples", [1, 1023, 1024, 1025])
def test_predictions_are_those_of_the_dense_forward_pass(dtype, n_samples):
    problem = clustered_problem(width=500, n_samples=n_samples, dtype=dtype)
    outputs = predict(problem.network, problem.inputs.samples)
    assert outputs.shape == (n_samples, problem.network.n_outputs)
    assert outputs.dtype == dtype
    np.testing.assert_allclose(
        outputs, problem.network.forward(problem.inputs.samples), rtol=0, atol=100 * np.finfo(dtype).eps
    )
    np.testing.assert_array_equal(predict(problem.network, problem.inputs), outputs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"index": "tree"},
            "the index must be one of exhaustive, screened, .*, auto. Got 'tree'. Choose one of them",
        ),
        ({"loss": "hinge"}, "the loss must be one of squared, softmax, logistic. Got 'hinge'"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1, or None for all samples. Got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number >= 1, or None for all samples. Got 2.5"),
        (
            {"learning_rate": 0.0},
            "learning_rate must be a finite number > 0, 'auto' or 'measured'. Got 0.0. Use 'auto'",
        ),
        (
            {"learning_rate": -1.0},
            "learning_rate must be a finite number > 0, 'auto' or 'measured'. Got -1.0",
        ),
        (
            {"learning_rate": np.nan},
            "learning_rate must be a finite number > 0, 'auto' or 'measured'. Got nan",
        ),
        (
            {"learning_rate": "fast"},
            "learning_rate must be a finite number > 0, 'auto' or 'measured'. Got 'fast'",
        ),
        ({"epochs": -1}, "epochs must be >= 0. Got -1"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_clear_errors(settings, message):
    problem = clustered_problem()
    with pytest.raises(ValueError, match=message):
        descend(problem.network, problem.inputs, problem.targets, **settings)


@pytest.mark.parametrize("shape", [(50,), (50, 2), (49, 3), (3, 50)], ids=str)
def test_targets_must_have_a_row_a_sample_and_a_column_an_output(shape):
    problem = clustered_problem(n_samples=50, n_outputs=3)
    message = rf"one column per output, \(50, 3\). Got shape \({shape[0]},.*\). Give one-hot rows for classes"
    with pytest.raises(DataError, match=message):
        descent_trainer(problem.network, problem.inputs, np.ones(shape))


def test_targets_must_be_finite():
    problem = clustered_problem()
    problem.targets[[3, 7], 0] = np.nan, np.inf
    with pytest.raises(
        DataError, match="targets must be finite. Got 2 that are not, the first in row 3. Remove"
    ):
        trainer_of(problem)


@pytest.mark.parametrize(
    "samples", [np.ones((4, 2)), Inputs.of(np.ones((4, 3)), np.float64)], ids=["features", "dtype"]
)
def test_inputs_must_fit_the_network(samples):
    network = TwoLayerNetwork.initialize(10, 3, 1)
    with pytest.raises(ValueError, match="inputs must fit the network: 3 features of float32"):
        descend(network, samples, np.ones((4, 1)), learning_rate=1.0)
    with pytest.raises(ValueError, match="inputs must fit the network: 3 features of float32"):
        predict(network, samples)


@pytest.mark.parametrize("index", ["drift", "data_tree", "weight_tree", "correlation_tree_by_sample"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_an_interrupt_between_the_move_and_the_index_does_not_deceive_it(monkeypatch, index, momentum):
    def weights_after(index):
        problem = clustered_problem(width=1000)
        trainer = trainer_of(problem, index=index, batch_size=10, learning_rate=30.0, momentum=momentum)
        trainer.build()

        def interrupted(descent, batch):
            descent.take()
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(trainer.index, "descend", interrupted)
            with pytest.raises(KeyboardInterrupt):
                trainer.epoch()
        trainer.epoch()
        return problem.network.weights.tobytes()

    assert weights_after(index) == weights_after("exhaustive")

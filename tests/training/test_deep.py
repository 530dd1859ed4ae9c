"""Training of several hidden layers: against the reference, and bit for bit whatever may differ."""

from itertools import pairwise

import numpy as np
import pytest

import fewfire
from deep import as_reference, deep_problem, firing_of
from fewfire import DataError, TrainingError, TwoLayerNetwork, predict, reference
from fewfire.core.work import Work
from fewfire.indexes import INDEXES
from fewfire.plan.learning_rate import stable_learning_rate
from fewfire.system import machine
from fewfire.training import Adversarial
from problems import clustered_samples
from trainers import descend, descent_trainer, gauss_newton_trainer

SHAPES = [
    pytest.param({}, id="two-layers"),
    pytest.param({"constant": 1.4}, id="constant"),
    pytest.param({"widths": (130, 90, 70)}, id="three-layers"),
    pytest.param({"normalize": "scale"}, id="scale"),
    pytest.param({"widths": (5, 1), "threshold": 0.1, "n_outputs": 1}, id="one-neuron"),
    pytest.param({"widths": (70, 65), "threshold": 0.0}, id="plain-relu"),
    pytest.param({"widths": (70, 65), "threshold": [1.0, 9.0]}, id="nothing-fires-above"),
    pytest.param({"widths": (70, 65), "threshold": [9.0, 0.5]}, id="nothing-fires-below"),
]
FUSED = [name for name in machine.available_instruction_sets() if name != "base"]


def trainer_of(problem, **settings):
    settings = {"learning_rate": 2.0, "batch_size": 8, **settings}
    trainer = descent_trainer(problem.network, problem.inputs, problem.targets, **settings)
    trainer.build()
    return trainer


def bits_of(network):
    return [layer.weight_rows.tobytes() for layer in network.layers] + [network.output_rows.tobytes()]


@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("shape", SHAPES)
def test_weights_are_those_of_the_reference(shape, loss):
    problem = deep_problem(**shape, dtype=np.float64)
    if problem.targets.shape[1] == 1:
        loss = "squared"
    (weights, a), network, lengths = as_reference(problem.network)
    weights = [one.copy() for one in weights]
    trainer = trainer_of(problem, loss=loss, train_output_weights=True)
    batches = [ids for epoch in range(1, 11) for ids in trainer.problem.batches(epoch)]
    expected = reference.deep_train(
        weights, a.copy(), problem.inputs.samples, problem.targets, *network, loss=loss, learning_rate=2.0,
        batches=batches, train_output_weights=True, lengths=lengths,
    )  # fmt: skip
    for _ in range(10):
        trainer.epoch()
    for ours, theirs in zip(problem.network.layers, expected[0], strict=True):
        np.testing.assert_allclose(ours.weights, theirs, rtol=0, atol=1e-11)
    np.testing.assert_allclose(problem.network.output_weights, expected[1], rtol=0, atol=1e-11)
    outputs = reference.deep_forward(*expected, problem.inputs.samples, *network, lengths)
    np.testing.assert_allclose(predict(problem.network, problem.inputs), outputs, rtol=0, atol=1e-11)


def trained(shape, dtype=np.float32, **settings):
    problem = deep_problem(**shape, dtype=dtype, n_samples=40)
    trainer = trainer_of(problem, **settings)
    for _ in range(4):
        trainer.epoch()
    return bits_of(problem.network)


@pytest.mark.parametrize("shape", SHAPES)
def test_bits_depend_on_no_thread_or_instruction_set(shape, dtype):
    expected = trained(shape, dtype)
    for threads in (1, 2, 3):
        fewfire.set_threads(threads)
        assert trained(shape, dtype) == expected
    for name in FUSED:
        machine.use_instruction_set(name)
        assert trained(shape, dtype) == expected
    machine.use_instruction_set("base")
    plain = trained(shape, dtype)
    fewfire.set_threads(1)
    assert trained(shape, dtype) == plain


@pytest.mark.parametrize("name", [name for name, index in INDEXES.items() if index().is_exact])
def test_bits_do_not_depend_on_the_index_of_the_first_layer(name):
    shape = {"widths": (130, 70), "n_features": 5}
    assert trained(shape, index=name) == trained(shape, index="exhaustive")


DECAY = {"weight_decay": 1e-3, "train_output_weights": True}


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, DECAY])
def test_one_layer_is_trained_as_a_two_layer_network(settings, dtype):
    problem = deep_problem((130,), dtype=dtype)
    flat = TwoLayerNetwork.initialize(130, 9, 3, threshold=0.8, dtype=dtype)
    settings = {"epochs": 5, "batch_size": 8, "learning_rate": "auto", **settings}
    ours = descend(problem.network, problem.inputs, problem.targets, **settings)
    theirs = descend(flat, problem.inputs, problem.targets, **settings)
    assert bits_of(problem.network) == bits_of(flat)
    for one, other in zip(ours, theirs, strict=True):
        differing = {name for name, value in one.as_dict().items() if value != other.as_dict()[name]}
        assert all(name.startswith("seconds") for name in differing)
    samples = clustered_samples(30, 9, seed=5)[0].astype(dtype)
    assert predict(problem.network, samples).tobytes() == predict(flat, samples).tobytes()


def test_looking_ahead_changes_no_bit():
    ahead, alone = deep_problem(), deep_problem()
    trainer = trainer_of(ahead)
    batches = trainer.problem.batches(1)
    for ids, following in pairwise([*batches, batches[0]]):
        trainer.step(ids, following)
    other = trainer_of(alone)
    for ids in batches:
        other.step(ids)
    assert bits_of(ahead.network) == bits_of(alone.network)


def test_work_is_counted_to_the_last_multiply_add():
    problem = deep_problem((130, 90, 70), dtype=np.float64)
    network, ids = problem.network, np.arange(20)
    firing = firing_of(network, problem.everything)
    trainer = trainer_of(problem, index="exhaustive", batch_size=None)
    trainer.step(ids)
    for number, work in enumerate(trainer.stepper.works[1:], 1):
        fires, taken = firing.fires[number], firing.hidden[number - 1].inputs
        by_sample = np.bincount(fires.samples, minlength=20) @ np.diff(taken.begins)
        width = network.widths[number]
        assert work == Work(
            asked=20 * width, fired=len(fires), input_products=width * len(taken.ids),
            pair_products=2 * by_sample,
        )  # fmt: skip


def test_an_epoch_records_each_layer():
    problem = deep_problem((300, 200), n_samples=40)
    before = problem.network.copy()
    trainer = trainer_of(problem)
    record = trainer.epoch()
    first, second = record.layers
    for figures, layer, old in zip(record.layers, problem.network.layers, before.layers, strict=True):
        moved = np.linalg.norm(layer.weights - old.weights, axis=1)
        assert figures["moved_mean"] == pytest.approx(moved.mean(), rel=1e-5)
        assert figures["moved_max"] == pytest.approx(moved.max(), rel=1e-5)
        assert 0 < figures["fire_rate"] < 0.5
        assert figures["dead_samples"] == 0
    asked = np.array([work.asked for work in trainer.stepper.works])
    rates = np.array([first["fire_rate"], second["fire_rate"]])
    assert record.fire_rate == pytest.approx((rates @ asked) / asked.sum())
    assert record.moved_max == max(first["moved_max"], second["moved_max"])
    assert second["work_share"] == pytest.approx((rates[0] + 2 * rates[0] * rates[1]) / 3, rel=0.2)
    assert min(first["work_share"], second["work_share"]) < record.work_share
    assert record.work_share < max(first["work_share"], second["work_share"])


def test_samples_on_which_nothing_fires_are_counted_and_stay_where_they_are():
    problem = deep_problem((70, 65), threshold=[9.0, 0.5])
    before = bits_of(problem.network)
    record = trainer_of(problem).epoch()
    assert [layer["dead_samples"] for layer in record.layers] == [20, 20]
    assert bits_of(problem.network) == before
    assert [layer["fire_rate"] for layer in record.layers] == [0, 0]
    assert not predict(problem.network, problem.inputs).any()


@pytest.mark.parametrize("constant", ["auto", 0])
def test_fire_rates_begin_as_asked_for_in_every_layer(constant):
    """Within the binomial band of each layer's neurons; and no sample is far from the others."""
    problem = deep_problem((3000, 3000, 3000), n_features=30, n_samples=100, threshold=2.0, constant=constant)
    rate, spreads = fewfire.networks.fire_rate_at(2.0), []
    for fires in firing_of(problem.network, problem.everything).fires:
        of_samples = np.bincount(fires.samples, minlength=100) / 3000
        assert fires.fire_rate == pytest.approx(rate, rel=0.15)
        spreads.append(of_samples.std() / of_samples.mean())
    assert max(spreads) <= 1.3 * spreads[0] + 0.02


def test_without_the_sphere_samples_die_out():
    problem = deep_problem((3000, 3000, 3000), n_features=30, n_samples=100, threshold=2.0, constant=0,
                           normalize="scale")  # fmt: skip
    first, *_, last = firing_of(problem.network, problem.everything).fires
    spread = [np.bincount(fires.samples, minlength=100).std() / (len(fires) / 100) for fires in (first, last)]
    assert spread[1] > 3 * spread[0]


def test_fire_rates_hold_in_training():
    problem = deep_problem((1000, 1000), n_features=30, n_samples=200, threshold=1.75)
    trainer = trainer_of(problem, learning_rate="auto", batch_size=50)
    records = [trainer.epoch() for _ in range(15)]
    assert records[-1].loss < 0.3 * records[0].loss
    for first, last in zip(records[0].layers, records[-1].layers, strict=True):
        assert 1 / 1.5 < last["fire_rate"] / first["fire_rate"] < 1.5


# What it takes to go on after a break


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_a_checkpoint_goes_on_with_the_same_bits(shape, tmp_path):
    whole = trainer_of(deep_problem(**shape), train_output_weights=True)
    for _ in range(4):
        whole.epoch()
    broken = trainer_of(deep_problem(**shape), train_output_weights=True)
    broken.epoch()
    broken.epoch()
    broken.save(tmp_path / "checkpoint.safetensors")
    resumed = trainer_of(deep_problem(**shape), train_output_weights=True)
    resumed.restore(tmp_path / "checkpoint.safetensors")
    assert resumed.history == broken.history
    assert resumed.stepper.works == broken.stepper.works
    resumed.epoch()
    resumed.epoch()
    assert bits_of(resumed.network) == bits_of(whole.network)
    assert [record.loss for record in resumed.history] == [record.loss for record in whole.history]


def test_a_checkpoint_of_other_layers_is_refused(tmp_path):
    trainer = trainer_of(deep_problem())
    trainer.save(tmp_path / "checkpoint.safetensors")
    for other in ({"widths": (130, 71)}, {"constant": 1.0}, {"widths": (130,)}, {"normalize": "scale"}):
        with pytest.raises(DataError, match="belongs to another training run"):
            trainer_of(deep_problem(**other)).restore(tmp_path / "checkpoint.safetensors")


def test_an_interrupted_epoch_begins_anew_with_the_same_bits():
    whole, broken = trainer_of(deep_problem()), trainer_of(deep_problem())
    for _ in range(3):
        whole.epoch()
    broken.epoch()

    def interrupt(done, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.epoch(interrupt)
    resumed = trainer_of(deep_problem())
    resumed.restore(broken.state())
    resumed.epoch()
    resumed.epoch()
    assert bits_of(resumed.network) == bits_of(whole.network)


@pytest.mark.parametrize("rate", [1e20, 1e38])
def test_a_failed_epoch_gives_the_weights_back(rate):
    problem = deep_problem()
    trainer = trainer_of(problem, learning_rate=rate)
    ends = [bits_of(problem.network)]
    with pytest.raises(TrainingError, match=r"must stay finite.*the weights are those of the end of epoch"):  # noqa: PT012
        while len(ends) < 20:
            trainer.epoch()
            ends.append(bits_of(problem.network))
    assert bits_of(problem.network) == ends[-1]


def test_a_gradient_beyond_all_numbers_is_refused_before_anything_moves():
    problem = deep_problem(dtype=np.float64, n_samples=1, n_outputs=1)
    problem.network.layer.weights[:] *= 1e-310
    problem.network.layer.threshold = 0.0
    trainer = trainer_of(problem)
    before = bits_of(problem.network)
    with pytest.raises(TrainingError, match="every gradient must stay finite"):
        trainer.step(np.arange(1))
    assert bits_of(problem.network) == before


# The learning rate


@pytest.mark.parametrize("shape", SHAPES[:4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output_weights", [False, True])
def test_the_stable_rate_is_that_of_the_whole_jacobian(shape, weighted, output_weights):
    problem = deep_problem(**shape, dtype=np.float64)
    network, n = problem.network, 20
    (weights, a), others, lengths = as_reference(network)
    jacobian = reference.deep_jacobian(weights, a, problem.inputs.samples, *others, lengths)
    gram = (jacobian @ jacobian.T).reshape(n, 3, n, 3)
    if output_weights:
        _, z = reference.deep_layers(weights, problem.inputs.samples, *others, lengths)
        phi = np.maximum(z[-1] - network.thresholds[-1], 0) * network.top.scale
        gram += (phi @ phi.T)[:, None, :, None] * np.eye(3)[None, :, None]
    sample_weight = np.linspace(0.5, 2, n) if weighted else np.ones(n)
    roots = np.sqrt(sample_weight)
    gram = gram * roots[:, None, None, None] * roots[None, None, :, None]
    largest = np.linalg.eigvalsh(gram.reshape(3 * n, 3 * n))[-1] / n
    rate = stable_learning_rate(
        network, problem.inputs, fewfire.networks.SquaredLoss(), n, output_weights=output_weights,
        sample_weight=sample_weight if weighted else None,
    )  # fmt: skip
    assert rate == pytest.approx(1 / largest, rel=0.06)
    assert rate <= 1.01 / largest


def test_the_measured_rate_is_at_least_as_good():
    problem = deep_problem((300, 200), n_samples=100)
    trainer = trainer_of(problem, learning_rate="measured", batch_size=20)
    assert trainer.best_rate is not None
    assert trainer.best_rate.rate >= trainer.best_rate.safe_rate / 4


# What is refused


@pytest.mark.parametrize("settings", [{"momentum": 0.9}, {"weight_decay": 0.1}])
def test_momentum_and_decay_are_refused(settings):
    with pytest.raises(ValueError, match="must be trained without momentum and weight decay"):
        trainer_of(deep_problem(), **settings)


def test_what_needs_one_layer_says_so():
    problem = deep_problem()
    given = problem.network, problem.inputs, problem.targets
    with pytest.raises(ValueError, match="the first of several hidden layers must have a named index"):
        fewfire.train(*given, index="auto")
    with pytest.raises(ValueError, match="must have a network of one hidden layer. Got one of 2"):
        fewfire.train(*given, method=Adversarial(learning_rate=1.0), index="screened")


def test_numbers_of_the_wrong_kind_are_refused():
    problem = deep_problem()
    with pytest.raises(DataError, match=r"targets must have one row per sample and one column per output"):
        fewfire.train(problem.network, problem.inputs, problem.targets[:, :2])
    with pytest.raises(ValueError, match="inputs must fit the network: 9 features"):
        predict(problem.network, np.ones((3, 4)))


# Gauss-Newton steps


def gauss_newton_of(problem, **settings):
    trainer = gauss_newton_trainer(
        problem.network, problem.inputs, problem.targets, **{"index": "drift", **settings}
    )
    trainer.build()
    return trainer


def test_random_labels_are_fitted_to_the_last_digits_in_ten_steps():
    problem = deep_problem((1024, 1024), n_features=20, n_samples=64, n_outputs=1, threshold=1.2,
                           dtype=np.float64)  # fmt: skip
    problem.targets[:] = np.random.default_rng(0).choice([-1.0, 1.0], (64, 1))
    trainer = gauss_newton_of(problem)
    while len(trainer.history) < 10 and not trainer.finished:
        record = trainer.epoch()
        assert record.actual >= 0
    residuals = predict(problem.network, problem.inputs) - problem.targets
    assert np.square(residuals).sum() < 1e-16


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"preconditioner": "shared"},
        {"loss": "softmax"},
        {"batch_size": 10},
        {"ridge": 1e-3},
        {"ridge": 1e-3, "batch_size": 10},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [{"widths": (300, 200)}, {"widths": (200, 150, 100)}], ids=str)
def test_each_step_lowers_the_objective(shape, settings):
    trainer = gauss_newton_of(deep_problem(**shape, dtype=np.float64), **settings)
    first = trainer.epoch()
    assert first.actual > 0.25 * first.predicted > 0
    last = [trainer.epoch() for _ in range(4)][-1]
    assert last.loss < 0.1
    assert last.accuracy == 1
    assert [layer["dead_samples"] for layer in first.layers] == [0] * len(first.layers)


def test_gauss_newton_steps_are_those_of_the_normal_equations():
    problem = deep_problem((30, 20), n_samples=6, n_outputs=2, dtype=np.float64, threshold=0.4)
    (weights, a), others, lengths = as_reference(problem.network)
    samples = problem.inputs.samples
    jacobian = reference.deep_jacobian(weights, a, samples, *others, lengths)
    residuals = (reference.deep_forward(weights, a, samples, *others, lengths) - problem.targets).ravel()
    trainer = gauss_newton_of(problem, damping=1.0, tolerance=1e-12)
    damping = np.trace(jacobian @ jacobian.T) / len(jacobian)
    move = np.linalg.solve(
        jacobian.T @ jacobian + damping * np.eye(jacobian.shape[1]), -jacobian.T @ residuals
    )
    expected = np.concatenate([one.ravel() for one in weights]) + move
    trainer.step(np.arange(6))
    found = np.concatenate([layer.weights.ravel() for layer in problem.network.layers])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_a_step_that_would_raise_the_loss_is_undone():
    problem = deep_problem((60, 50), n_samples=40, dtype=np.float64)
    trainer = gauss_newton_of(problem, damping=1e-12)
    losses = [trainer.epoch().loss for _ in range(6)]
    assert all(after <= before for before, after in pairwise(losses))


def test_gauss_newton_training_goes_on_with_the_same_bits(tmp_path):
    whole = gauss_newton_of(deep_problem(), ridge=1e-2)
    for _ in range(4):
        whole.epoch()
    broken = gauss_newton_of(deep_problem(), ridge=1e-2)
    broken.epoch()
    broken.epoch()
    broken.save(tmp_path / "checkpoint.safetensors")
    resumed = gauss_newton_of(deep_problem(), ridge=1e-2)
    resumed.restore(tmp_path / "checkpoint.safetensors")
    resumed.epoch()
    resumed.epoch()
    assert bits_of(resumed.network) == bits_of(whole.network)


def test_a_sketch_of_several_layers_is_refused():
    with pytest.raises(ValueError, match="preconditioner 'exact' or 'shared'. Got 'sketch'"):
        gauss_newton_of(deep_problem(), preconditioner="sketch")


def test_one_layer_takes_the_gauss_newton_steps_of_a_two_layer_network():
    problem = deep_problem((130,))
    flat = TwoLayerNetwork.initialize(130, 9, 3, threshold=0.8)
    fewfire.train(problem.network, problem.inputs, problem.targets, method="gauss-newton", epochs=3)
    fewfire.train(flat, problem.inputs, problem.targets, method="gauss-newton", epochs=3)
    assert bits_of(problem.network) == bits_of(flat)

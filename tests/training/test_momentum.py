"""Momentum and weight decay: the weights of torch.optim.SGD, the same bits through every index."""

from functools import cache
from itertools import product

import numpy as np
import pytest

import fewfire
from fewfire import GradientDescent, Inputs, Trainer, TrainingError, TwoLayerNetwork, reference
from fewfire.indexes import DriftIndex, ExhaustiveIndex
from fewfire.networks import velocities as coasting
from fewfire.networks.momentum import Momentum
from fewfire.plan.learning_rate import stable_learning_rate
from fewfire.system import machine
from fewfire.training.methods.schedules import schedule_named
from problems import clustered_problem, let_coast, random_step
from trainers import descend, descent_trainer

RULES = {
    "heavy-ball": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "decay": {"weight_decay": 1e-3},
    "heavy-ball-decay": {"momentum": 0.8, "weight_decay": 1e-3},
    "nesterov-decay": {"momentum": 0.8, "nesterov": True, "weight_decay": 1e-3},
}
FUSED = [name for name in machine.available_instruction_sets() if name != "base"] or ["base"]
EACH_RULE = pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
EITHER_LAYER = pytest.mark.parametrize("both_layers", [False, True], ids=["one-layer", "both-layers"])


def trainer_of(problem, **settings):
    defaults = {"loss": "softmax", "batch_size": 7, "learning_rate": 8.0}
    trainer = descent_trainer(problem.network, problem.inputs, problem.targets, **(defaults | settings))
    trainer.build()
    return trainer


def held(network):
    return network.layer.weight_rows.tobytes(), network.output_rows.tobytes()


def trained_by_torch(problem, trainer, epochs):
    torch = pytest.importorskip("torch")
    network, rules = problem.network, trainer.method.rule
    layers = [torch.tensor(rows, requires_grad=True) for rows in (network.weights, network.output_weights)]
    layers[1].requires_grad_(trainer.method.train_output_weights)
    descent = torch.optim.SGD(
        layers, lr=1.0, momentum=rules.momentum, nesterov=rules.nesterov, weight_decay=rules.weight_decay
    )
    batches = [ids for epoch in range(1, epochs + 1) for ids in trainer.problem.batches(epoch)]
    for step, ids in enumerate(batches):
        samples, targets = (torch.tensor(rows[ids]) for rows in (problem.inputs.samples, problem.targets))
        hidden = torch.relu(samples @ layers[0].T - network.threshold)
        descent.zero_grad()
        torch.nn.functional.cross_entropy(network.scale * hidden @ layers[1], targets).backward()
        descent.param_groups[0]["lr"] = trainer.stepper.rate_of(step)
        descent.step()
    return [layer.detach().numpy() for layer in layers]


@EACH_RULE
@EITHER_LAYER
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_weights_are_those_of_torch(rules, both_layers, schedule):
    problem = clustered_problem(dtype=np.float64)
    trainer = trainer_of(
        problem.restarted(), schedule=schedule_named(schedule, 4), train_output_weights=both_layers, **rules
    )
    for _ in range(4):
        trainer.epoch()
    weights, output_weights = trained_by_torch(problem, trainer, 4)
    np.testing.assert_allclose(trainer.network.weights, weights, rtol=0, atol=1e-12)
    np.testing.assert_allclose(trainer.network.output_weights, output_weights, rtol=0, atol=1e-12)
    assert np.abs(weights - problem.network.weights).max() > 0.1


@EACH_RULE
def test_weights_are_those_of_the_reference(rules):
    problem = clustered_problem(dtype=np.float64)
    start = problem.network.copy()
    trainer = trainer_of(
        problem, index="exhaustive", schedule=schedule_named("cosine", 2), train_output_weights=True, **rules
    )
    trainer.epoch()
    trainer.epoch()
    weights, output_weights = reference.train(
        start.weights, start.output_weights, problem.inputs.samples, problem.targets, start.threshold,
        loss="softmax", learning_rate=[trainer.stepper.rate_of(step) for step in range(trainer.steps_taken)],
        batches=trainer.problem.batches(1) + trainer.problem.batches(2), train_output_weights=True, **rules,
    )  # fmt: skip
    np.testing.assert_allclose(problem.network.weights, weights, rtol=0, atol=1e-12)
    np.testing.assert_allclose(problem.network.output_weights, output_weights, rtol=0, atol=1e-12)


def weights_after(make_exact_index, rule, batch_size, dtype, threads=1, instruction_set=FUSED[-1]):
    """The bytes of both layers after two epochs and a few steps."""
    fewfire.set_threads(threads)
    machine.use_instruction_set(instruction_set)
    problem = clustered_problem(width=200, n_features=21, n_samples=50, dtype=dtype)
    let_coast(problem.network, Momentum(**RULES[rule]))  # the limits on memory are made for that
    trainer = trainer_of(
        problem, index=make_exact_index(problem.network, problem.inputs), batch_size=batch_size,
        learning_rate=2.0, train_output_weights=True, **RULES[rule],
    )  # fmt: skip
    trainer.epoch()
    trainer.epoch()
    for ids in trainer.problem.batches(3)[:3]:
        trainer.step(ids)
    trainer.settle()
    trainer.index.check_invariants()
    return held(problem.network)


@cache
def expected(*way):
    return weights_after(lambda network, inputs: ExhaustiveIndex(), *way)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("batch_size", [1, 13, 50], ids=["one", "some", "all"])
def test_every_index_gives_the_same_bits(make_exact_index, rule, batch_size, dtype):
    found = weights_after(make_exact_index, rule, batch_size, dtype, threads=3)
    assert found == expected(rule, batch_size, dtype)


@pytest.mark.parametrize("rule", ["heavy-ball", "nesterov-decay"])
def test_threads_and_instruction_sets_give_the_same_bits(rule, dtype):
    makers = [lambda network, inputs: ExhaustiveIndex(), lambda network, inputs: DriftIndex(sketch_size=5)]
    for way in product(makers, [rule], [13], [dtype], [1, 2, 3], FUSED):
        assert weights_after(*way) == expected(rule, 13, dtype)


@EACH_RULE
def test_all_bounds_hold_in_training(make_exact_index, rules, dtype):
    problem = clustered_problem(width=150, n_features=24, dtype=dtype)
    let_coast(problem.network, Momentum(**rules))
    trainer = trainer_of(problem, index=make_exact_index(problem.network, problem.inputs), **rules)
    for epoch in (1, 2):
        batches = trainer.problem.batches(epoch)
        for number, ids in enumerate(batches):
            alone = number % 3 == 2 or ids is batches[-1]
            trainer.step(ids, None if alone else batches[number + 1])
            trainer.index.check_invariants()
        trainer.settle()
        trainer.index.check_invariants()


@EACH_RULE
def test_all_bounds_hold_where_blocks_are_refreshed_while_they_coast(rules, dtype):
    problem = clustered_problem(width=150, n_features=24, dtype=dtype)
    trainer = trainer_of(problem, index=(index := DriftIndex(sketch_size=5)), **rules)
    for step, ids in enumerate(trainer.problem.batches(1) + trainer.problem.batches(2)):
        if step % 3 == 1:
            index._wasted[:] = np.inf
        trainer.step(ids)
        index.check_invariants()
    assert index.work.refreshed > 0


@EACH_RULE
def test_a_silent_neuron_moves_on(rules):
    network = TwoLayerNetwork([[1.0, 0.0], [0.0, 1.0]], [[1.0], [1.0]], 0.5)
    inputs = Inputs.of([[1.0, 0.0], [0.0, 1.0]])
    trainer = descent_trainer(network, inputs, [[0.0], [0.0]], learning_rate=0.2, **rules)
    trainer.build()
    trainer.step(np.array([0]))
    trainer.settle()
    before = network.weights.copy()
    trainer.step(np.array([1]))
    assert network.weights[0].tobytes() == before[0].tobytes()  # not yet
    trainer.settle()
    assert 0 < network.weights[0, 0] < before[0, 0]
    assert network.weights[0, 1] == 0


def test_all_rows_are_settled_now_and_then(monkeypatch):
    """The weights are near those of settling less often, and what is found ahead stays right."""
    ends = []
    for steps in (2, 5, 1000):
        monkeypatch.setattr(coasting, "SETTLED_AFTER", steps)
        problem = clustered_problem(dtype=np.float64)
        trainer = trainer_of(problem, **RULES["nesterov-decay"])
        trainer.epoch()
        trainer.index.check_invariants()
        ends.append(problem.network.weights.copy())
    np.testing.assert_allclose(ends[0], ends[2], rtol=0, atol=1e-13)
    np.testing.assert_allclose(ends[1], ends[2], rtol=0, atol=1e-13)


def test_to_settle_changes_no_weight(make_exact_index):
    problem = clustered_problem()
    let_coast(problem.network, Momentum(0.9))
    trainer = trainer_of(problem, index=make_exact_index(problem.network, problem.inputs), momentum=0.9)
    batches = trainer.problem.batches(1)
    for now, following in zip(batches[:3], batches[1:], strict=False):
        trainer.step(now, following)
    present, before = problem.network.layer.present_weights(), problem.network.weights.tobytes()
    trainer.settle()
    assert problem.network.weights.tobytes() == present.tobytes() != before


def test_momentum_costs_the_drift_index_few_dots():
    """Velocities is bounded, not forgotten: hardly more pairs need a dot than without."""
    shares = []
    for momentum in (0.0, 0.9):
        problem = clustered_problem(width=512, n_features=40, n_samples=200, threshold=1.5)
        descend(
            problem.network, problem.inputs, problem.targets, epochs=3, batch_size=20, momentum=momentum,
            learning_rate=10 * (1 - momentum), index=(index := DriftIndex(sketch_size=8)),
        )  # fmt: skip
        shares.append(index.work.dots / index.work.asked)
    assert shares[1] < 1.3 * shares[0] < 0.5


def test_plain_descent_holds_no_more_than_before():
    problem = clustered_problem()
    trainer = trainer_of(problem)
    assert problem.network.layer.velocities is None
    before = trainer.index.nbytes
    trainer.settle()  # nothing to do
    moving = trainer_of(clustered_problem(), momentum=0.9)
    assert moving.index.nbytes > before
    assert moving.network.layer.velocities.rows.shape == moving.network.layer.weight_rows.shape
    decaying = trainer_of(clustered_problem(), weight_decay=1e-3)
    assert len(decaying.network.layer.velocities.rows) == 0


@pytest.mark.parametrize("index", ["exhaustive", "drift"])
def test_training_that_fails_brings_back_the_velocities_too(index):
    """After a failed epoch all goes on as if it had not been."""
    ends = []
    for fails in (False, True):
        problem = clustered_problem()
        trainer = trainer_of(problem, index=index, **RULES["nesterov-decay"])
        trainer.epoch()
        if fails:
            trainer.stepper.learning_rate = 1e39
            with pytest.raises(TrainingError):
                trainer.epoch()
            trainer.stepper.learning_rate = 8.0
        trainer.epoch()
        ends.append(held(problem.network))
    assert ends[0] == ends[1]


def test_auto_allows_for_momentum():
    problem = clustered_problem()
    trainer = trainer_of(problem, learning_rate="auto", momentum=0.75)
    plain = stable_learning_rate(problem.network, problem.inputs, trainer.problem.loss, 7)
    assert trainer.stepper.learning_rate == pytest.approx(plain / 4, rel=0.1)


def test_a_trainer_without_momentum_forgets_the_velocities_of_one_before():
    problem = clustered_problem()
    trainer_of(problem, momentum=0.9).epoch()
    twin = problem.restarted()
    for one in (problem, twin):
        trainer_of(one).epoch()
    assert held(problem.network) == held(twin.network)


@pytest.mark.parametrize("rules", [RULES["heavy-ball"], RULES["nesterov-decay"]], ids=["ball", "decay"])
def test_the_index_may_be_built_anew_while_neurons_coast(rules):
    problem = clustered_problem(n_features=40)
    trainer = trainer_of(problem, index=DriftIndex(sketch_size=6), **rules)
    for ids in trainer.problem.batches(1)[:4]:
        trainer.step(ids)
    trainer.build()
    trainer.index.check_invariants()
    for ids in trainer.problem.batches(2)[:4]:
        trainer.step(ids)
        trainer.index.check_invariants()


def test_an_index_that_was_built_for_another_optimizer_must_be_built_anew():
    problem = clustered_problem()
    index = DriftIndex()
    index.build(problem.network.layer, problem.inputs)
    let_coast(problem.network, Momentum(0.9))
    with pytest.raises(RuntimeError, match="must be built anew once .* other velocities. Got one .* Call"):
        index.fire_set(problem.everything)
    index.build(problem.network.layer, problem.inputs)
    index.fire_set(problem.everything)
    problem.network.layer.velocities = None
    with pytest.raises(RuntimeError, match="must be built anew"):
        index.fire_set(problem.everything)


@pytest.mark.parametrize("rate", [150.0, 900.0, 5000.0])
def test_scales_that_decay_turns_around_prove_nothing(rate):
    """With momentum the scale of the reference may swing below 0: all such pairs are asked."""
    problem = clustered_problem()
    let_coast(problem.network, Momentum(0.9, nesterov=True, weight_decay=2e-3))
    index, random = DriftIndex(sketch_size=4), np.random.default_rng(0)
    index.build(problem.network.layer, problem.inputs)
    for _ in range(12):
        batch = problem.inputs.batch(random.integers(0, 50, 3))
        index.moved(random_step(problem, batch, index.fire_set(batch), rate, random))
        index.check_invariants()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 1.0}, "momentum must be at least 0 and less than 1. Got 1.0. Use 0.9, or 0"),
        ({"momentum": -0.1}, "momentum must be at least 0 and less than 1. Got -0.1"),
        ({"momentum": np.nan}, "momentum must be at least 0 and less than 1. Got nan"),
        ({"nesterov": True}, "nesterov needs momentum. Got momentum=0. Use momentum=0.9, or leave it out"),
        ({"weight_decay": -1.0}, "weight_decay must be a finite number >= 0. Got -1.0. Use 0 for none"),
        ({"weight_decay": np.inf}, "weight_decay must be a finite number >= 0. Got inf"),
        (
            {"weight_decay": 0.5, "learning_rate": 2.0},
            r"learning_rate \* weight_decay must be less than 1. Got 2 \* 0.5. Use less of either",
        ),
    ],
    ids=str,
)
def test_settings_out_of_range_are_clear_errors(settings, message):
    problem = clustered_problem()
    with pytest.raises(ValueError, match=message):
        descend(problem.network, problem.inputs, problem.targets, **settings)


def test_a_trainer_that_cannot_be_made_leaves_the_velocities_of_one_before():
    problem = clustered_problem()
    before = trainer_of(problem, momentum=0.9)
    before.build()
    before.step(np.arange(16))
    velocities = problem.network.layer.velocities
    assert not velocities.settled
    with pytest.raises(ValueError, match="must have a learning rate that is a number. Got 'auto'"):
        Trainer(before.problem, GradientDescent(), DriftIndex())
    assert problem.network.layer.velocities is velocities
    assert not velocities.settled
    before.step(np.arange(16))


def test_a_copy_holds_the_weights_as_they_are_now():
    problem = clustered_problem()
    trainer = trainer_of(problem, momentum=0.9, weight_decay=1e-3)
    trainer.build()
    trainer.step(np.arange(16))
    present = problem.network.layer.present_weights()
    assert not np.array_equal(problem.network.weights, present)
    np.testing.assert_array_equal(problem.network.copy().weights, present)
    np.testing.assert_array_equal(problem.network.part(np.array([7, 3])).weights, present[[7, 3]])

"""Dense PyTorch takes the steps that fewfire takes, and the comparison reports them as they were."""

import numpy as np
import pytest

from trainers import descent_trainer

pytest.importorskip("torch")

import torch

from fewfire import Trainer, TwoLayerNetwork, set_threads
from fewfire.torch import DENSE_STEPS, compare_dense
from fewfire.torch import comparison as compare
from fewfire.torch.rivals import FLOAT32, PURE_BFLOAT16, Autograd, Compiled, HandWritten
from fewfire.training import Cosine, StepDecay

EAGER = [name for name, step in DENSE_STEPS.items() if step.takes_float64 and name != "torch.compile"]
ONE_DNN = ["oneDNN", "oneDNN forward"]
ROUNDED = [name for name, step in DENSE_STEPS.items() if step.precision != FLOAT32]
RATE = 0.7
EPS = {dtype: float(np.finfo(dtype).eps) for dtype in (np.float32, np.float64)}


@pytest.fixture(autouse=True)
def _threads_of_torch_as_they_were():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trainer_of(
    dtype=np.float64,
    loss="squared",
    *,
    n_samples=24,
    batch_size=8,
    n_outputs=3,
    output_weights=False,
    **settings,
) -> Trainer:
    """A trainer, built, on a problem whose pre-activations all keep away from the threshold at first."""
    random = np.random.default_rng(3)
    samples = random.standard_normal((n_samples, 6))
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    weights = random.standard_normal((48, 6))
    near = np.sort((weights @ samples.T).ravel())
    near = near[(near > 0.5) & (near < 0.6)]
    gap = int(np.argmax(np.diff(near)))
    threshold = float(near[gap : gap + 2].mean())
    output_rows = random.choice([-1.0, 1.0], (48, n_outputs))
    if n_outputs == 1:
        targets = random.integers(0, 2, (n_samples, 1))
    else:
        targets = np.eye(n_outputs)[random.integers(0, n_outputs, n_samples)]
    trainer = descent_trainer(
        TwoLayerNetwork(weights, output_rows, threshold, dtype), samples, targets,
        loss=loss, batch_size=batch_size, learning_rate=RATE, train_output_weights=output_weights,
        **settings,
    )  # fmt: skip
    trainer.build()
    return trainer


def dense_of(way: str, trainer: Trainer):
    return DENSE_STEPS[way](trainer.stepper, trainer.stepper.learning_rate)


def take(dense, trainer: Trainer, ids) -> None:
    dense(
        torch.from_numpy(trainer.problem.inputs.samples[ids]), torch.from_numpy(trainer.problem.targets[ids])
    )


def distance(dense, network: TwoLayerNetwork) -> float:
    pairs = [(dense.weights, network.weights), (dense.output_weights, network.output_weights)]
    return max(float(np.abs(theirs.detach().numpy() - ours).max()) for theirs, ours in pairs)


@pytest.mark.parametrize(
    ("way", "dtype"),
    [(way, dtype) for way in EAGER for dtype in (np.float32, np.float64)]
    + [(way, np.float32) for way in ONE_DNN],
)
@pytest.mark.parametrize("loss", ["squared", "softmax", "logistic"])
@pytest.mark.parametrize("output_weights", [False, True], ids=["", "output-weights"])
def test_each_way_takes_the_step_that_fewfire_takes(way, loss, output_weights, dtype):
    trainer = trainer_of(dtype, loss, output_weights=output_weights)
    start = trainer.network.copy()
    dense = dense_of(way, trainer)
    assert distance(dense, trainer.network) == 0

    (ids, *_) = trainer.problem.batches(1)
    trainer.step(ids)
    take(dense, trainer, ids)
    moved = np.abs(trainer.network.weights - start.weights).max()
    assert moved > 1e-3
    assert (np.abs(trainer.network.output_weights - start.output_weights).max() > 1e-3) == output_weights
    assert distance(dense, trainer.network) <= 16 * EPS[dtype]


@pytest.mark.parametrize("way", EAGER)
def test_many_steps_on_batches_of_two_sizes_stay_together(way):
    trainer = trainer_of(loss="softmax", n_samples=23, batch_size=6, output_weights=True)
    dense = dense_of(way, trainer)
    sizes = set()
    for epoch in (1, 2, 3):
        for ids in trainer.problem.batches(epoch):
            sizes.add(len(ids))
            trainer.step(ids)
            take(dense, trainer, ids)
    assert len(sizes) == 2
    assert distance(dense, trainer.network) < 1e-12


@pytest.mark.parametrize("way", ROUNDED)
@pytest.mark.parametrize("output_weights", [False, True], ids=["", "output-weights"])
@pytest.mark.parametrize("rules", [{}, {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}], ids=str)
def test_ways_of_bfloat16_go_where_fewfire_goes_at_eight_bits(way, output_weights, rules):
    """Their weights part by little beside how far they move, or beside what bfloat16 can hold."""
    trainer = trainer_of(np.float32, "softmax", output_weights=output_weights, **rules)
    trainer.epoch()
    start = trainer.network.copy()
    dense = dense_of(way, trainer)
    kept = torch.bfloat16 if DENSE_STEPS[way].precision == PURE_BFLOAT16 else torch.float32
    assert {dense.weights.dtype, dense.output_weights.dtype} == {kept}
    for ids in trainer.problem.batches(2):
        trainer.step(ids)
        take(dense, trainer, ids)
    trainer.settle()
    pairs = [(dense.weights, trainer.network.weights, start.weights)]
    if output_weights:
        pairs.append((dense.output_weights, trainer.network.output_weights, start.output_weights))
    for theirs, ours, before in pairs:
        apart = np.linalg.norm(theirs.detach().float().numpy() - ours)
        moved, size = np.linalg.norm(ours - before), np.linalg.norm(ours)
        assert 0 < apart <= (size / 128 if kept == torch.bfloat16 else moved / 10)
        assert moved > size / 128


@pytest.mark.parametrize("way", EAGER)
@pytest.mark.parametrize(
    "rules",
    [
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"weight_decay": 1e-3},
        {"momentum": 0.9, "weight_decay": 1e-3},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    ],
    ids=str,
)
def test_momentum_and_decay_are_the_same_in_dense_and_go_on_from_where_they_are(way, rules):
    trainer = trainer_of(loss="softmax", n_samples=24, batch_size=6, output_weights=True, **rules)
    trainer.epoch()
    dense = dense_of(way, trainer)
    for ids in trainer.problem.batches(2):
        trainer.step(ids)
        take(dense, trainer, ids)
    trainer.settle()
    assert distance(dense, trainer.network) < 1e-13


def test_a_comparison_with_momentum_ends_with_the_same_weights():
    comparison = compare_dense(trainer_of(momentum=0.9, weight_decay=1e-3), 5, ways=["hand-written"])
    assert comparison.max_weight_difference < 1e-12


@pytest.mark.parametrize("way", EAGER)
def test_one_logistic_output_is_the_same_in_dense(way):
    trainer = trainer_of(loss="logistic", n_outputs=1)
    dense = dense_of(way, trainer)
    (ids, *_) = trainer.problem.batches(1)
    trainer.step(ids)
    take(dense, trainer, ids)
    assert distance(dense, trainer.network) < 1e-14


def test_a_dense_step_moves_its_own_copy_of_the_weights_only():
    trainer = trainer_of(output_weights=True)
    before = trainer.network.copy()
    for way in EAGER:
        take(dense_of(way, trainer), trainer, np.arange(8))
    assert np.array_equal(trainer.network.weights, before.weights)
    assert np.array_equal(trainer.network.output_weights, before.output_weights)


@pytest.mark.parametrize("way", EAGER)
def test_another_learning_rate_is_seen(way):
    """The checks above would notice a step that is wrong by a part in a thousand."""
    trainer = trainer_of()
    dense = DENSE_STEPS[way](trainer.stepper, 1.001 * RATE)
    (ids, *_) = trainer.problem.batches(1)
    trainer.step(ids)
    take(dense, trainer, ids)
    assert distance(dense, trainer.network) > 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("steps", [1, 4, 7])
def test_comparing_moves_the_trainer_as_plain_steps_do(dtype, steps):
    compared, plain = trainer_of(dtype), trainer_of(dtype)
    for trainer in (compared, plain):
        trainer.epoch()
    dense = dense_of("hand-written", plain)
    comparison = compare_dense(compared, steps, ways=["hand-written"])

    batches = plain.problem.batches(2)
    for step in range(steps):
        ids = batches[step % len(batches)]
        plain.step(ids)
        take(dense, plain, ids)
    assert np.array_equal(compared.network.weights, plain.network.weights)
    assert comparison.compared_steps == steps
    difference = float(np.abs(dense.weights.numpy() - plain.network.weights).max())
    assert comparison.max_weight_difference == pytest.approx(difference, abs=2 * EPS[dtype])
    assert comparison.max_weight_difference < 100 * EPS[dtype]
    assert len(compared.history) == 1


@pytest.mark.parametrize("schedule", [Cosine(4), StepDecay(2, 0.5)], ids=str)
@pytest.mark.parametrize("way", EAGER)
def test_both_take_the_rates_of_the_schedule(schedule, way):
    """Over seven steps in which the rate changes: after one at a wrong rate they would be far apart."""
    trainer = trainer_of(schedule=schedule, output_weights=True)
    trainer.epoch()
    comparison = compare_dense(trainer, 7, ways=[way])
    assert comparison.max_weight_difference < 1e-12
    rates = {trainer.stepper.rate_of(step) for step in range(3, 10)}
    assert len(rates) > 1
    assert trainer.steps_taken == 10


def test_short_steps_take_longer_turns(monkeypatch):
    monkeypatch.setattr(compare, "TURN_SECONDS", 1e6)
    said = []
    compare_dense(trainer_of(), 5, said.append, ways=EAGER)
    assert [line.split(":")[0] for line in said[1:]] == ["step 5 of 5"]


def test_the_figures_of_a_comparison_agree(monkeypatch):
    monkeypatch.setattr(compare, "TURN_SECONDS", 0)
    said = []
    comparison = compare_dense(trainer_of(), 5, said.append, ways=EAGER)
    assert comparison.speedup == comparison.dense_seconds_per_step / comparison.seconds_per_step
    assert min(comparison.seconds_per_step, comparison.dense_seconds_per_step) > 0
    assert list(comparison.dense_trials) == EAGER
    assert comparison.dense_step == min(EAGER, key=lambda way: comparison.dense_trials[way])
    assert comparison.as_dict()["compared_steps"] == 5
    assert said[0] == "trying ways to write the dense step"
    assert [line.split(":")[0] for line in said[1:]] == [f"step {done} of 5" for done in (2, 4, 5)]


def test_steps_are_taken_in_turns_of_two_after_trials_of_the_dense_ones(monkeypatch):
    monkeypatch.setattr(compare, "TURN_SECONDS", 0)
    order = []
    step, dense_step = Trainer.step, HandWritten.__call__
    monkeypatch.setattr(Trainer, "step", lambda *a: (order.append("ours"), step(*a))[1])
    monkeypatch.setattr(HandWritten, "__call__", lambda *a: (order.append("dense"), dense_step(*a))[1])
    compare_dense(trainer_of(), 4, ways=["hand-written"])
    assert order[-8:] == ["ours", "ours", "dense", "dense"] * 2
    assert set(order[:-8]) == {"dense"}  # the trials, on weights of their own


def test_torch_gets_as_many_threads_as_fewfire():
    for count in (1, 2):
        set_threads(count)
        compare_dense(trainer_of(), 1, ways=["hand-written"])
        assert torch.get_num_threads() == count


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(steps):
    with pytest.raises(ValueError, match=rf"steps must be >= 1\. Got {steps}\. Take 20"):
        compare_dense(trainer_of(), steps)


@pytest.mark.parametrize(("where", "name"), [(torch, "compile"), (Compiled, "__call__")])
def test_a_machine_without_torch_compile_is_compared_with_the_other_ways(monkeypatch, where, name):
    def fail(*_):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", lambda function: function)
    monkeypatch.setattr(where, name, fail)
    comparison = compare_dense(trainer_of(), 2)
    assert comparison.dense_trials["torch.compile"] is None
    assert comparison.dense_step in EAGER


def test_any_other_failure_is_not_hidden(monkeypatch):
    def broken(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(Autograd, "__call__", broken)
    with pytest.raises(RuntimeError, match="broken"):
        compare_dense(trainer_of(), 2, ways=["autograd"])


def test_the_fastest_of_each_precision_is_compared_with(monkeypatch):
    monkeypatch.setattr(compare, "TURN_SECONDS", 0)
    ways = [*EAGER, *ONE_DNN, *ROUNDED]
    comparison = compare_dense(trainer_of(np.float32), 6, ways=ways)
    trials = comparison.dense_trials
    assert all(seconds is not None for seconds in trials.values())
    assert comparison.dense_step == min([*EAGER, *ONE_DNN], key=lambda way: trials[way])
    assert comparison.bfloat16_step == min(["bfloat16", "bfloat16 autocast"], key=lambda way: trials[way])
    assert comparison.bfloat16_speedup == comparison.bfloat16_seconds_per_step / comparison.seconds_per_step
    pure = comparison.pure_bfloat16_seconds_per_step
    assert comparison.pure_bfloat16_speedup == pure / comparison.seconds_per_step
    assert comparison.max_weight_difference < 1e-5


def test_a_network_of_float64_has_rivals_of_float64_alone():
    comparison = compare_dense(trainer_of(), 2, ways=["autograd", *ONE_DNN, *ROUNDED])
    assert [way for way, seconds in comparison.dense_trials.items() if seconds] == ["autograd"]
    assert comparison.bfloat16_step is comparison.bfloat16_speedup is None
    assert comparison.pure_bfloat16_speedup is None


def test_a_way_in_full_precision_must_be_named():
    with pytest.raises(ValueError, match=r"must hold one in full precision\. Got \['bfloat16'\]"):
        compare_dense(trainer_of(np.float32), 2, ways=["bfloat16"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_torch_compile_takes_the_same_steps():
    comparison = compare_dense(trainer_of(np.float32, "softmax", output_weights=True), 3)
    assert all(seconds is not None for seconds in comparison.dense_trials.values())

    comparison = compare_dense(
        trainer_of(np.float32, "softmax", output_weights=True), 3, ways=["torch.compile"]
    )
    assert comparison.dense_step == "torch.compile"
    assert comparison.max_weight_difference < 1e-5

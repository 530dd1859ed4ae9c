"""Learning-rate schedules: those of torch.optim.lr_scheduler, at every step, through every index."""

import math

import numpy as np
import pytest

from fewfire import TrainingError, reference
from fewfire.training import Constant, Cosine, StepDecay
from fewfire.training.methods.schedules import schedule_named
from problems import clustered_problem
from trainers import descend, descent_trainer

SCHEDULES = [Constant(), Cosine(3), Cosine(3, final=0.25), StepDecay(1, 0.5), StepDecay(2)]
EPOCHS, STEPS = 3, 4  # 50 samples in batches of 16

each_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


def trainer_of(schedule, *, index="drift", learning_rate=2.0, dtype=np.float32, **settings):
    problem = clustered_problem(n_samples=50, dtype=dtype)
    trainer = descent_trainer(
        problem.network, problem.inputs, problem.targets, index=index, batch_size=16,
        learning_rate=learning_rate, schedule=schedule, **settings,
    )  # fmt: skip
    trainer.build()
    return trainer


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        (Constant(), [1, 1, 1, 1, 1, 1, 1, 1]),
        (Cosine(2), [(1 + math.cos(math.pi * step / 6)) / 2 for step in (0, 1, 2, 3, 4, 5, 5, 5)]),
        (Cosine(1, final=0.5), [1, 0.875, 0.625, 0.625, 0.625, 0.625, 0.625, 0.625]),
        (StepDecay(1, 0.5), [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]),
        (StepDecay(2), [1, 1, 1, 1, 1, 1, 0.1, 0.1]),
    ],
    ids=str,
)
def test_shares_of_eight_steps_of_which_three_are_an_epoch(schedule, shares):
    assert [schedule.share(step, 3) for step in range(8)] == pytest.approx(shares, rel=1e-14)


@each_schedule
def test_rates_are_those_of_the_scheduler_of_torch(schedule):
    """The one that the docstring names, stepped as it says."""
    optim = pytest.importorskip("torch.optim", reason="PyTorch, whose schedulers these are, is not installed")
    torch = pytest.importorskip("torch")
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedulers = optim.lr_scheduler
    if isinstance(schedule, Cosine):
        scheduler = schedulers.CosineAnnealingLR(
            optimizer, T_max=schedule.epochs * STEPS, eta_min=schedule.final * 2.0
        )
    elif isinstance(schedule, StepDecay):
        scheduler = schedulers.StepLR(optimizer, step_size=schedule.every, gamma=schedule.gamma)
    else:
        scheduler = None
    trainer = trainer_of(schedule)
    for step in range(EPOCHS * STEPS):
        assert trainer.stepper.rate_of(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        if isinstance(schedule, Cosine) or (scheduler and (step + 1) % STEPS == 0):
            scheduler.step()


@each_schedule
@pytest.mark.parametrize("train_output_weights", [False, True], ids=["one-layer", "both-layers"])
def test_each_step_takes_its_own_rate(schedule, train_output_weights):
    """Step by step beside the reference, which is told the rates."""
    trainer = trainer_of(schedule, dtype=np.float64, train_output_weights=train_output_weights)
    problem = clustered_problem(n_samples=50, dtype=np.float64)
    weights, output_weights = problem.network.weights, problem.network.output_weights
    for epoch in range(EPOCHS):
        trainer.epoch()
        for step, ids in enumerate(trainer.problem.batches(epoch + 1), start=epoch * STEPS):
            weights, output_weights = reference.train(
                weights, output_weights, problem.inputs.samples, problem.targets, problem.network.threshold,
                loss="squared", learning_rate=2.0 * schedule.share(step, STEPS), batches=[ids],
                train_output_weights=train_output_weights,
            )  # fmt: skip
    np.testing.assert_allclose(trainer.network.weights, weights, rtol=0, atol=1e-12)
    np.testing.assert_allclose(trainer.network.output_weights, output_weights, rtol=0, atol=1e-12)


@each_schedule
def test_drift_and_exhaustive_agree_bit_for_bit(schedule):
    def weights_through(index):
        trainer = trainer_of(schedule, index=index, learning_rate=10.0, train_output_weights=True)
        for _ in range(EPOCHS + 1):  # one beyond what the cosine was told of
            trainer.epoch()
        return trainer.network.weights.tobytes(), trainer.network.output_weights.tobytes()

    assert weights_through("drift") == weights_through("exhaustive")


@each_schedule
def test_an_epoch_records_the_rate_of_its_last_step(schedule):
    trainer = trainer_of(schedule)
    rates = [trainer.epoch().learning_rate for _ in range(EPOCHS)]
    assert rates == [2.0 * schedule.share(epoch * STEPS - 1, STEPS) for epoch in (1, 2, 3)]
    assert trainer.stepper.learning_rate == 2.0
    assert trainer.steps_taken == EPOCHS * STEPS


def test_a_constant_schedule_is_none():
    plain, constant = (clustered_problem() for _ in range(2))
    for problem, settings in [(plain, {}), (constant, {"schedule": Constant()})]:
        descend(problem.network, problem.inputs, problem.targets, epochs=2, learning_rate=2.0, **settings)
    assert plain.network.weights.tobytes() == constant.network.weights.tobytes()


@pytest.mark.parametrize(
    ("name", "epochs", "schedule"),
    [
        ("constant", 4, Constant()),
        ("cosine", 4, Cosine(4)),
        ("cosine", 0, Cosine(1)),
        ("step", 1, StepDecay(1)),
        ("step", 4, StepDecay(2)),
        ("step", 90, StepDecay(30)),
    ],
)
def test_a_name_is_filled_in_with_the_epochs(name, epochs, schedule):
    assert schedule_named(name, epochs) == schedule
    assert schedule.as_dict()["name"] == name


def test_the_steps_of_an_epoch_that_failed_were_not_taken():
    trainer = trainer_of(Cosine(EPOCHS), loss="softmax", learning_rate=1e39)
    with pytest.raises(TrainingError):
        trainer.epoch()
    assert trainer.steps_taken == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cosine(0), r"epochs must be a whole number of epochs >= 1\. Got 0"),
        (lambda: Cosine(3, final=-0.1), r"final must be in \[0, 1\]\. Got -0\.1\. Use 0"),
        (lambda: Cosine(3, final=math.nan), r"final must be in \[0, 1\]\. Got nan"),
        (lambda: StepDecay(0), r"every must be a whole number of epochs >= 1\. Got 0"),
        (lambda: StepDecay(1, gamma=0.0), r"the gamma of a decay must be in \(0, 1\]\. Got 0\.0\. Use 0\.1"),
        (lambda: StepDecay(1, gamma=1.5), r"the gamma of a decay must be in \(0, 1\]\. Got 1\.5"),
        (
            lambda: schedule_named("linear", 3),
            r"the schedule must be one of constant, cosine, step\. Got 'linear'\. Choose",
        ),
        (
            lambda: schedule_named("cosine", 3, gamma=0.5),
            r"a decay every few epochs, .* belongs to .*Got the schedule 'cosine'\. Leave",
        ),
        (
            lambda: trainer_of("cosine"),
            r"schedule must be a Schedule\. Got 'cosine'\. Use for example .*Cosine\(epochs=10\)",
        ),
    ],
)
def test_what_is_no_schedule_is_a_clear_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""The schemes of adversarial training: the same bits through every open index, after any break, and what
each does beside what its paper says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fewfire
from checks import exhaustive_fire_set
from fewfire import Inputs, TwoLayerNetwork
from fewfire.adversarial import Attack, Ball, Box, Objective, Surface, robust_accuracy
from fewfire.indexes import index_named
from fewfire.networks.losses import SoftmaxLoss
from fewfire.plan import plan_trainer
from fewfire.reference import adversarial as reference
from fewfire.reference.losses import loss_gradients
from fewfire.reference.two_layer import forward
from fewfire.training import Adversarial, Cosine
from problems import clustered_problem
from robust import SCHEMES, pictures, robust_trainer, robustly_trained
from strategies import seeds
from trainers import descend

DATA = pictures()


def bits(trainer):
    """All that steps move, with the figures of the epochs."""
    rows = {name: rows.tobytes() for name, rows in trainer.stepper.moving_rows.items()}
    figures = ("loss", "accuracy", "fire_rate", "steps", "step_share", "watched_accuracy", "attack_loss")
    return rows, [[getattr(record, name) for name in figures] for record in trainer.history]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_fifty_steps_have_the_same_bits_through_every_open_index_and_with_any_threads(scheme):
    data, found = pictures(n_features=5), []
    for threads, index in [(1, "exhaustive"), (2, "screened"), (3, "weight_tree"), (2, "grover")]:
        fewfire.set_threads(threads)
        trainer = robustly_trained(data, scheme, epochs=10, index=index)
        assert trainer.steps_taken == 50 * trainer.stepper.replays
        found.append(bits(trainer))
    assert found[1:] == found[:1] * 3


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_after_a_break_within_an_epoch_it_goes_on_with_the_same_bits(scheme, momentum, tmp_path):
    whole = robustly_trained(DATA, scheme, epochs=4, momentum=momentum)

    def stop(done, steps):
        if done == 3:
            raise KeyboardInterrupt

    broken = robust_trainer(DATA, scheme, momentum=momentum)
    broken.build()
    for _ in range(2):
        broken.epoch()
    with pytest.raises(KeyboardInterrupt):
        broken.epoch(stop)
    broken.save(tmp_path / "state")
    resumed = robust_trainer(DATA, scheme, index="screened", momentum=momentum)
    resumed.restore(tmp_path / "state")
    resumed.build()
    for _ in range(2):
        resumed.epoch()
    assert bits(resumed) == bits(whole)


def test_candidates_of_a_checkpoint_are_those_of_the_run_that_wrote_it(tmp_path):
    first = robustly_trained(DATA, "pgd, candidates", epochs=1)
    first.save(tmp_path / "state")
    other = robust_trainer(DATA, "pgd, candidates")
    other.stepper.slack *= 2  # as other first weights would have it
    other.restore(tmp_path / "state")
    assert other.stepper.slack == first.stepper.slack


@pytest.mark.parametrize("setting", [{"scheme": "trades"}, {"search": "candidates"}, {"beta": 1.0}])
def test_another_scheme_is_another_run(setting, tmp_path):
    first = robustly_trained(DATA, "pgd", epochs=1)
    first.save(tmp_path / "state")
    method = Adversarial(
        learning_rate=4.0, samples=DATA.samples, scaling=DATA.scaling, **SCHEMES["pgd"] | setting
    )
    other = plan_trainer(
        TwoLayerNetwork.initialize(600, 13, 3, threshold=1.0), DATA.inputs, DATA.targets, method=method,
        index="exhaustive", batch_size=30, loss="softmax",
    )  # fmt: skip
    with pytest.raises(fewfire.DataError, match=next(iter(setting))):
        other.restore(tmp_path / "state")


# Whatever the shapes


@settings(max_examples=25)
@given(
    scheme=st.sampled_from(list(SCHEMES)), width=st.integers(1, 100), n_features=st.integers(1, 5),
    n_samples=st.integers(1, 20), batch_size=st.integers(1, 20), threshold=st.sampled_from([0.0, 1.0, 50.0]),
    loss=st.sampled_from(["softmax", "squared"]), seed=seeds,
)  # fmt: skip
def test_every_scheme_trains_on_anything(
    scheme, width, n_features, n_samples, batch_size, threshold, loss, seed
):
    data = pictures(n_samples, n_features, seed)
    shape = {"width": width, "threshold": threshold, "batch_size": batch_size, "loss": loss, "seed": seed}
    trained = [
        robustly_trained(data, scheme, epochs=2, learning_rate=0.1, index=index, **shape)
        for index in ("exhaustive", "screened")
    ]
    assert bits(trained[0]) == bits(trained[1])
    network = trained[0].network
    assert np.isfinite(network.weights).all()
    if threshold == 50.0:  # nothing fires, nothing moves
        start = TwoLayerNetwork.initialize(width, n_features + 1, 3, threshold=threshold)
        np.testing.assert_array_equal(network.weights, start.weights)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("scheme", ["pgd", "pgd, candidates", "fast"])
def test_a_radius_of_zero_is_plain_training(scheme, norm):
    attack = Attack(norm=norm, radius=0.0, steps=1 if scheme == "fast" else 3, box=Box(0, 1))
    attacked = robustly_trained(DATA, scheme, attack=attack)
    plain = TwoLayerNetwork.initialize(600, 13, 3, threshold=1.0)
    descend(plain, DATA.inputs, DATA.targets, epochs=3, batch_size=30, learning_rate=4.0, loss="softmax")
    np.testing.assert_array_equal(attacked.network.weights, plain.weights)


def test_columns_that_must_not_move_do_not():
    movable = np.arange(12) % 2 == 0
    for scheme in SCHEMES:
        attack = SCHEMES[scheme]["attack"]
        attack = Attack(norm=attack.norm, radius=0.1, steps=attack.steps, box=Box(0, 1, movable=movable))
        trainer = robust_trainer(DATA, scheme, attack=attack)
        trainer.build()
        seen = []
        keep = trainer.stepper._surface.inputs_at
        trainer.stepper._surface.inputs_at = lambda points, keep=keep, seen=seen: (
            seen.append(points) or keep(points)
        )
        ids = np.arange(30)
        trainer.step(ids)
        for points in seen:
            batch = np.concatenate([DATA.samples[ids]] * (len(points) // 30))
            np.testing.assert_array_equal(points[:, ~movable], batch[:, ~movable])
        assert any((points[-30:] != DATA.samples[ids]).any() for points in seen)


# Attacks of many steps: the algorithm of Gao, Qin, Song, Wang


def test_training_is_that_of_the_reference():
    problem = clustered_problem(width=200, dtype=np.float64, threshold=0.5)
    attack = Attack(radius=0.1, steps=3, random_start=False)
    start = problem.network.weights.copy()
    trainer = plan_trainer(
        problem.network, problem.inputs, problem.targets, index="exhaustive", batch_size=25,
        method=Adversarial(attack=attack, learning_rate=1.0),
    )  # fmt: skip
    trainer.build()
    trainer.epoch()
    a, b = problem.network.output_weights, problem.network.threshold

    def adversary(weights, samples, targets):
        def gradient(points):
            residuals = loss_gradients("squared", forward(weights, a, points, b), targets)
            return reference.input_gradients(weights, a, points, b, residuals)

        return reference.attacked(samples, gradient, radius=0.1, steps=3, step_size=0.25 / 3)

    expected = reference.adversarial_training(
        start, a, problem.inputs.samples, problem.targets, b, loss="squared", learning_rate=1.0,
        batches=trainer.problem.batches(1), adversary=adversary,
    )  # fmt: skip
    np.testing.assert_allclose(trainer.network.weights, expected, atol=1e-12)
    assert np.abs(expected - start).max() > 1e-3


def test_the_activation_that_jumps_needs_the_same_fire_set():
    problem = clustered_problem(dtype=np.float64)
    network = problem.network
    fires = exhaustive_fire_set(network, problem.everything)
    exact = reference.jump_forward(
        network.weights, network.output_weights, problem.inputs.samples, network.threshold
    )
    np.testing.assert_allclose(network.outputs(fires, threshold=0.0), exact, atol=1e-12)


def test_the_work_of_attacks_is_counted_apart():
    for scheme, fire_sets in [("pgd", 3), ("fast", 1), ("free", 0), ("trades", 4)]:
        trainer = robustly_trained(DATA, scheme, epochs=1)
        pairs, attack, whole = 600 * 150, trainer.stepper.attack_work, trainer.index.work
        watched = 11 * pairs if scheme == "fast" else 0  # and the outputs at the end
        assert attack.asked == fire_sets * pairs + watched
        own = whole - attack
        assert own.asked == {"free": 3, "trades": 2}.get(scheme, 1) * pairs
        assert own.multiplied == own.asked
        record = trainer.history[0]
        assert record.attack_work_share == attack.share_of_dense(13)
        assert record.seconds_attack > 0
        assert record.seconds_find >= 0
        whole_seconds = record.seconds_find + record.seconds_attack + record.seconds_forward
        assert whole_seconds + record.seconds_move <= record.seconds


# Fast: one step, and a watch


def test_fast_takes_one_step_of_a_quarter_more_than_the_radius():
    trainer = robust_trainer(DATA, "fast", seed=7)
    trainer.build()
    ids, stepper = np.arange(30), trainer.stepper
    fires = stepper.look(ids)[1]
    samples, box = DATA.samples[ids], Box(0, 1)
    ball = Ball(samples, "linf", 0.06, box)
    start = ball.random_points(np.random.default_rng([7, 0]))
    surface = Surface(trainer.network, DATA.scaling, trainer.index)
    objective = Objective("loss", SoftmaxLoss(), DATA.targets[ids])
    seen = surface.at(start)
    points = ball.step(start, surface.gradients(seen, objective.directions(seen.outputs)), 1.25 * 0.06)
    assert surface.at(points).fires.identical(fires)


def test_the_watch_halves_the_step_where_robust_accuracy_falls(monkeypatch, tmp_path):
    seen = iter([0.5, 0.75, 0.6, 0.5, 0.4, 0.7, 0.45])
    trainer = robust_trainer(DATA, "fast")
    trainer.build()
    monkeypatch.setattr(trainer.stepper, "_stays_right", lambda: next(seen))
    shares = [trainer.epoch().step_share for _ in range(5)]
    assert shares == [1.0, 1.0, 1.0, 0.5, 0.5]
    assert [record.watched_accuracy for record in trainer.history] == [0.5, 0.75, 0.6, 0.5, 0.4]
    trainer.save(tmp_path / "state")
    other = robust_trainer(DATA, "fast")
    other.restore(tmp_path / "state")
    other.build()
    monkeypatch.setattr(other.stepper, "_stays_right", lambda: next(seen))
    assert [other.epoch().step_share for _ in range(2)] == [0.5, 0.25]


def test_half_a_step_goes_half_as_far():
    trainer = robust_trainer(DATA, "fast", attack=Attack(radius=0.01, steps=1))
    trainer.build()
    moves = []
    for share in (1.0, 0.5):
        stepper = trainer.stepper
        stepper.share = share
        objective = stepper._objective(stepper._surface, DATA.samples, np.arange(150))
        points = stepper._points(stepper._surface, DATA.samples, objective)
        start = Ball(DATA.samples, "linf", 0.01, Box()).random_points(np.random.default_rng([0, 0]))
        moves.append(np.abs(points - start).max())
    assert moves[0] > 0.012 > moves[1] > 0.006


def test_the_watch_counts_what_an_attack_of_ten_steps_leaves():
    trainer = robustly_trained(DATA, "fast", epochs=20)
    attack = Attack(radius=0.06, steps=10, box=Box(0, 1))
    found = robust_accuracy(trainer.network, DATA.samples, DATA.labels, attack, scaling=DATA.scaling)
    assert trainer.history[-1].watched_accuracy == pytest.approx(found.robust, abs=0.05)
    assert found.robust < 0.98


def test_fast_needs_classes():
    problem = clustered_problem()
    method = Adversarial(attack=Attack(steps=1), scheme="fast", learning_rate=1.0)
    with pytest.raises(ValueError, match="must have targets of classes, for its watch"):
        plan_trainer(problem.network, problem.inputs, 0.5 * problem.targets, method=method, index="screened")


# Free: replays


def test_free_is_that_of_the_reference():
    problem = clustered_problem(width=200, dtype=np.float64, threshold=0.5)
    start = problem.network.weights.copy()
    box = Box(-0.4, 0.4)
    samples = np.clip(problem.inputs.samples, -0.4, 0.4)
    method = Adversarial(attack=Attack(radius=0.05, steps=4, box=box), scheme="free", learning_rate=0.5)
    trainer = plan_trainer(
        problem.network, Inputs.of(samples, np.float64), problem.targets, method=method, index="exhaustive",
        batch_size=20,
    )  # fmt: skip
    trainer.build()
    trainer.epoch()
    expected, moves = reference.free_training(
        start, problem.network.output_weights, samples, problem.targets, problem.network.threshold,
        loss="squared", learning_rate=0.5, batches=trainer.problem.batches(1), replays=4, radius=0.05,
        low=-0.4, high=0.4,
    )  # fmt: skip
    np.testing.assert_allclose(trainer.network.weights, expected, atol=1e-12)
    np.testing.assert_allclose(trainer.stepper.moves, moves[:20], atol=1e-12)
    assert 0 < np.abs(moves[:20]).max() <= 0.05


def test_one_replay_is_fgsm_from_the_move_that_was_carried():
    """A batch of one replay learns from where the step before led, by the network before it."""
    trainer = robust_trainer(DATA, "free", attack=Attack(radius=0.06, steps=1, box=Box(0, 1)))
    trainer.build()
    first, second, stepper = np.arange(30), np.arange(30, 60), trainer.stepper
    surface = Surface(trainer.network, DATA.scaling, trainer.index)
    objective = Objective("loss", SoftmaxLoss(), DATA.targets[first])
    seen = surface.at(DATA.samples[first])
    gradients = surface.gradients(seen, objective.directions(seen.outputs))
    trainer.step(first)
    carried = np.float32(0.06) * np.sign(gradients)
    np.testing.assert_allclose(stepper.moves, carried, rtol=1e-6)
    points = np.clip(DATA.samples[second] + stepper.moves, 0, 1)
    expected = surface.at(Ball(DATA.samples[second], "linf", 0.06, Box(0, 1)).project(points)).fires
    assert stepper.look(second)[1].identical(expected)


def test_moves_of_a_smaller_batch_are_the_first_ones():
    trainer = robust_trainer(DATA, "free")
    trainer.build()
    trainer.step(np.arange(30))
    before = trainer.stepper.moves.copy()
    trainer.step(np.arange(30, 50))
    np.testing.assert_array_equal(trainer.stepper.moves[20:], before[20:])
    assert (trainer.stepper.moves[:20] != before[:20]).any()


def test_replays_count_as_steps_and_a_schedule_counts_batches():
    trainer = robustly_trained(DATA, "free", epochs=2, schedule=Cosine(2))
    plain = robustly_trained(DATA, "pgd", epochs=2, schedule=Cosine(2))
    assert [record.steps for record in trainer.history] == [15, 15]
    assert [record.learning_rate for record in trainer.history] == [
        record.learning_rate for record in plain.history
    ]
    assert trainer.history[-1].fire_rate == pytest.approx(plain.history[-1].fire_rate, rel=0.3)


@pytest.mark.parametrize("scheme", ["pgd", "fast", "free", "trades", "pgd, candidates"])
def test_it_makes_a_network_more_robust(scheme):
    test = Attack(radius=0.06, steps=10, box=Box(0, 1))

    def robust(radius):
        attack = Attack(radius=radius, steps=SCHEMES[scheme]["attack"].steps, box=Box(0, 1))
        network = robustly_trained(DATA, scheme, epochs=30, attack=attack).network
        return robust_accuracy(network, DATA.samples, DATA.labels, test, scaling=DATA.scaling).robust

    assert robust(0.06) > robust(0.0) + 0.02


# Candidates: only the attack looks at fewer neurons


def wide(index="exhaustive"):
    """A trainer by candidates with so many features that few neurons are near firing."""
    data = pictures(n_samples=120, n_features=60)
    attack = Attack(radius=0.01, steps=5, box=Box(0, 1))
    return data, robust_trainer(
        data, "pgd, candidates", width=2000, threshold=2.0, attack=attack, index=index
    )


def test_candidates_are_found_once_and_decided_in_each_step():
    data, trainer = wide()
    trainer.build()
    stepper, ids = trainer.stepper, np.arange(30)
    trainer.step(ids)  # in which both attacks are compared
    before, attack = trainer.index.work.copy(), stepper.attack_work.copy()
    ids = np.arange(30, 60)
    near = Surface(trainer.network, data.scaling, index_named("exhaustive"))
    near.index.build(trainer.network.layer)
    count = len(near.near(data.samples[ids], stepper.slack)._near)
    trainer.step(ids)
    spent, of_attack = trainer.index.work - before, stepper.attack_work - attack
    assert of_attack.multiplied == 2000 * 30
    assert of_attack.asked == 5 * 2000 * 30
    assert of_attack.dots < 8 * count
    assert count < 0.15 * 2000 * 30
    assert spent.multiplied == 2 * 2000 * 30  # the learner's search is one of all neurons


def test_what_is_learned_from_is_exact():
    data, trainer = wide("screened")
    trainer.build()
    inputs, fires = trainer.stepper.look(np.arange(30))
    assert fires.identical(exhaustive_fire_set(trainer.network, inputs))


def test_both_attacks_are_compared_once_an_epoch():
    data, trainer = wide()
    trainer.build()
    for _ in range(3):
        record = trainer.epoch()
        assert record.attack_loss == pytest.approx(record.exact_attack_loss, rel=0.02)
    clean = Surface(trainer.network, data.scaling, trainer.index).at(data.samples).outputs
    assert record.exact_attack_loss > trainer.problem.loss.values(clean, data.targets).mean()
    assert robustly_trained(DATA, "pgd", epochs=1).history[0].attack_loss is None


def test_all_neurons_as_candidates_attack_as_an_exact_search_does():
    exact = robustly_trained(DATA, "pgd")
    trainer = robust_trainer(DATA, "pgd, candidates")
    trainer.stepper.slack = 1e6
    trainer.build()
    for _ in range(3):
        record = trainer.epoch()
    np.testing.assert_array_equal(trainer.network.weights, exact.network.weights)
    assert record.attack_loss == record.exact_attack_loss


def test_the_slack_is_one_and_a_half_radii_on_the_sphere():
    data, trainer = wide()
    sigma = np.sqrt(np.mean(np.square(trainer.network.weights[:1024])))
    centred = (data.samples - data.scaling.mean) / data.scaling.scale
    norms = np.sqrt(np.square(centred).sum(axis=1) + data.scaling.constant**2)
    assert trainer.stepper.slack == pytest.approx(1.5 * sigma * 0.01 * np.sqrt(60) / norms.mean(), rel=1e-4)
    long = robust_trainer(data, "pgd, candidates", attack=Attack(norm="l2", radius=0.2))
    sigma = np.sqrt(np.mean(np.square(long.network.weights[:1024])))
    assert long.stepper.slack == pytest.approx(1.5 * sigma * 0.2 / norms.mean(), rel=1e-4)
    still = robust_trainer(data, "pgd, candidates", attack=Attack(box=Box(movable=np.zeros(60, bool))))
    assert still.stepper.slack == 0


# What does not go together


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scheme": "slow"}, "the scheme of adversarial training must be one of"),
        ({"search": "some"}, "the search of an attack in training must be one of"),
        ({"scheme": "trades", "beta": -1.0}, "beta must be a finite number >= 0. Got -1.0"),
        ({"scheme": "fast"}, "must have an attack of one step from a random start. Got steps=10"),
        ({"scheme": "fast", "attack": Attack.fgsm(radius=0.1)}, "Got steps=1 and random_start=False"),
        ({"scheme": "free", "search": "candidates"}, "must go with the scheme 'pgd' or 'trades'"),
        ({"scheme": "fast", "attack": Attack(steps=1), "search": "candidates"}, "Got 'fast', where"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Adversarial(**given)

"""Attacks: where they may go, that they find what they should, and that robust accuracy counts it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fewfire
from fewfire.adversarial import Attack, Ball, Box, Objective, Surface, robust_accuracy
from fewfire.indexes import INDEXES, index_named
from fewfire.networks.losses import LogisticLoss, SoftmaxLoss, SquaredLoss
from fewfire.prepare import InputScaling
from fewfire.reference import adversarial as reference
from fewfire.reference.two_layer import forward
from fewfire.system import machine
from problems import clustered_problem
from strategies import seeds
from trainers import descend

OPEN = [
    name
    for name, kind in INDEXES.items()
    if kind.is_open and kind.is_exact and name not in ("weight_tree", "grover")
]


@pytest.fixture(scope="module")
def trained():
    """A classifier of pictures in miniature: (network, scaling, samples in [0, 1], labels)."""
    problem = clustered_problem(width=1000, n_features=12, n_samples=150, n_outputs=3, threshold=1.0)
    samples = (problem.inputs.samples - problem.inputs.samples.min()) / 2
    samples = np.clip(samples, 0, 1).astype(np.float32)
    labels = problem.targets.argmax(axis=1)
    scaling = InputScaling.fit(samples, standardize=False)
    network = fewfire.TwoLayerNetwork.initialize(1000, 13, 3, threshold=1.0)
    descend(network, scaling.transform(samples), problem.targets, epochs=30, batch_size=25, learning_rate=8.0)
    return network, scaling, samples, labels


@given(
    seed=seeds, norm=st.sampled_from(["linf", "l2"]), radius=st.sampled_from([0.0, 1e-6, 8 / 255, 0.3, 5.0]),
    dtype=st.sampled_from([np.float32, np.float64]), huge=st.booleans(),
)  # fmt: skip
def test_points_stay_in_ball_and_box_exactly(seed, norm, radius, dtype, huge):
    random = np.random.default_rng(seed)
    scale = 1e4 if huge else 1.0
    samples = (scale * random.random((7, 5))).astype(dtype)
    box = Box(0, scale, movable=[True, True, False, True, True], whole=[False] * 4 + [huge])
    if huge:
        samples[:, 4] = np.rint(samples[:, 4])
    ball = Ball(samples, norm, radius, box)
    points = ball.random_points(random)
    for _ in range(3):
        points = ball.step(points, random.standard_normal(samples.shape), 0.7 * radius)
        at = ball.rounded(points)
        assert at.dtype == dtype
        assert ((at >= 0) & (at <= dtype(scale))).all()
        np.testing.assert_array_equal(at[:, 2], samples[:, 2])
        moves = at - samples
        if norm == "linf":
            assert np.abs(moves).max() <= radius
        else:
            assert np.sqrt(np.square(moves.astype(np.float64)).sum(axis=1)).max() <= radius
        if huge:
            np.testing.assert_array_equal(at[:, 4], np.rint(at[:, 4]))
    if radius == 0:
        np.testing.assert_array_equal(points, samples)


def test_one_radius_per_column():
    samples = np.zeros((4, 3))
    ball = Ball(samples, "linf", [0.1, 0.0, 2.0], Box())
    points = ball.step(samples, np.ones((4, 3)), 10.0)
    np.testing.assert_array_equal(points, np.tile([0.1, 0.0, 2.0], (4, 1)))


@pytest.mark.parametrize("loss", [SquaredLoss(), SoftmaxLoss(), LogisticLoss()])
@pytest.mark.parametrize("name", ["loss", "margin", "dlr"])
@pytest.mark.parametrize("targeted", [False, True])
def test_directions_are_those_of_rising_values(loss, name, targeted):
    random = np.random.default_rng(0)
    outputs, targets = random.standard_normal((40, 5)), np.eye(5)[random.integers(0, 5, 40)]
    aims = (targets.argmax(axis=1) + 1) % 5 if targeted else None
    objective = Objective(name, loss, targets, aims)
    directions = objective.directions(outputs)
    moving = directions.any(axis=1)  # the ratio is 1 throughout where the label has the third largest output
    assert moving.mean() > (0.6 if name == "dlr" else 0.99)
    np.testing.assert_array_equal(np.abs(directions[moving]).max(axis=1), 1)
    rises = objective.values(outputs + 1e-6 * directions) > objective.values(outputs)
    assert rises[moving].all()


def test_a_sure_softmax_still_says_where_to_go():
    outputs = np.array([[100.0, 0.0, -1.0]])
    directions = Objective("loss", SoftmaxLoss(), np.eye(3)[[0]]).directions(outputs)
    assert directions[0, 0] == -1
    assert directions[0, 1] > directions[0, 2] > 0


def test_an_attack_is_that_of_the_reference(trained):
    """In float64, on the network's own inputs, step by step."""
    problem = clustered_problem(width=300, dtype=np.float64, threshold=0.5)
    network, samples, targets = problem.network, problem.inputs.samples, problem.targets
    index = index_named("exhaustive")
    index.build(network.layer, problem.inputs)
    attack = Attack(radius=0.1, steps=5, random_start=False, box=Box(-0.5, 0.5))
    samples = np.clip(samples, -0.5, 0.5)
    objective = Objective("loss", SquaredLoss(), targets)
    found = attack.points(Surface(network, None, index), samples, objective, np.random.default_rng(0))

    def gradient(points):
        outputs = forward(network.weights, network.output_weights, points, network.threshold)
        return reference.input_gradients(
            network.weights, network.output_weights, points, network.threshold, outputs - targets
        )

    exact = reference.attacked(samples, gradient, radius=0.1, steps=5, step_size=0.05, low=-0.5, high=0.5)
    np.testing.assert_allclose(found, exact, atol=1e-12)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_all_open_indexes_and_any_threads_lead_to_the_same_points(trained, norm):
    network, scaling, samples, labels = trained
    attack = Attack(norm=norm, radius=0.1, steps=4, restarts=2, box=Box(0, 1))
    found, before = [], fewfire.threads()
    try:
        for count, name in [(1, "exhaustive"), (2, "exhaustive"), (3, "screened"), *((2, n) for n in OPEN)]:
            fewfire.set_threads(count)
            found.append(robust_accuracy(network, samples, labels, attack, scaling=scaling, index=name))
    finally:
        fewfire.set_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other.examples, found[0].examples)
        assert other.per_restart == found[0].per_restart


@pytest.mark.parametrize("name", [name for name, kind in INDEXES.items() if kind.is_open and kind.is_exact])
def test_in_few_dimensions_every_open_index_leads_to_the_same_points(name):
    problem = clustered_problem(width=300, n_features=5, n_samples=60, threshold=0.5)
    labels = problem.targets.argmax(axis=1)
    attack = Attack(radius=0.2, steps=4, restarts=2, box=Box(-1, 1))
    found, exact = (
        robust_accuracy(problem.network, problem.inputs.samples, labels, attack, index=index)
        for index in (name, "exhaustive")
    )
    np.testing.assert_array_equal(found.examples, exact.examples)
    assert found.per_restart == exact.per_restart < (found.clean,)


def test_every_instruction_set_leads_to_the_same_points():
    """Also where rows are long enough to be coded."""
    problem = clustered_problem(width=600, n_features=300, n_samples=40, threshold=1.0)
    samples, labels = problem.inputs.samples, problem.targets.argmax(axis=1)
    scaling = InputScaling.fit(samples, standardize=False)
    network = fewfire.TwoLayerNetwork.initialize(600, 301, 3, threshold=1.0)
    found = []
    for instruction_set in machine.available_instruction_sets():
        machine.use_instruction_set(instruction_set)
        for index in ("exhaustive", "screened"):
            attack = Attack(radius=0.05, steps=4)
            found.append(
                robust_accuracy(network, samples, labels, attack, scaling=scaling, index=index).examples
            )
    assert not np.array_equal(found[0], samples)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_robust_accuracy_falls_with_radius_steps_and_restarts(trained):
    network, scaling, samples, labels = trained

    def robust(**settings):
        attack = Attack(**{"radius": 0.05, "steps": 5, "box": Box(0, 1)} | settings)
        return robust_accuracy(network, samples, labels, attack, scaling=scaling)

    none = robust(radius=0.0)
    assert none.robust == none.clean > 0.9
    some = [robust(radius=radius) for radius in (0.02, 0.05, 0.1, 1.0)]
    accuracies = [none.robust, *(one.robust for one in some)]
    assert accuracies == sorted(accuracies, reverse=True)
    assert some[-1].robust == 0
    again = robust(restarts=4)
    assert list(again.per_restart) == sorted(again.per_restart, reverse=True)
    assert again.per_restart[0] == some[1].robust


def test_examples_are_wrong_and_inside(trained):
    network, scaling, samples, labels = trained
    found = robust_accuracy(network, samples, labels, Attack(radius=0.1, box=Box(0, 1)), scaling=scaling)
    predicted = fewfire.predict(network, scaling.transform(found.examples)).argmax(axis=1)
    np.testing.assert_array_equal(predicted != labels, found.broken)
    assert np.abs(found.examples - samples).max() <= 0.1
    np.testing.assert_array_equal(found.examples[~found.broken], samples[~found.broken])
    low, high = found.interval
    assert low < found.robust < high


def test_fgsm_is_one_step_of_the_whole_radius(trained):
    network, scaling, samples, labels = trained
    attack = Attack.fgsm(radius=0.05, box=Box(0, 1))
    surface = Surface(network, scaling, index_named("exhaustive"))
    surface.index.build(network.layer, surface.inputs_at(samples))
    points = attack.points(
        surface, samples, Objective("loss", SoftmaxLoss(), np.eye(3)[labels]), np.random.default_rng(0)
    )
    moved = np.abs(points - samples)
    inside = (points > 0) & (points < 1)
    np.testing.assert_allclose(moved[inside & (moved > 0)], 0.05, atol=1e-6)


def test_on_a_linear_region_fgsm_gains_what_the_formula_says():
    """x + e sign(g) with g = m^(-1/2) sum_r (a_rj - a_ry) w_r, and the margin rises by e |g|_1."""
    problem = clustered_problem(width=200, n_features=10, n_samples=80, threshold=0.5, dtype=np.float64)
    network, samples, radius = problem.network, problem.inputs.samples, 1e-4
    before = samples @ network.weights.T - network.threshold
    linear = (np.abs(before) > radius * np.abs(network.weights).sum(axis=1)).all(axis=1)
    assert linear.sum() > 10
    objective = Objective("margin", SquaredLoss(), problem.targets)
    surface = Surface(network, None, index_named("exhaustive"))
    surface.index.build(network.layer, None)
    points = Attack.fgsm(radius=radius).points(surface, samples, objective, np.random.default_rng(0))
    outputs = network.forward(samples)
    label, others = problem.targets.argmax(axis=1), np.where(problem.targets > 0, -np.inf, outputs)
    signs = network.output_weights[:, others.argmax(axis=1)] - network.output_weights[:, label]
    gradients = network.scale * ((before > 0) * signs.T) @ network.weights
    np.testing.assert_allclose(points[linear], (samples + radius * np.sign(gradients))[linear], atol=1e-15)
    gained = objective.values(network.forward(points)) - objective.values(outputs)
    expected = radius * np.abs(gradients).sum(axis=1)
    np.testing.assert_allclose(gained[linear], expected[linear], rtol=1e-7)


@pytest.mark.parametrize("name", ["drift", "hashing"])
def test_an_index_of_training_samples_and_an_approximate_one_are_refused(trained, name):
    network, scaling, *_ = trained
    with pytest.raises(ValueError, match=f"needs an exact index that answers for new inputs. Got {name}"):
        Surface(network, scaling, index_named(name))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"radius": -1}, "radius must be finite and >= 0. Got -1"),
        ({"norm": "l1"}, "the norm of an attack must be"),
        ({"norm": "l2", "radius": [1, 2]}, "one number with the norm l2"),
        ({"steps": 0}, "steps must be >= 1. Got 0"),
        ({"restarts": 2, "random_start": False}, "restarts must be 1 where each run starts at the sample"),
        ({"step_size": 0}, "step_size must be > 0"),
        ({"objective": "x"}, "the objective of an attack must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Attack(**settings)


def test_labels_that_are_no_classes_are_refused(trained):
    network, scaling, samples, labels = trained
    with pytest.raises(ValueError, match=r"labels must be numbers of classes, 0 .. 2. Got 0 .. 7"):
        robust_accuracy(network, samples, np.where(labels == 2, 7, labels), Attack(), scaling=scaling)


@pytest.mark.parametrize(
    ("text", "norm", "radius"),
    [("linf:8/255", "linf", 8 / 255), ("l2:0.5", "l2", 0.5), ("linf:1e-3", "linf", 1e-3)],
)
def test_attacks_are_read_from_texts(text, norm, radius):
    attack = Attack.parse(text)
    assert (attack.norm, attack.radius) == (norm, radius)


@pytest.mark.parametrize("text", ["8/255", "linf", "linf:x", "linf:1/0", "l3:0.1"])
def test_texts_that_are_no_attacks_are_refused(text):
    with pytest.raises(ValueError, match="must be"):
        Attack.parse(text)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64])
def test_whole_numbers_are_attacked_as_floats(kind):
    samples = np.random.default_rng(0).integers(0, 100, (5, 4)).astype(kind)
    ball = Ball(samples, "linf", 2.5, Box(0, 255))
    assert ball.samples.dtype == (np.float64 if kind == np.int64 else np.float32)
    points = ball.step(ball.samples, np.ones((5, 4)), 10.0)
    np.testing.assert_array_equal(points, samples + 2.5)


def test_samples_outside_of_the_box_are_refused():
    with pytest.raises(ValueError, match=r"must lie in the box of the attack. Got row 1 with 3 .. 200"):
        Ball(np.array([[0.0, 1.0], [200.0, 3.0]]), "linf", 0.1, Box(0, 1))


def test_in_l2_whole_numbers_do_not_lengthen_a_move():
    ball = Ball(np.zeros((1, 2)), "l2", 1.2, Box(-5, 5, whole=[True, True]))
    points = ball.rounded(ball.project(np.array([[0.8, 0.8]])))
    assert np.linalg.norm(points) <= 1.2


@pytest.mark.parametrize(("name", "n_outputs"), [("dlr", 2), ("margin", 1)])
def test_objectives_that_compare_more_outputs_than_there_are_are_refused(name, n_outputs):
    with pytest.raises(ValueError, match=f"the objective {name} needs"):
        Objective(name, SoftmaxLoss(), np.ones((4, n_outputs)))


def test_a_gradient_that_is_not_finite_moves_nothing():
    ball = Ball(np.zeros((2, 2)), "linf", 0.1, Box())
    points = ball.step(ball.samples, np.array([[np.nan, np.inf], [1.0, -1.0]]), 0.1)
    np.testing.assert_array_equal(points, [[0.0, 0.0], [0.1, -0.1]])


def test_a_ball_that_cannot_be_is_refused():
    rows = np.array([[1.0, 0.0]])
    for radius in (-0.1, np.nan, [0.1, 0.2, 0.3]):
        with pytest.raises(ValueError, match="the radius must be a number >= 0"):
            Ball(rows, "linf", radius)
    with pytest.raises(ValueError, match="the radius must be a number >= 0"):
        Ball(rows, "l2", [0.1, 0.2])
    for samples in (rows[0], rows[:0]):
        with pytest.raises(ValueError, match=r"samples must be rows \(n, p\)"):
            Ball(samples, "linf", 0.1)
    with pytest.raises(ValueError, match="movable must say of each of 2 columns"):
        Ball(rows, "linf", 0.1, Box(movable=[True]))

"""Bounds of two-layer networks: who may fire, what outputs can be, and the dense reference."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fewfire
from fewfire import TwoLayerNetwork
from fewfire.adversarial import Attack, Objective, Surface
from fewfire.certify import Ball, Box, bounds
from fewfire.indexes import INDEXES, ExhaustiveIndex
from fewfire.networks.deep import DeepNetwork
from fewfire.networks.losses import SoftmaxLoss
from fewfire.reference import certify as reference

OPEN = [name for name, index in INDEXES.items() if index.is_open and index.is_exact]
NEAR = 1e-4  # of a threshold: within the rounding that bounds include


def network_of(random, width, n_features, n_outputs=3, *, threshold=0.8, dtype="float64"):
    weights = random.standard_normal((width, n_features))
    return TwoLayerNetwork(weights, random.choice([-1.0, 1.0], (width, n_outputs)), threshold, dtype)


def ball_of(samples, norm, radius, **box):
    return Ball(np.asarray(samples), norm, radius, Box(**box))


def pairs_of(fires):
    return set(zip(fires.neurons().tolist(), fires.samples.tolist(), strict=True))


def sides_of(network):
    """Each output, and each output turned around, as weights of the neurons."""
    a = network.scale * network.output_weights.astype(np.float64).T
    return np.vstack([a, -a])


def assert_holds(network, samples, found, **way):
    outputs = fewfire.predict(network, samples, **way).astype(np.float64)
    assert (found.low <= outputs).all()
    assert (outputs <= found.high).all()


def test_the_open_indexes_are_all_asked():
    assert {"exhaustive", "screened", "weight_tree"} <= set(OPEN)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("radius", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_neurons_that_may_fire_are_the_same_through_every_open_index(norm, radius, dtype):
    random = np.random.default_rng(0)
    network = network_of(random, 300, 5, dtype=dtype)
    ball = ball_of(random.standard_normal((40, 5)).astype(dtype), norm, radius)
    first, *others = [bounds(network, ball, index=name) for name in OPEN]
    for other in others:
        assert other.may_fire.identical(first.may_fire)
        np.testing.assert_array_equal(other.low, first.low)
        np.testing.assert_array_equal(other.high, first.high)


@settings(deadline=None, max_examples=40)
@given(
    n_features=st.integers(1, 12), width=st.integers(1, 60), threshold=st.sampled_from([0.0, 0.5, 1.5, 9.0]),
    radius=st.sampled_from([0.0, 0.01, 0.2, 3.0]), per_column=st.booleans(), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_in_a_box_those_may_fire_that_fire_in_some_corner(
    n_features, width, threshold, radius, per_column, seed
):
    random = np.random.default_rng(seed)
    network = network_of(random, width, n_features, threshold=threshold)
    samples = random.standard_normal((3, n_features))
    radii = radius * random.integers(0, 3, n_features) if per_column else radius
    ball = ball_of(samples, "linf", radii, low=samples.min() if per_column else -np.inf)
    corners = np.array(list(product([False, True], repeat=n_features)))
    largest = np.stack(
        [(np.where(corners, ball.high[i], ball.low[i]) @ network.weights.T).max(axis=0) for i in range(3)], 1
    )
    mine = pairs_of(bounds(network, ball).may_fire)
    assert pairs_of_mask(largest > threshold + NEAR) <= mine <= pairs_of_mask(largest > threshold - NEAR)


def pairs_of_mask(mask):
    return {(int(r), int(i)) for r, i in np.argwhere(mask)}


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_neuron_that_only_touches_its_threshold_does_not_fire(norm):
    """The sup is 1 + 0.5 * 1, of numbers that are exact."""
    network = TwoLayerNetwork([[1.0]], [[1.0]], threshold=1.5, dtype="float64")
    found = bounds(network, ball_of([[1.0]], norm, 0.5))
    assert found.high[0, 0] < 1e-9
    above = bounds(network, ball_of([[1.0]], norm, 0.5 + 1e-6))
    assert len(above.may_fire) == 1
    assert above.high[0, 0] == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("radius", [0.0, 0.02, 0.1, 0.5])
def test_bounds_are_those_of_the_reference(norm, radius):
    random = np.random.default_rng(1)
    network = network_of(random, 80, 6)
    samples = random.standard_normal((5, 6))
    ball, sums = ball_of(samples, norm, radius), sides_of(network)
    linear, interval = (bounds(network, ball, method=name) for name in ("linear", "interval"))
    for i, sample in enumerate(samples):
        asked = (network.weights, sums, sample, network.threshold, radius, norm)
        by_interval = reference.interval_bound(*asked)
        area, flat = (reference.linear_bound(*asked, flat=flat) for flat in (False, True))
        np.testing.assert_array_less(by_interval, flat + 1e-9)
        both = np.maximum(np.maximum(area, flat), by_interval)
        np.testing.assert_allclose(np.append(linear.low[i], -linear.high[i]), both, atol=1e-9)
        np.testing.assert_allclose(np.append(interval.low[i], -interval.high[i]), by_interval, atol=1e-9)


def test_the_lower_line_of_least_area_can_fall_below_the_intervals_and_the_flat_one_cannot():
    worse = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        w, sums = random.standard_normal((6, 2)), random.standard_normal((1, 6))
        asked = (w, sums, random.standard_normal(2), 0.3, 0.6, "l2")
        interval = reference.interval_bound(*asked)
        assert reference.linear_bound(*asked, flat=True) >= interval - 1e-12
        worse += bool((reference.linear_bound(*asked, flat=False) < interval).any())
    assert worse > 0


@settings(deadline=None, max_examples=40)
@given(
    n_features=st.integers(1, 8), width=st.integers(1, 60), threshold=st.sampled_from([0.0, 0.5, 1.5, 9.0]),
    radius=st.sampled_from([0.0, 0.01, 0.2, 3.0]), norm=st.sampled_from(["l2", "linf"]),
    dtype=st.sampled_from(["float32", "float64"]), boxed=st.booleans(), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_no_point_of_the_ball_has_an_output_beyond_the_bounds(
    n_features, width, threshold, radius, norm, dtype, boxed, seed
):
    """Duplicate neurons and samples, rows of zeros and pre-activations at the threshold among them."""
    random = np.random.default_rng(seed)
    network = network_of(random, width, n_features, threshold=threshold, dtype=dtype)
    network.weights[: width // 4] = np.rint(network.weights[: width // 4])
    network.weights[width // 2] = network.weights[0]
    samples = random.standard_normal((6, n_features)).astype(dtype)
    samples[0], samples[1], samples[2] = 0, samples[3], np.rint(samples[2])
    ball = ball_of(samples, norm, radius, low=samples.min(), high=samples.max()) if boxed else ball_of(
        samples, norm, radius
    )  # fmt: skip
    found = bounds(network, ball)
    looser = bounds(network, ball, method="interval")
    assert (found.low >= looser.low).all()
    assert (found.high <= looser.high).all()
    for _ in range(20):
        points = ball.random_points(random)
        assert_holds(network, points, found)
        if norm == "linf":
            assert_holds(network, np.where(random.random(samples.shape) < 0.5, ball.low, ball.high), found)
        else:
            assert_holds(network, ball.project(samples + 1e3 * (points - samples)), found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_hundred_thousand_points_and_an_attack_find_no_margin_below_its_bound(norm, dtype):
    """At half of the points a neuron stands at its threshold as nearly as the dtype can tell."""
    random = np.random.default_rng(9)
    network = network_of(random, 60, 4, threshold=0.5, dtype=dtype)
    samples = random.standard_normal((200, 4)).astype(dtype)
    ball = ball_of(samples, norm, 0.2)
    found = bounds(network, ball)
    for number in range(500):
        points = ball.random_points(random)
        if number % 2:  # to the threshold of a neuron, along its row
            row = network.weights[number % 60].astype(np.float64)
            short = (network.threshold - points @ row) / (row @ row)
            points = ball.project(points + short[:, None] * row)
        assert_holds(network, points, found)
    surface = Surface(network, None, ExhaustiveIndex())
    surface.index.build(network.layer, None)
    for label in range(3):
        objective = Objective("margin", SoftmaxLoss(), np.eye(3)[np.full(200, label)])
        attack = Attack(norm=norm, radius=0.2, steps=20)
        assert_holds(network, attack.points(surface, samples, objective, random), found)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_a_radius_the_bounds_are_the_outputs_but_for_rounding(dtype):
    random = np.random.default_rng(3)
    network = network_of(random, 200, 10, dtype=dtype)
    samples = random.standard_normal((20, 10)).astype(dtype)
    found = bounds(network, ball_of(samples, "l2", 0.0))
    assert_holds(network, samples, found)
    assert (found.high - found.low).max() < (5e-4 if dtype == "float32" else 1e-8)
    assert found.exact.all()


def test_a_larger_radius_has_looser_bounds():
    random = np.random.default_rng(4)
    network = network_of(random, 300, 8)
    samples = random.standard_normal((10, 8))
    for norm in ("l2", "linf"):
        for method in ("interval", "linear"):
            found = [bounds(network, ball_of(samples, norm, radius), method=method)
                     for radius in (0.0, 0.01, 0.03, 0.1, 0.3)]  # fmt: skip
            for small, large in zip(found, found[1:], strict=False):
                assert (small.low >= large.low - 1e-9).all()
                assert (small.high <= large.high + 1e-9).all()


def test_where_none_is_undecided_the_bounds_are_attained():
    random = np.random.default_rng(5)
    network = network_of(random, 30, 6, threshold=0.2)
    samples = random.standard_normal((60, 6))
    radius = 0.01
    found = bounds(network, ball_of(samples, "l2", radius))
    assert found.exact.sum() >= 10
    for i in np.flatnonzero(found.exact):
        fires = network.weights @ samples[i] > network.threshold
        gradients = network.scale * (network.output_weights[fires].T @ network.weights[fires])
        lengths = np.linalg.norm(gradients, axis=1)
        worst = samples[i] - radius * gradients / np.maximum(lengths, 1e-300)[:, None]
        least = np.diag(network.forward(worst))
        np.testing.assert_allclose(found.low[i], least, atol=1e-8)


def test_nothing_fires_and_all_fires():
    network = TwoLayerNetwork(np.ones((3, 2)), np.ones((3, 1)), threshold=5.0)
    silent = bounds(network, ball_of([[0.5, 0.5]], "l2", 0.1))
    assert len(silent.may_fire) == 0
    assert silent.low == silent.high == 0
    firing = bounds(network, ball_of([[9.0, 9.0]], "l2", 0.1))
    assert len(firing.may_fire) == 3
    assert firing.exact.all()
    assert firing.undecided == 0


def test_columns_that_may_not_move_stay():
    random = np.random.default_rng(6)
    network = network_of(random, 100, 4)
    samples = random.standard_normal((5, 4))
    movable = np.array([True, False, True, False])
    for norm in ("l2", "linf"):
        some = bounds(network, ball_of(samples, norm, 0.2, movable=movable))
        all_ = bounds(network, ball_of(samples, norm, 0.2))
        none = bounds(network, ball_of(samples, norm, 0.2, movable=np.zeros(4, bool)))
        assert (some.low > all_.low).any()
        assert (some.low >= all_.low - 1e-12).all()
        np.testing.assert_allclose(none.low, none.high, atol=1e-8)


def test_what_cannot_be_asked_is_refused():
    network = TwoLayerNetwork([[1.0]], [[1.0]], threshold=0.0)
    ball = ball_of([[1.0]], "l2", 0.1)
    with pytest.raises(ValueError, match="the method of a bound must be one of"):
        bounds(network, ball, method="exact")
    with pytest.raises(ValueError, match="exact index that answers for new inputs. Got hashing"):
        bounds(network, ball, index="hashing")


def test_work_is_counted():
    random = np.random.default_rng(7)
    network = network_of(random, 64, 5)
    found = bounds(network, ball_of(random.standard_normal((4, 5)), "l2", 0.1), index="exhaustive")
    assert found.work.multiplied == 4 * 64
    assert 0 < found.products


def test_a_deep_network_of_one_layer_is_a_two_layer_network():
    random = np.random.default_rng(8)
    network = network_of(random, 50, 4)
    deep = DeepNetwork([network.weights], network.output_weights, [network.threshold], network.dtype)
    ball = ball_of(random.standard_normal((3, 4)), "l2", 0.1)
    np.testing.assert_array_equal(bounds(deep, ball).low, bounds(network, ball).low)


def test_only_bounds_that_are_attained_are_called_exact():
    corner = TwoLayerNetwork(weights=[[1.0, 1.0]], output_weights=[[1.0]], threshold=0.1)
    ball = Ball(np.array([[1.0, 1.0]]), "l2", 0.5, Box(0, 1))
    assert not bounds(corner, ball).exact.any()
    assert bounds(corner, Ball(np.array([[1.0, 1.0]]), "l2", 0.5)).exact.all()
    assert not bounds(corner, Ball(np.array([[1.0, 1.0]]), "linf", 0.1), method="interval").exact.any()

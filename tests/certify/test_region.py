"""Bounds in the user's units: rows that are scaled to length 1 on their way, coded columns, categories."""

import numpy as np
import pytest

import fewfire
from fewfire import Inputs, TwoLayerNetwork
from fewfire.certify import Ball, Box, bounds
from fewfire.certify.region import Region
from fewfire.prepare import InputScaling
from fewfire.prepare.preparation import Preparation

FLOAT64 = np.dtype(np.float64)


def table(random, n_rows=60, n_columns=5):
    return random.standard_normal((n_rows, n_columns)) * random.uniform(0.1, 30, n_columns) + 4


def network_of(random, width, n_features, threshold, dtype):
    weights = random.standard_normal((width, n_features))
    return TwoLayerNetwork(weights, random.choice([-1.0, 1.0], (width, 3)), threshold, dtype)


def scalings(samples, random):
    """Of a table, of pictures, with weights of columns of which one is dropped, and with sums of columns."""
    standardized = InputScaling.fit(samples, standardize=True)
    weights = random.uniform(0.2, 2, samples.shape[1])
    weights[0] = 0
    return {
        "standardized": standardized,
        "centred": InputScaling.fit(samples, standardize=False),
        "weighed": standardized.along(weights, 1.0),
        "directions": standardized.along(random.standard_normal((3, samples.shape[1])), 1.0),
    }


def outputs_at(network, scaling, points):
    return fewfire.predict(network, scaling.transform(points, network.dtype)).astype(np.float64)


def random_corners(ball, random):
    if ball.norm == "linf":
        return np.where(random.random(ball.low.shape) < 0.5, ball.low, ball.high)
    return ball.project(ball.samples + 1e3 * random.standard_normal(ball.low.shape))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("kind", ["standardized", "centred", "weighed", "directions"])
def test_no_point_has_an_output_beyond_the_bounds(kind, norm, dtype):
    """16,000 points of 60 samples each."""
    random = np.random.default_rng(0)
    samples = table(random)
    scaling = scalings(samples, random)[kind]
    network = network_of(random, 120, scaling.n_outputs, 0.5, dtype)
    for radius in (0.0, 0.02, 0.5):
        ball = Ball(samples, norm, radius * samples.std(axis=0) if norm == "linf" else radius, Box())
        found = bounds(network, ball, scaling=scaling)
        for number in range(22):
            points = ball.random_points(random) if number % 2 else random_corners(ball, random)
            outputs = outputs_at(network, scaling, points)
            assert (found.low <= outputs).all()
            assert (outputs <= found.high).all()


@pytest.mark.parametrize("radius", [0.02, 0.3])
@pytest.mark.parametrize("kind", ["standardized", "weighed", "directions"])
def test_the_length_of_a_row_is_one_more_coordinate(kind, radius):
    """Lengths of 16,000 rows lie between the tangent plane, and that plus the bend."""
    random = np.random.default_rng(1)
    samples = table(random)
    scaling = scalings(samples, random)[kind]
    ball = Ball(samples, "linf", radius * samples.std(axis=0), Box())
    region = Region.of(ball, scaling, FLOAT64)
    middle = scaling.lengths(samples)
    for _ in range(267):
        points = random_corners(ball, random)
        beside = scaling.lengths(points) / middle - 1
        plane = np.einsum("ij,ij->i", region.tilt, (points - samples) / middle[:, None])
        assert (plane - 1e-12 <= beside).all()
        assert (beside <= plane + region.bend + 1e-12).all()
        assert (region.least_length <= 1 + beside + 1e-12).all()
        assert (1 + beside <= region.greatest_length + 1e-12).all()


def test_rows_that_are_coded_in_sixteen_bits_are_rounded_in_the_bound_too():
    random = np.random.default_rng(2)
    samples = random.random((4, 300)).astype(np.float32)
    scaling = InputScaling.fit(samples, standardize=False)
    network = network_of(random, 64, 301, 0.5, np.float32)
    assert Inputs.of(scaling.transform(samples)).coded
    found = bounds(network, Ball(samples, "l2", 0.0, Box()), scaling=scaling)
    outputs = outputs_at(network, scaling, samples)
    in_reals = network.forward(scaling.transform(samples, np.float64))
    assert np.abs(outputs - in_reals).max() > 1e-6  # what would be left out
    assert (found.low <= outputs).all()
    assert (outputs <= found.high).all()
    assert (found.high - found.low).max() < 0.02
    ball = Ball(samples, "l2", 0.05, Box(0, 1))
    found = bounds(network, ball, scaling=scaling)
    for _ in range(50):
        outputs = outputs_at(network, scaling, ball.random_points(random))
        assert (found.low <= outputs).all()
        assert (outputs <= found.high).all()


def test_in_raw_units_a_bound_is_never_three_times_looser_than_that_of_a_ball_on_the_sphere():
    """That ball has a radius of that in raw units over the least length, which holds all the rows become."""
    random = np.random.default_rng(3)
    samples = table(random, n_rows=200, n_columns=8)
    scaling = InputScaling.fit(samples, standardize=False)
    network = network_of(random, 400, 9, 1.0, np.float64)
    unit = scaling.transform(samples, np.float64)
    outputs = network.forward(unit)
    for radius in (0.02, 0.2):
        raw = bounds(network, Ball(samples, "l2", radius, Box()), scaling=scaling)
        drops = outputs - raw.low
        for i, length in enumerate(scaling.lengths(samples)):
            ball = Ball(unit[i : i + 1], "l2", radius / (length - radius), Box())
            assert (drops[i] <= 3 * (outputs[i] - bounds(network, ball).low[0]) + 1e-9).all()


def test_coded_columns_move_with_their_curves_and_categories_stay():
    random = np.random.default_rng(4)
    rows = np.column_stack([table(random, 80, 3), random.integers(0, 3, 80)]).astype(np.float64)
    plain = Preparation.fit(rows, [3])
    for way in (plain, plain.coded("ranks", rows), plain.coded("ramps", rows)):
        network = network_of(random, 150, way.scaling.n_outputs, 0.5, np.float64)
        movable = np.array([True, True, True, False])
        ball = Ball(rows, "linf", 0.1 * rows.std(axis=0), Box(movable=movable))
        found = bounds(network, ball, scaling=way)
        for _ in range(40):
            points = np.where(random.random(rows.shape) < 0.5, ball.low, ball.random_points(random))
            outputs = network.forward(way.transform(points, np.float64))
            assert (found.low <= outputs).all()
            assert (outputs <= found.high).all()
        with pytest.raises(ValueError, match="columns of categories cannot move by a radius"):
            bounds(network, Ball(rows, "linf", 0.1, Box()), scaling=way)
        with pytest.raises(ValueError, match=r"must have a radius in each column. Got the norm l2"):
            bounds(network, Ball(rows, "l2", 0.1, Box(movable=movable)), scaling=way)


def test_columns_that_move_for_other_samples_only_are_not_forgotten():
    """Ramps move near their own part of a column's range: others in the first batch than in the second."""
    random = np.random.default_rng(6)
    rows = np.sort(table(random, 400, 2), axis=0)
    way = Preparation.fit(rows).coded("ramps", rows)
    network = network_of(random, 150, way.scaling.n_outputs, 0.5, np.float64)
    ball = Ball(rows, "linf", 0.02 * rows.std(axis=0), Box())
    found = bounds(network, ball, scaling=way, index="exhaustive")
    last = bounds(network, ball.part(np.arange(350, 400)), scaling=way, index="exhaustive")
    np.testing.assert_array_equal(found.low[350:], last.low)
    assert len(found.may_fire) > 0
    assert found.work.asked == 400 * 150


def test_rows_without_a_direction_are_refused():
    scaling = InputScaling(np.zeros(2), np.ones(2), constant=0.0)
    network = network_of(np.random.default_rng(5), 10, 3, 0.5, np.float64)
    ball = Ball(np.array([[3.0, 4.0], [0.1, 0.0]]), "l2", 0.2, Box())
    with pytest.raises(ValueError, match=r"a box that contains the origin has no direction. Got row 1. Lower "
                       r"the radius below 0.5 of what it is, or enlarge the constant feature"):  # fmt: skip
        bounds(network, ball, scaling=scaling)

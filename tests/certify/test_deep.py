"""Bounds of deep networks: hidden vectors of length 1, constants, lengths, and where nothing fires."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fewfire
from fewfire.certify import Ball, bounds
from fewfire.networks.deep import DeepNetwork
from fewfire.prepare import InputScaling


def network_of(random, widths, n_features, thresholds, *, constant=0.0, normalize="sphere", dtype="float64"):
    return DeepNetwork.initialize(
        widths, n_features, 3, threshold=thresholds, constant=constant, normalize=normalize, dtype=dtype,
        seed=int(random.integers(10**6)),
    )  # fmt: skip


def assert_holds(network, ball, found, random, scaling=None, n=30):
    for number in range(n):
        points = ball.random_points(random) if number % 2 else ball.project(
            ball.samples + 1e3 * random.standard_normal(ball.samples.shape)
        )  # fmt: skip
        rows = points if scaling is None else scaling.transform(points, network.dtype)
        outputs = fewfire.predict(network, rows).astype(np.float64)
        assert (found.low <= outputs).all()
        assert (outputs <= found.high).all()


@settings(deadline=None, max_examples=25)
@given(
    widths=st.lists(st.integers(1, 30), min_size=2, max_size=4), n_features=st.integers(1, 6),
    threshold=st.sampled_from([0.0, 0.3, 1.0]), constant=st.sampled_from([0.0, 0.7]),
    normalize=st.sampled_from(["sphere", "scale"]), norm=st.sampled_from(["l2", "linf"]),
    radius=st.sampled_from([0.0, 0.01, 0.1, 1.0]), dtype=st.sampled_from(["float32", "float64"]),
    method=st.sampled_from(["linear", "interval"]), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_no_point_of_the_ball_has_an_output_beyond_the_bounds(
    widths, n_features, threshold, constant, normalize, norm, radius, dtype, method, seed
):
    random = np.random.default_rng(seed)
    thresholds = [threshold] * len(widths)
    network = network_of(
        random, widths, n_features, thresholds, constant=constant, normalize=normalize, dtype=dtype
    )
    samples = random.standard_normal((4, n_features)).astype(dtype)
    ball = Ball(samples, norm, radius)
    assert_holds(network, ball, bounds(network, ball, method=method), random, n=10)


def test_in_the_users_units():
    random = np.random.default_rng(0)
    samples = 3 * random.standard_normal((20, 5)) + 4
    for standardize in (False, True):
        scaling = InputScaling.fit(samples, standardize=standardize)
        network = network_of(random, [60, 20], 6, [0.5, 0.3], dtype="float32")
        for norm in ("l2", "linf"):
            ball = Ball(samples, norm, 0.05)
            assert_holds(network, ball, bounds(network, ball, scaling=scaling), random, scaling)


@pytest.mark.parametrize("normalize", ["sphere", "scale"])
def test_bounds_close_in_on_the_outputs_as_the_radius_falls(normalize):
    random = np.random.default_rng(1)
    network = network_of(random, [200, 50, 20], 8, [0.5, 0.5, 0.3], normalize=normalize, constant=0.5)
    samples = random.standard_normal((10, 8))
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    widths = []
    for radius in (0.03, 0.003, 0.0):
        found = bounds(network, Ball(samples, "l2", radius))
        widths.append((found.high - found.low).mean())
    assert np.isfinite(widths).all()
    assert widths[1] < 0.2 * widths[0]
    assert widths[2] < 1e-7


def test_lines_are_sharper_than_intervals():
    random = np.random.default_rng(2)
    network = network_of(random, [300, 60], 8, [0.5, 0.3])
    samples = random.standard_normal((10, 8))
    ball = Ball(samples / np.linalg.norm(samples, axis=1, keepdims=True), "l2", 0.02)
    linear, interval = (bounds(network, ball, method=method) for method in ("linear", "interval"))
    assert (linear.low >= interval.low).all()
    assert (linear.high - linear.low).mean() < 0.5 * (interval.high - interval.low).mean()


def test_where_perhaps_nothing_fires_nothing_is_claimed():
    network = DeepNetwork([[[1.0], [2.0]], [[1.0, 1.0]]], [[1.0]], thresholds=[1.0, 0.4])
    found = bounds(network, Ball(np.array([[0.45], [0.9]]), "l2", 0.1))
    assert found.low[0] == -np.inf
    assert found.high[0] == np.inf
    assert np.isfinite([found.low[1], found.high[1]]).all()

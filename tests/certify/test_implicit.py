"""Implicit layers: the example that is exact in rationals, and what holds for any layer and box."""

from fractions import Fraction
from math import ceil, log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fewfire.certify import ImplicitLayer
from fewfire.certify.averaged import AveragedIteration, matrix_measure
from fewfire.certify.implicit import embedded_weights
from fewfire.reference import implicit as reference
from strategies import seeds

WEIGHTS, INPUT_WEIGHTS = [[-1 / 4, -1 / 4], [3 / 4, -1 / 4]], [[1 / 2, 1], [1, 1 / 2]]


def example():
    return ImplicitLayer(WEIGHTS, INPUT_WEIGHTS, np.eye(2))


def test_the_box_of_the_rational_example_is_exact():
    box = example().box([0, 1], [1 / 3, 2])
    np.testing.assert_allclose(box.low, [[13 / 33, 21 / 33]], rtol=0, atol=1e-12)
    np.testing.assert_allclose(box.high, [[53 / 33, 67 / 33]], rtol=0, atol=1e-12)


def test_the_solution_of_the_rational_example_is_exact():
    inverse = [[Fraction(5, 7), Fraction(-1, 7)], [Fraction(3, 7), Fraction(5, 7)]]  # of I - A
    for u in ([Fraction(1, 3), Fraction(1)], [Fraction(0), Fraction(2)], [Fraction(1, 7), Fraction(3, 2)]):
        drive = [u[0] / 2 + u[1], u[0] + u[1] / 2]
        x = [sum(entry * v for entry, v in zip(row, drive, strict=True)) for row in inverse]
        assert min(x) > 0
        found = example().solve([float(one) for one in u])
        np.testing.assert_allclose(found.states, [[float(one) for one in x]], rtol=0, atol=1e-12)
        assert found.errors.max() < 1e-12


def test_step_measure_factor_and_lipschitz_constant_of_the_rational_example_are_exact():
    layer = example()
    assert layer.iteration.step == pytest.approx(0.8, abs=1e-12)
    assert layer.measure == pytest.approx(0.5, abs=1e-12)
    assert layer.iteration.factor == pytest.approx(0.6, abs=1e-12)
    assert layer.lipschitz == pytest.approx(3, abs=1e-12)
    assert layer.solve([1 / 3, 2]).steps <= 59  # 0.6^59 < 1e-13


def test_free_parameters_stand_for_the_same_layer():
    free = [[-1 / 4, -1 / 4], [3 / 4, 0]]
    layer = ImplicitLayer.of_parameters(free, INPUT_WEIGHTS, np.eye(2), margin=0.5)
    np.testing.assert_allclose(layer.weights, WEIGHTS, rtol=0, atol=1e-15)


@st.composite
def layers(draw):
    """Layers of up to 40 states, some with states that are equal, apart, or always 0."""
    random = np.random.default_rng(draw(seeds))
    n, d, c = draw(st.integers(1, 40)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    free = random.standard_normal((n, n)) * draw(st.sampled_from([0.0, 0.1, 1.0]))
    log_scale = draw(st.sampled_from([0.0, 0.5])) * random.standard_normal(n)
    decay = draw(st.sampled_from([0.0, 0.5])) * random.standard_normal(n)
    margin = draw(st.floats(-0.5, 0.9))
    inputs = random.standard_normal((n, d))
    if draw(st.booleans()):
        free[-1], inputs[-1] = free[0], inputs[0]
    if draw(st.booleans()):
        free[random.integers(0, n)] = 0
    bias = random.standard_normal(n) + draw(st.sampled_from([-5.0, 0.0]))
    layer = ImplicitLayer.of_parameters(
        free,
        inputs,
        random.standard_normal((c, n)),
        margin=margin,
        decay=decay,
        log_scale=log_scale,
        bias=bias,
        output_bias=random.standard_normal(c),
    )
    weights, scale = reference.implicit_parameters(free, decay, log_scale, margin)
    np.testing.assert_allclose(layer.weights, weights, rtol=0, atol=1e-12 * (1 + np.abs(weights).max()))
    sizes = np.abs(np.linalg.inv(scale) @ free @ scale).sum()
    assert reference.implicit_measure(scale @ weights @ np.linalg.inv(scale)) <= margin + 1e-13 * (1 + sizes)
    return layer, random


def inside(random, low, high, count=20):
    """Inputs of a box, half of them corners."""
    shares = random.random((count, len(low)))
    shares[: count // 2] = shares[: count // 2].round()
    return low + shares * (high - low)


def box_of(random, layer):
    low = random.standard_normal(layer.input_weights.shape[1])
    return low, low + random.choice([0.0, 0.01, 1.0]) * random.random(len(low))


@given(layers())
def test_solutions_are_their_own_images_and_come_in_the_proven_time(case):
    layer, random = case
    u = random.standard_normal((5, layer.input_weights.shape[1]))
    found = layer.solve(u)
    drive = u @ layer.input_weights.T + layer.bias
    image = reference.implicit_image(layer.weights, drive, found.states)
    np.testing.assert_allclose(found.states, image, rtol=0, atol=1e-10)
    factor = layer.iteration.factor
    assert 0 <= factor < 1
    assert found.steps <= (ceil(log(layer.tolerance) / log(factor)) if factor > 0 else 1)
    outputs = found.states @ layer.output_weights.T + layer.output_bias
    np.testing.assert_array_equal(found.outputs, outputs)


@given(layers())
def test_no_input_is_outside_the_box(case):
    layer, random = case
    low, high = box_of(random, layer)
    box, found = layer.box(low, high), layer.solve(inside(random, low, high))
    assert found.errors.max() < 1e-9
    assert (found.states >= box.state_low - found.errors).all()
    assert (found.states <= box.state_high + found.errors).all()
    errors = found.errors @ np.abs(layer.output_weights).T + 1e-12
    assert (found.outputs >= box.low - errors).all()
    assert (found.outputs <= box.high + errors).all()
    assert (found.states[:, box.silent[0]] <= found.errors[:, box.silent[0]]).all()


@given(layers())
def test_the_ends_of_a_box_are_their_own_images(case):
    layer, random = case
    low, high = box_of(random, layer)
    box = layer.box(low, high)
    ends = box.state_low, box.state_high
    images = reference.embedded_image(layer.weights, layer.input_weights, layer.bias, ends, low, high)
    for end, image in zip(ends, images, strict=True):
        np.testing.assert_allclose(end, image, rtol=0, atol=1e-9)


@given(layers())
def test_a_box_takes_the_steps_of_a_solution(case):
    layer, _ = case
    iteration = layer.iteration
    embedded = AveragedIteration(embedded_weights(iteration.weights))
    assert embedded.step == iteration.step
    assert embedded.factor == pytest.approx(iteration.factor, abs=1e-10)


@given(layers())
def test_margins_hold_and_are_as_good_as_differences_of_output_bounds(case):
    layer, random = case
    low, high = box_of(random, layer)
    found, box, c = layer.solve(inside(random, low, high)), layer.box(low, high), len(layer.output_weights)
    labels = np.arange(c)
    margins = layer.margins(np.tile(low, (c, 1)), np.tile(high, (c, 1)), labels)
    assert (np.diag(margins) == np.inf).all()
    real = (found.outputs[:, :, None] - found.outputs[:, None, :]).min(axis=0)
    apart = ~np.eye(c, dtype=bool)
    assert (margins <= real + 1e-9)[apart].all()
    assert (margins >= box.low[0][:, None] - box.high[0][None, :] - 1e-9)[apart].all()


@given(layers())
def test_outputs_are_no_farther_apart_than_the_lipschitz_constant_allows(case):
    layer, random = case
    u, v = random.standard_normal((2, 20, layer.input_weights.shape[1]))
    moved = np.abs(layer.solve(u).outputs - layer.solve(v).outputs).max(axis=1)
    assert (moved <= layer.lipschitz * np.abs(u - v).max(axis=1) + 1e-9).all()


@given(layers())
def test_gradients_by_iteration_and_by_a_dense_solution_agree(case):
    layer, random = case
    u, pulls = random.standard_normal((4, layer.input_weights.shape[1])), random.standard_normal(4)
    pulls = pulls[:, None] * random.standard_normal((4, len(layer.output_weights)))
    states = layer.solve(u).states
    active = states @ layer.weights.T + u @ layer.input_weights.T + layer.bias > 0
    dense = reference.implicit_pulls(layer.weights, active, pulls @ layer.output_weights)
    found, close = layer.gradients(u, pulls), {"rtol": 0, "atol": 1e-9 * (1 + np.abs(dense).max())}
    np.testing.assert_allclose(found["bias"], dense.sum(axis=0), **close)
    np.testing.assert_allclose(found["inputs"], dense @ layer.input_weights, **close)
    np.testing.assert_allclose(found["weights"], dense.T @ states, rtol=1e-9, atol=close["atol"])
    np.testing.assert_allclose(found["input_weights"], dense.T @ u, rtol=1e-9, atol=close["atol"])
    np.testing.assert_allclose(found["output_weights"], pulls.T @ states, rtol=1e-12)
    np.testing.assert_allclose(found["output_bias"], pulls.sum(axis=0), rtol=1e-12)


MATRICES = ["weights", "input_weights", "output_weights", "bias", "output_bias"]


@given(layers())
def test_gradients_are_finite_differences(case):
    layer, random = case
    u, h = random.standard_normal((1, layer.input_weights.shape[1])), 1e-6
    pulls = random.standard_normal((1, len(layer.output_weights)))
    along = {name: random.standard_normal(getattr(layer, name).shape) for name in MATRICES}
    along["inputs"] = random.standard_normal(u.shape)

    def at(step):
        parts = {name: getattr(layer, name) + step * along[name] for name in MATRICES}
        moved = ImplicitLayer(**parts, scale=layer.scale)
        found = moved.solve(u + step * along["inputs"])
        return float((found.outputs * pulls).sum()), found.states > 1e-9

    (above, active), (below, same) = at(h), at(-h)
    assume((active == same).all())  # else a kink lies between them
    found = layer.gradients(u, pulls)
    expected = sum(float((found[name] * along[name]).sum()) for name in along)
    assert (above - below) / (2 * h) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@given(layers(), st.sampled_from([1e-1, 1e-3]))
def test_errors_are_proven_however_early_the_iteration_ends(case, tolerance):
    layer, random = case
    u = random.standard_normal((5, layer.input_weights.shape[1]))
    early = ImplicitLayer(
        layer.weights,
        layer.input_weights,
        layer.output_weights,
        bias=layer.bias,
        scale=layer.scale,
        tolerance=tolerance,
    )
    found, exact = early.solve(u), layer.solve(u)
    assert (np.abs(found.states - exact.states) <= found.errors + exact.errors).all()
    low, high = box_of(random, layer)
    rough, exact = early.box(low, high), layer.solve(inside(random, low, high))
    assert (exact.states >= rough.state_low - exact.errors).all()
    assert (exact.states <= rough.state_high + exact.errors).all()


@given(layers())
def test_errors_are_proven_in_float32(case):
    layer, random = case
    scaled = layer.iteration.weights.astype(np.float32)
    assume(matrix_measure(scaled) < 1)
    drive = random.standard_normal((5, len(scaled))).astype(np.float32)
    states, errors, _ = AveragedIteration(scaled).solve(drive, 1e-6)
    exact, _, _ = AveragedIteration(scaled.astype(np.float64)).solve(drive, 1e-13)
    assert states.dtype == np.float32
    assert (np.abs(states - exact).max(axis=1) <= errors).all()


@given(layers())
def test_silent_states_can_be_left_out(case):
    layer, random = case
    low, high = box_of(random, layer)
    silent = layer.box(low, high).silent[0]
    smaller, u = layer.without(silent), inside(random, low, high)
    assert len(smaller.weights) == len(layer.weights) - silent.sum()
    np.testing.assert_allclose(smaller.solve(u).outputs, layer.solve(u).outputs, rtol=0, atol=1e-9)
    full, small = layer.box(low, high), smaller.box(low, high)
    np.testing.assert_allclose(small.high, full.high, rtol=0, atol=1e-9)


def test_some_states_are_silent_and_others_are_not():
    layer = ImplicitLayer(np.zeros((3, 3)), np.eye(3), np.ones((1, 3)), bias=[0, -5, 0])
    box = layer.box([-1, 0, 1], [0, 4, 2])
    np.testing.assert_array_equal(box.silent, [[False, True, False]])  # the first is 0 up to rounding
    assert layer.without(np.ones(3, bool)).solve([1, 1, 1]).outputs == 0
    assert layer.without(np.ones(3, bool)).lipschitz == 0


def test_a_box_of_one_point_is_the_solution():
    layer, u = example(), [[0.2, 1.5]]
    box, found = layer.box(u, u), layer.solve(u)
    np.testing.assert_allclose(box.low, found.outputs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(box.high, found.outputs, rtol=0, atol=1e-12)


def test_boxes_of_layers_that_only_rise_are_attained():
    random = np.random.default_rng(0)
    free = np.abs(random.standard_normal((8, 8)))
    layer = ImplicitLayer.of_parameters(free, np.abs(random.standard_normal((8, 3))), np.eye(8), margin=0.9)
    low, high = -random.random(3), random.random(3)
    box = layer.box(low, high)
    np.testing.assert_allclose(box.low, layer.solve(low).outputs, rtol=0, atol=1e-10)
    np.testing.assert_allclose(box.high, layer.solve(high).outputs, rtol=0, atol=1e-10)
    assert (box.high > box.low + 0.1).any()


def test_boxes_are_taken_row_by_row():
    layer, random = example(), np.random.default_rng(1)
    low = random.random((4, 2))
    together = layer.box(low, low + 0.5)
    for i in range(4):
        one = layer.box(low[i], low[i] + 0.5)
        np.testing.assert_allclose(together.low[i], one.low[0], rtol=0, atol=1e-12)
    labels = [0, 1, 1, 0]
    margins = layer.margins(low, low + 0.5, labels)
    one = layer.margins(low[1], low[1] + 0.5, [1])
    np.testing.assert_allclose(margins[1, 0], one[0, 0], rtol=0, atol=1e-12)


def test_a_narrow_margin_only_takes_longer():
    random = np.random.default_rng(2)
    free = random.standard_normal((5, 5))
    for margin, most in ((0.5, 700), (0.99, 40_000)):
        layer = ImplicitLayer.of_parameters(free, np.eye(5), np.eye(5), margin=margin)
        found = layer.solve(random.standard_normal((3, 5)))
        assert found.steps < most
        assert found.errors.max() < 1e-9


def test_numbers_that_are_not_finite_are_not_hidden():
    assert np.isnan(example().solve([np.nan, 1]).outputs).all()


def test_a_layer_that_is_not_well_posed_says_so():
    layer = ImplicitLayer([[1.2]], [[1]], [[1]])
    assert not layer.well_posed
    assert layer.measure == pytest.approx(1.2)
    assert example().well_posed
    for call in (lambda: layer.solve([1]), lambda: layer.box([1], [2]), lambda: layer.lipschitz):
        with pytest.raises(ValueError, match=r"needs a margin below 1 to have one solution. Got 1.2. Use"):
            call()


def test_the_scale_may_make_it_well_posed():
    weights = [[0, 4], [0.1, 0]]
    assert not ImplicitLayer(weights, [[1], [1]], [[1, 1]]).well_posed
    layer = ImplicitLayer(weights, [[1], [1]], [[1, 1]], scale=[1, 6])
    assert layer.measure == pytest.approx(2 / 3)
    np.testing.assert_allclose(layer.solve([1]).states, [[5 / 0.6, 1.1 / 0.6]], rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ImplicitLayer.of_parameters([[1]], [[1]], [[1]], margin=1.2),
            r"an implicit layer needs a margin below 1 to have one solution\. Got 1\.2\. Use 0\.95 or less\.",
        ),
        (lambda: ImplicitLayer.of_parameters([[1]], [[1]], [[1]], margin=np.nan), "Got nan"),
        (lambda: ImplicitLayer(np.eye(2), [[1]], [[1, 1]]), r"input_weights must be finite .* \(2, 1\)"),
        (lambda: ImplicitLayer([[np.inf]], [[1]], [[1]]), "1 are not finite"),
        (lambda: ImplicitLayer([[0]], [[1]], [[1]], scale=[0]), "scale must be > 0. Got 0.0"),
        (lambda: ImplicitLayer([[0]], [[1]], [[1]], tolerance=0.0), "tolerance must be between 0 and 1"),
        (lambda: example().solve([1, 2, 3]), r"inputs must be \(N, 2\)"),
        (lambda: example().box([1, 1], [0, 2]), "a box must have low <= high in every column"),
        (lambda: example().margins([0, 0], [1, 1], [2]), "labels must be 1 whole numbers from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_labels_that_are_not_whole_are_refused():
    layer = ImplicitLayer.of_parameters(np.eye(3), np.ones((3, 2)), np.ones((2, 3)))
    for labels in ([0.5], [True]):
        with pytest.raises(ValueError, match="labels must be 1 whole numbers from 0 to 1"):
            layer.margins([[0.0, 0.0]], [[1.0, 1.0]], labels)

"""The kernel of many layers, beside the recursion itself, known values and networks."""

import numpy as np
import pytest

from fewfire.networks.threshold import map_slope
from fewfire.tangent import Layers, wide_kernel
from fewfire.tangent.dual import both_fire, shifted_relu

COSINES = np.concatenate([np.linspace(-1, 1, 500), 1 - np.geomspace(1e-12, 0.1, 200)])


def recursion(cosines, depth, b):
    """All weights trained, pair by pair, without a table."""
    c = 1 / shifted_relu(0.0, b)
    hidden = tangent = np.array(cosines, float)
    for _ in range(depth):
        angles = np.arccos(np.clip(hidden, -1, 1))
        hidden = c * shifted_relu(angles, b)
        tangent = hidden + tangent * c * both_fire(angles, b)
    return tangent


@pytest.mark.parametrize("b", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("depth", [1, 4, 16])
def test_the_table_is_near_the_recursion(depth, b):
    expected = recursion(COSINES, depth, b) / recursion([1.0], depth, b)
    np.testing.assert_allclose(Layers(depth, b, trained="all").kernel(COSINES), expected, atol=5e-6)


def test_one_layer_of_hidden_weights_is_the_kernel_that_the_estimators_choose_by():
    np.testing.assert_array_equal(Layers(1, 1.3).kernel(COSINES), wide_kernel(COSINES, 1.3))


@pytest.mark.parametrize(
    ("b", "slope", "fixed_point"),
    [(0.25, 1.217, 0.763), (0.5, 1.472, 0.465), (1, 2.106, 0.153), (1.5, 2.924, 0.048), (2, 3.944, 0.014),
     (2.5, 5.178, 0.0035), (3, 6.636, 0.0007)],
)  # fmt: skip
def test_slopes_and_fixed_points_are_known(b, slope, fixed_point):
    layers = Layers(threshold=b)
    assert layers.slope == pytest.approx(slope, abs=5e-4)
    assert layers.fixed_point == pytest.approx(fixed_point, abs=5e-4)


@pytest.mark.parametrize("b", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_three_ways_to_the_slope_agree(b):
    layers, step = Layers(threshold=b), 1e-3
    r = 1 - step * np.arange(3)
    angles = np.arccos(r)
    at_one = shifted_relu(0.0, b)
    assert layers.slope == pytest.approx(map_slope(b), rel=1e-10)
    norm, tail = np.exp(-b * b / 2) / np.sqrt(2 * np.pi), both_fire(0.0, b)
    assert layers.slope == pytest.approx(1 + b * (norm - b * tail) / at_one, rel=1e-10)
    if b == 0:  # the map is not analytic at 1, where its slope changes as the root of 1 - r
        return
    falls = 1 - shifted_relu(angles, b) / at_one
    assert falls[1] / step == pytest.approx(layers.slope, rel=0.2)
    middle = np.array([0.5 - 1e-6, 0.5 + 1e-6])
    rise = np.diff(shifted_relu(np.arccos(middle), b))[0] / 2e-6
    assert rise == pytest.approx(float(both_fire(np.arccos(0.5), b)), abs=1e-9)


@pytest.mark.parametrize("trained", ["hidden", "all", "output"])
def test_the_size_is_that_of_one_layer(trained):
    b = 1.0
    parts = {"hidden": both_fire(0.0, b), "output": shifted_relu(0.0, b)}
    parts["all"] = parts["hidden"] + parts["output"]
    assert Layers(1, b, trained=trained).size == pytest.approx(float(parts[trained]), rel=1e-9)


def test_erf_forgets_at_a_known_rate():
    assert Layers(activation="erf").nonlinearity == pytest.approx(0.0864172, abs=1e-7)
    assert Layers(activation="linear").nonlinearity == 0


def test_memory_is_as_many_layers_as_drive_neighbours_to_a_half():
    assert Layers(threshold=1.0).memory_depth(1 - 0.072) == pytest.approx(2.6, abs=0.05)
    assert Layers(threshold=2.0).memory_depth(1 - 0.072) == pytest.approx(1.4, abs=0.05)
    assert Layers().memory_depth(0.9) == Layers(threshold=1.0).memory_depth(1.0) == np.inf


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"depth": 0}, "depth must be a whole number >= 1. Got 0"),
        ({"activation": "tanh"}, "the activation must be one of relu"),
        ({"trained": "none"}, "trained must be one of hidden"),
        ({"threshold": -1.0}, "a threshold must be from 0 to 7"),
        ({"threshold": 1.0, "activation": "erf"}, "that of a ReLU"),
        ({"depth": 24, "threshold": 2.0}, "depth 24 at threshold 2 is a constant to all digits .slope 3.9"),
    ],
)
def test_layers_that_have_no_kernel_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Layers(**given)

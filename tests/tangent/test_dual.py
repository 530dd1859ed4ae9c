"""Closed forms of activations' averages, beside quadrature and values computed before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from fewfire.tangent.dual import ACTIVATIONS, both_fire, erf, shifted_relu, unequal_shifted_relu

thresholds, correlations = st.floats(0, 3), st.floats(-0.95, 0.99)


def by_quadrature(of_first, of_second_given, low):
    """E[f(u) E[g(v) | u]] over u from `low` on."""
    return quad(lambda u: norm.pdf(u) * of_first(u) * of_second_given(u), low, 12, epsabs=1e-13)[0]


def tail_given(u, r, k, which):
    """E[(v - k)+ | u], E[v; v > k | u] or P[v > k | u], of a v of correlation r with u."""
    mean, deviation = r * u, np.sqrt(1 - r * r)
    t = (k - mean) / deviation
    share, edge = norm.sf(t), deviation * norm.pdf(t)
    return {"relu": (mean - k) * share + edge, "thresholded": mean * share + edge, "fires": share}[which]


@settings(max_examples=25, deadline=None)
@given(b=thresholds, r=correlations)
def test_averages_are_those_of_quadrature(b, r):
    angle = np.arccos(r)
    expected = {
        "relu": by_quadrature(lambda u: u - b, lambda u: tail_given(u, r, b, "relu"), b),
        "thresholded": by_quadrature(lambda u: u, lambda u: tail_given(u, r, b, "thresholded"), b),
    }
    for name, value in expected.items():
        assert ACTIVATIONS[name].product(angle, b) == pytest.approx(value, abs=1e-10)
    both = by_quadrature(lambda u: 1.0, lambda u: tail_given(u, r, b, "fires"), b)
    assert both_fire(angle, b) == pytest.approx(both, abs=1e-10)


@settings(max_examples=25, deadline=None)
@given(b=st.floats(0.05, 3), r=correlations, first=st.floats(0.3, 3), second=st.floats(0.3, 3))
def test_averages_of_unequal_scales_are_those_of_quadrature(b, r, first, second):
    h, k = b / first, b / second
    mean = by_quadrature(lambda u: first * (u - h), lambda u: second * tail_given(u, r, k, "relu"), h)
    both = by_quadrature(lambda u: 1.0, lambda u: tail_given(u, r, k, "fires"), h)
    found = unequal_shifted_relu(first, second, r * first * second, b)
    np.testing.assert_allclose(found, (mean, both), atol=1e-10)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (shifted_relu(np.arccos(0.5), 1.0), 0.028136975499),
        (both_fire(np.arccos(0.5), 1.0), 0.062514094710),
        (shifted_relu(np.arccos(0.0), 2.0), 0.000072092031),
        (shifted_relu(np.arccos(0.5), 0.0), 0.304498890522),
        (unequal_shifted_relu(0.7, 1.3, 0.5, 0.5)[0], 0.088307753145),
        (unequal_shifted_relu(0.7, 1.3, 0.5, 0.5)[1], 0.153251521457),
    ],
)
def test_reference_values(found, expected):
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", [name for name, one in ACTIVATIONS.items() if one.smooth])
def test_the_slope_is_the_derivative_of_a_smooth_activation(name):
    r, step, b = np.array([-0.9, -0.2, 0.3, 0.95]), 1e-6, 0.7 if name == "relu" else 0.0
    one = ACTIVATIONS[name]
    above, below = (one.product(np.arccos(r + sign * step), b) for sign in (1, -1))
    np.testing.assert_allclose((above - below) / (2 * step), one.slope(np.arccos(r), b), atol=1e-8)


def test_the_average_of_erf_is_that_of_many_draws():
    from scipy.special import erf as erf_function

    u, v = np.random.default_rng(0).standard_normal((2, 400_000))
    product = erf_function(u) * erf_function(0.6 * u + 0.8 * v)
    assert erf(np.arccos(0.6)) == pytest.approx(product.mean(), abs=4 * product.std() / 400_000**0.5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_linear_of_an_activation_is_that_of_quadrature(name):
    from scipy.special import erf as erf_function

    b = 0.7 if name in ("relu", "thresholded") else 0.0
    functions = {
        "relu": lambda u: max(u - b, 0),
        "thresholded": lambda u: u * (u > b),
        "erf": erf_function,
        "linear": lambda u: u,
    }
    expected = quad(lambda u: norm.pdf(u) * u * functions[name](u), -12, 12, points=[b], limit=200)[0]
    assert ACTIVATIONS[name].linear(b) == pytest.approx(expected, abs=1e-8)

"""What a finite width adds to the evidence, beside networks that are drawn whole."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from fewfire import DataError, TwoLayerNetwork
from fewfire.diagnose import finite_width
from fewfire.tangent import Layers

NOISE, SAMPLES, FEATURES = 0.1, 10, 20


@pytest.fixture(scope="module")
def problem():
    random = np.random.default_rng(0)
    rows = random.standard_normal((SAMPLES, FEATURES))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, rows @ random.standard_normal(FEATURES)


def log_densities(covariances, y):
    damped = covariances + NOISE * np.eye(len(y))
    quadratic = np.einsum("i,pij,j->p", y, np.linalg.inv(damped), y)
    return -(quadratic + np.linalg.slogdet(damped)[1] + len(y) * np.log(2 * np.pi)) / 2


@pytest.mark.parametrize("b", [0.0, 1.0])
@pytest.mark.parametrize("width", [100, 400])
def test_it_is_within_three_standard_errors_of_networks_drawn_whole(problem, b, width):
    rows, y = problem
    random = np.random.default_rng(1)
    logs = []
    for _ in range(40):
        active = np.maximum(random.standard_normal((50, width, FEATURES)) @ rows.T - b, 0)
        logs.append(log_densities(active.transpose(0, 2, 1) @ active / width, y))
    logs = np.concatenate(logs)
    shares = np.exp(logs - logs.max())
    error = shares.std(ddof=1) / shares.mean() / len(logs) ** 0.5
    limit = Layers(1, b, trained="output")
    covariance = limit.size * limit.kernel(rows @ rows.T) + NOISE * np.eye(SAMPLES)
    sampled = (
        logsumexp(logs) - np.log(len(logs)) - multivariate_normal(np.zeros(SAMPLES), covariance).logpdf(y)
    )
    found = finite_width(Layers(1, b), rows, y, NOISE)
    size = found.first_order / width
    apart = abs(size - sampled)
    assert apart <= 3 * np.hypot(error, found.standard_error / width) + size**2


def test_a_wide_network_and_the_limit_agree(problem):
    rows, y = problem
    network = TwoLayerNetwork.initialize(1 << 16, FEATURES, 1, threshold=0.5)
    own, limit = finite_width(network, rows, y, NOISE), finite_width(Layers(1, 0.5), rows, y, NOISE)
    apart = abs(own.first_order - limit.first_order)
    assert apart <= 4 * np.hypot(own.standard_error, limit.standard_error) + 0.02 * limit.kernel_width
    assert own.correction == own.first_order / (1 << 16)
    assert not own.uncertain


def test_a_part_of_a_network_stands_for_the_whole(problem):
    rows, y = problem
    network = TwoLayerNetwork.initialize(1 << 15, FEATURES, 1, threshold=0.5)
    part = network.part(np.arange(0, 1 << 15, 4))
    whole, found = finite_width(network, rows, y, NOISE), finite_width(part, rows, y, NOISE, width=1 << 15)
    apart = abs(whole.first_order - found.first_order)
    assert apart <= 4 * np.hypot(whole.standard_error, found.standard_error)
    assert found.width == 1 << 15


def test_noise_and_scale_of_their_own_do_not_depend_on_the_targets_unit(problem):
    rows, y = problem
    network = TwoLayerNetwork.initialize(4096, FEATURES, 1, threshold=0.5)
    one, other = finite_width(network, rows, y), finite_width(network, rows, 100 * y)
    assert other.kernel_width == pytest.approx(one.kernel_width, rel=1e-6)
    assert other.scale == pytest.approx(1e4 * one.scale, rel=1e-6)


def test_an_error_of_more_than_half_is_called_uncertain(problem):
    rows, y = problem
    found = finite_width(Layers(1, 2.5), rows, y, NOISE, neurons=200)
    assert found.uncertain
    assert str(found).startswith("kernel width about")


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (Layers(2), {}, "layers must be one layer of ReLUs. Got depth=2"),
        (Layers(), {"noise": 0.0}, "noise must be a variance above 0, or 'auto'. Got 0.0"),
        (Layers(), {"neurons": 0}, "neurons must be a whole number >= 1"),
    ],
)
def test_what_has_no_first_order_is_refused(problem, model, given, message):
    with pytest.raises(ValueError, match=message):
        finite_width(model, *problem, **given)
    with pytest.raises(DataError, match="targets must be finite, one row for each of 10 samples"):
        finite_width(Layers(), problem[0], problem[1][1:])

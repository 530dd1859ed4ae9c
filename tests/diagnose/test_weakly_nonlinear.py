"""The evidence of deep, weakly nonlinear networks, beside brute force, sampling and exact integrals."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, WhiteKernel

from fewfire import DataError
from fewfire.diagnose import evidence
from fewfire.diagnose.weakly_nonlinear import first_order


def problem(samples=5, features=20, seed=0):
    random = np.random.default_rng(seed)
    rows = random.standard_normal((samples, features))
    return rows, random.standard_normal(samples)


def flow(g, strength):
    r = (1 - 2 * strength * np.diag(g)) ** -0.5
    return g * np.outer(r, r)


def by_brute_force(first, y, psi, noise):
    """Half the sum, over all directions of a layer's fluctuation, of second differences of the evidence."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    size, step = len(y), 4e-3
    stencil = {0: -49 / 18, 1: 3 / 2, 2: -3 / 20, 3: 1 / 90}
    final = multivariate_normal(np.zeros(size), flow(first, psi) + noise * np.eye(size)).logpdf(y)
    total = 0.0
    for t, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        g = flow(first, psi * t)
        root = np.linalg.cholesky(g)

        def density(h, g=g, t=t):
            moved = flow(g + h, psi * (1 - t)) + noise * np.eye(size)
            return np.exp(multivariate_normal(np.zeros(size), moved).logpdf(y) - final)

        for i in range(size):
            for j in range(i + 1):
                unit = np.zeros((size, size))
                unit[i, j] = unit[j, i] = np.sqrt(2) if i == j else 1.0
                along = root @ unit @ root.T
                second = stencil[0] * density(0 * along)
                for k in (1, 2, 3):
                    second += stencil[k] * (density(k * step * along) + density(-k * step * along))
                total += weight * second / step**2 / 2
    return total


@pytest.mark.parametrize("psi", [-0.3, 0.0, 0.2])
@pytest.mark.parametrize("noise", [0.05, 0.1, 1.0])
def test_the_first_order_is_that_of_brute_force(psi, noise):
    rows, y = problem()
    first = rows @ rows.T / 20
    found = first_order(first, y, psi, noise)
    assert found == pytest.approx(by_brute_force(first, y, psi, noise), rel=1e-6)


def test_linear_layers_without_noise_have_a_closed_form():
    rows, y = problem()
    first = rows @ rows.T / 20
    q, p = y @ np.linalg.solve(first, y), len(y)
    assert first_order(first, y, 0.0, 1e-9) == pytest.approx((q - p) ** 2 / 4 + p / 2 - q, rel=1e-6)


def test_the_error_of_the_first_order_falls_as_its_square():
    rows, y = problem(6, 20, seed=3)
    first = rows @ rows.T / 20
    errors = []
    for depth in (2, 4, 8):
        exact = evidence(rows, y, width=400, depth=depth, psi=0.0).correction
        errors.append(abs(exact - depth / 400 * first_order(first, y, 0.0, 0.1)))
    for one, next_one in zip(errors, errors[1:], strict=False):
        assert next_one == pytest.approx(4 * one, rel=0.35)


def sampled(rows, y, width, depth, psi, noise, paths=1500):
    """The log evidence from networks that are drawn layer by layer, and its standard error."""
    random, size = np.random.default_rng(0), len(y)
    covariances = np.repeat((rows @ rows.T / rows.shape[1])[None], paths, axis=0)
    for _ in range(depth):
        hidden = random.standard_normal((paths, width, size)) @ np.linalg.cholesky(covariances).transpose(
            0, 2, 1
        )
        hidden += psi / (3 * depth) * hidden**3
        covariances = hidden.transpose(0, 2, 1) @ hidden / width
    damped = covariances + noise * np.eye(size)
    quadratic = np.einsum("i,pij,j->p", y, np.linalg.inv(damped), y)
    logs = -(quadratic + np.linalg.slogdet(damped)[1] + size * np.log(2 * np.pi)) / 2
    shares = np.exp(logs - logs.max())
    return logsumexp(logs) - np.log(paths), shares.std(ddof=1) / shares.mean() / paths**0.5


@pytest.mark.parametrize("psi", [-0.3, 0.0, 0.1, 0.2])
def test_it_is_within_three_standard_errors_of_sampled_networks(psi):
    rows, y = problem(3, 30)
    found = evidence(rows, y, width=400, depth=16, psi=psi, noise=0.1)
    expected, error = sampled(rows, y, 400, 16, psi, 0.1)
    assert abs(found.log - expected) <= 3 * error
    assert found.effective_depth == pytest.approx(0.12)


def test_the_leading_order_is_that_of_scikit_learn():
    rows, y = problem(12, 20)
    kernel = ConstantKernel(1 / 20) * DotProduct(0, sigma_0_bounds="fixed") + WhiteKernel(0.3)
    model = GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(rows, y)
    found = evidence(rows, y, width=100, depth=2, noise=0.3, order=0)
    assert found.log == found.leading == pytest.approx(model.log_marginal_likelihood_value_, abs=1e-8)
    mean, deviation = found.predict(rows + 0.1, return_std=True)
    theirs, with_noise = model.predict(rows + 0.1, return_std=True)
    np.testing.assert_allclose(mean, theirs, atol=1e-8)
    # The noise of scikit-learn's kernel is in its deviation, too.
    np.testing.assert_allclose(deviation, np.sqrt(with_noise**2 - 0.3), atol=1e-8)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("psi", [0.0, -0.3])
def test_order_and_rotation_of_the_data_do_not_matter(order, psi):
    rows, y = problem(8, 20)
    random = np.random.default_rng(1)
    order_of = random.permutation(8)
    rotation = np.linalg.qr(random.standard_normal((20, 20)))[0]
    settings = {"width": 500, "depth": 4, "psi": psi, "order": order}
    found = evidence(rows, y, **settings).log
    assert evidence(rows[order_of], y[order_of], **settings).log == pytest.approx(found, abs=1e-10)
    assert evidence(rows @ rotation, y, **settings).log == pytest.approx(found, abs=1e-10)


def test_derivatives_are_those_of_differences():
    rows, y = problem(8, 20)
    settings = {"width": 500, "psi": -0.2}
    found = evidence(rows, y, depth=4, noise=0.2, **settings)
    assert found.by_depth == evidence(rows, y, depth=5, noise=0.2, **settings).log - found.log
    more = evidence(rows, y, depth=4, noise=0.2 * np.exp(0.01), **settings).log
    assert found.by_noise == pytest.approx((more - found.log) / 0.01, abs=0.05)


def test_the_first_order_of_a_posterior_is_that_of_sampled_networks():
    rows, y = problem(5, 30, seed=2)
    rows[4] += rows[0] + 0.5 * rows[1]
    found = evidence(rows[:4], y[:4], width=60, depth=4, psi=-0.2, noise=0.1)
    random, paths = np.random.default_rng(0), 40_000
    covariances = np.repeat((rows @ rows.T / 30)[None], paths, axis=0)
    for _ in range(4):
        hidden = random.standard_normal((paths, 60, 5)) @ np.linalg.cholesky(covariances).transpose(0, 2, 1)
        hidden += -0.2 / 12 * hidden**3
        covariances = hidden.transpose(0, 2, 1) @ hidden / 60
    damped = covariances[:, :4, :4] + 0.1 * np.eye(4)
    inverse = np.linalg.inv(damped)
    logs = -(np.einsum("i,pij,j->p", y[:4], inverse, y[:4]) + np.linalg.slogdet(damped)[1]) / 2
    means = np.einsum("pi,pij,j->p", covariances[:, 4, :4], inverse, y[:4])
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    expected = shares @ means
    error = np.sqrt(np.sum(shares**2 * (means - expected) ** 2))
    mean = found.predict(rows[4:])[0]
    order_0 = evidence(rows[:4], y[:4], width=60, depth=4, psi=-0.2, noise=0.1, order=0).predict(rows[4:])[0]
    assert abs(mean - expected) <= 3 * error + 0.25 * abs(order_0 - expected)


def test_intervals_cover_data_that_are_drawn_from_the_model():
    random, covered, total = np.random.default_rng(0), 0, 0
    for _ in range(200):
        rows = random.standard_normal((24, 40))
        outputs = random.multivariate_normal(np.zeros(24), rows @ rows.T / 40)
        y = outputs[:16] + 0.1**0.5 * random.standard_normal(16)
        found = evidence(rows[:16], y, width=1000, depth=1, noise=0.1, order=0)
        mean, deviation = found.predict(rows[16:], return_std=True)
        covered += np.sum(np.abs(mean - outputs[16:]) <= 1.645 * deviation)
        total += 8
    assert 0.85 <= covered / total <= 0.95


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 30}, "The theory covers fewer samples than features. Got 30 samples of 20 features"),
        ({"width": 20}, "Effective depth 1: the first order is not small. Use width >= 100, or order=0"),
        ({"unit": True}, "psi has no effect on rows of equal norm but to scale them"),
        ({"outputs": 2}, "The evidence is the sum over 2 outputs"),
        ({"size": 20.0}, "The first order is large: it adds"),
    ],
)
def test_what_speaks_against_the_numbers_is_said(change, message):
    rows, y = problem(change.get("samples", 5))
    if "unit" in change:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    y = np.column_stack([y] * change["outputs"]) if "outputs" in change else y * change.get("size", 1.0)
    found = evidence(rows, y, width=change.get("width", 1000), depth=4, psi=-0.2)
    assert any(message in warning for warning in found.warnings), found.warnings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"psi": 0.9},
            "psi must be below .* for these inputs .1 over twice the largest mean square.. Got 0.9",
        ),
        ({"noise": 0.0}, "psi must be finite, noise above 0, and order 0 or 1"),
        ({"order": 2}, "order=2"),
        ({"width": 0}, "width must be a whole number >= 1"),
    ],
)
def test_what_has_no_evidence_is_refused(change, message):
    rows, y = problem()
    with pytest.raises(ValueError, match=message):
        evidence(rows, y, **({"width": 100, "depth": 2} | change))
    with pytest.raises(DataError, match="inputs must be .P, d. and targets"):
        evidence(rows, y[1:], width=100, depth=2)

"""The Gram matrix of a deep network from Hadamard products, against explicit Jacobians."""

import numpy as np
import pytest

from deep import as_reference, deep_problem, firing_of
from fewfire import reference
from fewfire.core.rows import padded
from fewfire.tangent.deep_gram import DeepGram

SHAPES = [
    pytest.param({"widths": (64, 64, 64)}, id="three-layers"),
    pytest.param({"widths": (64, 64, 64), "constant": 0}, id="three-without-a-constant"),
    pytest.param({"widths": (64, 40)}, id="two-layers"),
    pytest.param({"widths": (64, 40), "n_outputs": 1, "threshold": 0.0}, id="one-output-plain-relu"),
    pytest.param({"widths": (64, 40), "normalize": "scale", "constant": 0.7}, id="scale"),
    pytest.param({"widths": (64, 40), "threshold": [0.5, 9.0]}, id="nothing-fires"),
]


def both(shape, dtype=np.float64):
    problem = deep_problem(**shape, dtype=dtype)
    gram = DeepGram(problem.network, problem.inputs, firing_of(problem.network, problem.everything))
    (weights, a), others, lengths = as_reference(problem.network)
    return gram, reference.deep_jacobian(weights, a, problem.inputs.samples, *others, lengths)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_product_of_explicit_jacobians(shape):
    gram, jacobian = both(shape)
    n, c = 20, gram.network.n_outputs
    exact = (jacobian @ jacobian.T).reshape(n, c, n, c)
    np.testing.assert_allclose(gram.matrix(), exact, rtol=0, atol=1e-10)
    shared = np.einsum("ikjk->ij", exact) / c
    np.testing.assert_allclose(gram.shared(), shared, rtol=0, atol=1e-10)
    assert gram.size == pytest.approx(np.trace(shared) / n, abs=1e-10)
    values = np.random.default_rng(0).standard_normal((n, c))
    image = np.einsum("ikjl,jl->ik", exact, values)
    np.testing.assert_allclose(gram.times(values), image, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_follow_a_move_of_all_weights(shape):
    gram, jacobian = both(shape)
    random = np.random.default_rng(1)
    moves = [random.standard_normal(layer.weights.shape) for layer in gram.network.layers]
    exact = jacobian @ np.concatenate([move.ravel() for move in moves])
    found = gram.response([padded(move, np.float64) for move in moves])
    np.testing.assert_allclose(found.ravel(), exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_products_in_single_precision_are_close(shape):
    gram, jacobian = both(shape, np.float32)
    values = np.random.default_rng(0).standard_normal((20, 3))
    exact = (jacobian @ (jacobian.T @ values.ravel())).reshape(values.shape)
    np.testing.assert_allclose(gram.times(values), exact, rtol=0, atol=1e-5 * np.abs(exact).max())

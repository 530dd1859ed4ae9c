"""The Gram matrix through a fire set: the product J J^T of the reference's Jacobian, however it is had."""

import numpy as np
import pytest

import fewfire
from fewfire import Inputs, TwoLayerNetwork, reference
from fewfire.indexes import ExhaustiveIndex
from fewfire.tangent.gram import FiringGram
from problems import clustered_problem

PRECISION = {np.dtype(np.float32): 3e-6, np.dtype(np.float64): 1e-13}


def gram_of(network, inputs):
    index = ExhaustiveIndex()
    index.build(network.layer, inputs)
    return FiringGram(network, inputs, index.fire_set(inputs))


def exact_gram(network, inputs):
    j = reference.jacobian(network.weights, network.output_weights, inputs.samples, network.threshold)
    return j @ j.T


def problem_of(dtype, n_outputs=3, **settings):
    problem = clustered_problem(n_outputs=n_outputs, dtype=dtype, **settings)
    # output weights of any size, not of signs alone
    problem.network.output_weights[:] *= np.linspace(0.5, 2, problem.network.width)[:, None].astype(dtype)
    return problem.network, problem.inputs


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
class TestAgainstTheReference:
    def test_matrix(self, dtype, n_outputs):
        network, inputs = problem_of(dtype, n_outputs)
        size = len(inputs) * n_outputs
        formed = gram_of(network, inputs).matrix().reshape(size, size)
        np.testing.assert_allclose(formed, exact_gram(network, inputs), rtol=0, atol=1e-13)

    def test_times(self, dtype, n_outputs):
        network, inputs = problem_of(dtype, n_outputs)
        values = np.random.default_rng(0).standard_normal((len(inputs), n_outputs))
        exact = exact_gram(network, inputs) @ values.ravel()
        image = gram_of(network, inputs).times(values).ravel()
        np.testing.assert_allclose(
            image, exact, rtol=0, atol=PRECISION[np.dtype(dtype)] * np.abs(exact).max()
        )

    def test_response(self, dtype, n_outputs):
        network, inputs = problem_of(dtype, n_outputs)
        rows = np.zeros_like(network.layer.weight_rows)
        rows[:, : network.n_features] = np.random.default_rng(0).standard_normal(network.weights.shape)
        j = reference.jacobian(network.weights, network.output_weights, inputs.samples, network.threshold)
        exact = j @ rows[:, : network.n_features].astype(np.float64).ravel()
        image = gram_of(network, inputs).response([rows]).ravel()
        np.testing.assert_allclose(
            image, exact, rtol=0, atol=PRECISION[np.dtype(dtype)] * np.abs(exact).max()
        )

    def test_shared_is_the_mean_of_the_diagonal_blocks(self, dtype, n_outputs):
        network, inputs = problem_of(dtype, n_outputs)
        n = len(inputs)
        blocks = exact_gram(network, inputs).reshape(n, n_outputs, n, n_outputs)
        mean = np.einsum("ikjk->ij", blocks) / n_outputs
        np.testing.assert_allclose(gram_of(network, inputs).shared(), mean, rtol=0, atol=1e-13)


def test_coded_samples_give_the_same_product():
    """Long rows of whole multiples of 2^-15 are read as codes."""
    random = np.random.default_rng(0)
    samples = np.rint(random.standard_normal((20, 300)) * 1000) / 32768
    inputs = Inputs.of(samples)
    assert inputs.coded
    network = TwoLayerNetwork.initialize(100, 300, 2, threshold=0.3)
    values = random.standard_normal((20, 2))
    exact = exact_gram(network, inputs) @ values.ravel()
    image = gram_of(network, inputs).times(values).ravel()
    np.testing.assert_allclose(image, exact, rtol=0, atol=3e-6 * np.abs(exact).max())


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(threads):
    network, inputs = problem_of(np.float32)
    values = np.random.default_rng(0).standard_normal((len(inputs), 3))
    gram, before = gram_of(network, inputs), fewfire.threads()
    try:
        results = []
        for count in (1, threads):
            fewfire.set_threads(count)
            results.append([gram.times(values).tobytes(), gram.matrix().tobytes()])
    finally:
        fewfire.set_threads(before)
    assert results[0] == results[1]


@pytest.mark.parametrize("threshold", [2.5, 0.0], ids=["lists", "bits"])
def test_counts_of_few_and_of_many(threshold):
    """Kept as lists where few fire, as bits where many do."""
    problem = clustered_problem(width=333, n_samples=45, threshold=threshold)
    gram = gram_of(problem.network, problem.inputs)
    fired = reference.fires(problem.network.weights, problem.inputs.samples, threshold).astype(float)
    np.testing.assert_array_equal(gram.pattern(np.ones(333)), fired.T @ fired)
    np.testing.assert_array_equal(gram.pattern(np.full(333, 2.0)), 2 * fired.T @ fired)


def test_sketch_nears_the_kernel_with_its_rows():
    network, inputs = problem_of(np.float64, width=3000)
    gram = gram_of(network, inputs)
    shared = gram.shared()
    errors = [
        np.mean([np.linalg.norm(gram.sketched(rows, seed) - shared) for seed in range(5)])
        for rows in (20, 2000, 200_000)
    ]
    assert errors[1] < 0.3 * errors[0]
    assert errors[2] < 0.3 * errors[1]


def test_sketch_is_the_product_of_a_matrix():
    """B^T B has no negative eigenvalue, and no more positive ones than B has rows."""
    network, inputs = problem_of(np.float64)
    values = np.linalg.eigvalsh(gram_of(network, inputs).sketched(network.n_features, seed=0))
    assert values.min() > -1e-12
    assert np.count_nonzero(values > 1e-12) <= network.n_features


def test_nothing_fires():
    network, inputs = problem_of(np.float32)
    network.layer.threshold = 1e6
    gram = gram_of(network, inputs)
    assert gram.size == 0
    assert not gram.times(np.ones((len(inputs), 3))).any()
    assert not gram.matrix().any()

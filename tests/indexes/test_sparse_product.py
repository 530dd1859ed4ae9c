"""Who fires above the first layer: the bits of ordered dense products, whoever fires below."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from checks import assert_well_formed, mask_of
from deep import deep_problem, firing_of, multiply_add, ordered_products
from fewfire import reference
from fewfire.core.rows import padded
from fewfire.core.sparse_inputs import SparseInputs
from fewfire.indexes.sparse_product import SparseProductIndex
from fewfire.networks.layer import Layer
from fewfire.networks.layer_descent import SparseDescent
from fewfire.system import machine
from strategies import seeds


@pytest.fixture(params=machine.available_instruction_sets())
def instruction_set(request):
    machine.use_instruction_set(request.param)
    return request.param


@pytest.fixture(params=[1, 2, 3])
def thread_count(request):
    machine.set_threads(request.param)
    return request.param


def sparse(samples):
    """The samples without their zeros."""
    rows, ids = np.nonzero(samples)
    begins = np.searchsorted(rows, np.arange(len(samples) + 1)).astype(np.int64)
    return SparseInputs(begins, ids.astype(np.int32), samples[rows, ids], samples.shape[1])


def layer_of(weights, threshold):
    return Layer(padded(weights, weights.dtype), weights.shape[1], threshold, 1.0)


def assert_ordered(fires, weights, samples, threshold):
    """Pairs and values are those of ordered dense products, bit for bit."""
    z = ordered_products(weights, samples)
    assert_well_formed(fires, threshold)
    above = z > weights.dtype.type(threshold)
    np.testing.assert_array_equal(mask_of(fires), above)
    assert fires.values.tobytes() == z[above].tobytes()


@pytest.mark.usefixtures("instruction_set", "thread_count")
@pytest.mark.parametrize("shape", [(1, 1, 1), (64, 64, 64), (70, 30, 5), (130, 1100, 3)])
@pytest.mark.parametrize("rate", [0.0, 0.1, 1.0])
def test_bits_are_those_of_ordered_dense_products(shape, rate, dtype):
    width, n_features, n_samples = shape
    random = np.random.default_rng(0)
    weights = random.standard_normal((width, n_features)).astype(dtype)
    samples = random.standard_normal((n_samples, n_features)).astype(dtype)
    samples *= random.random(samples.shape) < rate
    index = SparseProductIndex(layer_of(weights, 0.4))
    fires = index.fire_set(sparse(samples))
    assert_ordered(fires, weights, samples, 0.4)
    assert index.work.input_products == width * np.count_nonzero(samples)
    assert (index.work.asked, index.work.fired) == (width * n_samples, len(fires))


UGLY = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 3.0, 1e-20, 1e-38, 1e30, -1e30])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_ugly_numbers_ties_and_empty_samples_included(data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    width, n_features, n_samples = (data.draw(st.integers(1, most)) for most in (70, 20, 6))
    weights = data.draw(arrays(dtype, (width, n_features), elements=UGLY))
    samples = data.draw(arrays(dtype, (n_samples, n_features), elements=UGLY))
    threshold = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    fires = SparseProductIndex(layer_of(weights, threshold)).fire_set(sparse(samples))
    z = ordered_products(weights, samples)
    above = z > dtype(threshold)  # NaN does not fire
    np.testing.assert_array_equal(mask_of(fires), above)
    assert fires.values.tobytes() == z[above].tobytes()


def moved(weights, fires, samples, pulls, rate):
    """The weights after a step: samples in order, a multiply-add for each weight between what fires."""
    weights = weights.copy()
    factors = (weights.dtype.type(-rate) * pulls).astype(weights.dtype)
    for r, i, factor in zip(fires.neurons(), fires.samples, factors, strict=True):
        fired = samples[i] != 0
        weights[r, fired] = multiply_add(factor, samples[i, fired], weights[r, fired])
    return weights


@pytest.mark.usefixtures("instruction_set", "thread_count")
@pytest.mark.parametrize("shape", [(1, 1, 1), (70, 30, 5), (130, 1100, 3)])
def test_a_step_moves_what_fires_alone_and_asks_in_the_same_pass(shape, dtype):
    width, n_features, n_samples = shape
    random = np.random.default_rng(1)
    weights = random.standard_normal((width, n_features)).astype(dtype)
    two = [random.standard_normal((n_samples, n_features)).astype(dtype) for _ in range(2)]
    samples, following = (one * (random.random(one.shape) < 0.2) for one in two)
    layer = layer_of(weights, 0.1)
    index, inputs = SparseProductIndex(layer), sparse(samples)
    fires = index.fire_set(inputs)
    pulls = random.standard_normal(len(fires)).astype(dtype)
    descent = SparseDescent(layer, inputs, fires, pulls, 0.5 * n_samples)
    expected = moved(weights, fires, samples, pulls, 0.5)
    alone = layer.part(slice(None))
    SparseProductIndex(alone).take(SparseDescent(alone, inputs, fires, pulls, 0.5 * n_samples))
    found = index.descend(descent, sparse(following))
    assert layer.weights.tobytes() == alone.weights.tobytes() == expected.tobytes()
    assert not layer.weight_rows[:, n_features:].any()
    assert_ordered(found, expected, following, 0.1)
    pairs = sum(np.count_nonzero(samples[i]) for i in fires.samples)
    assert index.work.pair_products == descent.products == pairs


@settings(max_examples=30, deadline=None)
@given(seed=seeds, rate=st.sampled_from([0.0, 0.2, 1.0]), dtype=st.sampled_from([np.float32, np.float64]))
def test_gradients_by_the_inputs_are_those_of_a_dense_product(seed, rate, dtype):
    random = np.random.default_rng(seed)
    width, n_features, n_samples = random.integers(1, [300, 60, 9])
    weights = random.standard_normal((width, n_features)).astype(dtype)
    samples = random.standard_normal((n_samples, n_features)).astype(dtype)
    samples *= random.random(samples.shape) < rate
    layer, inputs = layer_of(weights, 0.2), sparse(samples)
    fires = SparseProductIndex(layer).fire_set(inputs)
    pulls = random.standard_normal(len(fires)).astype(dtype)
    results = set()
    for threads in (1, 2, 3):
        machine.set_threads(threads)
        gradients = SparseDescent(layer, inputs, fires, pulls, 1.0).input_gradients()
        results.add(gradients.tobytes())
    assert len(results) == 1
    dense = np.zeros((width, n_samples))
    dense[fires.neurons(), fires.samples] = pulls
    exact = (dense.T @ weights.astype(np.float64))[samples != 0]
    np.testing.assert_allclose(gradients, exact, rtol=0, atol=100 * np.finfo(dtype).eps * width**0.5)


@pytest.mark.parametrize(
    "network", [{}, {"constant": 1.5}, {"widths": (130, 90, 70)}, {"normalize": "scale"}]
)
def test_all_layers_fire_as_in_the_reference(network):
    problem = deep_problem(**network, dtype=np.float64)
    firing = firing_of(problem.network, problem.everything)
    weights = [layer.weights for layer in problem.network.layers]
    _, z = reference.deep_layers(
        weights, problem.inputs.samples, problem.network.thresholds, problem.network.constants,
        problem.network.lengths,
    )  # fmt: skip
    for fires, exact, b in zip(firing.fires, z, problem.network.thresholds, strict=True):
        np.testing.assert_array_equal(mask_of(fires), (exact > b).T)
        np.testing.assert_allclose(fires.values, exact.T[(exact > b).T], rtol=0, atol=1e-12)

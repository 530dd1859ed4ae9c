"""The size of the sketch is chosen by the data: by how much of the samples the directions catch."""

import numpy as np
import pytest

from checks import assert_right
from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes import DriftIndex
from fewfire.indexes.sketch import default_directions, principal_directions
from problems import Problem, clustered_samples


def samples_of_spectrum(n_features, rank, noise, n_samples=500):
    """Rows spread evenly over `rank` directions, and a little over all."""
    random = np.random.default_rng(0)
    directions = np.linalg.qr(random.standard_normal((n_features, rank)))[0]
    rows = random.standard_normal((n_samples, rank)) @ directions.T
    return rows + noise * random.standard_normal((n_samples, n_features))


def chosen(samples, dtype=np.float32):
    return default_directions(Inputs.of(samples, dtype)).shape[1]


@pytest.mark.parametrize(("rank", "size"), [(5, 16), (16, 16), (30, 32), (45, 48), (60, 64)])
def test_as_many_directions_are_kept_as_catch_the_data(dtype, rank, size):
    assert chosen(samples_of_spectrum(800, rank, 0.001), dtype) == size


def test_no_sketch_is_kept_where_it_cannot_pay():
    assert chosen(samples_of_spectrum(100, 5, 0.0)) == 0  # dots are as cheap
    assert chosen(np.random.default_rng(0).standard_normal((500, 800))) == 0  # no directions catch much


@pytest.mark.parametrize("n_samples", [1, 2, 15, 40])
def test_few_samples_have_few_directions(n_samples):
    samples = samples_of_spectrum(800, 40, 0.1, n_samples)
    assert chosen(samples) <= n_samples


def test_samples_of_zero_need_none():
    assert chosen(np.zeros((40, 800))) == 0


def test_the_directions_are_those_of_that_size_and_the_same_each_time():
    inputs = Inputs.of(samples_of_spectrum(800, 30, 0.001))
    directions = default_directions(inputs)
    np.testing.assert_array_equal(directions, default_directions(inputs))
    np.testing.assert_allclose(directions.T @ directions, np.eye(32), atol=1e-12)
    same = principal_directions(inputs, 30)
    np.testing.assert_allclose(np.linalg.norm(directions.T @ same), np.sqrt(30), rtol=1e-6)


@pytest.mark.parametrize(("n_samples", "n_features"), [(1, 1), (3, 2), (40, 8), (63, 300), (5, 800)])
def test_few_samples_and_few_features_are_served(dtype, n_samples, n_features):
    samples, nearest = clustered_samples(n_samples, n_features)
    network = TwoLayerNetwork.initialize(100, n_features, 1, threshold=0.5, dtype=dtype)
    problem = Problem(network, Inputs.of(samples, dtype), nearest[:, None])
    index = DriftIndex()
    index.build(network.layer, problem.inputs)
    index.check_invariants()
    assert index.k <= min(n_samples, n_features)
    assert_right(index.fire_set(problem.everything), network, problem.everything)

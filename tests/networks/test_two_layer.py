"""The parameters of a network: how they are given, drawn, held and copied."""

import math
import pickle

import numpy as np
import pytest

from fewfire import TwoLayerNetwork, reference
from fewfire.core.rows import VECTOR_BYTES
from problems import clustered_problem


def test_parameters_are_held_as_they_were_given(dtype):
    weights, output_weights = np.arange(6.0).reshape(3, 2), np.array([[1.0], [-1], [1]])
    network = TwoLayerNetwork(weights, output_weights, 0.5, dtype)
    np.testing.assert_array_equal(network.weights, weights)
    np.testing.assert_array_equal(network.output_weights, output_weights)
    assert (network.width, network.n_features, network.n_outputs) == (3, 2, 1)
    assert network.threshold == 0.5
    assert network.dtype == dtype
    assert network.scale == 3**-0.5


def test_the_network_keeps_its_own_copy():
    weights = np.ones((3, 2), np.float32)
    network = TwoLayerNetwork(weights, np.ones((3, 1)), 0.5)
    weights[:] = 7
    assert np.all(network.weights == 1)


def test_the_weights_may_be_written_to():
    network = TwoLayerNetwork(np.ones((3, 2)), np.ones((3, 1)), 0.5)
    network.weights[1] = 7
    assert network.layer.weight_rows[1, :2].tolist() == [7, 7]


def test_rows_are_aligned_and_padded_with_zeros(dtype):
    network = TwoLayerNetwork(np.ones((3, 17)), np.ones((3, 2)), 0.5, dtype)
    for rows, columns in [(network.layer.weight_rows, 17), (network.output_rows, 2)]:
        assert rows.ctypes.data % VECTOR_BYTES == 0
        assert rows.strides[0] % VECTOR_BYTES == 0
        assert rows.flags.c_contiguous
        assert not rows[:, columns:].any()


def test_the_threshold_is_rounded_as_the_kernels_will_see_it():
    network = TwoLayerNetwork(np.ones((1, 1)), np.ones((1, 1)), 0.1)
    assert network.threshold == float(np.float32(0.1))


@pytest.mark.parametrize(
    ("weights", "output_weights", "message"),
    [
        (np.ones(3), np.ones((3, 1)), r"must be \(m, d\) .* Got shapes \(3,\) and \(3, 1\). Give one row"),
        (np.ones((3, 2)), np.ones(3), r"Got shapes \(3, 2\) and \(3,\). Give one row per neuron in both"),
        (np.ones((3, 2)), np.ones((4, 1)), r"with the same m. Got shapes \(3, 2\) and \(4, 1\)"),
        (
            np.ones((0, 2)),
            np.ones((0, 1)),
            r"at least one neuron, one feature and one output. Got shapes \(0, 2\)",
        ),
        (np.ones((3, 0)), np.ones((3, 1)), r"at least one neuron, one feature .* Got shapes \(3, 0\)"),
        (np.ones((3, 2)), np.ones((3, 0)), r"at least one neuron, .* Got shapes \(3, 2\) and \(3, 0\)"),
    ],
)
def test_shapes_must_fit(weights, output_weights, message):
    with pytest.raises(ValueError, match=message):
        TwoLayerNetwork(weights, output_weights, 0.5)


@pytest.mark.parametrize("threshold", [-0.1, math.nan, math.inf, -math.inf])
def test_the_threshold_must_be_finite_and_not_negative(threshold):
    message = rf"threshold must be a finite number >= 0. Got {threshold}. Use threshold=0 for a plain ReLU."
    with pytest.raises(ValueError, match=message):
        TwoLayerNetwork(np.ones((1, 1)), np.ones((1, 1)), threshold)
    with pytest.raises(ValueError, match=message):
        TwoLayerNetwork.initialize(1, 1, 1, threshold=threshold)


def test_a_threshold_that_is_infinite_in_the_networks_precision_is_refused():
    with pytest.raises(ValueError, match="threshold must be a finite number >= 0"):
        TwoLayerNetwork(np.ones((1, 1)), np.ones((1, 1)), 1e300, np.float32)
    assert TwoLayerNetwork(np.ones((1, 1)), np.ones((1, 1)), 1e300, np.float64).threshold == 1e300


@pytest.mark.parametrize("dtype", [np.float16, np.int32, complex])
def test_the_dtype_must_be_one_that_the_kernels_have(dtype):
    with pytest.raises(ValueError, match="dtype must be float32 or float64. Got .* Choose one of them"):
        TwoLayerNetwork(np.ones((1, 1)), np.ones((1, 1)), 0.5, dtype)
    with pytest.raises(ValueError, match="dtype must be float32 or float64. Got .* Choose one of them"):
        TwoLayerNetwork.initialize(1, 1, 1, dtype=dtype)


def test_weights_are_drawn_normal_and_output_weights_as_signs(dtype):
    network = TwoLayerNetwork.initialize(3000, 50, 4, dtype=dtype)
    assert network.weights.mean() == pytest.approx(0, abs=0.01)
    assert network.weights.std() == pytest.approx(1, abs=0.01)
    assert np.mean(network.weights**4) == pytest.approx(3, abs=0.1)
    assert set(np.unique(network.output_weights)) == {-1, 1}
    np.testing.assert_allclose(network.output_weights.mean(axis=0), 0, atol=0.1)
    assert len(np.unique(network.weights[:, 0])) > 2900  # no piece is drawn twice


def test_the_seed_decides_the_network():
    first, again, other = (TwoLayerNetwork.initialize(1500, 3, 2, seed=seed) for seed in (1, 1, 2))
    assert first.layer.weight_rows.tobytes() == again.layer.weight_rows.tobytes()
    assert first.output_rows.tobytes() == again.output_rows.tobytes()
    assert first.layer.weight_rows.tobytes() != other.layer.weight_rows.tobytes()


def test_the_default_threshold_is_that_of_the_paper():
    assert TwoLayerNetwork.initialize(1000, 1, 1).threshold == float(
        np.float32(math.sqrt(0.4 * math.log(1000)))
    )


@pytest.mark.parametrize("fire_rate", [0.5, 0.1, 0.01])
def test_a_fire_rate_may_be_asked_for(fire_rate):
    network = TwoLayerNetwork.initialize(20000, 30, 1, fire_rate=fire_rate)
    samples = clustered_problem(n_features=30).inputs.samples
    fired = reference.fires(network.weights, samples, network.threshold)
    assert fired.mean() == pytest.approx(fire_rate, rel=0.05)


def test_a_threshold_and_a_fire_rate_cannot_both_be_had():
    with pytest.raises(ValueError, match="not both. Got threshold=0.5 and fire_rate=0.1. Leave one out"):
        TwoLayerNetwork.initialize(1, 1, 1, threshold=0.5, fire_rate=0.1)


@pytest.mark.parametrize("threshold", ["papers", None, [0.5]])
def test_a_threshold_must_be_a_number_or_paper(threshold):
    with pytest.raises(ValueError, match="threshold must be a number, 'auto' or 'paper'. Got "):
        TwoLayerNetwork.initialize(1, 1, 1, threshold=threshold)


@pytest.mark.parametrize("name", ["width", "n_features", "n_outputs"])
@pytest.mark.parametrize("count", [0, -1, 2.0, "3"])
def test_counts_must_be_whole_numbers_from_one(name, count):
    counts = {"width": 1, "n_features": 1, "n_outputs": 1} | {name: count}
    with pytest.raises(ValueError, match=rf"{name} must be a whole number >= 1. Got {count!r}"):
        TwoLayerNetwork.initialize(**counts)


def test_a_copy_shares_nothing(dtype):
    network = TwoLayerNetwork.initialize(5, 3, 2, dtype=dtype)
    twin = network.copy()
    assert twin.layer.weight_rows.tobytes() == network.layer.weight_rows.tobytes()
    assert twin.output_rows.tobytes() == network.output_rows.tobytes()
    assert (twin.threshold, twin.dtype) == (network.threshold, network.dtype)
    twin.weights[:], twin.output_weights[:] = 0, 0
    assert network.weights.any()
    assert network.output_weights.all()


def test_a_network_describes_itself():
    network = TwoLayerNetwork.initialize(5, 3, 2, threshold=0.25)
    assert repr(network) == (
        "TwoLayerNetwork(width=5, n_features=3, n_outputs=2, threshold=0.25, dtype=float32)"
    )


def test_the_dense_forward_pass_is_the_same_in_any_number_of_pieces(monkeypatch):
    problem = clustered_problem(dtype=np.float64)
    whole = problem.network.forward(problem.inputs.samples)
    monkeypatch.setattr("fewfire.networks.two_layer.FORWARD_PAIRS", 7 * problem.network.width)
    np.testing.assert_allclose(problem.network.forward(problem.inputs.samples), whole, rtol=1e-13)


def test_pickle_keeps_every_bit():
    network = TwoLayerNetwork.initialize(30, 5, 2, threshold=0.3)
    again = pickle.loads(pickle.dumps(network))
    assert again.layer.weight_rows.tobytes() == network.layer.weight_rows.tobytes()
    assert again.output_rows.tobytes() == network.output_rows.tobytes()
    assert (again.threshold, again.dtype) == (network.threshold, network.dtype)
    assert again.layer.weight_rows.ctypes.data % 64 == 0

"""What a layer hands to the next, and how the gradient comes back: against the reference, in all cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewfire import FireSet
from fewfire.networks.hidden import Hidden, Normalization
from fewfire.reference.deep import normalized, normalized_gradients, with_constant
from fewfire.system import machine
from strategies import seeds

B = 0.5


def fire_set_of(z):
    """Of pre-activations (m, n)."""
    neurons, samples = np.nonzero(z > B)
    begins = np.searchsorted(neurons, np.arange(len(z) + 1)).astype(np.int64)
    return FireSet(begins, samples.astype(np.int32), z[neurons, samples], z.shape[1])


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    rate=st.sampled_from([0.0, 0.1, 1.0]),
    constant=st.sampled_from([0.0, 1.7]),
    length=st.sampled_from([None, 3.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
    size=st.sampled_from([1.0, 1e-30, 1e30]),
)
def test_it_is_the_reference_there_and_back(seed, rate, constant, length, dtype, size):
    random = np.random.default_rng(seed)
    width, n = random.integers(1, [90, 12])
    activations = np.abs(random.standard_normal((width, n))) * (random.random((width, n)) < rate)
    z = (B + activations).astype(dtype) if size == 1 else (size * activations).astype(dtype)
    b = B if size == 1 else 0.0
    fires = fire_set_of(z) if size == 1 else fire_set_of(np.where(z > 0, 1.0, 0.0))
    fires = FireSet(fires.begins, fires.samples, z[fires.neurons(), fires.samples], n)
    hidden = Hidden.of(fires, b, Normalization(constant, length))
    a = np.maximum(z.astype(np.float64) - b, 0).T
    tolerance = 50 * np.finfo(dtype).eps
    expected = with_constant(normalized(a, length), constant)
    np.testing.assert_allclose(hidden.inputs.dense(), expected, rtol=tolerance, atol=tolerance * min(size, 1))
    assert hidden.dead_samples == np.count_nonzero(~a.any(axis=1))
    alive = hidden.lengths[a.any(axis=1)]
    own = np.linalg.norm(a[a.any(axis=1)], axis=1)
    np.testing.assert_allclose(alive, own if length is None else length, rtol=tolerance)

    gradients = random.standard_normal(len(hidden.inputs.ids)).astype(dtype)
    dense = np.zeros((n, hidden.inputs.n_features))
    dense[np.repeat(np.arange(n), np.diff(hidden.inputs.begins)), hidden.inputs.ids] = gradients
    by_hidden = dense[:, :width] / np.sqrt(1 + constant**2)
    back = normalized_gradients(a, by_hidden, length).T[fires.neurons(), fires.samples]
    np.testing.assert_allclose(hidden.pulls(gradients), back, rtol=1e-3 if dtype == np.float32 else 1e-9,
                               atol=20 * tolerance / min(size, 1))  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_its_bits_depend_on_no_number_of_threads(threads, dtype):
    z = np.random.default_rng(0).standard_normal((300, 90)).astype(dtype)
    fires, how = fire_set_of(z), Normalization(1.5)
    hidden = Hidden.of(fires, B, how)
    gradients = np.random.default_rng(1).standard_normal(len(hidden.inputs.ids)).astype(dtype)
    machine.set_threads(threads)
    again = Hidden.of(fires, B, how)
    assert again.inputs.values.tobytes() == hidden.inputs.values.tobytes()
    assert again.lengths.tobytes() == hidden.lengths.tobytes()
    assert again.pulls(gradients.copy()).tobytes() == hidden.pulls(gradients).tobytes()


def test_one_neuron_alone_gives_one_however_little_it_fires():
    least = np.nextafter(np.float64(B), 1)
    hidden = Hidden.of(fire_set_of(np.array([[least, 0.1]])), B, Normalization())
    assert hidden.inputs.values.tolist() == [1.0]
    assert hidden.lengths.tolist() == [least - B, 0.0]
    assert hidden.dead_samples == 1
    assert hidden.pulls(np.array([2.0])).tolist() == [0.0]  # on the sphere it cannot move

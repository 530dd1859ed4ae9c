"""Inputs: padded rows with norms that are never too small, and what cannot be an input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from checks import norms_of
from fewfire import DataError, Inputs, TwoLayerNetwork
from fewfire.core.inputs import SHORTEST_PROVABLE
from fewfire.core.rows import VECTOR_BYTES
from fewfire.indexes import ExhaustiveIndex


def test_samples_are_held_as_they_were_given(dtype):
    samples = np.arange(12.0).reshape(4, 3)
    inputs = Inputs.of(samples, dtype)
    np.testing.assert_array_equal(inputs.samples, samples)
    assert len(inputs) == 4
    assert inputs.n_features == 3
    assert inputs.dtype == dtype
    np.testing.assert_array_equal(inputs.ids, np.arange(4))


@pytest.mark.parametrize(
    "samples", [[[1, 2], [3, 4]], np.ones((2, 2), bool), np.asfortranarray(np.ones((2, 2)))]
)
def test_whatever_is_like_an_array_of_numbers_will_do(samples):
    np.testing.assert_array_equal(Inputs.of(samples).samples, np.asarray(samples))


def test_rows_are_aligned_and_padded_with_zeros(dtype):
    inputs = Inputs.of(np.ones((5, 17)), dtype)
    assert inputs.rows.ctypes.data % VECTOR_BYTES == 0
    assert inputs.rows.strides[0] % VECTOR_BYTES == 0
    assert not inputs.rows[:, 17:].any()


@given(data=st.data(), width=st.sampled_from([32, 64]))
def test_norms_are_never_too_small_and_hardly_too_large(data, width):
    elements = st.floats(-(2.0**50), 2.0**50, width=width)
    shape = st.tuples(st.integers(1, 5), st.integers(1, 20))
    rows = data.draw(arrays(f"float{width}", shape, elements=elements))
    inputs = Inputs.of(rows, rows.dtype)
    exact = norms_of(rows)
    provable = exact > SHORTEST_PROVABLE
    assert np.all((inputs.norms >= exact)[provable])
    assert np.all((inputs.norms <= exact * (1 + 8 * np.finfo(rows.dtype).eps))[provable])


def test_inverse_norms_are_zero_where_a_row_is_too_short_to_divide_by(dtype):
    inputs = Inputs.of([[2.0], [0.0], [1e-20]], dtype)
    np.testing.assert_array_equal(inputs.inverse_norms, [0.5, 0, 0])


def test_a_norm_beyond_the_largest_number_is_infinite():
    inputs = Inputs.of(np.full((1, 4), 3e38), np.float32)
    assert np.isinf(inputs.norms[0])
    assert np.isfinite(inputs.rows).all()


def test_a_batch_is_a_copy_of_its_rows_with_their_ids():
    inputs = Inputs.of(np.arange(12.0).reshape(4, 3))
    batch = inputs.batch(np.array([2, 0, 2]))
    np.testing.assert_array_equal(batch.samples, inputs.samples[[2, 0, 2]])
    np.testing.assert_array_equal(batch.ids, [2, 0, 2])
    np.testing.assert_array_equal(batch.norms, inputs.norms[[2, 0, 2]])
    np.testing.assert_array_equal(batch.inverse_norms, inputs.inverse_norms[[2, 0, 2]])
    assert not np.shares_memory(batch.rows, inputs.rows)


def test_a_batch_of_a_batch_keeps_the_ids_of_the_training_set():
    inputs = Inputs.of(np.arange(12.0).reshape(4, 3))
    np.testing.assert_array_equal(inputs.batch(np.array([3, 1])).batch(np.array([1])).ids, [1])


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0), (2, 2, 2)], ids=str)
def test_inputs_must_be_two_dimensional_and_not_empty(shape):
    message = (
        rf"two-dimensional with at least one row and one column. Got shape \({', '.join(map(str, shape))}"
    )
    with pytest.raises(DataError, match=message + r".*Pass an array \(n_samples, n_features\)"):
        Inputs.of(np.ones(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_must_be_finite(value, dtype):
    samples = np.ones((4, 3))
    samples[2, 1] = value
    name = np.dtype(dtype).name
    with pytest.raises(
        DataError, match=rf"must be finite in {name}. Got {value} in row 2, column 1. Remove, impute"
    ):
        Inputs.of(samples, dtype)


def test_inputs_too_large_for_their_precision_are_refused_with_their_value():
    with pytest.raises(DataError, match=r"must be finite in float32. Got 1e\+300 in row 0, column 1"):
        Inputs.of([[1.0, 1e300]], np.float32)
    assert len(Inputs.of([[1.0, 1e300]], np.float64)) == 1


def test_a_whole_one_is_no_code():
    """It would be 2^15, which 16 bits do not hold."""
    samples = np.eye(300, dtype=np.float32)
    network = TwoLayerNetwork(np.ones((1, 300)), np.ones((1, 1)), 0.5)
    index = ExhaustiveIndex()
    index.build(network.layer, Inputs.of(samples))
    fires = index.fire_set(Inputs.of(samples))
    np.testing.assert_array_equal(fires.values, np.ones(300))

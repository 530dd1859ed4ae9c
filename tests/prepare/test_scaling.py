"""The way of the inputs to the unit sphere."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fewfire import Inputs
from fewfire.errors import DataError
from fewfire.prepare import InputScaling, scaling

# Far from the limits of float64, so that squares neither overflow nor vanish.
value = st.floats(-1e100, 1e100, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-100 else 0.0)


def matrices(n_columns):
    return hnp.arrays(np.float64, st.tuples(st.integers(1, 8), n_columns), elements=value)


pairs = st.integers(1, 5).flatmap(lambda d: st.tuples(matrices(st.just(d)), matrices(st.just(d))))


def plain_transform(train, inputs, standardize):
    """The definition, in a few lines of NumPy."""
    spread = train.std(axis=0) if standardize else np.ones(train.shape[1])
    train, inputs = ((x - train.mean(axis=0)) / spread for x in (train, inputs))
    constant = (1 if standardize else 0.3) * np.sqrt((train**2).sum(axis=1).mean())
    rows = np.column_stack([inputs, np.full(len(inputs), constant)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_scaling_is_what_its_definition_says(standardize, dtype):
    rng = np.random.default_rng(3)
    train, test = (rng.uniform(0, 250, (n, 7)).astype(dtype) for n in (40, 9))
    fitted = InputScaling.fit(train, standardize=standardize)
    expected = plain_transform(train.astype(float), test.astype(float), standardize)
    np.testing.assert_allclose(fitted.transform(test, np.float64), expected, rtol=1e-12)
    np.testing.assert_allclose(fitted.transform(test), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("standardize", [True, False])
def test_long_rows_of_float32_are_whole_multiples_that_can_be_coded(standardize):
    pictures = np.random.default_rng(0).integers(0, 256, (30, 300))
    pictures[0, 1:] = 0  # nearly all of the norm in one feature: rounds to less than 1
    fitted = InputScaling.fit(pictures, standardize=standardize)
    exact, rounded = fitted.transform(pictures, np.float64), fitted.transform(pictures)
    codes = rounded * 2.0**15
    np.testing.assert_array_equal(codes, np.rint(codes))
    np.testing.assert_allclose(rounded, exact, atol=2.0**-15)
    assert Inputs.of(rounded).coded
    assert not Inputs.of(exact.astype(np.float32)).coded
    assert not Inputs.of(rounded.astype(np.float64), np.float64).coded


@settings(deadline=None)
@given(pairs, st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_rows_are_finite_and_of_unit_norm(pair, standardize, dtype):
    train, test = pair
    fitted = InputScaling.fit(train, standardize=standardize)
    assert fitted.constant > 0
    assert (fitted.scale > 0).all()
    for inputs in (train, test):
        unit_rows = fitted.transform(inputs, dtype)
        assert unit_rows.dtype == dtype
        assert unit_rows.shape == (len(inputs), train.shape[1] + 1)
        assert unit_rows.flags.c_contiguous
        norms = np.linalg.norm(unit_rows.astype(np.float64), axis=1)
        np.testing.assert_allclose(norms, 1, atol=4 * np.finfo(dtype).eps)


@settings(deadline=None)
@given(pairs, st.booleans())
def test_prediction_uses_the_training_statistics_row_by_row(pair, standardize):
    train, test = pair
    fitted = InputScaling.fit(train, standardize=standardize)
    together = fitted.transform(np.concatenate([train, test, test]))
    for row, unit_row in zip(np.concatenate([train, test, test]), together, strict=True):
        np.testing.assert_array_equal(fitted.transform(row[None])[0], unit_row)


@settings(deadline=None)
@given(matrices(st.integers(1, 5)), st.booleans())
def test_state_is_a_round_trip(train, standardize):
    fitted = InputScaling.fit(train, standardize=standardize)
    restored = InputScaling.from_state(fitted.state())
    np.testing.assert_array_equal(restored.transform(train), fitted.transform(train))
    assert all(isinstance(array, np.ndarray) for array in fitted.state().values())


@pytest.mark.parametrize("chunk_values", [1, 7, 10, 2**18])
def test_the_size_of_a_chunk_does_not_matter(monkeypatch, chunk_values):
    inputs = np.random.default_rng(0).normal(size=(11, 3))
    monkeypatch.setattr(scaling, "CHUNK_VALUES", chunk_values)
    fitted = InputScaling.fit(inputs, standardize=True)
    expected = plain_transform(inputs, inputs, standardize=True)
    np.testing.assert_allclose(fitted.transform(inputs, np.float64), expected, rtol=1e-12)


def test_wide_rows_do_not_depend_on_their_neighbours():
    inputs = np.random.default_rng(0).normal(size=(5, 1003)).astype(np.float32)
    fitted = InputScaling.fit(inputs, standardize=False)
    alone = np.concatenate([fitted.transform(inputs[i : i + 1]) for i in range(5)])
    np.testing.assert_array_equal(fitted.transform(inputs), alone)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("rows", [[[5.0]], [[0.1, -3.0]], [[0.1, 2.0]] * 9, [[0.0]] * 3])
def test_a_training_set_without_spread_leaves_the_constant_alone(rows, standardize):
    fitted = InputScaling.fit(np.array(rows), standardize=standardize)
    assert fitted.constant == 1
    expected = np.zeros((len(rows), len(rows[0]) + 1))
    expected[:, -1] = 1
    np.testing.assert_array_equal(fitted.transform(np.array(rows)), expected)


@pytest.mark.parametrize("value", [0.1, 1 / 3, -7.0, 1e20, 1e-20])
def test_a_constant_column_changes_nothing(value):
    inputs = np.random.default_rng(0).normal(size=(999, 2))
    with_constant = np.column_stack([inputs, np.full(999, value)])
    unit_rows = InputScaling.fit(with_constant, standardize=True).transform(with_constant)
    assert (unit_rows[:, 2] == 0).all()
    without = InputScaling.fit(inputs, standardize=True).transform(inputs)
    np.testing.assert_allclose(unit_rows[:, [0, 1, 3]], without, rtol=1e-6)


@pytest.mark.parametrize("value", [0.1, 1e20])
def test_rounding_noise_on_a_constant_column_stays_noise(value):
    rng = np.random.default_rng(0)
    noisy = value * (1 + 1e-15 * rng.normal(size=50))
    inputs = np.column_stack([rng.normal(size=50), noisy])
    fitted = InputScaling.fit(inputs, standardize=True)
    assert np.abs(fitted.transform(inputs)[:, 1]).max() < 1e-13


def test_a_small_spread_far_from_zero_is_signal():
    times = 1.7e9 + np.arange(50.0)
    fitted = InputScaling.fit(times[:, None], standardize=True)
    np.testing.assert_allclose(fitted.scale, times.std(), rtol=1e-9)


def test_images_are_centred_but_not_divided():
    images = np.array([[0, 200], [100, 250]], np.uint8)
    fitted = InputScaling.fit(images, standardize=False)
    assert fitted.mean.tolist() == [50, 225]
    assert fitted.scale.tolist() == [1, 1]
    assert fitted.constant == pytest.approx(0.3 * np.hypot(50, 25))


def test_no_rows_give_no_rows():
    fitted = InputScaling.fit(np.ones((2, 3)), standardize=True)
    assert fitted.transform(np.empty((0, 3))).shape == (0, 4)


@pytest.mark.parametrize("inputs", [np.ones((2, 4)), np.ones(3), np.ones((2, 3, 1))])
def test_another_number_of_features_is_refused(inputs):
    fitted = InputScaling.fit(np.ones((2, 3)), standardize=True)
    with pytest.raises(DataError, match=r"the 3 features of training. Got shape \("):
        fitted.transform(inputs)


@pytest.mark.parametrize("huge", [1e300, np.nan, np.inf])
def test_values_without_a_finite_variance_are_refused(huge):
    inputs = np.array([[0.0, huge], [1.0, -huge]])
    for standardize in (True, False):
        with pytest.raises(DataError, match=r"variance .* must be finite.* in column 1 \(from 0\)"):
            InputScaling.fit(inputs, standardize=standardize)


@pytest.mark.parametrize("huge", [1e300, np.nan, -np.inf])
def test_rows_without_a_finite_norm_are_refused(monkeypatch, huge):
    monkeypatch.setattr(scaling, "CHUNK_VALUES", 4)
    inputs = np.zeros((5, 2))
    fitted = InputScaling.fit(inputs, standardize=True)
    inputs[3, 1] = huge
    with pytest.raises(DataError, match=r"norm .* must be finite.* in row 3 \(from 0\)"):
        fitted.transform(inputs)


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 3))), st.booleans())
@example(np.array([[0.0], [0.0], [6e-162]]), False)
@example(np.array([[1e200, 0.0], [1e200, 1.0]]), True)
def test_any_floats_end_on_the_sphere_or_in_a_data_error(inputs, standardize):
    try:
        unit_rows = InputScaling.fit(inputs, standardize=standardize).transform(inputs)
    except DataError:
        assert not (np.abs(inputs) < 1e150).all()
    else:
        np.testing.assert_allclose(np.linalg.norm(unit_rows.astype(np.float64), axis=1), 1, 1e-6)


def test_a_huge_constant_column_warns_of_nothing():
    fitted = InputScaling.fit(np.full((3, 2), 1e308), standardize=True)
    assert fitted.transform(np.full((1, 2), 1e308)).tolist() == [[0, 0, 1]]
    assert fitted.transform(np.full((1, 2), 9e307)).shape == (1, 3)
    fitted = InputScaling.fit(np.full((3, 2), 1e308), standardize=False)
    with pytest.raises(DataError, match="norm .* must be finite"):
        fitted.transform(np.full((1, 2), -1e308))

"""Labels and their codes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewfire.errors import DataError
from fewfire.prepare import Classes

any_labels = st.one_of(
    st.lists(st.integers(-(2**53), 2**53), min_size=1),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1),
    st.lists(st.booleans(), min_size=1),
)


@settings(deadline=None)
@given(any_labels)
def test_encoding_and_decoding_is_a_round_trip_also_through_json(labels):
    labels = np.array(labels)
    classes = Classes.of(labels)
    assert len(classes) == len(set(labels.tolist()))
    assert classes.values.tolist() == sorted(set(labels.tolist()))
    codes = classes.encode(labels)
    assert codes.dtype == np.int64
    np.testing.assert_array_equal(classes.decode(codes), labels)
    restored = Classes.from_state(json.loads(json.dumps(classes.state())))
    np.testing.assert_array_equal(restored.values, classes.values)
    np.testing.assert_array_equal(restored.encode(labels), codes)


def test_codes_follow_the_sorted_values():
    classes = Classes.of(np.array([7, -1, 3, 7]))
    assert classes.encode(np.array([3, 7, -1])).tolist() == [1, 2, 0]


def test_labels_are_compared_by_their_text():
    assert Classes.of(np.array(["1", "2", "b"])).encode(np.array([2, 1])).tolist() == [1, 0]
    assert Classes.of(np.array([10, 9])).encode(np.array(["10", "9"])).tolist() == [1, 0]
    assert Classes.of(np.array([1, 2], np.uint8)).encode(np.array([2, 1])).tolist() == [1, 0]


def test_no_labels_have_no_codes():
    assert Classes.of(np.arange(3)).encode(np.array([], np.int64)).shape == (0,)


@pytest.mark.parametrize(
    ("known", "labels", "message"),
    [
        ([0, 1], [1, 5, 0], r"the 2 classes of training \(0, 1\). Got 5. Remove its rows"),
        ([0, 1], ["0", "x"], r"\(0, 1\). Got 'x'"),
        (["a", "b"], ["c"], r"\(a, b\). Got 'c'"),
        (range(12), [-1], r"12 classes of training \(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...\). Got -1"),
    ],
)
def test_an_unknown_label_is_named(known, labels, message):
    with pytest.raises(DataError, match=message):
        Classes.of(np.array(known)).encode(np.array(labels))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_hot_targets(dtype):
    targets = Classes.of(np.arange(3)).one_hot(np.array([2, 0]), dtype)
    assert targets.dtype == dtype
    np.testing.assert_array_equal(targets, [[0, 0, 1], [1, 0, 0]])

"""What must hold for rows and labels."""

import numpy as np
import pytest

from fewfire.data.checks import (
    check_classes,
    check_inputs,
    check_n_features,
    check_rows,
)
from fewfire.data.dataset import Rows
from fewfire.data.targets import class_labels
from fewfire.errors import DataError
from fewfire.prepare.targets import TASKS


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_good_rows_pass_unchanged(dtype):
    rows = Rows(np.ones((2, 3), dtype), np.array(["a", "b"]))
    checked = check_rows(rows, "here")
    assert checked.inputs is rows.inputs
    assert checked.labels is rows.labels


def test_rows_without_labels_pass():
    rows = Rows(np.ones((2, 3)), None)
    assert check_rows(rows, "here") is rows


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.array([["1"]]), "must be real numbers. Got dtype <U1 in here"),
        (np.ones((2, 2), complex), "must be real numbers. Got dtype complex128"),
        (np.ones(3), r"two dimensions.* Got shape \(3,\) in here. Use inputs.reshape"),
        (np.ones((2, 3, 4)), r"two dimensions.* Got shape \(2, 3, 4\)"),
        (np.ones((0, 4)), r"at least one row and one column. Got shape \(0, 4\)"),
        (np.ones((4, 0)), r"at least one row and one column. Got shape \(4, 0\)"),
    ],
)
def test_inputs_of_another_kind_or_shape_are_refused(inputs, message):
    with pytest.raises(DataError, match=message):
        check_inputs(inputs, "here")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_that_are_not_finite_are_counted_and_placed(dtype):
    inputs = np.zeros((4, 3), dtype)
    inputs[1, 2] = np.inf
    inputs[2, 0] = inputs[3, 1] = np.nan
    message = r"Got 2 NaN and 1 infinite values in here, the first in row 1, column 2 \(from 0\)"
    with pytest.raises(DataError, match=message):
        check_inputs(inputs, "here")


def test_labels_must_be_as_many_as_rows():
    with pytest.raises(DataError, match="one label. Got 2 rows and 3 labels in here"):
        check_rows(Rows(np.ones((2, 1)), np.arange(3)), "here")


@pytest.mark.parametrize("labels", [[True, False], [3, -1], ["a", "b"]])
def test_integers_and_strings_stay_as_they_are(labels):
    labels = np.array(labels)
    assert class_labels(labels, "here") is labels


def test_whole_floats_become_integers():
    labels = class_labels(np.array([-1.0, 2.0**53 - 1]), "here")
    assert labels.dtype == np.int64
    assert labels.tolist() == [-1, 2**53 - 1]


@pytest.mark.parametrize("value", [2.0**53, -1e300])
def test_floats_that_stand_for_several_whole_numbers_are_no_classes(value):
    message = r"below 2\^53.* Got .* in row 1 \(from 0\) of here. Store them as integers or texts"
    with pytest.raises(DataError, match=message):
        class_labels(np.array([1.0, value]), "here")


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("task", TASKS)
def test_targets_that_are_not_finite_are_placed(value, task):
    message = rf"must have a label or a finite target. Got {value} in row 1 \(from 0\) of here"
    with pytest.raises(DataError, match=message):
        check_rows(Rows(np.ones((2, 1)), np.array([1.0, value])), "here", task)


def test_real_numbers_that_are_told_to_be_classes_become_texts():
    assert class_labels(np.array([0.5, 2.0]), "here").tolist() == ["0.5", "2.0"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones((3, 1), int), r"one dimension. Got shape \(3, 1\) in here. Use labels.ravel"),
        (np.array(1), r"one dimension. Got shape \(\)"),
        (np.array([b"a"]), r"integers or strings. Got dtype \|S1 in here.*astype\(str\)"),
        (np.array([1j]), "integers or strings. Got dtype complex128"),
    ],
)
def test_labels_of_another_kind_or_shape_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        class_labels(labels, "here")


@pytest.mark.parametrize(("labels", "shown"), [([7, 7, 7], "7"), (["a"], "'a'")])
def test_a_single_class_is_refused(labels, shown):
    with pytest.raises(DataError, match=f"at least two classes. Got only {shown} in here"):
        check_classes(np.array(labels), "here")


def test_a_target_of_a_single_value_is_refused():
    with pytest.raises(DataError, match=r"at least two values. Got 0.1 in every row of target 2 in here"):
        check_classes(np.array([[1, 0.1], [2, 0.1]]), "here")


def test_another_number_of_features_is_refused():
    with pytest.raises(DataError, match="the 4 features of training. Got 3 in here"):
        check_n_features(np.ones((2, 3)), 4, "here")

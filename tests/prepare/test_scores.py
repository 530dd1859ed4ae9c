"""Scores of predictions, beside what needs no model."""

import numpy as np
import pytest

from fewfire.prepare import Classes, TargetScaling
from fewfire.prepare.scores import MOST_CLASSES, baseline_accuracy, confusion


def test_the_baseline_names_the_largest_class_of_training():
    labels = np.array([0, 0, 0, 1])
    assert baseline_accuracy(labels, np.array([0, 1, 1, 1])) == 0.25
    assert (
        baseline_accuracy(labels, np.array(["0", "0", "1", "0"])) == 0.75
    )  # compared as texts, like all labels


@pytest.mark.parametrize("labels", [np.eye(3, dtype=bool), np.ones((3, 1))])
def test_labels_without_a_single_class_have_no_baseline(labels):
    assert baseline_accuracy(labels, labels) is None


def test_confusion_counts_each_class_by_what_was_predicted():
    classes = Classes.of(np.array(["a", "b", "c"]))
    found = confusion(classes, np.array(["a", "b", "b"]), np.array(["a", "a", "b"]))
    assert found == {"a": [1, 1, 0], "b": [0, 1, 0], "c": [0, 0, 0]}


def test_there_is_none_of_values_of_several_labels_or_of_very_many_classes():
    many = np.arange(MOST_CLASSES + 1)
    assert confusion(Classes.of(many), many, many) is None
    several = np.eye(3, dtype=bool)
    assert confusion(Classes.of(several), several, several) is None
    values = np.array([[1.0], [2.0]])
    assert confusion(TargetScaling.fit(values), values, values) is None

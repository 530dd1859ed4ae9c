"""The split of sources without a test part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewfire.data.split import split_ids
from fewfire.errors import DataError


@settings(deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=40).filter(
        lambda labels: len(set(labels)) < len(labels)
    ),
    test_fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_a_split_is_a_partition_that_leaves_every_class_in_training(labels, test_fraction, seed):
    labels = np.array(labels)
    ids, test_ids = split_ids(labels, test_fraction, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([ids, test_ids])), np.arange(len(labels)))
    assert (np.diff(ids) > 0).all()
    assert (np.diff(test_ids) > 0).all()
    assert set(labels[ids]) == set(labels)
    wanted = max(1, round(test_fraction * len(labels)))
    assert len(test_ids) == min(wanted, len(labels) - len(set(labels)))


def test_the_seed_decides():
    labels = np.arange(100) % 3
    first, again, other = (split_ids(labels, 0.2, seed)[1] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()


@pytest.mark.parametrize("test_fraction", [0.0, 1.0, -0.1, 20, float("nan")])
def test_a_fraction_outside_its_range_is_refused(test_fraction):
    with pytest.raises(DataError, match=f"strictly between 0 and 1. Got {test_fraction}. Use"):
        split_ids(np.array([0, 0, 1]), test_fraction, 0)


def test_as_many_classes_as_rows_are_refused():
    with pytest.raises(DataError, match="more rows than classes. Got 3 rows, each of its own"):
        split_ids(np.array([5, 6, 7]), 0.2, 0)

"""Indexes by their names, and what each says of itself."""

import pytest

from fewfire import DriftIndex, ExhaustiveIndex, GroverIndex, ScreenedIndex
from fewfire.indexes import INDEXES, index_named


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_is_made_from_its_name(name):
    assert index_named(name).name == name


def test_the_memory_limit_is_passed_on():
    assert index_named("drift", 12345).memory_limit == 12345
    assert index_named("drift").memory_limit is None


def test_an_unknown_name_is_an_error_that_names_the_choices():
    with pytest.raises(
        ValueError,
        match="the index must be one of exhaustive, screened, drift, grover. Got 'tree'. Choose one of",
    ):
        index_named("tree")


def test_which_indexes_are_exact_and_which_open():
    assert ExhaustiveIndex.exact
    assert ScreenedIndex.exact
    assert DriftIndex.exact
    assert GroverIndex.exact
    assert ExhaustiveIndex.is_open
    assert ScreenedIndex.is_open
    assert GroverIndex.is_open
    assert not DriftIndex.is_open

"""Indexes by their names, and what each says of itself."""

import pytest

from fewfire.indexes import INDEXES, index_named


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_is_made_from_its_name(name):
    assert index_named(name).name == name


def test_the_memory_limit_is_passed_on():
    assert index_named("drift", 12345).memory_limit == 12345
    assert index_named("drift").memory_limit is None


def test_an_unknown_name_is_an_error_that_names_the_choices():
    with pytest.raises(
        ValueError, match=f"the index must be one of {', '.join(INDEXES)}. Got 'tree'. Choose one of"
    ):
        index_named("tree")


def test_which_indexes_are_exact_and_which_open():
    assert [name for name, index in INDEXES.items() if not index.is_exact] == ["hashing"]
    assert [name for name, index in INDEXES.items() if index.is_open] == [
        "exhaustive",
        "screened",
        "weight_tree",
        "grover",
        "hashing",
    ]

"""The examples in docstrings print what they say."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import fewfire

EXAMPLES = [
    example
    for module in pkgutil.walk_packages(fewfire.__path__, "fewfire.")
    if module.name != "fewfire._core"
    for example in doctest.DocTestFinder(exclude_empty=True).find(import_module(module.name))
    if example.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_example_of_a_docstring_prints_what_it_says(example):
    ended = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert ended.failed == 0

"""Pages are wrapped, so that changes to them can be read."""

import re

import pytest

from pages import PAGES, name_of

WIDTH = 110
PROSE = [page for page in PAGES if page.parent.name != "api"]  # those are made of docstrings
WORD = re.compile(r"(?:`[^`]*`|\]\([^)]*\)|\S)+")  # a code span, and a link with its target, hold together


def prose(text: str) -> list[tuple[int, str]]:
    """The lines, with their numbers, that can be wrapped: no code, tables, headings or links to code."""
    lines, in_code = [], False
    for number, line in enumerate(text.split("\n"), start=1):
        fence = line.startswith("```")
        in_code ^= fence
        exempt = line.startswith(("|", "#", "<!--", "![", "*In code:", "    "))
        if not (fence or in_code or exempt):
            lines.append((number, line))
    return lines


def too_long(text: str) -> list[int]:
    """The numbers of the lines that go beyond the width though they could have been broken before."""
    return [
        number
        for number, line in prose(text)
        if len(line) > WIDTH and len(WORD.findall(line.lstrip(" -*"))) > 1
    ]


@pytest.mark.parametrize("page", PROSE, ids=name_of)
def test_a_page_is_wrapped(page):
    assert not too_long(page.read_text())


def test_a_line_that_could_be_broken_is_found_and_others_are_not():
    words, link = "word " * 30, f"[name]({'x' * 120})"
    assert too_long(f"short\n{words}") == [2]
    assert not too_long(f"```text\n{words}\n```\n| {words} |\n    {words}\n- {link}\n")

"""Each displayed equation of the theory leads to the functions that compute it."""

import re
from importlib import import_module
from operator import attrgetter

import pytest
from mkdocs.config import load_config

from pages import ROOT, blocks, name_of

THEORY = sorted(ROOT.glob("docs/theory/*.md"))
definition_line = load_config(str(ROOT / "mkdocs.yml")).hooks["docs/hooks.py"].definition_line


def equations(page):
    indented = [block for block in blocks(page) if not block.language]
    return [block for block in indented if not block.text.startswith("    fewfire ")]


@pytest.mark.parametrize("page", THEORY, ids=name_of)
def test_below_each_equation_stands_what_computes_it(page):
    lines = page.read_text().split("\n")
    for equation in equations(page):
        below = lines[equation.line + equation.text.count("\n")]
        assert below.startswith("*In code: [`"), f"{name_of(page)}, line {equation.line}: {below}"


@pytest.mark.parametrize("page", THEORY, ids=name_of)
def test_what_is_named_below_an_equation_is_defined_where_the_link_leads(page):
    named = re.findall(r"^\*In code: .*$", page.read_text(), flags=re.M)
    assert len(named) == len(equations(page))
    for name, link in re.findall(r"\[`([^`]+)`\]\(([^)]+)\)", "\n".join(named)):
        path = (page.parent / link).resolve()
        assert definition_line(name, path.read_text()), f"{name} in {link}"
        if path.suffix == ".py":
            module = path.relative_to(ROOT / "src").with_suffix("")
            assert callable(attrgetter(name)(import_module(".".join(module.parts)))), name


def test_a_definition_is_found_and_a_call_is_not():
    assert definition_line("Tree.ask", "class Tree:\n    def ask(self):\n        return ask(1)\n") == 2
    assert definition_line("f", "  f(x);\n  return f(x);\n}\ntemplate <class T>\nT f(T x,\n    T y) {\n") == 5
    assert definition_line("f", "int f(int x);\n  if (f(x)) {\n") is None

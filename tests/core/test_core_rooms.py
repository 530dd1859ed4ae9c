"""The rooms of the compiled core: each includes what lies on its own floor or below."""

import re
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
FLOORS = ["core", "kernels", "networks", "halfspace", "indexes", "training", "bindings", "selftest"]
FILES = sorted(path.relative_to(CSRC) for path in CSRC.rglob("*") if path.suffix in (".h", ".cpp"))


def includes(path):
    return re.findall(r'^#include "([^"]+)"', (CSRC / path).read_text(), flags=re.M)


def test_every_file_stands_in_a_room():
    assert {path.parts[0] for path in FILES} == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_includes_no_room_above_its_own(path):
    for included in includes(path):
        assert (CSRC / included).is_file(), f"{path} includes {included} by another path than from csrc/"
        assert FLOORS.index(included.split("/")[0]) <= FLOORS.index(path.parts[0]), included


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_bindings_alone_know_python(path):
    knows = re.search(r"\bnanobind\b|\bnb::|NB_MODULE", (CSRC / path).read_text()) is not None
    assert knows == (path.parts[0] == "bindings")


def test_every_source_file_is_built():
    listed = (CSRC.parent / "CMakeLists.txt").read_text().replace("${simd}", "csrc/kernels/simd")
    assert {f"csrc/{path}" for path in FILES if path.suffix == ".cpp"} == set(
        re.findall(r"csrc/[\w/]+\.cpp", listed)
    )

"""Imports point down the floors and never in a circle, and each thing is decided in one place."""

import ast
import re
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fewfire
from fewfire import _core
from processes import printed

PACKAGE = Path(fewfire.__file__).parent
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text())
    for path in sorted([*PACKAGE.rglob("*.py"), PACKAGE / "_core.pyi"])
}

# Ground first. A room imports from itself and from the floors below its own, never from a neighbor.
FLOORS = [
    {"_core", "_version", "errors", "reference"},
    {"core", "system", "quantum"},
    {"networks", "halfspace"},
    {"indexes"},
    {"tangent", "prepare"},
    {"training", "data"},
    {"plan", "torch"},
    {"diagnose"},
    {"api", "estimators", "runs"},
    {"__init__"},
    {"report"},
    {"cli"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imported_by(file: str) -> set[str]:
    """Full names of all that a file imports, anywhere in it: of modules, and of names in modules."""
    names = set()
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files_importing(module: str) -> set[str]:
    """The files that import a module or something in it."""
    return {file for file in TREES if any(f"{name}.".startswith(f"{module}.") for name in imported_by(file))}


def file_of(name: str) -> str:
    """The file of ours in which an imported name is looked up first."""
    path = "/".join(name.split(".")[1:])
    for file in (f"{path}.py", f"{path}.pyi", f"{path}/__init__.py".lstrip("/")):
        if file in TREES:
            return file
    return file_of(name.rpartition(".")[0])


def our_files_imported_by(file: str) -> set[str]:
    return {file_of(name) for name in imported_by(file) if name.split(".")[0] == "fewfire"}


def room_of(file: str) -> str:
    return file.split("/")[0].split(".")[0]


def files_with(is_it: Callable[[ast.AST], bool]) -> set[str]:
    """The files in which some node of the syntax tree is it."""
    return {file for file, tree in TREES.items() if any(map(is_it, ast.walk(tree)))}


def is_constant(*values: object) -> Callable[[ast.AST], bool]:
    return lambda node: isinstance(node, ast.Constant) and node.value in values


def is_text_with(pattern: str) -> Callable[[ast.AST], bool]:
    return lambda node: (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(pattern, node.value) is not None
    )


def is_name(name: str) -> Callable[[ast.AST], bool]:
    return lambda node: (
        (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.alias) and node.name == name)
    )


def test_importing_fewfire_loads_numpy_and_the_core_only():
    loaded = set(printed("import sys, fewfire; print(*sys.modules)").split())
    assert {"numpy", "fewfire._core"} <= loaded
    heavy = {
        "torch",
        "sklearn",
        "scipy",
        "matplotlib",
        "typer",
        "rich",
        "safetensors",
        "threadpoolctl",
        "qiskit",
    }
    assert not loaded & heavy
    own = ("fewfire.cli", "fewfire.estimators", "fewfire.report")
    assert not {name for name in loaded if name.startswith(own)}


def test_the_search_for_imports_finds_some():
    assert "networks/two_layer.py" in files_importing("fewfire._core")
    assert "system/tensors.py" in files_importing("safetensors")  # inside a function
    assert "indexes/__init__.py" in our_files_imported_by("diagnose/exactness.py")
    assert "core/inputs.py" in our_files_imported_by("core/__init__.py")


def test_each_room_has_a_floor():
    assert {room_of(file) for file in TREES} == set(FLOOR)


@pytest.mark.parametrize("room", FLOOR)
def test_a_room_imports_from_lower_floors_only(room):
    high = {
        (file, imported)
        for file in TREES
        if room_of(file) == room
        for imported in our_files_imported_by(file)
        if room_of(imported) != room and FLOOR[room_of(imported)] >= FLOOR[room]
    }
    assert high == set()


def test_no_file_imports_itself_through_others():
    TopologicalSorter({file: our_files_imported_by(file) for file in TREES}).prepare()  # or it raises


def test_at_most_four_modules_stand_in_no_room():
    assert len([file for file in TREES if "/" not in file and file.endswith(".py")]) <= 4


def test_the_command_that_trains_is_short():
    assert len((PACKAGE / "cli/train.py").read_text().splitlines()) < 150


def test_the_reference_imports_numpy_and_nothing_of_ours():
    for file in TREES:
        if room_of(file) == "reference":
            others = {name for name in imported_by(file) if not name.startswith("fewfire.reference.")}
            assert {name.split(".")[0] for name in others} <= {"collections", "numpy"}


@pytest.mark.parametrize(
    ("module", "rooms"),
    [
        ("torch", {"torch"}),
        ("sklearn", {"data", "estimators"}),
        ("matplotlib", {"report"}),
        ("qiskit", {"quantum"}),
        ("qiskit_aer", {"quantum"}),
        ("typer", {"cli"}),
        ("rich", {"cli"}),
        ("fewfire.torch", {"torch", "runs"}),
        ("fewfire.reference", {"reference"}),
    ],
)
def test_a_module_is_imported_in_its_rooms_only(module, rooms):
    found = files_importing(module)
    assert found
    assert {room_of(file) for file in found} <= rooms


def test_readers_know_nothing_of_networks():
    seen = {
        room_of(imported)
        for file in TREES
        if room_of(file) == "data"
        for imported in our_files_imported_by(file)
    }
    assert not seen & {"networks", "indexes"}


@pytest.mark.parametrize(
    ("is_it", "home"),
    [
        pytest.param(is_name("OUTPUT_WEIGHTS"), "networks/near_kernel.py", id="near-kernel start"),
        pytest.param(is_constant(0.48), "networks/threshold.py", id="the threshold paper"),
        pytest.param(is_text_with(r"must be one of (?!the )"), "system/words.py", id="must be one of"),
    ],
)
def test_a_thing_is_decided_in_one_file(is_it, home):
    assert files_with(is_it) == {home}


def test_the_stub_names_what_the_compiled_module_has():
    stub = TREES["_core.pyi"]
    functions = {node.name for node in stub.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    values = {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
    compiled = {name for name in dir(_core) if not name.startswith("_")}
    assert functions == {name for name in compiled if callable(getattr(_core, name))}
    assert functions | values == compiled


def test_the_block_of_the_core_is_that_of_the_rows():
    from fewfire.core.rows import BLOCK

    assert _core.block == BLOCK

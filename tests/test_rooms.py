"""Imports point one way, and `import fewfire` loads NumPy and the compiled core alone."""

import ast
from pathlib import Path

import pytest

import fewfire
from fewfire import _core
from processes import printed

PACKAGE = Path(fewfire.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


def imported_by(path: Path) -> set[str]:
    """Full names of all modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files_importing(module: str) -> set[str]:
    """Files of the package, as posix paths within it, that import a module or something in it."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if any(name == module or name.startswith(module + ".") for name in imported_by(path))
    }


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


def test_the_reference_imports_numpy_and_nothing_of_ours():
    for path in (PACKAGE / "reference").glob("*.py"):
        roots = {name for name in imported_by(path) if not name.startswith("fewfire.reference")}
        assert {name.split(".")[0] for name in roots} <= {"collections", "numpy"}


@pytest.mark.parametrize(
    ("module", "rooms"),
    [
        ("torch", ("torch/",)),
        ("sklearn", ("data/", "estimators/")),
        ("matplotlib", ("report/",)),
        ("qiskit", ("quantum/",)),
        ("qiskit_aer", ("quantum/",)),
        ("typer", ("cli/",)),
        ("rich", ("cli/",)),
        ("fewfire.torch", ("torch/", "cli/")),
        ("fewfire.cli", ("cli/",)),
        ("fewfire.report", ("report/", "cli/")),
        ("fewfire.reference", ("reference/",)),
    ],
)
def test_a_module_is_imported_in_its_rooms_only(module, rooms):
    assert {path for path in files_importing(module) if not path.startswith(rooms)} == set()


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("indexes/", ["fewfire.training", "fewfire.data", "fewfire.runs.folder"]),
        ("training/", ["fewfire.data", "fewfire.runs.folder"]),
        ("data/", ["fewfire.training", "fewfire.indexes", "fewfire.networks.two_layer"]),
    ],
)
def test_a_room_does_not_look_up(room, forbidden):
    for module in forbidden:
        assert {path for path in files_importing(module) if path.startswith(room)} == set()


def test_the_stub_names_what_the_compiled_module_has():
    stub = ast.parse((PACKAGE / "_core.pyi").read_text())
    functions = {node.name for node in stub.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    values = {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
    compiled = {name for name in dir(_core) if not name.startswith("_")}
    assert functions == {name for name in compiled if callable(getattr(_core, name))}
    assert functions | values == compiled


def test_the_block_of_the_core_is_that_of_the_rows():
    from fewfire.core.rows import BLOCK

    assert _core.block == BLOCK

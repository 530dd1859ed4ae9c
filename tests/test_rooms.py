"""The house: floors that imports never climb, small classes, and each thing decided in one place."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fewfire
from fewfire import _core
from fewfire.training import METHODS
from processes import printed, run_python

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
    own = ("fewfire.cli", "fewfire.data", "fewfire.estimators", "fewfire.report")
    assert not {name for name in loaded if name.startswith(own)}


def test_names_that_are_loaded_later_are_there():
    assert set(fewfire.__all__) <= set(dir(fewfire))
    assert all(hasattr(fewfire, name) for name in fewfire.__all__)
    with pytest.raises(AttributeError, match="module 'fewfire' has no attribute 'WideForest'"):
        _ = fewfire.WideForest


def test_an_estimator_without_scikit_learn_is_a_clear_error():
    code = """
        import sys
        sys.modules["sklearn"] = None
        import fewfire
        fewfire.WideClassifier
    """
    error = run_python(code).stderr
    assert "fewfire.WideClassifier must have scikit-learn 1.6 or newer. Got none installed. Run pip" in error


def test_no_public_name_is_that_of_a_module_beside_it():
    """Else `fewfire.indexes.NAME` is one or the other, depending on what was imported before."""
    twins = [
        f"{path.parent.name}.{name}"
        for path in PACKAGE.rglob("__init__.py")
        for name in re.findall(r'^    "(\w+)",$', path.read_text(), flags=re.M)
        if (path.parent / f"{name}.py").exists() or (path.parent / name).is_dir()
    ]
    assert not twins


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
        ("torch", ("torch/", "distributed/")),
        ("sklearn", ("data/", "estimators/", "models/")),
        ("matplotlib", ("report/",)),
        ("qiskit", ("quantum/",)),
        ("qiskit_aer", ("quantum/",)),
        ("typer", ("cli/", "distributed/")),
        ("rich", ("cli/",)),
        ("fewfire.torch", ("torch/", "runs/")),
        ("fewfire.cli", ("cli/", "__main__.py")),
        ("fewfire.report", ("report/", "cli/")),
        ("fewfire.reference", ("reference/",)),
    ],
)
def test_a_module_is_imported_in_its_rooms_only(module, rooms):
    assert {path for path in files_importing(module) if not path.startswith(rooms)} == set()


# Ground first. A room imports from itself and from lower floors.
FLOORS = [
    ["errors", "_version", "_core", "reference"],
    ["core", "system", "quantum"],
    ["networks", "halfspace", "lab"],
    ["indexes"],
    ["tangent"],
    ["prepare"],
    ["adversarial", "models"],
    ["certify"],
    ["training"],
    ["plan"],
    ["diagnose", "data", "torch"],
    ["api", "estimators", "distributed"],
    ["runs"],
    ["report"],
    ["cli"],
    ["__main__"],
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_room_has_a_floor():
    assert {room_of(path) for path in FILES} - {"__init__"} | {"_core"} == set(FLOOR_OF)


@pytest.mark.parametrize("module", ["fewfire.training", "fewfire.indexes", "fewfire.networks.two_layer"])
def test_readers_know_nothing_of_networks(module):
    assert {path for path in files_importing(module) if path.startswith("data/")} == set()


def is_module(name: str) -> bool:
    place = PACKAGE.joinpath(*name.split(".")[1:])
    return place.is_dir() or place.with_suffix(".py").exists() or name == "fewfire._core"


def own_modules(path: Path) -> set[str]:
    """The modules of ours that a file imports, for types alone as well."""
    return {name for name in imported_by(path) if name.startswith("fewfire.") and is_module(name)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_do_not_climb(path):
    room = room_of(path)
    if room == "__init__":
        return
    from_the_root = {name for name in imported_by(path) if re.fullmatch(r"fewfire\.\w+", name)}
    assert {name for name in from_the_root if not is_module(name)} == set()
    rooms = {name.split(".")[1] for name in own_modules(path)} - {room}
    assert {other for other in rooms if FLOOR_OF[other] >= FLOOR_OF[room]} == set()


def test_no_two_files_import_each_other_by_any_way():
    files = {".".join(("fewfire", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in FILES}
    files = {name.removesuffix(".__init__"): path for name, path in files.items()}
    graph = {name: own_modules(path) & set(files) - {name} for name, path in files.items()}
    list(TopologicalSorter(graph).static_order())  # raises for a circle


def test_the_package_root_holds_four_loose_modules_at_the_most():
    loose = {path.name for path in PACKAGE.glob("*.py")} - {"__main__.py"}  # whose name Python gives
    assert len(loose) <= 4


def test_no_class_is_longer_than_300_lines():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                assert (node.end_lineno or 0) - node.lineno < 300, f"{node.name} in {path}"


def test_the_command_that_trains_parses_and_displays():
    assert len((PACKAGE / "cli" / "train.py").read_text().splitlines()) < 150


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        (r"OUTPUT_WEIGHTS = |output_weights.*\*= ?10", ["networks/near_kernel.py"]),
        (r"must be one of \{'", ["system/words.py"]),
        (r"getattr\(_core", ["core/view.py"]),
        (r"math\.log\(width\)", ["networks/threshold.py"]),
        (r"def threshold_of|def paper_threshold", ["networks/threshold.py"]),
        (r"^SPARSE|^ALL_PAIRS_|^SCREENED_|^TREE_FEATURES|^BYTES_FEATURES", ["indexes/rules.py"]),
        (r"^def (?:bytes|seconds)_text", ["system/words.py"]),
    ],
)  # fmt: skip
def test_what_was_decided_twice_is_decided_in_one_place(pattern, places):
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        if re.search(pattern, path.read_text(), flags=re.M)
    }
    assert sorted(found) == places


@pytest.mark.parametrize("name", METHODS)
def test_the_name_of_a_method_is_written_where_the_method_is(name):
    holding = {
        path.relative_to(PACKAGE).as_posix()
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value == name
    }
    assert holding == {METHODS[name].__module__.removeprefix("fewfire.").replace(".", "/") + ".py"}


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

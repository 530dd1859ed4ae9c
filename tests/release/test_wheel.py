"""`make wheel`: what it makes is installed without a compiler or extras, and does there what it does here.

The wheel is made from the sdist, in an environment that has only what pyproject.toml asks for to build it.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import requires
from pathlib import Path

import pytest

import fewfire
from pages import ROOT

PACKAGE = ROOT / "src" / "fewfire"
SMOKE = Path(__file__).with_name("smoke.py")
EMULATOR = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
NO_INDEX = r"Could not find a version|No matching distribution|NewConnectionError|name resolution|timed out"


def run(*command, path=None, cwd=ROOT):
    """Run a command, on another PATH where one is given; without an index of packages there is no test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "OPENBLAS"))}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=kept | ({} if path is None else {"PATH": str(path)}),
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode != 0 and re.search(NO_INDEX, done.stdout + done.stderr):
        pytest.skip("no index of packages can be reached, from which a release takes what it needs")
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The folder with the sdist and the wheel for this Python."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    run("make", "--silent", "wheel", f"DIST={folder}")
    return folder


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory):
    """The programs of a fresh virtual environment with the wheel, made where no compiler can be found."""
    folder = tmp_path_factory.mktemp("release") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    (wheel,) = dist.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--only-binary", ":all:")
    run(*pip, wheel, path=folder / "bin")
    return folder / "bin"


@pytest.fixture(scope="module")
def seen(installed, tmp_path_factory):
    """What `smoke.py` saw there."""
    return json.loads(run(installed / "python", SMOKE, path=installed, cwd=tmp_path_factory.mktemp("empty")))


pytestmark = pytest.mark.slow


def test_it_trains_predicts_and_reports_without_extras(seen, installed):
    assert Path(seen["place"]).is_relative_to(installed.parent)
    assert {seen["version"], seen["version of the metadata"], seen["version of the command"]} == {
        fewfire.__version__
    }
    assert seen["predicted"] == 201
    assert seen["report"] > 10_000
    assert "Run pip install 'fewfire[sklearn]'" in seen["without its extra"]


def test_only_what_the_core_needs_is_installed(seen):
    own = {re.split(r"[^\w-]", needed)[0] for needed in requires("fewfire") if "extra ==" not in needed}
    assert own - {"tomli"} <= set(seen["packages"])
    assert not {"scikit-learn", "torch", "matplotlib", "pandas", "nanobind"} & set(seen["packages"])


def test_its_weights_are_those_of_this_checkout(seen, tmp_path):
    here = json.loads(run(sys.executable, SMOKE, cwd=tmp_path))
    assert here["weights"] == seen["weights"]


@pytest.mark.skipif(EMULATOR is None, reason="needs qemu-user")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates x86-64")
def test_it_runs_on_a_processor_without_avx(installed, tmp_path):
    """Nothing was compiled for the machine that built it: such an instruction would end the program."""
    said = run(EMULATOR, "-cpu", "Nehalem", installed / "python", "-m", "fewfire", "info", cwd=tmp_path)
    assert "instruction set: base (available: base;" in said


def test_its_name_says_on_which_systems_it_runs(dist):
    (wheel,) = dist.glob("*.whl")
    assert re.fullmatch(
        rf"fewfire-{re.escape(fewfire.__version__)}-cp\d+-(cp\d+|abi3)(-\w+linux_\d+_\d+_\w+)+(\.\w+)*\.whl",
        wheel.name,
    )


def test_the_wheel_holds_the_package_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    names = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    core = [name for name in names if name.suffix == ".so"]
    sources = {path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py*") if path.suffix != ".pyc"}
    sources.add(Path("fewfire/py.typed"))
    ours = {name for name in names if name.parts[0] == "fewfire"} - set(core)
    assert len(core) == 1
    assert ours == sources
    assert {name.parts[0] for name in names} == {"fewfire", f"fewfire-{fewfire.__version__}.dist-info"}


def test_the_sdist_holds_what_builds_it_and_its_tests(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}
    assert {"CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml", "tests/release/smoke.py"} <= names
    assert not [name for name in names if name.endswith((".so", ".pyc"))]

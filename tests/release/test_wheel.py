"""`make wheel`: what it makes is installed without a compiler or extras, and does there what it does here.

pip makes the wheel of the sdist, in an environment that has only what pyproject.toml asks for. Here it
compiles without optimization, which takes less time and gives the same bits.
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


def run(*command, cwd=ROOT, **environment):
    """Run a command; without an index of packages there is no test."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "OPENBLAS"))}
    given = {name: str(value) for name, value in environment.items()}
    words = list(map(str, command))
    done = subprocess.run(words, cwd=cwd, env=kept | given, capture_output=True, text=True, timeout=600)
    if done.returncode != 0 and re.search(NO_INDEX, done.stdout + done.stderr):
        pytest.skip("no index of packages can be reached, from which a release takes what it needs")
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The folder with the sdist and the wheel for this Python."""
    folder = tmp_path_factory.mktemp("release")
    compiler = folder / "quick"
    compiler.write_text(f'#!/bin/sh\nexec {os.environ.get("CXX", "g++")} "$@" -O0\n')
    compiler.chmod(0o755)
    run("make", "--silent", "wheel", f"DIST={folder / 'dist'}", f"CXX={compiler}")
    return folder / "dist"


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory):
    """The programs of a fresh virtual environment with the wheel, made where no compiler can be found."""
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    pip = (sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--only-binary", ":all:")
    run(*pip, *dist.glob("*.whl"), PATH=folder / "bin")
    return folder / "bin"


@pytest.fixture(scope="module")
def seen(installed, tmp_path_factory):
    """What `smoke.py` saw there."""
    empty = tmp_path_factory.mktemp("empty")
    return json.loads(run(installed / "python", SMOKE, cwd=empty, PATH=installed))


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
    python = installed / "python"
    said = run(EMULATOR, "-cpu", "Nehalem", python, "-m", "fewfire", "info", cwd=tmp_path)
    assert "instruction set: base (available: base;" in said


def test_its_name_says_on_which_systems_it_runs(dist):
    (wheel,) = dist.glob("*.whl")
    assert re.fullmatch(
        rf"fewfire-{re.escape(fewfire.__version__)}-cp\d+-(cp\d+|abi3)(-\w+linux_\d+_\d+_\w+)+(\.\w+)*\.whl",
        wheel.name,
    )


def test_the_wheel_holds_the_package_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    names = {Path(name) for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    core = {name for name in names if name.suffix == ".so"}
    metadata = {name for name in names if name.parts[0] == f"fewfire-{fewfire.__version__}.dist-info"}
    sources = {path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*") if path.is_file()}
    assert len(core) == 1
    assert names - core - metadata == {path for path in sources if path.suffix != ".pyc"}


def test_the_sdist_holds_all_that_git_tracks(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}
    tracked = set(run("git", "ls-files").splitlines())
    assert tracked <= names
    assert not [name for name in names if name.endswith((".so", ".pyc"))]

"""`make wheel`: what it makes is installed without extras, and does there what it does here.

The wheel is installed where there is no compiler. The sdist needs one: it is compiled without optimization,
which takes a third of the time, in an environment that pip makes of what pyproject.toml asks for.
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
    folder = tmp_path_factory.mktemp("release") / "dist"
    run("make", "--silent", "wheel", f"DIST={folder}")
    return folder


def installing(folder, *what, **environment):
    """Have pip install something into a fresh virtual environment; where its programs are."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    run(sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", *what, **environment)
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel_installed(dist, tmp_path_factory):
    """Where no compiler can be found, and nothing may be built."""
    folder = tmp_path_factory.mktemp("wheel")
    return installing(folder, "--only-binary", ":all:", *dist.glob("*.whl"), PATH=folder / "bin")


@pytest.fixture(scope="module")
def sdist_installed(dist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    compiler = folder / "quick"
    compiler.write_text(f'#!/bin/sh\nexec {shutil.which(os.environ.get("CXX", "g++"))} "$@" -O0\n')
    compiler.chmod(0o755)
    return installing(folder / "venv", *dist.glob("*.tar.gz"), CXX=compiler)


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def installed(request):
    """The programs of a fresh virtual environment with one or the other, and with what it needs."""
    return request.getfixturevalue(f"{request.param}_installed")


@pytest.fixture(scope="module")
def seen(installed, tmp_path_factory):
    """What `smoke.py` saw there."""
    empty = tmp_path_factory.mktemp("empty")
    return json.loads(run(installed / "python", SMOKE, cwd=empty, PATH=installed))


@pytest.fixture(scope="module")
def seen_here(tmp_path_factory):
    return json.loads(run(sys.executable, SMOKE, cwd=tmp_path_factory.mktemp("empty")))


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


def test_its_weights_are_those_of_this_checkout(seen, seen_here):
    assert seen["weights"] == seen_here["weights"]


@pytest.mark.skipif(EMULATOR is None, reason="needs qemu-user")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates x86-64")
def test_it_runs_on_a_processor_without_avx(wheel_installed, tmp_path):
    """Nothing was compiled for the machine that built it: such an instruction would end the program."""
    python = wheel_installed / "python"
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
    names = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    core = [name for name in names if name.suffix == ".so"]
    sources = {path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py*") if path.suffix != ".pyc"}
    sources.add(Path("fewfire/py.typed"))
    ours = {name for name in names if name.parts[0] == "fewfire"} - set(core)
    assert len(core) == 1
    assert ours == sources
    assert {name.parts[0] for name in names} == {"fewfire", f"fewfire-{fewfire.__version__}.dist-info"}


def test_the_sdist_holds_all_that_git_tracks(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}
    tracked = set(run("git", "ls-files").splitlines())
    assert tracked <= names
    assert not [name for name in names if name.endswith((".so", ".pyc"))]

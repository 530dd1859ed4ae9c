"""The set-up of the Makefile says in one line what it needs and does not find."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"


def set_up(folder, *variables, **programs):
    """Run `make test` in an empty folder with some programs replaced; its exit code and what it said."""
    (folder / "src").mkdir()
    for name in ("pyproject.toml", "CMakeLists.txt"):
        (folder / name).touch()
    shutil.copy(MAKEFILE, folder)
    (folder / "bin").mkdir()
    for name, script in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bin" / name).chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--silent", "-C", folder, "test", *variables]
    done = subprocess.run(command, env=kept | {"PATH": path}, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


OFFLINE = 'case "$*" in *"pip install"*) echo no network >&2; exit 1;; esac'
PYTHON_OFFLINE = f"""[ "$2" = venv ] || exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\\n%s\\n' '{OFFLINE}' > .venv/bin/python
chmod +x .venv/bin/python"""
OLD, MISSING = (f"Python 3.10 or newer with the module venv. Got '{name}'." for name in ("old", "missing"))


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("variables", "programs", "message"),
    [
        (["PYTHON=old"], {"old": "exit 1"}, OLD),
        (["PYTHON=missing"], {}, MISSING),
        (["CXX=not_there"], {}, "a C++17 compiler. Got no 'not_there'."),
        ([], {"df": "echo head; echo / 9000 8988 12 99% /"}, "3000 MB of disk. Got 12 free in "),
        (
            ["PYTHON=fake", "CXX=sh"],
            {"fake": PYTHON_OFFLINE},
            "no network\nThe set-up needs a package index that pip can reach: pypi.org or PIP_INDEX_URL.",
        ),
    ],
    ids=["old Python", "no Python", "no compiler", "no disk", "no network"],
)
def test_a_set_up_that_cannot_go_on_says_what_it_needs(tmp_path, variables, programs, message):
    code, said = set_up(tmp_path, *variables, **programs)
    assert code == 2
    assert message in said
    assert "Traceback" not in said

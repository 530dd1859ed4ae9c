"""csrc/selftest, built with sanitizers and run: the core without Python."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The build tools that the development extra installs stand beside Python, wherever that is.
ENVIRONMENT = os.environ | {"PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])}
TOOLS = [shutil.which(tool, path=ENVIRONMENT["PATH"]) for tool in ("cmake", "ninja")]
# An error for every warning but those that GCC 12 gives of its own intrinsics.
FLAGS = "-Wall -Wextra -Werror -Wno-error=uninitialized -Wno-error=maybe-uninitialized"


def run(*command):
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done


def run_selftest(program):
    """Under thread sanitizer some kernels place memory where it cannot be: then with fixed addresses."""
    try:
        return run(program)
    except AssertionError as error:
        if "unexpected memory mapping" not in str(error):
            raise
        return run("setarch", "-R", program)


@pytest.mark.slow
@pytest.mark.skipif(None in TOOLS, reason="needs cmake and ninja")
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_the_selftest_passes_without_a_word_from_the_sanitizers(sanitizers):
    build = ROOT / "build" / f"selftest-{sanitizers.replace(',', '-')}"  # kept: the next build is short
    run(
        "cmake", "-S", ROOT, "-B", build, "-G", "Ninja",
        "-DFEWFIRE_SELFTEST=ON", f"-DFEWFIRE_SANITIZE={sanitizers}", f"-DCMAKE_CXX_FLAGS={FLAGS}",
    )  # fmt: skip
    run("cmake", "--build", build)
    done = run_selftest(build / "fewfire_selftest")
    assert re.fullmatch(r"selftest: [1-9]\d{3,} checks passed\n", done.stdout)
    assert done.stderr == ""

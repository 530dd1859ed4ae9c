"""csrc/selftest: the core without Python, built for a purpose."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

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


def built_selftest(purpose, *settings):
    """The program; what was compiled is kept, so that the next build is short."""
    build = ROOT / "build" / f"selftest-{purpose}"
    run(
        "cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DFEWFIRE_SELFTEST=ON",
        f"-DCMAKE_CXX_FLAGS={FLAGS}", *settings,
    )  # fmt: skip
    run("cmake", "--build", build)
    return build / "fewfire_selftest"

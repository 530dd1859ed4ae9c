"""csrc/selftest, compiled for 64-bit Arm and run under emulation: the same bits as on this machine."""

import re
import shutil

import pytest

from selftests import TOOLS, built_selftest, run

COMPILER = shutil.which("aarch64-linux-gnu-g++")
EMULATOR = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
PROCESSORS = {"without dot products of bytes": "cortex-a53", "with them": "neoverse-n1"}


@pytest.fixture(scope="module")
def on_arm():
    assert COMPILER is not None
    return built_selftest(
        "arm", f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64", "-DCMAKE_EXE_LINKER_FLAGS=-static",
    )  # fmt: skip


@pytest.fixture(scope="module")
def here():
    return run(built_selftest("native")).stdout


@pytest.mark.slow
@pytest.mark.skipif(None in (*TOOLS, COMPILER, EMULATOR), reason="needs g++ for aarch64 and qemu-user")
@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
def test_arm_gives_the_same_weights(on_arm, here, processor):
    said = run(EMULATOR, "-cpu", processor, on_arm).stdout
    assert re.fullmatch(r"selftest: [1-9]\d{3,} checks passed, weights [0-9a-f]{16}\n", said)
    assert said.split()[-1] == here.split()[-1]

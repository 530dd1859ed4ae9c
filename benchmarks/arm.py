"""Instructions per multiply-add of the leaf kernels on 64-bit Arm, counted under emulation.

    python benchmarks/arm.py      about three minutes

Needs g++ for aarch64 and qemu-user (packages g++-aarch64-linux-gnu, qemu-user-static). Each kernel runs once
and twice, and the difference is what one call executes: in the plain body, as the compiler vectorizes it, and
in that for NEON, on a processor without dot products of bytes and on one with them. No time is measured.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from common import save

ROOT = Path(__file__).parents[1]
COMPILER = "aarch64-linux-gnu-g++"
# What a call of arm_kernels.cpp works on, in pairs and features.
WORK = {
    "dots that decide": 64 * 800,
    "moves": 8 * 800,
    "filters": 64 * 64,
    "sketch tests": 64 * 32,
    "products of words": 64 * 64 * 800,
    "products of bytes": 64 * 64 * 800,
    "Hadamard products": 1024 * 10 * 16,
}
WAYS = {
    "plain": ("base", "cortex-a53"),
    "NEON": ("neon", "cortex-a53"),
    "NEON, dot products of bytes": ("neon", "neoverse-n1"),
}


def program() -> Path:
    """benchmarks/arm_kernels.cpp, compiled for Arm with the core."""
    build = ROOT / "build" / "arm-kernels"
    settings = [
        f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        "-DFEWFIRE_SELFTEST=ON",
    ]  # fmt: skip
    subprocess.run(["cmake", "-S", ROOT, "-B", build, *settings], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", build, "-t", "fewfire_core"], check=True, capture_output=True)
    out = build / "arm_kernels"
    source = Path(__file__).with_name("arm_kernels.cpp")
    subprocess.run(
        [COMPILER, "-O2", "-std=c++17", "-static", f"-I{ROOT / 'csrc'}", source, build / "libfewfire_core.a",
         "-lpthread", "-o", out],
        check=True,
    )  # fmt: skip
    return out


def instructions(command: list[str]) -> int:
    """How many instructions a program executes: the emulator logs each."""
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        log = running.stderr
        assert log is not None
        count = sum(part.count(b"\n") for part in iter(lambda: log.read(1 << 20), b""))
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}.")
    return count


def main() -> None:
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None or shutil.which(COMPILER) is None:
        sys.exit(
            "g++ for aarch64 and qemu-user must be installed. Install g++-aarch64-linux-gnu qemu-user-static."
        )
    counted = program()
    figures = []
    for kernel, work in WORK.items():
        row: dict[str, float | str] = {"kernel": kernel, "work": work}
        for way, (instruction_set, processor) in WAYS.items():
            log = [emulator, "-cpu", processor, "-singlestep", "-d", "exec,nochain", str(counted), kernel]
            once, twice = (instructions([*log, instruction_set, str(times)]) for times in (1, 2))
            row[way] = (twice - once) / work
        print(kernel, *(f"{way}: {row[way]:.3f}" for way in WAYS), sep="   ", flush=True)
        figures.append(row)
    save("arm", "python benchmarks/arm.py", figures)


if __name__ == "__main__":
    main()

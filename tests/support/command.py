"""The command `fewfire`, called in this process or in one of its own."""

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fewfire.cli.main import run

SCRIPT = Path(sys.executable).with_name("fewfire")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def figures(self) -> dict[str, Any]:
        """The JSON object: the last and only thing on stdout."""
        return json.loads(self.out)

    @property
    def message(self) -> str:
        """What went wrong, after any lines of the run."""
        return self.err.splitlines()[-1]

    @property
    def needed_bytes(self) -> int:
        """What the error of a memory limit says is needed before any index."""
        found = re.search(r"Got a need of ([\d,]+) bytes", self.err)
        assert found is not None, self.err
        return int(found[1].replace(",", ""))


def fewfire(*arguments: object) -> Ended:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["fewfire", *map(str, arguments)])
        patch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit) as ended:
            run()
    return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def fewfire_process(*arguments: object) -> Ended:
    """Run the installed command in a process of its own, into pipes."""
    command = [str(SCRIPT), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def train_digits(out: Path, *options: object) -> Ended:
    """A small run on the built-in digits; later options replace earlier ones."""
    small = ("--width", 256, "--epochs", 2, "--batch-size", 256, "--threads", 2)
    return fewfire("train", "digits", *small, "--out", out, "--json", *options)

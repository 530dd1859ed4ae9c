"""Python code run in a process of its own."""

import os
import subprocess
import sys
from textwrap import dedent


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter; a process that hangs is an error after a minute."""
    return subprocess.run(
        [sys.executable, "-c", dedent(code)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def printed(code: str, **environment: str) -> str:
    """What the code prints; an error if it fails."""
    done = run_python(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()

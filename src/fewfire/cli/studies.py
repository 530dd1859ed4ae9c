"""What all studies leave in their folders, and how their pictures may fail."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from fewfire.cli.streams import say_error
from fewfire.runs.aside import aside
from fewfire.system.files import write_atomically


def save_study(folder: Path, name: str, table: str, summary: Mapping[str, Any]) -> None:
    """Write a table as CSV under this name, and the figures as summary.json."""
    write_atomically(folder / name, table)
    write_atomically(folder / "summary.json", json.dumps(summary, indent=2) + "\n")


def drawing(folder: Path, what: str = "the picture") -> AbstractContextManager[None]:
    """Let a picture that cannot be drawn be told, and nothing more."""
    return aside(f"{what} could not be drawn", f"The figures are saved in {folder}.", say_error)

"""Files that are whole or absent: written beside their place, then moved into it; and folders for them."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import ClassVar

from fewfire.errors import DataError


def write_atomically(path: str | Path, *parts: bytes | str | memoryview) -> None:
    """Write a file, of these parts in turn, so that a reader, or a crash, sees the old one or the new one
    and nothing between."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part.encode() if isinstance(part, str) else part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    with suppress(OSError):  # the file is in its place; not every file system can make sure of the folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_temporaries(folder: Path, *names: str) -> None:
    """Remove what `write_atomically` left of files of these names when it was killed; `*` stands for any."""
    for name in names:
        for path in folder.glob(f".{name}.*.tmp"):
            path.unlink()


class OutputFolder:
    """A folder for what one command makes; nothing that is there already is overwritten."""

    kind: ClassVar[str] = "output"
    how_to_go_on = ""  # where what fills it was interrupted

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def require_free(self) -> None:
        if self.path.is_dir() and any(self.path.iterdir()):
            raise DataError(
                f"the output folder must be new or empty. Got {self.path}, which holds files. "
                "Give another --out, or remove that folder."
            )

    def create(self) -> None:
        """Make the folder, and make sure before a long run that it can be written to."""
        self.require_free()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise DataError(
                f"the {self.kind} folder must be a place that can be written to. Got {self.path}: "
                f"{error.strerror}. Give another --out."
            ) from error

    def remove_if_empty(self) -> None:
        """Take back `create` where nothing was saved."""
        if not any(self.path.iterdir()):
            self.path.rmdir()

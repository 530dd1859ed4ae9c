"""Files that are whole or absent: written beside their place, then moved into it; and folders for them."""

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, ClassVar

from fewfire.errors import DataError

Part = bytes | str | memoryview
LONGEST_NAME = 255  # bytes, on the usual file systems
STREAM = re.compile(r"/dev/(stdout|stderr|fd/\d+)|/proc/[^/]+/fd/\d+")  # of this or another process


def write_atomically(path: str | os.PathLike[str], *parts: Part) -> None:
    """Write a file, of these parts in turn, so that a reader, or a crash, sees the old one or the new one
    and nothing between.

    A file that is replaced keeps its mode, and a symbolic link stays: the file that it leads to is replaced.
    Into a device, a pipe or a standard stream the parts are written as they come.

    Raises
    ------
    OSError
        The file cannot be written, is read-only or is a folder, or nothing reads the pipe. What was there is
        as it was. The `filename` of the error is the path that was given.
    UnicodeEncodeError
        A text holds what is no text.
    """
    path = Path(path)
    try:
        before = os.stat(path) if path.exists() else None
        if before is None or (stat.S_ISREG(before.st_mode) and not STREAM.fullmatch(os.path.abspath(path))):
            _replace(Path(os.path.realpath(path)), parts, before)
        elif stat.S_ISDIR(before.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        else:
            _write_through(path, parts)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
            del error.filename2  # of the move from the temporary file; None would be printed
        if isinstance(error, FileNotFoundError):
            error.strerror = f"the folder {path.parent} does not exist"
        raise


def _replace(path: Path, parts: Sequence[Part], before: os.stat_result | None) -> None:
    if before is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only")
    temporary = _temporary(path)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with open(handle, "wb") as file:
            if before is not None:
                with suppress(OSError):  # of another owner
                    os.fchown(handle, before.st_uid, before.st_gid)
                os.fchmod(handle, stat.S_IMODE(before.st_mode))
            _write(file, parts)
            file.truncate()  # a killed process of this number may have left more
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    with suppress(OSError):  # the file is in its place; not every file system can make sure of the folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write_through(path: Path, parts: Sequence[Part]) -> None:
    try:  # without waiting for a reader: it might never come
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "nothing reads this pipe yet") from error
        raise
    os.set_blocking(handle, True)
    with open(handle, "wb") as file:
        _write(file, parts)


def _write(file: IO[bytes], parts: Sequence[Part]) -> None:
    for part in parts:
        file.write(part.encode() if isinstance(part, str) else part)


def _temporary(path: Path) -> Path:
    """Where a file is written before it is moved into its place, by this process."""
    ending = f".{os.getpid()}.tmp"
    name = os.fsencode(f".{path.name}")[: LONGEST_NAME - len(ending)]
    return path.with_name(os.fsdecode(name) + ending)


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
        """Raise DataError where the folder holds files."""
        if self.path.is_dir() and any(self.path.iterdir()):
            raise DataError(
                f"the output folder must be new or empty. Got {self.path}, which holds files. "
                "Give another --out, or remove that folder."
            )

    def create(self) -> None:
        """Make the folder, and make sure before a long run that it can be written to.

        Raises
        ------
        DataError
            It is not free, or cannot be made or written to.
        """
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

    @contextmanager
    def created(self) -> Iterator[None]:
        """Make the folder for what goes on in here; where that fails, it is left only with what was saved."""
        self.create()
        try:
            yield
        except BaseException:
            self.remove_if_empty()
            raise

    def remove_if_empty(self) -> None:
        """Take back `create` where nothing was saved."""
        if not any(self.path.iterdir()):
            self.path.rmdir()

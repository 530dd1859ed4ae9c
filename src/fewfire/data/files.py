"""Opening a file that may be gzipped, with every failure told as a `DataError`."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, AnyStr, cast

from fewfire.errors import DataError
from fewfire.system.memory import require_free_memory

GZIP_MAGIC = b"\x1f\x8b"
LONGEST_LINE = 1 << 28  # bytes or characters
PIECE_BYTES = 1 << 24  # are read at one time


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a plain or gzipped file for reading; its first two bytes decide which.

    Raises
    ------
    DataError
        The file cannot be opened or read, or its gzip stream is damaged. This covers the whole
        `with` block, because a damaged stream shows only while it is read.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
            yield cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"A gzipped file must be complete and undamaged. Got {path}: {error}. "
            "Download or compress it again."
        ) from error
    except OSError as error:
        raise DataError(
            f"A source must be readable. Got {path}: {error.strerror or error}. "
            "Check the path and its permissions."
        ) from error


@contextmanager
def open_text(path: Path) -> Iterator[IO[bytes]]:
    """As `open_bytes`, behind a byte-order mark of UTF-8 where there is one.

    Raises
    ------
    DataError
        As for `open_bytes`.
    """
    with open_bytes(path) as stream:
        if cast(Any, stream).peek(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8):
            stream.read(len(codecs.BOM_UTF8))
        yield stream


def lines_of(stream: IO[AnyStr], path: Path) -> Iterator[AnyStr]:
    """The lines of a file, one after the other.

    Raises
    ------
    DataError
        A line is so long that the file is hardly text.
    """
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise DataError(
                f"A line of text must be shorter than {LONGEST_LINE} characters. Got more in line {number} "
                f"of {path}. Check that the file is text with a line per row."
            )
        yield line


def read_whole(stream: IO[bytes], path: Path) -> bytes:
    """The rest of a file, read only while it fits in memory.

    Raises
    ------
    MemoryLimitError
        The content is larger than the memory that is free.
    """
    parts, size = [], 0
    while part := stream.read(PIECE_BYTES):
        parts.append(part)
        size += len(part)
        require_free_memory(
            size, f"The content of a file must fit in memory. Got at least {size} bytes", f"{path}. Split it."
        )
    return b"".join(parts)

"""Opening a file that may be gzipped, with every failure told as a `DataError`."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from fewfire.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"


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

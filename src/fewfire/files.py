"""Files that are whole or absent: written beside their place, then moved into it."""

import os
from pathlib import Path


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one and nothing between."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

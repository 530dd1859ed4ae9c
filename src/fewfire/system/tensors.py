"""Files of named arrays: safetensors, sealed by a checksum over the whole file."""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from numpy.typing import NDArray

from fewfire._version import __version__
from fewfire.system.files import write_atomically
from fewfire.system.memory import require_free_memory

NAMES = {"float32": "F32", "float64": "F64", "int32": "I32"}  # of types, in safetensors
NO_SEAL = "0" * 64  # stands in place of the checksum while it is taken


def write_tensors(
    path: str | PathLike[str],
    kind: str,
    tensors: Mapping[str, NDArray],
    notes: Mapping[str, str] | None = None,
    *,
    version: int = 1,
) -> None:
    """Write arrays to a safetensors file, atomically and without a copy of them.

    The metadata in its header tell what kind of file it is, the version of its format and that of fewfire,
    the bytes of all arrays, and the SHA-256 of the whole file with zeros in place of that checksum.

    Parameters
    ----------
    kind : str
        What the file is, for people too: "fewfire network".
    tensors : float32, float64 or int32 arrays, C-contiguous
    notes : texts by name, optional
        Further metadata.
    version : int
        Version of the format of this kind of file; a reader takes no other.
    """
    in_order = sorted(tensors.items(), key=lambda item: -item[1].itemsize)  # each on a multiple of its size
    metadata = {
        "sha256": NO_SEAL,
        "format": kind,
        "version": str(version),
        "fewfire": __version__,
        "bytes": str(sum(tensor.nbytes for _, tensor in in_order)),
        **(notes or {}),
    }
    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, tensor in in_order:
        begin, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": NAMES[tensor.dtype.name], "shape": tensor.shape, "data_offsets": [begin, end]
        }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    parts: list[bytes | memoryview] = [
        struct.pack("<Q", len(text)),
        text,
        *(tensor.data for _, tensor in in_order),
    ]
    parts[1] = text.replace(NO_SEAL.encode(), sha256(*parts).encode(), 1)
    write_atomically(path, *parts)


def read_tensors(
    path: str | PathLike[str], kind: str, *, version: int = 1
) -> tuple[dict[str, NDArray], dict[str, str]]:
    """The arrays and the metadata of a file that `write_tensors` wrote, once its checksum is verified.

    A safetensors file without any metadata, of another program, is taken as it is.

    Raises
    ------
    ValueError
        What is wrong: another kind of file or version of the format, cut off, or changed. A part of a
        sentence.
    OSError
        The file cannot be read.
    MemoryLimitError
        The file and its arrays do not fit in memory.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    size = Path(path).stat().st_size
    require_free_memory(
        2 * size,  # the content and the arrays out of it
        f"A file of arrays must fit in memory twice. Got {size} bytes",
        f"{path}. Free some memory, or check the file.",
    )
    content = Path(path).read_bytes()
    metadata = _verified(memoryview(content), kind, version)
    try:
        return load(content), metadata
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"a file that is not in the format safetensors: {error}") from error


@contextmanager
def holding(path: str | PathLike[str], what: str, remedy: str) -> Iterator[None]:
    """A KeyError or ValueError in here means that a file does not hold what it must.

    Raises
    ------
    ValueError
        In its place, with the file, what must be in it, and what to do.
    """
    try:
        yield
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} must be a safetensors file with {what}. Got: {error}. {remedy}") from error


def _verified(content: memoryview, kind: str, known: int) -> dict[str, str]:
    """The metadata of a file that is what it says."""
    length = int.from_bytes(content[:8], "little")
    text, data = bytes(content[8 : 8 + length]), content[8 + length :]
    try:
        if len(content) < 8 or len(text) < length:
            raise ValueError(f"{len(content):,} bytes, with no whole header")
        metadata = json.loads(text).get("__metadata__", {})
        if not metadata:
            return {}
        found, version, writer, size, seal = (
            metadata.get(name) for name in ("format", "version", "fewfire", "bytes", "sha256")
        )
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"a file that is not in the format safetensors, or cut off: {error}") from error
    if found != kind:
        raise ValueError(f"a file that is no {kind} but {found!r}")
    if version != str(known):
        raise ValueError(
            f"version {version} of the format, written by fewfire {writer}, where this fewfire "
            f"({__version__}) reads version {known} alone"
        )
    if size != str(len(data)):
        raise ValueError(f"{len(data):,} bytes of arrays in place of {size}: the file was cut off or changed")
    blank = text.replace(str(seal).encode(), NO_SEAL.encode(), 1)
    if sha256(content[:8], blank, data) != seal:
        raise ValueError("another checksum than when it was written: the file was changed")
    return metadata


def sha256(*parts: bytes | memoryview) -> str:
    """The checksum of these bytes in turn."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()

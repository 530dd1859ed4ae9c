"""A folder of IDX files under the names that MNIST gave them."""

import math
import struct
from pathlib import Path

import numpy as np

from fewfire.data.dataset import Part, Rows
from fewfire.data.files import open_bytes, read_whole
from fewfire.errors import DataError

PREFIX = {"train": "train", "test": "t10k"}


def read_idx(folder: Path, part: Part) -> Rows | None:
    """Read the images of one part, one flattened image a row, and their labels.

    Parameters
    ----------
    folder : Path
        Holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and perhaps `t10k-...`, plain or
        with `.gz`; `train-images.idx3-ubyte` is understood as well.
    part : {"train", "test"}

    Returns
    -------
    Rows or None
        uint8 inputs (n, rows * columns) and uint8 labels, read-only; labels None where only the
        images are there. None where the images of that part are absent.

    Raises
    ------
    DataError
        A header that is not IDX, or a payload of another length than it says.
    MemoryLimitError
        The content does not fit in memory.
    """
    images = _find(folder, f"{PREFIX[part]}-images", n_dimensions=3)
    labels = _find(folder, f"{PREFIX[part]}-labels", n_dimensions=1)
    if images is None:
        return None
    pixels = _read_array(images, n_dimensions=3)
    return Rows(
        pixels.reshape(len(pixels), math.prod(pixels.shape[1:])),
        None if labels is None else _read_array(labels, n_dimensions=1),
    )


def _find(folder: Path, stem: str, n_dimensions: int) -> Path | None:
    names = [f"{stem}{dot}idx{n_dimensions}-ubyte{gz}" for dot in "-." for gz in ("", ".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read_array(path: Path, n_dimensions: int) -> np.ndarray:
    """Header: two zero bytes, 0x08 for uint8, the number of dimensions, one big-endian int each."""
    with open_bytes(path) as stream:
        content = read_whole(stream, path)
    magic = bytes([0, 0, 0x08, n_dimensions])
    header_bytes = len(magic) + 4 * n_dimensions
    if len(content) < header_bytes or not content.startswith(magic):
        raise DataError(
            f"An IDX file of unsigned bytes in {n_dimensions} dimensions must begin with "
            f"{magic.hex(' ')} and the sizes. Got {content[:header_bytes].hex(' ') or 'no bytes'} "
            f"in {path}. Download the file again."
        )
    shape = struct.unpack_from(f">{n_dimensions}I", content, len(magic))
    n_values, expected = len(content) - header_bytes, math.prod(shape)
    if n_values != expected:
        raise DataError(
            f"An IDX file must hold the {expected} bytes that its sizes {shape} ask for. "
            f"Got {n_values} in {path}. Download the file again."
        )
    return np.frombuffer(content, np.uint8, offset=header_bytes).reshape(shape)

"""Files that something happened to."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np

FOREIGN = {
    "nothing": b"",
    "zeros": bytes(5000),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "an archive": b"PK\x03\x04" + bytes(range(256)) * 4,
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.",
    "json": b'{"weights": [1, 2, 3]}',
    "text": b"nothing of the kind " * 40,
    "brackets": (2**16).to_bytes(8, "little") + b"[" * 2**16,
    "a header without end": (2**63 - 1).to_bytes(8, "little") + b"{}",
    "an empty header": (2).to_bytes(8, "little") + b"{}",
}


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def corruptions(content: bytes, other: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """What happened, and what became of the content: `count` times by chance, then all that is FOREIGN.

    Parameters
    ----------
    other : another file of the same kind, whose parts may get in
    """
    random = np.random.default_rng(seed)
    kinds = {
        "bits flipped": lambda begin, end, noise: _several_flipped(content, random),
        "cut off": lambda begin, end, noise: content[:begin],
        "without its beginning": lambda begin, end, noise: content[begin + 1 :],
        "a part lost": lambda begin, end, noise: content[:begin] + content[end:],
        "a part twice": lambda begin, end, noise: content[:end] + content[begin:],
        "a part of zeros": lambda begin, end, noise: content[:begin] + bytes(end - begin) + content[end:],
        "noise in it": lambda begin, end, noise: content[:begin] + noise + content[begin:],
        "noise over it": lambda begin, end, noise: content[:begin] + noise + content[begin + len(noise) :],
        "noise after it": lambda begin, end, noise: content + noise,
        "another's beginning": lambda begin, end, noise: other[:begin] + content[begin:],
        "another's header": lambda begin, end, noise: _header(other) + content[len(_header(content)) :],
        "another's end": lambda begin, end, noise: content[:begin] + other[begin:],
    }
    for number, (kind, change) in zip(range(count), cycle(kinds.items()), strict=False):
        begin, end = sorted(random.integers(0, len(content) + 1, 2).tolist())
        changed = change(begin, end, random.bytes(int(random.integers(1, 40))))
        if changed not in (content, other):
            yield f"{kind} ({number})", changed
    yield from FOREIGN.items()


def _several_flipped(content: bytes, random: np.random.Generator) -> bytes:
    for bit in random.integers(0, 8 * len(content), int(random.integers(1, 20))):
        content = flipped(content, int(bit))
    return content


def _header(content: bytes) -> bytes:
    return content[: 8 + int.from_bytes(content[:8], "little")]

"""Ten thousand damaged files: each is read as a data set that passes every check, or refused by name."""

import gzip
import io
import itertools
import random
import re
import struct
import zlib
from collections import Counter

import numpy as np
import pytest

from fewfire.data import Dataset, load_dataset, load_inputs
from fewfire.errors import DataError, MemoryLimitError
from fewfire.prepare import Features

DAMAGES = 1250  # of each of the eight formats
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(24, 3)).round(3)
COLOURS = np.array(["red", "green", "blue"])[RNG.integers(3, size=24)]
LABELS = np.arange(24) % 3
BAD = [
    "nan",
    "inf",
    "-Infinity",
    "1e999",
    "",
    "?",
    "abc",
    "1_0",
    "0x1f",
    "1,5",
    "9" * 400,
    "-",
    "\0",
    "é",
    '"',
    "1:2",
]


def table_text(mark: str, numbers: np.ndarray = NUMBERS) -> bytes:
    rows = [["a", "b", "c", "colour", "target"]]
    rows += [
        [*map(str, cells), c, str(y)]
        for cells, c, y in zip(numbers.tolist(), COLOURS, LABELS.tolist(), strict=True)
    ]
    return "".join(mark.join(row) + "\n" for row in rows).encode()


def svmlight(numbers: np.ndarray = NUMBERS) -> bytes:
    rows = [f"{y} 1:{a} 2:{b} 3:{c}\n" for (a, b, c), y in zip(numbers.tolist(), LABELS, strict=True)]
    return "".join(rows).encode()


def xmc(numbers: np.ndarray = NUMBERS) -> bytes:
    rows = [f"{y},{y + 1} 0:{a} 2:{b} 4:{c}\n" for (a, b, c), y in zip(numbers.tolist(), LABELS, strict=True)]
    return ("24 5 4\n" + "".join(rows)).encode()


def npz(numbers: np.ndarray = NUMBERS) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, X=numbers, y=LABELS)
    return stream.getvalue()


def parquet(numbers: np.ndarray = NUMBERS) -> bytes:
    pytest.importorskip("pyarrow", reason="the Parquet reader needs pyarrow")
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table([*numbers.T, COLOURS, LABELS], names=["a", "b", "c", "colour", "target"])
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream)
    return stream.getvalue()


def idx() -> bytes:
    return struct.pack(">4I", 0x803, 24, 2, 2) + bytes(range(96))


FORMATS = {
    "set.csv": lambda: table_text(","),
    "set.tsv": lambda: table_text("\t"),
    "set.csv.gz": lambda: gzip.compress(table_text(","), mtime=0),
    "set.svm": svmlight,
    "set.txt": xmc,
    "set.npz": npz,
    "set.parquet": parquet,
    "images/train-images-idx3-ubyte": idx,
}


WRITERS = {
    "csv": lambda numbers: table_text(",", numbers),
    "svm": svmlight,
    "txt": xmc,
    "npz": npz,
    "parquet": parquet,
}


def damaged(whole: bytes, rng: random.Random, is_text: bool) -> bytes:
    """One to three of the things that happen to files."""
    content = whole
    for _ in range(rng.randint(1, 3)):
        damage = rng.choice(BYTES + TEXTS * is_text)
        content = damage(content, rng) if content else content
    return content


def _flip(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _insert(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.randbytes(rng.randint(1, 4)) + content[at:]


def _delete(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[at + rng.randint(1, 20) :]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[max(0, at - rng.randint(1, 20)) :]


def _zeros(content: bytes, rng: random.Random) -> bytes:
    at, count = rng.randrange(len(content)), rng.randint(1, 16)
    return content[:at] + bytes(count) + content[at + count :]


def _line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first] = rng.choice([b"", b"\n", lines[second], lines[first] * 2, lines[first].rstrip(b"\n")])
    return b"".join(lines)


def _cell(content: bytes, rng: random.Random) -> bytes:
    """A cell, or what stands in its place, becomes another one or something bad."""
    mark = rng.choice([mark for mark in (b",", b"\t", b" ", b":", b"\n") if mark in content] or [b"\n"])
    cells = content.split(mark)
    at = rng.randrange(len(cells))
    cells[at] = rng.choice([rng.choice(BAD).encode(), rng.choice(cells), b"7", b"1000000", b"123456789012"])
    return mark.join(cells)


def _gzipped(content: bytes, rng: random.Random) -> bytes:
    whole = gzip.compress(content, mtime=0)
    return rng.choice([whole, whole[:-4], _flip(whole, rng), zlib.compress(content)])


BYTES = [_flip, _truncate, _insert, _delete, _repeat, _zeros, _gzipped]
TEXTS = [_line, _cell, _cell, _cell]


def require_rows(rows: np.ndarray, labels: np.ndarray | None, features: Features) -> None:
    inputs = features.coded(rows)
    assert inputs.ndim == 2
    assert inputs.shape[1] == features.n_inputs > 0
    assert np.isfinite(inputs).all()
    if labels is not None:
        assert len(inputs) == len(labels) > 0
        assert labels.dtype.kind in "biuU" or (labels.ndim == 2 and np.isfinite(labels).all())


def require_sound(dataset: Dataset) -> None:
    """All that reading promises."""
    require_rows(dataset.rows, dataset.labels, dataset.features)
    require_rows(dataset.test_rows, dataset.test_labels, dataset.features)
    assert len(np.unique(dataset.labels)) > 1
    if dataset.labels.ndim == 1:
        assert set(dataset.test_labels.tolist()) <= set(dataset.labels.tolist())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_refused_by_name_or_are_sound(tmp_path, name):
    """Three of four are read to train, the others to predict."""
    whole, rng, outcomes = FORMATS[name](), random.Random(name), Counter()
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if name.startswith("images"):
        header = struct.pack(">2I", 0x801, 24)
        (path.parent / "train-labels-idx1-ubyte").write_bytes(header + LABELS.astype(np.uint8).tobytes())
    source = path.parent if name.startswith("images") else path
    path.write_bytes(whole)
    healthy = load_dataset(source)
    require_sound(healthy)
    for turn in range(DAMAGES):
        content = damaged(whole, rng, is_text=name.endswith((".csv", ".tsv", ".svm", ".txt")))
        path.write_bytes(content)
        message = None
        try:
            if turn % 4:
                require_sound(load_dataset(source))
            else:
                require_rows(*load_inputs(source, healthy.features)[:2], healthy.features)
        except (DataError, MemoryLimitError) as error:
            message = str(error)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} from {content!r}") from error
        assert message is None or (source.name in message and ". Got" in message), message
        outcomes["read" if message is None else "refused"] += 1
    assert min(outcomes.values()) > 0
    assert outcomes["refused"] > DAMAGES / 3, outcomes


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        *itertools.product(["csv", "svm", "txt", "npz", "parquet"], [np.inf, -np.inf]),
        *itertools.product(["svm", "txt", "npz"], [np.nan]),  # which in a table is a gap
    ],
)
def test_each_number_that_is_not_finite_is_refused_and_placed(tmp_path, kind, bad):
    for row, column in itertools.product((0, 7, 23), range(3)):
        numbers = NUMBERS.copy()
        numbers[row, column] = bad
        path = tmp_path / f"set.{kind}"
        path.write_bytes(WRITERS[kind](numbers))
        line, at = {
            "csv": (f"line {row + 2}", f"column {column + 1} ({'abc'[column]})"),
            "svm": (f"row {row}", f"column {column} (from 0)"),
            "txt": (f"line {row + 2}", ""),
            "npz": (f"row {row}", f"column {column} (from 0)"),
            "parquet": (f"row {row} (from 0)", f"column {column + 1} ({'abc'[column]})"),
        }[kind]
        with pytest.raises(DataError, match=f"finite.*{re.escape(line)},? .*{re.escape(at)}"):
            load_dataset(path)


ODD_INPUTS = [
    NUMBERS, NUMBERS.astype(np.float16), NUMBERS > 0, NUMBERS * 1e300, NUMBERS.astype(complex),
    NUMBERS.astype(str),
    NUMBERS.astype(bytes), NUMBERS.ravel(), NUMBERS[:, :, None], NUMBERS[:0], NUMBERS[:, :0], np.array(1.0),
    np.where(NUMBERS > 1, np.nan, NUMBERS), np.where(NUMBERS > 1, np.inf, NUMBERS),
    NUMBERS.astype("datetime64[s]"), NUMBERS.view([("a", float)]),
]  # fmt: skip
ODD_LABELS = [
    LABELS, LABELS * 1.0, LABELS + 0.5, LABELS == 1, LABELS.astype(str), LABELS.astype(bytes),
    LABELS.astype(complex),
    LABELS[:-1], LABELS[:0], LABELS[:, None], np.eye(3)[LABELS], np.eye(3, dtype=bool)[LABELS],
    np.zeros((24, 3), bool),
    np.arange(24), np.zeros(24, int), np.array(1), np.where(LABELS == 1, np.nan, LABELS), LABELS * 1e300,
    LABELS.astype("datetime64[s]"), np.full(24, 2**63, np.uint64),
]  # fmt: skip


def test_arrays_of_every_kind_are_sound_or_refused(tmp_path):
    path, outcomes = tmp_path / "set.npz", Counter()
    for inputs, labels in itertools.product(ODD_INPUTS, ODD_LABELS):
        np.savez(path, X=inputs, y=labels)
        try:
            require_sound(load_dataset(path))
        except DataError as error:
            message = str(error)
            outcomes["refused" if "set.npz" in message and ". Got" in message else message] += 1
        else:
            outcomes["read"] += 1
    assert outcomes == {"read": 4 * 6, "refused": len(ODD_INPUTS) * len(ODD_LABELS) - 4 * 6}

"""The IDX reader: folders with the file names of MNIST."""

import gzip
import struct

import numpy as np
import pytest

from fewfire.data import load_dataset
from fewfire.data.idx import read_idx
from fewfire.errors import DataError

IMAGES = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)


def idx_bytes(values):
    return struct.pack(f">I{values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()


def write_idx(path, values):
    content = idx_bytes(values)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize(("part", "prefix"), [("train", "train"), ("test", "t10k")])
def test_idx_files_come_back_as_flat_images_and_labels(tmp_path, suffix, dot, part, prefix):
    write_idx(tmp_path / f"{prefix}-images{dot}idx3-ubyte{suffix}", IMAGES)
    write_idx(tmp_path / f"{prefix}-labels{dot}idx1-ubyte{suffix}", LABELS)
    inputs, labels, _ = read_idx(tmp_path, part)
    assert inputs.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(inputs, IMAGES.reshape(5, 6))
    np.testing.assert_array_equal(labels, LABELS)


def test_images_without_labels_have_none(tmp_path):
    write_idx(tmp_path / "t10k-images-idx3-ubyte", IMAGES)
    assert read_idx(tmp_path, "test").labels is None


def test_an_absent_part_is_none(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", IMAGES)
    assert read_idx(tmp_path, "test") is None


def test_no_images_are_no_rows(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", IMAGES[:0])
    assert read_idx(tmp_path, "train").inputs.shape == (0, 6)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        idx_bytes(IMAGES)[:12],
        idx_bytes(LABELS),
        b"\0\0\x0d\x03" + idx_bytes(IMAGES)[4:],
        b"P5 28 28 255 not an IDX file",
        b"\0\0\x09\x03" + idx_bytes(IMAGES)[4:],
        b"\0\0\x08\x04" + struct.pack(">4I", 5, 2, 3, 1) + IMAGES.tobytes(),
        b"\0\0\x08\x02" + struct.pack(">2I", 5, 6) + IMAGES.tobytes(),
        b"\x03\x08\0\0" + idx_bytes(IMAGES)[4:],
        b"\xef\xbb\xbf" + idx_bytes(IMAGES),
        b"\n" + idx_bytes(IMAGES),
        gzip.compress(gzip.compress(idx_bytes(IMAGES))),
        b"PK\x03\x04 a ZIP archive of the images",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
        b"<!DOCTYPE html><title>404 Not Found</title>",
        b"\0" * 64,
    ],
    ids=[
        "empty", "short magic", "short sizes", "labels", "floats", "another format", "signed bytes",
        "colours", "a matrix", "turned bytes", "byte-order mark", "line before", "gzipped twice", "zip",
        "pointer of git-lfs", "page of an error", "zeros",
    ],
)  # fmt: skip
def test_a_header_that_is_not_idx_is_refused(tmp_path, content):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match="must begin with 00 00 08 03 and the sizes. Got"):
        read_idx(tmp_path, "train")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (idx_bytes(LABELS[:4]), "Got .*5.*4"),
        (idx_bytes(np.append(LABELS, LABELS)), "Got .*5.*10"),
        (idx_bytes(LABELS[:0]), "Got .*5.*0"),
        (idx_bytes(LABELS)[:-1], r"the 5 bytes .* Got 4 in .*train-labels"),
        (idx_bytes(LABELS) + b"\r\n", r"the 5 bytes .* Got 7 in .*train-labels"),
        (idx_bytes(IMAGES), "must begin with 00 00 08 01 .*train-labels"),
        (b"", "must begin with 00 00 08 01 .* Got no bytes in .*train-labels"),
        (b"3\n1\n4\n1\n5\n", "must begin with 00 00 08 01 .*train-labels"),
    ],
    ids=["fewer", "more", "none", "cut", "line at the end", "images", "empty", "text"],
)
def test_labels_that_do_not_fit_their_images_are_refused(tmp_path, labels, message):
    write_idx(tmp_path / "train-images-idx3-ubyte", IMAGES)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
    with pytest.raises(DataError, match=message):
        load_dataset(tmp_path)


def test_a_folder_in_place_of_the_images_is_not_one(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    assert read_idx(tmp_path, "train") is None


def test_gzip_files_one_behind_the_other_are_one(tmp_path):
    content = idx_bytes(IMAGES)
    members = gzip.compress(content[:20]) + gzip.compress(content[20:])
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(members)
    np.testing.assert_array_equal(read_idx(tmp_path, "train").inputs, IMAGES.reshape(5, 6))


@pytest.mark.parametrize(("change", "n_values"), [(-1, 29), (1, 31)])
def test_a_payload_of_another_length_is_refused(tmp_path, change, n_values):
    content = idx_bytes(IMAGES) + b"\0"
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content[: len(content) - 1 + change])
    with pytest.raises(DataError, match=rf"the 30 bytes .*sizes \(5, 2, 3\).* Got {n_values} in"):
        read_idx(tmp_path, "train")


def test_sizes_beyond_any_memory_are_refused_without_allocating(tmp_path):
    header = struct.pack(">4I", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header + b"\0")
    with pytest.raises(DataError, match="Got 1 in"):
        read_idx(tmp_path, "train")


def test_damaged_gzip_is_refused(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = gzip.compress(idx_bytes(IMAGES))
    flipped = bytearray(whole)
    flipped[-8] ^= 0xFF  # of the checksum
    broken = whole[:12] + b"\xff" * 6 + whole[18:]
    for content in (whole[:-10], bytes(flipped), broken):
        path.write_bytes(content)
        with pytest.raises(DataError, match="gzipped file must be complete and undamaged"):
            read_idx(tmp_path, "train")


def test_a_plain_file_with_the_name_of_a_gzipped_one_is_read(tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(idx_bytes(IMAGES))
    assert read_idx(tmp_path, "train").inputs.shape == (5, 6)

"""The NPZ reader."""

import gzip
import zipfile

import numpy as np
import pytest

from fewfire.data.npz import read_npz
from fewfire.errors import DataError

INPUTS = np.arange(12, dtype=np.float32).reshape(4, 3)
LABELS = np.array(["a", "b", "a", "b"])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("names", "part"),
    [
        (("X", "y"), "train"),
        (("X_train", "y_train"), "train"),
        (("x_train", "y_train"), "train"),
        (("X_test", "y_test"), "test"),
        (("x_test", "y_test"), "test"),
    ],
)
def test_arrays_come_back_as_stored(tmp_path, save, names, part):
    path = tmp_path / "set.npz"
    save(path, **dict(zip(names, (INPUTS, LABELS), strict=True)))
    inputs, labels, _ = read_npz(path, part)
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, INPUTS)
    np.testing.assert_array_equal(labels, LABELS)


def test_an_absent_part_is_none_and_absent_labels_are_none(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, X=INPUTS)
    assert read_npz(path, "test") is None
    assert read_npz(path, "train").labels is None


def test_python_objects_are_refused(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, X=np.array([[1, "a"]], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"archive of plain arrays.*Object arrays.*numpy.savez"):
        read_npz(path, "train")


def test_a_member_that_is_no_array_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("X.npy", b"no array")
    with pytest.raises(DataError, match=r"archive of plain arrays. Got .*set.npz: X is no array"):
        read_npz(tmp_path / "set.npz", "train")


def test_an_array_beyond_any_memory_is_refused(tmp_path):
    np.savez(tmp_path / "set.npz", X=np.zeros((10, 10)))
    with zipfile.ZipFile(tmp_path / "set.npz") as archive:
        member = archive.read("X.npy")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("X.npy", member.replace(b"(10, 10), }        ", b"(10, 10000000000), }"))
    with pytest.raises(DataError, match="archive of plain arrays. Got .*huge.npz: "):
        read_npz(tmp_path / "huge.npz", "train")


def test_a_damaged_archive_is_refused(tmp_path):
    path = tmp_path / "set.npz"
    np.savez_compressed(path, X=np.random.default_rng(0).random((50, 3)))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (b"", b"text", whole[:-30], bytes(flipped), gzip.compress(whole)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="NPZ file must be a NumPy archive of plain arrays"):
            read_npz(path, "train")

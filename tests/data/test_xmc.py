"""Text of the Extreme Classification Repository."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from fewfire.data import load_dataset, load_inputs
from fewfire.data.xmc import looks_like_xmc, read_xmc
from fewfire.errors import DataError, MemoryLimitError
from fewfire.prepare import Features

TEXT = b"4 3 5\n0,4 0:0.5 2:-1\n 1:1e-3\n2\n3,1,0 2:4\t0:2\n"
INPUTS = [[0.5, 0, -1], [0, 1e-3, 0], [0, 0, 0], [2, 0, 4]]
LABELS = [[1, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [1, 1, 0, 1, 0]]
SHARED = (Path(__file__).parents[2] / ".." / "shared" / "data").resolve()


@pytest.fixture
def write(tmp_path):
    def to_file(content, name="set.txt"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return to_file


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_rows_come_back_dense_with_labels_as_booleans(write, compress, line_end):
    rows = read_xmc(write(compress(TEXT.replace(b"\n", line_end))), "train")
    assert (rows.inputs.dtype, rows.labels.dtype) == (np.float32, bool)
    np.testing.assert_array_equal(rows.inputs, np.array(INPUTS, np.float32))
    np.testing.assert_array_equal(rows.labels, np.array(LABELS, bool))


def test_rows_without_labels_or_features_may_be_empty_lines(write):
    rows = read_xmc(write(b"2 1 2\n0,1 0:3\n\n"), "train")
    assert (rows.inputs.tolist(), rows.labels.tolist()) == ([[3], [0]], [[True, True], [False, False]])


def test_a_data_set_is_split_and_neither_standardized_nor_coded(write):
    dataset = load_dataset(write(TEXT), test_fraction=0.5)
    assert not dataset.tabular
    assert dataset.inputs.shape == dataset.test_inputs.shape == (2, 3)
    assert dataset.labels.shape == dataset.test_labels.shape == (2, 5)


def test_the_test_part_is_the_file_beside_it(write):
    path = write(TEXT, "set_train.txt.gz")
    assert read_xmc(path, "test") is None
    write(TEXT.replace(b"4 3 5", b"2 3 5")[: TEXT.index(b"\n2\n") + 1], "set_test.txt.gz")
    dataset = load_dataset(path)
    assert dataset.name == "set_train"
    assert (dataset.inputs.shape, dataset.test_inputs.shape) == ((4, 3), (2, 3))
    assert load_inputs(path, Features(3)).labels.tolist() == np.array(LABELS[:2], bool).tolist()


def test_parts_of_different_sets_are_refused(write):
    path = write(TEXT, "set_train.txt")
    write(TEXT.replace(b"4 3 5", b"4 3 6"), "set_test.txt")
    with pytest.raises(
        DataError, match="as many features and labels, 3 and 5. Got 3 and 6 in .*set_test.txt"
    ):
        load_dataset(path)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (TEXT, True),
        (b"2 3 4\n 0:1\n", True),
        (b"2 3 4\n1,2\n", True),
        (b"1 2 3\n4 5 6\n", False),
        (b"1 2 3 4\n0 0:1\n", False),
        (b"1 1:2 2:3\n", False),
        (b"a b c\n0 0:1\n", False),
    ],
)
def test_the_first_two_lines_tell(write, text, answer):
    assert looks_like_xmc(write(text)) is answer


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            b"0,4 ",
            b"0;4 ",
            r"must read `label,label index:value .*`. Got '0;4 0:0.5 2:-1' in line 2 of .*set.txt",
        ),
        (b" 1:1e-3", b" 1:2:3", "Got ' 1:2:3' in line 3 of"),
        (b"0:2\n", b"0:1_0\n", "in line 5 of"),
        (b"0:0.5", b"0:half", "value must be a number. Got b'half' in line 2 of .*set.txt"),
        (b"0:0.5", b"0:nan", "must be finite in float32. Got nan in line 2 of"),
        (b"0:0.5", b"0:1e39", r"must be finite in float32. Got 1e\+39 in line 2 of"),
        (b"2:-1", b"3:-1", "from 0 to 2, as the first line says. Got 3 for a feature in line 2 of"),
        (b"0,4 ", b"0,5 ", "from 0 to 4, as the first line says. Got 5 for a label in line 2 of"),
        (b"2:-1", b"0:-1", "once in a row. Got 0 twice for a feature in line 2 of"),
        (b"3,1,0", b"3,1,3", "once in a row. Got 3 twice for a label in line 5 of"),
        (b"4 3 5", b"5 3 5", "the 5 rows that the first line says. Got 4 in .*set.txt"),
        (b"4 3 5", b"3 3 5", "the 3 rows that the first line says. Got more in line 5 in"),
        (b"4 3 5", b"4 0 5", "none of them 0. Got '4 0 5' in .*set.txt"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(write, old, new, message):
    assert TEXT.count(old) == 1
    with pytest.raises(DataError, match=message):
        load_dataset(write(TEXT.replace(old, new)))


def test_sizes_beyond_the_memory_are_refused(write):
    with pytest.raises(MemoryLimitError, match="Got 4 rows of 9000000000000 columns, .* in .*set.txt. Keep"):
        load_dataset(write(TEXT.replace(b"4 3 5", b"4 9000000000000 5")))


def test_rows_without_any_label_are_refused(write):
    with pytest.raises(DataError, match="Some row must have a label. Got 2 rows and no label in .*set.txt"):
        load_dataset(write(b"2 1 2\n 0:3\n 0:1\n"))


def test_another_number_of_features_than_a_model_has_is_refused(write):
    with pytest.raises(DataError, match="the 4 features of training. Got 3 in .*set.txt"):
        load_inputs(write(TEXT), Features(4))


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the data sets are not in {SHARED}")
def test_bibtex():
    dataset = load_dataset(SHARED / "bibtex" / "bibtex_train.txt.gz")
    assert (dataset.inputs.shape, dataset.labels.shape) == ((4880, 1836), (4880, 159))
    assert len(dataset.test_labels) == 2515
    assert dataset.labels.sum() / 4880 == pytest.approx(2.38, abs=0.01)

"""The svmlight reader."""

import gzip
import json

import numpy as np
import pytest

from fewfire.data import load_dataset, load_inputs
from fewfire.data.svmlight import looks_like_svmlight, read_svmlight
from fewfire.errors import DataError, MemoryLimitError
from fewfire.prepare import Features

TEXT = b"# made by hand\n+1 1:0.5 3:2\n-1 2:1e3 # a comment\n+1\n"
DENSE = [[0.5, 0, 2], [0, 1000, 0], [0, 0, 0]]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_sparse_rows_come_back_dense(tmp_path, compress):
    path = tmp_path / "set.svm"
    path.write_bytes(compress(TEXT))
    inputs, labels, _ = read_svmlight(path)
    np.testing.assert_array_equal(inputs, DENSE)
    np.testing.assert_array_equal(labels, [1, -1, 1])


def test_features_beyond_the_file_are_zero(tmp_path):
    path = tmp_path / "set.svm"
    path.write_bytes(TEXT)
    inputs = read_svmlight(path, Features(5)).inputs
    np.testing.assert_array_equal(inputs, np.pad(DENSE, ((0, 0), (0, 2))))


def test_indices_count_from_zero_where_a_zero_occurs(tmp_path):
    path = tmp_path / "set.svm"
    path.write_bytes(b"1 0:7\n0 2:8\n")
    np.testing.assert_array_equal(read_svmlight(path).inputs, [[7, 0, 0], [0, 0, 8]])


def test_an_index_beyond_the_features_of_a_model_is_refused(tmp_path):
    path = tmp_path / "set.svm"
    path.write_bytes(TEXT)
    with pytest.raises(DataError, match="model's 2 features. Got the index of feature 3 in"):
        read_svmlight(path, Features(2))


@pytest.mark.parametrize("first_index", [0, 1])
def test_rows_to_predict_count_as_those_of_training(tmp_path, first_index):
    path, new = tmp_path / "set.svm", tmp_path / "new.svm"
    path.write_text("".join(f"{row % 2} {first_index}:{row} {first_index + 2}:7\n" for row in range(20)))
    features = Features.from_state(json.loads(json.dumps(load_dataset(path).features.state())))
    new.write_text(f"1 {first_index + 1}:5\n")
    np.testing.assert_array_equal(load_inputs(new, features).inputs, [[0, 5, 0]])


def test_an_index_zero_is_refused_where_training_counted_from_one(tmp_path):
    path = tmp_path / "set.svm"
    path.write_bytes(b"1 1:3\n\n0\n1 0:7 2:8\n")
    with pytest.raises(DataError, match=r"count from 1, as in training. Got index 0 in row 2 \(from 0\)"):
        read_svmlight(path, Features(3, first_index=1))


def test_sparse_rows_have_no_columns_to_name(tmp_path):
    path = tmp_path / "set.svm"
    path.write_bytes(TEXT)
    for options in ({"target": "1"}, {"categories": ["1"]}):
        with pytest.raises(DataError, match="can be named in a table"):
            load_dataset(path, **options)
    with pytest.raises(DataError, match="Categories must be given in a table"):
        load_inputs(path, Features(3, categories={0: ("a", "b")}))


@pytest.mark.parametrize(
    "row",
    ["1 2:1 1:3", "1 1:x", "yes 1:1", "1,2 1:3", "1 -1:3", f"1 {2**70}:1", "1 2 3", "1 1:1_0", "1_0 1:1"],
)
def test_a_row_that_cannot_be_read_is_refused(tmp_path, row):
    path = tmp_path / "set.svm"
    path.write_text(f"1 1:1\n{row}\n")
    with pytest.raises(DataError, match="must read `label index:value index:value ...`.*Got"):
        read_svmlight(path)


def test_damaged_gzip_is_told_as_such(tmp_path):
    path = tmp_path / "set.svm.gz"
    path.write_bytes(gzip.compress(TEXT * 100)[:-12])
    with pytest.raises(DataError, match="gzipped file must be complete and undamaged"):
        read_svmlight(path)


def test_rows_too_wide_for_memory_say_how_much_they_need(tmp_path):
    path = tmp_path / "set.svm"
    path.write_text(f"1 {2**31 - 1}:1\n" * 10_000)  # more than any address space
    with pytest.raises(MemoryLimitError, match=r"10000 rows of 2147483647 columns, 171798.69 GB beside"):
        read_svmlight(path)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("+1 3:1 11:1 \n", True),
        ("# a comment\n\n2 qid:3 1:0.5 # another\n", True),
        ("1,2,0\n", False),
        ("1 2 0\n", False),
        ("a:b,1\n", False),
        ("", False),
    ],
)
def test_the_first_line_tells_svmlight(tmp_path, text, answer):
    path = tmp_path / "unknown"
    path.write_text(text)
    assert looks_like_svmlight(path) is answer

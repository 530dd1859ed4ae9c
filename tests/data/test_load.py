"""From a source to a data set, or to what a model is to predict."""

import gzip
import struct

import numpy as np
import pytest

from fewfire.data import load_dataset, load_inputs
from fewfire.errors import DataError
from fewfire.prepare import Features

INPUTS = np.arange(20.0).reshape(10, 2)
LABELS = np.arange(10) % 2
TABLE = "".join(f"{a},{b},{label}\n" for (a, b), label in zip(INPUTS, LABELS, strict=True))
SPARSE = "".join(f"{label} 1:{a} 2:{b}\n" for (a, b), label in zip(INPUTS, LABELS, strict=True))


def write_idx(folder, prefix, n_samples):
    images = np.arange(n_samples * 4, dtype=np.uint8)
    labels = np.arange(n_samples, dtype=np.uint8) % 3
    folder.mkdir(exist_ok=True)
    header = struct.pack(">4I", 0x803, n_samples, 2, 2)
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    header = struct.pack(">2I", 0x801, n_samples)
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    return folder


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def write_text(path, text):
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".data", ".CSV", ".csv.gz", ".txt.gz"])
def test_tables_are_found_by_suffix(tmp_path, suffix):
    dataset = load_dataset(write_text(tmp_path / f"some.set{suffix}", TABLE))
    assert dataset.name == "some.set"
    assert dataset.tabular
    assert dataset.inputs.shape == (8, 2)
    assert dataset.test_inputs.shape == (2, 2)


@pytest.mark.parametrize(
    "name", ["a.svm", "a.svmlight", "a.libsvm", "a.t", "a.svm.gz", "a.txt", "a9a", "a.train", "a.gz"]
)
def test_svmlight_is_found_by_suffix_or_by_its_look(tmp_path, name):
    dataset = load_dataset(write_text(tmp_path / name, SPARSE))
    assert dataset.tabular
    assert dataset.inputs.shape == (8, 2)
    assert dataset.labels.dtype == np.int64


def test_a_split_keeps_rows_with_their_labels_in_the_order_of_the_source(tmp_path):
    dataset = load_dataset(str(write_text(tmp_path / "set.csv", TABLE)), test_fraction=0.3, seed=4)
    assert len(dataset.test_labels) == 3
    for inputs, labels in (
        (dataset.inputs, dataset.labels),
        (dataset.test_inputs, dataset.test_labels),
    ):
        rows = (inputs[:, 0] / 2).astype(int)
        assert (np.diff(rows) > 0).all()
        np.testing.assert_array_equal(labels, LABELS[rows])


def test_digits_are_images_and_their_split_follows_the_seed():
    first, again, other = (load_dataset("digits", seed=seed) for seed in (1, 1, 2))
    assert not first.tabular
    assert (first.name, first.inputs.shape, len(first.test_labels)) == ("digits", (1438, 64), 359)
    np.testing.assert_array_equal(first.test_inputs, again.test_inputs)
    assert (first.test_labels != other.test_labels).any()


def test_a_folder_keeps_its_own_test_part(tmp_path):
    write_idx(tmp_path / "images", "train", 9)
    dataset = load_dataset(write_idx(tmp_path / "images", "t10k", 4))
    assert dataset.name == "images"
    assert not dataset.tabular
    assert dataset.inputs.dtype == np.uint8
    assert (dataset.inputs.shape, dataset.test_inputs.shape) == ((9, 4), (4, 4))


def test_a_folder_without_test_part_is_split(tmp_path):
    dataset = load_dataset(write_idx(tmp_path / "images", "train", 10))
    assert (dataset.inputs.shape, dataset.test_inputs.shape) == ((8, 4), (2, 4))


def test_an_archive_keeps_its_own_test_part(tmp_path):
    path = write_npz(tmp_path / "set.npz", X=INPUTS, y=LABELS, X_test=INPUTS[:3], y_test=LABELS[:3] * 1.0)
    dataset = load_dataset(path)
    assert dataset.tabular
    np.testing.assert_array_equal(dataset.inputs, INPUTS)
    np.testing.assert_array_equal(dataset.test_labels, LABELS[:3])


@pytest.mark.parametrize("load", [load_dataset, lambda source: load_inputs(source, Features(2))])
def test_a_source_that_is_absent_or_of_no_known_kind_is_told_what_is_accepted(tmp_path, load):
    with pytest.raises(
        DataError, match=r"must exist. Got 'nowhere.csv'.*Give 'digits', 'openml:NAME', a folder"
    ):
        load("nowhere.csv")
    unknown = write_text(tmp_path / "set.png", "\x89PNG")
    with pytest.raises(DataError, match=r"known suffix. Got 'set.png'. Give 'digits'"):
        load(unknown)


def test_a_source_that_cannot_be_opened_is_refused(tmp_path, monkeypatch):
    path = write_text(tmp_path / "set.csv", TABLE)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(DataError, match="must be readable. Got .*set.csv: Permission denied"):
        load_dataset(path)


def test_training_inputs_must_be_there(tmp_path):
    path = write_npz(tmp_path / "set.npz", X_test=INPUTS)
    for source in (path, tmp_path):
        with pytest.raises(DataError, match="must have training inputs: X or X_train.* Got"):
            load_dataset(source)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X_test": INPUTS}, "must have labels. Got none in the test part of .*set.npz"),
        ({"X_test": INPUTS[:, :1], "y_test": LABELS}, "the 2 features of training. Got 1 in the"),
        ({"X_test": INPUTS, "y_test": LABELS + 1}, r"the 2 classes of training \(0, 1\). Got 2"),
        ({"y": LABELS * 0}, "at least two classes. Got only 0 in"),
        ({"y": LABELS[:-1]}, "Got 10 rows and 9 labels in"),
        ({"X": INPUTS.ravel()}, r"two dimensions.*Got shape \(20,\)"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, arrays, message):
    path = write_npz(tmp_path / "set.npz", **({"X": INPUTS, "y": LABELS} | arrays))
    with pytest.raises(DataError, match=message):
        load_dataset(path)


def test_training_labels_must_be_there(tmp_path):
    path = write_npz(tmp_path / "set.npz", X=INPUTS)
    with pytest.raises(DataError, match="must have labels. Got none in .*set.npz. Add y"):
        load_dataset(path)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_table_to_predict_with_and_without_labels(tmp_path, labelled):
    text = TABLE if labelled else TABLE.replace(",0\n", "\n").replace(",1\n", "\n")
    inputs, labels, _ = load_inputs(write_text(tmp_path / "set.csv", text), Features(2))
    np.testing.assert_array_equal(inputs, INPUTS)
    if labelled:
        np.testing.assert_array_equal(labels, LABELS)
    else:
        assert labels is None


def test_rows_to_predict_may_be_of_a_single_class(tmp_path):
    inputs, labels, _ = load_inputs(write_text(tmp_path / "set.csv", "1,2,0\n"), Features(2))
    assert (inputs.tolist(), labels.tolist()) == ([[1, 2]], [0])


def test_an_archive_to_predict_gives_its_test_part_else_all_rows(tmp_path):
    only_inputs = write_npz(tmp_path / "a.npz", X=INPUTS)
    with_labels = write_npz(tmp_path / "b.npz", X=INPUTS, y=LABELS)
    with_test = write_npz(tmp_path / "c.npz", X=INPUTS, y=LABELS, X_test=INPUTS[:3])
    only_test = write_npz(tmp_path / "d.npz", X_test=INPUTS[:4], y_test=LABELS[:4])
    assert load_inputs(only_inputs, Features(2)).labels is None
    np.testing.assert_array_equal(load_inputs(with_labels, Features(2)).labels, LABELS)
    assert load_inputs(with_test, Features(2)).inputs.shape == (3, 2)
    assert load_inputs(only_test, Features(2)).labels.shape == (4,)


def test_a_folder_to_predict_gives_its_test_part_else_all_rows(tmp_path):
    folder = write_idx(tmp_path / "images", "train", 9)
    assert load_inputs(folder, Features(4)).inputs.shape == (9, 4)
    write_idx(folder, "t10k", 5)
    assert load_inputs(folder, Features(4)).inputs.shape == (5, 4)


def test_digits_to_predict_are_all_of_them():
    assert load_inputs("digits", Features(64)).inputs.shape == (1797, 64)


def test_sparse_rows_to_predict_are_as_wide_as_the_model(tmp_path):
    assert load_inputs(write_text(tmp_path / "a.svm", SPARSE), Features(6)).inputs.shape == (10, 6)


def test_another_number_of_features_than_the_model_is_refused(tmp_path):
    folder = write_idx(tmp_path / "images", "train", 9)
    for source, found in ((folder, 4), (write_npz(tmp_path / "a.npz", X=INPUTS), 2)):
        with pytest.raises(DataError, match=f"the 3 features of training. Got {found} in"):
            load_inputs(source, Features(3))
    with pytest.raises(DataError, match="model's 7 features.* Got 3 columns"):
        load_inputs(write_text(tmp_path / "a.csv", TABLE), Features(7))


def test_inputs_to_predict_must_be_there(tmp_path):
    for source in (tmp_path, write_npz(tmp_path / "a.npz", y=LABELS)):
        with pytest.raises(DataError, match="must have inputs: X or X_test.* Got .*without them"):
            load_inputs(source, Features(2))


def test_inputs_to_predict_must_be_finite(tmp_path):
    with pytest.raises(DataError, match=r"finite one .* Got 'nan' in line 1, column 2 of .*; 1 of 2"):
        load_inputs(write_text(tmp_path / "a.csv", "1,nan\n2,3\n"), Features(2))

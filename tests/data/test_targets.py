"""How targets are read: classes or amounts, and how labels are written."""

import gzip
import re
import struct

import numpy as np
import pytest

from fewfire.data import load_dataset, load_inputs
from fewfire.errors import DataError
from fewfire.prepare import Classes, Features, TargetScaling


@pytest.fixture
def write(tmp_path):
    """Write a column of features and the cells of the target, or of several, as a table."""

    def to_file(targets, header="x,label", name="table.csv"):
        rows = [f"{row},{cell}" for row, cell in enumerate(targets)]
        path = tmp_path / name
        path.write_text("\n".join([header, *rows] if header else rows) + "\n")
        return path

    return to_file


def labels_of(path, **options):
    dataset = load_dataset(path, **options)
    return sorted({*dataset.labels.tolist(), *dataset.test_labels.tolist()})


# Labels as they are written


@pytest.mark.parametrize("large", [2**53, 10**18 + 1, 2**63 - 2])
def test_whole_numbers_as_labels_are_exact(write, tmp_path, large):
    labels = [large, large + 1, 5]
    assert labels_of(write([labels[row % 3] for row in range(60)])) == sorted(labels)
    np.savez(tmp_path / "a.npz", X=np.arange(60)[:, None], y=np.array(labels * 20))
    assert labels_of(tmp_path / "a.npz") == sorted(labels)


def test_whole_numbers_beyond_64_bits_are_texts(write):
    assert labels_of(write([10**30, 10**30 + 1] * 10)) == [str(10**30), str(10**30 + 1)]


def test_whole_numbers_of_a_parquet_file_are_exact(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    labels = [2**53, 2**53 + 1] * 10
    for cells in (pyarrow.array(labels), pyarrow.array(labels, pyarrow.uint64())):
        table = pyarrow.table({"x": list(range(20)), "label": cells})
        parquet.write_table(table, tmp_path / "a.parquet")
        assert labels_of(tmp_path / "a.parquet") == [2**53, 2**53 + 1]


def test_large_labels_of_sparse_rows_are_refused_rather_than_one(tmp_path):
    pytest.importorskip("sklearn")
    path = tmp_path / "a.svm"
    path.write_text("".join(f"{2**53 + row % 2} 1:{row + 1}\n" for row in range(20)))
    with pytest.raises(DataError, match=r"below 2\^53"):
        load_dataset(path)


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["00123", "04567"], ["00123", "04567"]),
        (["007", "12"], ["007", "12"]),
        (["1e2", "100", "5"], ["100", "1e2", "5"]),
        (["1e2", "100", "a"], ["100", "1e2", "a"]),
        (["1.0", "2.50", "b", "c"] + ["d"] * 16, ["1.0", "2.50", "b", "c", "d"]),
        (["1.000e+00", "2.000e+00"], [1, 2]),
        (["-1", "+1"], [-1, 1]),
        (["0", "0.0"], ["0", "0.0"]),
        (["1_0", "2"], ["1_0", "2"]),
    ],
)
def test_labels_are_numbers_where_that_loses_nothing_and_else_keep_their_spelling(write, cells, labels):
    cells = cells * 10
    assert labels_of(write(cells)) == labels
    assert labels_of(write(cells, header=None)) == labels
    assert labels_of(write([f"{cell},1" for cell in cells], "x,sort,z"), target="sort") == labels
    assert labels_of(write([f"{cell},1" for cell in cells], header=None), target="2") == labels


def test_labels_to_compare_with_are_read_as_those_of_training(write):
    texts, numbers = Classes(np.array(["100", "1e2", "5"])), Classes(np.array([1, 2]))
    dataset = load_dataset(write(["5", "100", "1e2"] * 5))
    assert load_inputs(write(["1e2", "5"]), dataset.features, texts).labels.tolist() == ["1e2", "5"]
    assert load_inputs(write(["1.0", "x"]), dataset.features, numbers).labels.tolist() == ["1", "x"]


# Classes or amounts


def rng_text(n=40, seed=0):
    return [f"{value:.3f}" for value in np.random.default_rng(seed).normal(size=n)]


def test_real_numbers_are_for_regression(write, tmp_path):
    dataset = load_dataset(write(rng_text()))
    assert dataset.task == "regression"
    assert dataset.labels.shape == (32, 1)
    assert dataset.test_labels.shape == (8, 1)
    assert dataset.labels.dtype == np.float64
    targets = np.array(rng_text(), float)
    np.savez(tmp_path / "a.npz", X=np.ones((40, 2)), y=np.stack([targets, targets], axis=1))
    assert load_dataset(tmp_path / "a.npz").labels.shape == (32, 2)


def test_few_whole_numbers_are_classes_and_many_must_be_told(write, tmp_path):
    assert load_dataset(write([row % 20 for row in range(100)])).task == "classification"
    for n_rows in (30, 2000):
        numbers = [row % 21 for row in range(n_rows)]
        path = write(numbers)
        np.savez(tmp_path / "a.npz", X=np.ones((n_rows, 1)), y=np.array(numbers, float))
        message = rf"must be told to be classes or amounts. Got 21 in {n_rows} rows .* --task regression"
        for source in (path, tmp_path / "a.npz"):
            with pytest.raises(DataError, match=message):
                load_dataset(source)
            assert load_dataset(source, task="regression").labels.dtype == np.float64
            assert load_dataset(source, task="classification").labels.dtype == np.int64


def test_many_labels_of_images_are_classes(tmp_path):
    labels, images = np.arange(60, dtype=np.uint8) % 26, np.arange(240, dtype=np.uint8)
    header = struct.pack(">4I", 0x803, 60, 2, 2)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(header + images.tobytes())
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 60) + labels.tobytes())
    assert load_dataset(tmp_path).task == "classification"


def test_whole_numbers_in_several_columns_of_an_array_must_be_told(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((9, 1)), y=np.eye(3)[np.arange(9) % 3])
    with pytest.raises(DataError, match="one dimension. Got shape .*argmax.* or --task regression"):
        load_dataset(tmp_path / "a.npz")
    assert load_dataset(tmp_path / "a.npz", task="regression").labels.shape == (7, 3)


def test_a_number_with_decimals_among_classes_must_be_told(write):
    cells = ["0", "1", "2"] * 10
    cells[7] = "2.5"
    message = (
        r"nearly all whole must be told.* Got 2.5 in row 7 \(from 0\) of 30 as the target of .*table.csv"
    )
    with pytest.raises(DataError, match=message):
        load_dataset(write(cells))
    assert load_dataset(write(cells), task="regression").task == "regression"
    assert "2.5" in labels_of(write(cells), task="classification")


@pytest.mark.parametrize("cells", [rng_text(), range(40)])
def test_a_text_among_amounts_makes_no_classes_of_them(write, cells):
    cells = [*cells]
    cells[9] = "about 3"
    message = r"Got 'about 3' in line 11, column 2 \(label\).*if they are classes, give --task classification"
    with pytest.raises(DataError, match=message):
        load_dataset(write(cells))
    with pytest.raises(DataError, match="Got 'about 3' in line 11"):
        load_dataset(write(cells), task="regression")


AMOUNTS = {
    "0,5": "with a decimal point",
    "$1.200": "with a decimal point",
    "12%": "with a decimal point",
    "2024-05-01": "Turn dates and times into numbers",
    "8:30": "Turn dates and times into numbers",
}


@pytest.mark.parametrize(("amount", "advice"), AMOUNTS.items())
@pytest.mark.parametrize("others", [["7"], ["0,7", "1,7"], ["3", "x"]])
@pytest.mark.parametrize("form", ["csv", "parquet", "npz"])
def test_amounts_and_dates_are_classes_only_where_that_is_told(tmp_path, amount, advice, others, form):
    cells = [others[row // 2 % len(others)] if row % 2 else amount for row in range(40)]
    path = tmp_path / f"a.{form}"
    if form == "csv":
        path.write_text("\n".join(["x;label", *(f"{row};{cell}" for row, cell in enumerate(cells))]))
    elif form == "parquet":
        pa = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pa.table({"x": range(40), "label": cells}), path)
    else:
        np.savez(path, X=np.arange(40)[:, None], y=np.array(cells))
    with pytest.raises(DataError, match=f"{advice}.*if they are classes, give --task classification"):
        load_dataset(path)
    assert labels_of(path, task="classification") == sorted({amount, *others})


def test_numbers_that_a_file_stores_as_texts_are_told(tmp_path):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"x": range(40), "label": ["7", "0,5"] * 20})
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="Got '7' in row 0.*Store numbers as numbers, not as texts"):
        load_dataset(tmp_path / "a.parquet")


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_a_few_amounts_among_texts_are_classes(write, tmp_path, form):
    cells = ["low", "high"] * 19 + ["0:30"] * 2
    if form == "csv":
        path = write(cells)
    else:
        np.savez(path := tmp_path / "a.npz", X=np.arange(40)[:, None], y=np.array(cells))
    assert labels_of(path) == ["0:30", "high", "low"]


@pytest.mark.parametrize("mark", ["", "?", "nan", "inf"])
def test_a_row_without_a_target_is_placed(write, mark):
    cells = rng_text()
    cells[9] = mark
    for task in ("auto", "regression"):
        with pytest.raises(DataError, match=r"must have a label. Got .* in line 11, column 2 \(label\)"):
            load_dataset(write(cells), task=task)


def test_several_targets_are_of_a_regression(write):
    cells = [f"{first},{second}" for first, second in zip(rng_text(), range(40), strict=True)]
    dataset = load_dataset(write(cells, "x,speed,count"), target=["count", "speed"])
    assert dataset.features.targets == {2: "count", 1: "speed"}
    assert dataset.features.names == ("x",)
    assert dataset.labels[0, 0] == dataset.inputs[0, 0]  # the count is the number of the row
    speeds = np.array(rng_text(), float)
    np.testing.assert_array_equal(dataset.labels[:, 1], speeds[dataset.inputs[:, 0].astype(int)])
    with pytest.raises(DataError, match="Classes must stand in one column. Got 2 targets"):
        load_dataset(write(cells, "x,speed,count"), target=["count", "speed"], task="classification")
    for wanted in (["count", "3"], ["x", "count", "speed"]):
        with pytest.raises(DataError, match="must be different columns beside at least one feature"):
            load_dataset(write(cells, "x,speed,count"), target=wanted)


def test_a_task_that_does_not_fit_is_refused(write, tmp_path):
    with pytest.raises(DataError, match=r"finite one in every row. Got 'a' in line 2, column 2 \(label\)"):
        load_dataset(write(["a", "b"] * 5), task="regression")
    with pytest.raises(ValueError, match="the task must be one of auto, classification, regression. Got 'r'"):
        load_dataset(write(["a", "b"] * 5), task="r")
    for y in (np.array(["a", "b"]), np.ones((2, 3), bool)):
        np.savez(tmp_path / "a.npz", X=np.ones((2, 1)), y=y)
        with pytest.raises(DataError, match="Targets of a regression must be numbers"):
            load_dataset(tmp_path / "a.npz", task="regression")


def test_training_and_test_parts_have_the_same_targets(tmp_path):
    y = np.random.default_rng(0).normal(size=(10, 2))
    np.savez(tmp_path / "a.npz", X=np.ones((10, 1)), y=y, X_test=np.ones((10, 1)), y_test=y[:, 0])
    with pytest.raises(DataError, match="must have equally many targets"):
        load_dataset(tmp_path / "a.npz")


# Targets of rows to predict


def test_a_target_that_is_there_but_empty_is_no_label(write):
    dataset = load_dataset(write(["x", "y"] * 10))
    for cells in (["", ""], ["?", "NA"]):
        rows = load_inputs(write(cells), dataset.features, Classes.of(dataset.labels))
        assert rows.inputs.tolist() == [[0], [1]]
        assert rows.labels is None


def test_labels_that_are_there_are_read_beside_empty_ones(write, tmp_path):
    dataset = load_dataset(write([0, 1] * 10))
    classes = Classes.of(dataset.labels)
    assert load_inputs(write(["1.0", "", "0.0"]), dataset.features, classes).labels.tolist() == ["1", "", "0"]
    np.savez(tmp_path / "a.npz", X=np.ones((3, 1)), y=[1, np.nan, 0])
    assert load_inputs(tmp_path / "a.npz", dataset.features, classes).labels.tolist() == ["1", "", "0"]
    np.savez(tmp_path / "a.npz", X=np.ones((3, 1)), y=[np.nan] * 3)
    assert load_inputs(tmp_path / "a.npz", dataset.features, classes).labels is None


def test_targets_that_are_there_are_read_beside_empty_ones(write):
    cells = [f"{first},{second}" for first, second in zip(rng_text(), rng_text(seed=1), strict=True)]
    dataset = load_dataset(write(cells, "x,a,b"), target=["a", "b"])
    scaling = TargetScaling.fit(dataset.labels)
    labels = load_inputs(write(["1,2", "3,", "0.0,4"], "x,a,b"), dataset.features, scaling).labels
    np.testing.assert_array_equal(labels, [[1, 2], [np.nan, np.nan], [0, 4]])
    assert load_inputs(write(["1", "2"], "x,a"), dataset.features, scaling).labels is None
    assert load_inputs(write([",2", "1,"], "x,a,b"), dataset.features, scaling).labels is None
    with pytest.raises(DataError, match=r"Got 'high' in line 3, column 2 \(a\)"):
        load_inputs(write(["1,2", "high,3"], "x,a,b"), dataset.features, scaling)


@pytest.mark.parametrize("names", ["label,a,b", None])
def test_a_target_that_is_not_last_is_found_where_training_had_it(tmp_path, names):
    rows = [f"{row % 2},{row},{100 + row}" for row in range(20)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join([names, *rows] if names else rows) + "\n")
    dataset = load_dataset(path, target="1")
    path.write_text("\n".join(rows) + "\n")
    rows = load_inputs(path, dataset.features, Classes.of(dataset.labels))
    assert rows.inputs[3].tolist() == [3, 103]
    assert rows.labels.tolist() == [0, 1] * 10


def test_a_state_of_an_earlier_version_has_its_target_last(write):
    dataset = load_dataset(write(["x", "y"] * 10))
    state = {key: value for key, value in dataset.features.state().items() if key != "targets"}
    assert type(dataset.features).from_state(state | {"target": "label"}).targets == {1: "label"}


def test_gzipped_labels_are_kept_as_they_are_written_over_many_chunks(tmp_path):
    cells = [f"{row % 7:03}" for row in range(10_000)]
    text = "x,label\n" + "".join(f"{row},{cell}\n" for row, cell in enumerate(cells))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    dataset = load_dataset(tmp_path / "a.csv.gz")
    assert all(re.fullmatch(r"00\d", label) for label in dataset.labels)
    assert [cells[int(row)] for row in dataset.inputs[:, 0]] == dataset.labels.tolist()


@pytest.mark.parametrize("wrong", [np.ones(9), np.ones((9, 3))])
def test_targets_to_compare_with_are_as_many_as_those_of_training(tmp_path, wrong):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", X=rng.random((9, 2)), y=rng.random((9, 2)))
    dataset = load_dataset(tmp_path / "a.npz")
    scaling = TargetScaling.fit(dataset.labels)
    assert load_inputs(tmp_path / "a.npz", dataset.features, scaling).labels.shape == (9, 2)
    np.savez(tmp_path / "b.npz", X=rng.random((9, 2)), y=wrong)
    with pytest.raises(DataError, match=r"shape of training, \('rows', 2\). Got \(9, [13]\)"):
        load_inputs(tmp_path / "b.npz", dataset.features, scaling)


@pytest.mark.parametrize(("several", "k"), [(True, 2), (True, 4), (False, 3)])
def test_labels_to_compare_with_are_as_many_as_those_of_training(tmp_path, several, k):
    classes = Classes(np.arange(3), several)
    path = tmp_path / "a.npz"
    np.savez(path, X=np.ones((9, 2)), y=np.ones((9, k), bool))
    with pytest.raises(DataError, match=rf"Got \(9, {k}\)"):
        load_inputs(path, Features(2), classes)
    np.savez(path, X=np.ones((9, 2)), y=np.ones((9, 3), bool) if several else np.ones(9, int))
    assert load_inputs(path, Features(2), classes).labels is not None


@pytest.mark.parametrize(
    "cells", [[f"{row}.5e300" for row in range(60)], [10**40 * (row + 1) for row in range(60)]]
)
def test_many_numbers_beyond_64_bits_must_be_told(write, cells):
    with pytest.raises(DataError, match="numbers as texts, must be told to be classes or amounts. Got 60"):
        load_dataset(write(cells))
    assert load_dataset(write(cells), task="regression").task == "regression"

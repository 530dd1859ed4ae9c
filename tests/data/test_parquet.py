"""The Parquet reader."""

import datetime
import decimal
import sys

import numpy as np
import pytest

from fewfire.data import load_dataset, load_inputs
from fewfire.errors import DataError, MemoryLimitError

pyarrow = pytest.importorskip("pyarrow", reason="the Parquet reader needs pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

COLUMNS = {
    "age": [30, 41, 55, 28, 33, 60],
    "height": [1.5, 1.25, 1.75, 2.0, 1.0, 0.5],
    "colour": ["red", "blue", "red", None, "blue", "red"],
    "member": [True, False, True, True, False, False],
    "target": ["yes", "no", "no", "yes", "no", "yes"],
}


@pytest.fixture
def write(tmp_path):
    def to_file(columns):
        path = tmp_path / "table.parquet"
        parquet.write_table(pyarrow.table(columns), path)
        return path

    return to_file


def test_numbers_strings_and_booleans(write):
    dataset = load_dataset(write(COLUMNS))
    assert dataset.name == "table"
    assert dataset.tabular
    assert dataset.features.names == ("age", "height", "colour", "member")
    assert dataset.features.categories == {2: ("blue", "red", "")}
    assert dataset.inputs.shape == (5, 6)
    assert set(dataset.inputs[:, 2]) == {0, 1}  # member
    assert set(dataset.labels) == {"yes", "no"}


@pytest.mark.parametrize("kind", ["int8", "uint64", "float16", "float32", "double"])
def test_every_type_of_numbers(write, kind):
    values = pyarrow.array(np.arange(6).astype(np.float16 if kind == "float16" else float))
    dataset = load_dataset(write(COLUMNS | {"age": values.cast(kind) if kind != "float16" else values}))
    assert set(dataset.inputs[:, 0]) <= set(range(6))


@pytest.mark.parametrize("kind", ["string", "large_string", "dictionary"])
def test_every_type_of_texts(write, kind):
    texts = pyarrow.array(COLUMNS["colour"])
    texts = texts.dictionary_encode() if kind == "dictionary" else texts.cast(kind)
    assert load_dataset(write(COLUMNS | {"colour": texts})).features.categories[2] == ("blue", "red", "")


def test_the_rules_of_tables_hold(write):
    dataset = load_dataset(write(COLUMNS), target="member", categories=["age"])
    assert list(dataset.features.targets.values()) == ["member"]
    assert set(dataset.labels) == {"True", "False"}
    assert sorted(dataset.features.categories) == [0, 2, 3]


def test_a_table_of_text_is_predicted_alike(write, tmp_path):
    features = load_dataset(write(COLUMNS)).features
    rows = load_inputs(write(COLUMNS), features)
    cells = zip(*COLUMNS.values(), strict=True)
    text = "".join(",".join("" if c is None else str(c) for c in row) + "\n" for row in cells)
    (tmp_path / "table.csv").write_text(",".join(COLUMNS) + "\n" + text)
    np.testing.assert_array_equal(load_inputs(tmp_path / "table.csv", features).inputs, rows.inputs)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([datetime.datetime(2026, 1, n + 1) for n in range(6)], r"timestamp\[us\]"),
        ([[n] for n in range(6)], "list"),
        ([{"n": n} for n in range(6)], "struct"),
        ([decimal.Decimal(n) for n in range(6)], "decimal"),
        ([b"a"] * 6, "binary"),
    ],
)
def test_a_column_of_another_type_is_named(write, values, kind):
    message = f"must be of integers, floats, .* Got {kind}.* in column 'age' of .*table.parquet. Conv"
    with pytest.raises(DataError, match=message):
        load_dataset(write(COLUMNS | {"age": values}))


def test_a_number_that_is_infinite_is_placed(write):
    heights = [1.5, 2.5, float("inf"), 1.0, 2.0, 3.0]
    with pytest.raises(DataError, match=r"Got inf in row 2 \(from 0\), column 2 \(height\) of .*parquet; 5"):
        load_dataset(write(COLUMNS | {"height": heights}))


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_number_that_is_missing_is_filled(write, value):
    dataset = load_dataset(
        write(COLUMNS | {"height": [1.5, value, value, value, value, 3.0]}), test_fraction=0.4
    )
    assert np.isfinite(dataset.inputs).all()
    assert dataset.inputs.shape[1] == dataset.features.n_inputs


def test_a_table_without_rows_is_refused(write):
    with pytest.raises(DataError, match="at least one row. Got none in .*table.parquet"):
        load_dataset(write({name: pyarrow.array([], "double") for name in COLUMNS}))


def test_a_file_of_another_kind_or_damaged_is_refused(write):
    path = write(COLUMNS)
    whole = path.read_bytes()
    for content in (b"", b"a,b\n1,2\n", whole[:-9], whole[:200] + whole[260:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="must be complete and undamaged. Got .*table.parquet: "):
            load_dataset(path)


def test_a_table_too_large_for_the_memory_is_refused(write, monkeypatch):
    monkeypatch.setattr("fewfire.system.memory.available_bytes", lambda: 239)
    with pytest.raises(
        MemoryLimitError, match="Got 6 rows of 5 columns, 240 B beside 239 B that are free, in"
    ):
        load_dataset(write(COLUMNS))


def test_without_pyarrow_the_message_says_what_to_install(write, monkeypatch):
    path = write(COLUMNS)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"A Parquet file needs pyarrow.* pip install 'fewfire\[parquet\]'"):
        load_dataset(path)


@pytest.mark.parametrize("name", [None, "fold", "a b"])
def test_the_index_of_a_frame_is_no_column(tmp_path, name):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS).drop(columns=["target"])
    frame.set_index(pandas.Index([4, 0, 1, 2, 5, 3], name=name)).to_parquet(tmp_path / "table.parquet")
    features = load_dataset(tmp_path / "table.parquet").features
    assert (*features.names, features.target) == ("age", "height", "colour", "member")


def test_several_indexes_are_left_out_and_an_index_alone_is_no_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS)
    frame.set_index(["age", "colour"]).to_parquet(tmp_path / "table.parquet")
    assert load_dataset(tmp_path / "table.parquet").features.names == ("height", "member")
    frame.set_index(list(COLUMNS)).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(DataError, match="at least one feature beside the target. Got no column in"):
        load_dataset(tmp_path / "table.parquet")


@pytest.mark.parametrize(
    "about", ['{"index_columns": 5}', '{"index_columns": null}', "[1]", '{"index_columns": ["z"]}']
)
def test_what_else_is_said_of_an_index_does_not_matter(tmp_path, about):
    table = pyarrow.table(COLUMNS).replace_schema_metadata({"pandas": about})
    parquet.write_table(table, tmp_path / "table.parquet")
    assert load_dataset(tmp_path / "table.parquet").features.names == tuple(COLUMNS)[:4]


@pytest.mark.parametrize(
    ("cells", "got"),
    [
        (["2026-01-05"] * 6, "Got '2026-01-05' in row 0 .*Turn dates"),
        (["1,5"] * 6, "Got '1,5' in row 0 .*decimal point"),
        ([""] * 6, "value in some row. Got '' in all rows of column 1"),
        ([float("nan")] * 6, "value in some row. Got '' in all rows of column 1"),
    ],
)
def test_texts_are_looked_at_as_in_text_files(write, cells, got):
    with pytest.raises(DataError, match=got):
        load_dataset(write(COLUMNS | {"age": cells}))


def test_a_column_of_any_type_can_be_left_out(write):
    dates = [datetime.date(2024, 1, day + 1) for day in range(6)]
    path = write(COLUMNS | {"when": dates})
    dataset = load_dataset(path, drop=["when"], target="kind" if "kind" in COLUMNS else list(COLUMNS)[-1])
    assert "when" not in dataset.features.names
    assert len(load_inputs(path, dataset.features).inputs) == 6

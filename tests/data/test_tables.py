"""Tables: which column is the target, which hold categories, and how a model finds its columns again."""

import json
import re

import numpy as np
import pytest

from fewfire.data import load_dataset, load_inputs
from fewfire.data.table import Column, number_text
from fewfire.errors import DataError, MemoryLimitError
from fewfire.prepare import Features

HEADER = "age,colour,size,target"
ROWS = [
    ("30", "red", "2", "yes"),
    ("41", "blue", "1", "no"),
    ("55", "red", "3", "no"),
    ("28", "", "2", "yes"),
] * 3


@pytest.fixture
def write(tmp_path):
    """Write rows of cells, and perhaps a header, as a table."""

    def to_file(rows, header=HEADER, name="table.csv"):
        lines = ([header] if header else []) + [",".join(row) for row in rows]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return to_file


def test_a_column_of_texts_becomes_a_column_for_each_category(write):
    dataset = load_dataset(write(ROWS), test_fraction=0.1)
    assert dataset.features.names == ("age", "colour", "size")
    assert dataset.features.targets == {3: "target"}
    assert dataset.features.categories == {1: ("blue", "red", "")}
    assert dataset.features.n_inputs == dataset.inputs.shape[1] == 5
    ids = [30, 41, 55, 28]
    for row, label in zip(dataset.inputs, dataset.labels, strict=True):
        age, colour, size, target = ROWS[ids.index(int(row[0]))]
        one_hot = [float(colour == text) for text in ("blue", "red", "")]
        assert row.tolist() == [float(age), float(size), *one_hot]
        assert label == target


@pytest.mark.parametrize("named", ["size", "3"])
def test_numbers_can_be_named_as_categories_and_equal_ones_are_the_same(write, named):
    rows = [(age, colour, size + ".0" * (age == "30"), y) for age, colour, size, y in ROWS]
    dataset = load_dataset(write(rows), categories=[named], test_fraction=0.1)
    assert dataset.features.categories == {1: ("blue", "red", ""), 2: ("1", "2", "3")}
    np.testing.assert_array_equal(dataset.inputs[:, 1:].sum(axis=1), 2)


@pytest.mark.parametrize(
    ("target", "labels"), [("size", [1, 2, 3]), ("4", ["no", "yes"]), ("colour", ["blue", "red"])]
)
def test_the_target_can_be_named(write, target, labels):
    rows = [row for row in ROWS if row[1]]
    dataset = load_dataset(write(rows), target=target)
    assert sorted(set(dataset.labels.tolist())) == labels
    assert list(dataset.features.targets.values()) == [HEADER.split(",")[3] if target == "4" else target]


def test_categories_of_the_test_part_alone_count_as_never_seen(write):
    rows = [(str(n), f"c{n}" if n < 9 else "a", str(n % 2)) for n in range(40)]
    dataset = load_dataset(write(rows, "n,letter,target"), test_fraction=0.5)
    kept = set(dataset.inputs[:, 0])
    assert set(dataset.features.categories[1]) == {"a"} | {f"c{n}" for n in range(9) if n in kept}
    unseen = [n not in kept and n < 9 for n in dataset.test_inputs[:, 0]]
    assert any(unseen)
    np.testing.assert_array_equal(dataset.test_inputs[:, 1:].sum(axis=1), np.logical_not(unseen))


@pytest.mark.parametrize("mark", ["", "?", "NA", "n/a", "NaN", "null", "#N/A", "<NA>"])
def test_marks_of_missing_values_make_no_text_of_a_column_of_numbers(write, mark):
    rows = [(str(n) if n % 5 == 0 else mark, "x", str(n % 2)) for n in range(30)]
    dataset = load_dataset(write(rows, "a,b,target"))
    assert not dataset.features.categories.get(0)
    assert set(dataset.inputs[:, 0]) <= {0, 5, 10, 15, 20, 25}  # filled with the median of what is there
    np.testing.assert_array_equal(np.unique(dataset.inputs[:, -1]), [0, 1])  # and told
    dataset = load_dataset(write(rows, "a,b,target"), categories=["a"])
    assert mark in dataset.features.categories[0]


@pytest.mark.parametrize(("n_numbers", "is_text"), [(0, True), (2, True), (3, False), (19, False)])
def test_up_to_a_tenth_of_the_cells_of_a_text_column_may_be_numbers(write, n_numbers, is_text):
    rows = [(str(n) if n < n_numbers else "ab"[n % 2], "1", str(n % 2)) for n in range(20)]
    path = write(rows, "a,b,target")
    if is_text:
        assert 0 in load_dataset(path).features.categories
    else:
        with pytest.raises(
            DataError, match=f"must hold finite ones, or none. Got '[ab]' in line {n_numbers + 2}, "
        ):
            load_dataset(path)


@pytest.mark.parametrize("mark", ["", "?", "nan", "inf"])
def test_a_row_without_a_label_is_placed(write, mark):
    shown = mark if mark == "inf" else f"'{re.escape(mark)}'"
    for others in ("01", "ab"):
        rows = [("1", others[n % 2] if n != 7 else mark) for n in range(20)]
        message = rf"must have a label. Got {shown} in line 9, column 2 \(target\) of .*table.csv. Fill"
        with pytest.raises(DataError, match=message):
            load_dataset(write(rows, "a,target"))


def test_texts_that_hardly_repeat_are_refused(write):
    rows = [(f"name {n}", "1", str(n % 2)) for n in range(300)]
    message = r"Categories must repeat. Got 300 different texts in 300 rows, .* column 1 \(who\).* Remove"
    with pytest.raises(DataError, match=message):
        load_dataset(write(rows, "who,b,target"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "sex"}, r"named as in the table: age, colour, size, target. Got 'sex' for .*table.csv"),
        ({"target": "5"}, "Got '5' for"),
        ({"target": "0"}, "Got '0' for"),
        ({"categories": ["age", "hue"]}, "Got 'hue' for"),
        ({"categories": ["target"]}, r"must be a feature. Got the target, column 4 \(target\)"),
    ],
)
def test_columns_that_are_not_there_are_named(write, options, message):
    with pytest.raises(DataError, match=message):
        load_dataset(write(ROWS), **options)


def test_columns_without_names_go_by_number(write):
    dataset = load_dataset(write(ROWS, header=None), categories=["3"])
    assert dataset.features.names is None
    assert sorted(dataset.features.categories) == [1, 2]
    with pytest.raises(DataError, match="named as in the table: the numbers 1 to 4. Got 'age' for"):
        load_dataset(write(ROWS, header=None), target="age")


def test_only_tables_have_columns_to_name():
    for options in ({"target": "a"}, {"categories": ["a"]}):
        with pytest.raises(DataError, match="can be named in a table: .* Got digits, which is none"):
            load_dataset("digits", **options)


@pytest.mark.parametrize(
    ("header", "is_header"),
    [("e,f,g,h", True), ("e,f,e,h", False), ("e,f,1,h", False), ("30,CLASS,2,1", True)],
)
def test_a_first_row_is_a_header_where_its_texts_differ_or_it_names_a_target(write, header, is_header):
    names = load_dataset(write([row for row in ROWS if row[1]], header), categories="123").features.names
    assert (names is not None) == is_header


def test_columns_of_the_same_name_are_refused(write):
    with pytest.raises(DataError, match="names of columns must differ. Got 'a' twice in line 1 of"):
        load_dataset(write(ROWS, "a,b,a,target"))


# A model meets new tables


@pytest.fixture
def model(write):
    return load_dataset(write(ROWS), test_fraction=0.1).features


def test_features_come_back_from_json(model):
    again = Features.from_state(json.loads(json.dumps(model.state())))
    assert again == model or again.state() == model.state()
    assert (again.names, again.categories) == (model.names, model.categories)
    plain = Features(7)
    assert Features.from_state(json.loads(json.dumps(plain.state()))).state() == plain.state()


def test_columns_are_found_by_name_in_any_order_with_and_without_target(write, model):
    whole = load_inputs(write(ROWS), model)
    shuffled = [(y, size, colour, age) for age, colour, size, y in ROWS]
    others = [
        load_inputs(write(shuffled, "target,size,colour,age"), model),
        load_inputs(write(shuffled, "Label,size,colour,age"), model),
        load_inputs(write([row[1:] for row in shuffled], "size,colour,age"), model),
        load_inputs(write(ROWS, header=None), model),
        load_inputs(write([row[:3] for row in ROWS], header=None), model),
    ]
    assert whole.inputs.shape == (12, 3)
    for rows in others:
        np.testing.assert_array_equal(rows.inputs, whole.inputs)
        assert rows.labels is None or rows.labels.tolist() == whole.labels.tolist()
    assert [rows.labels is None for rows in others] == [False, False, True, False, True]


def test_names_that_look_like_numbers_are_known_as_a_header(write):
    numbers = load_dataset(write([("1", "2", "a"), ("3", "4", "b"), ("5", "6", "b")], "1,2,target")).features
    rows = load_inputs(write([("9", "8")], "2,1"), numbers)
    assert rows.inputs.tolist() == [[8, 9]]


def test_a_category_that_training_never_saw_is_zero_everywhere(write, model):
    rows = load_inputs(write([("30", "green", "2"), ("30", "7", "2")], "age,colour,size"), model)
    assert model.coded(rows.inputs).tolist() == [[30, 2, 0, 0, 0]] * 2


@pytest.mark.parametrize(
    ("header", "got"),
    [
        ("age,colour,length", "no 'size'"),
        ("age,colour", "no 'size'"),
        ("AGE,hue,size", "no 'age', no 'colour'"),
        ("age,colour,size,weight", "'weight'"),
        ("age,colour,size,target,weight", "'weight'"),
        ("age,colour,size,target,label", "'label'"),
    ],
)
def test_missing_and_further_columns_are_named(write, model, header, got):
    row = ("1", "red", "1", "yes", "2")[: header.count(",") + 1]
    with pytest.raises(DataError, match=f"the model's 3 columns, .* Got {got} in .*table.csv. Give the col"):
        load_inputs(write([row], header), model)


def test_a_text_in_a_column_of_numbers_of_the_model_is_refused(write, model):
    with pytest.raises(DataError, match=r"Got 'old' in line 2, column 1 \(age\)"):
        load_inputs(write([("old", "red", "2")], "age,colour,size"), model)


def test_arrays_cannot_hold_the_categories_of_a_model(tmp_path, model):
    np.savez(tmp_path / "a.npz", X=np.ones((2, 3)))
    with pytest.raises(DataError, match=r"Categories must be given in a table.* Got .*a\.npz\. Give"):
        load_inputs(tmp_path / "a.npz", model)


def test_categories_too_many_for_the_memory_are_refused(write, monkeypatch):
    monkeypatch.setattr("fewfire.system.memory.available_bytes", lambda: 390)
    with pytest.raises(MemoryLimitError, match=r"Got 10 rows of 5 columns, 400 B beside 390 B that are free"):
        load_dataset(write(ROWS))


def test_numbers_as_texts():
    assert [number_text(x) for x in (3.0, -0.5, 1e20, np.inf)] == ["3", "-0.5", str(10**20), "inf"]
    column = Column.of_numbers(np.array([1.0, np.nan, 2.5]))
    codes, texts = column.categories()
    assert [texts[code] for code in codes] == ["1", "", "2.5"]


def written(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_target_before_a_column_that_is_left_out_keeps_its_spelling(tmp_path):
    rows = "".join(f"{n},{n % 7},{['1.10', '1.1'][n % 2]},x{n}\n" for n in range(20))
    path = written(tmp_path, "a,b,y,junk\n" + rows)
    dataset = load_dataset(path, drop=["junk"], task="classification")
    assert set(dataset.labels) == {"1.10", "1.1"}


def test_a_column_that_is_left_out_is_no_target_for_its_name(tmp_path):
    path = written(tmp_path, "a,label,y\n" + "".join(f"{n},x{n},{n % 2}\n" for n in range(20)))
    assert load_dataset(path, drop=["label"]).features.targets == {2: "y"}


@pytest.mark.parametrize(
    ("head", "target", "advice"),
    [("a,b,y", "y", None), ("a,b,target", None, "--drop target"), ("a,b,", None, "--drop 3")],
)
def test_advice_to_drop_can_be_followed(tmp_path, head, target, advice):
    path = written(tmp_path, f"{head}\n" + "".join(f"{n},{n % 2},\n" for n in range(20)))
    with pytest.raises(DataError) as told:
        load_dataset(path, target=target)
    assert (advice or "--drop") in str(told.value) or advice is None
    assert ("--drop" in str(told.value)) == (advice is not None)
    if advice is not None:
        dataset = load_dataset(path, drop=[advice.split()[-1]])
        assert set(dataset.labels) == {0, 1}


def test_all_columns_cannot_be_left_out(tmp_path):
    path = written(tmp_path, "a,b,y\n" + "1,2,0\n3,4,1\n" * 9)
    with pytest.raises(DataError, match="Got 2 of 3 columns of .* left out, and no other beside the target"):
        load_dataset(path, drop=["a", "b"])


def test_names_with_commas_are_left_out_by_number(tmp_path):
    rows = "".join(f"word {n},{n},{n % 2}\n" for n in range(200))
    path = written(tmp_path, '"id, or name",a,y\n' + rows)
    with pytest.raises(DataError, match="--drop 1\\."):
        load_dataset(path)


def test_as_many_columns_left_out_as_targets_leave_no_doubt(tmp_path):
    features = load_dataset(
        written(tmp_path, "".join(f"{n},{n % 5},{n % 3},{n % 2}\n" for n in range(30))), drop=["1"]
    ).features
    assert load_inputs(written(tmp_path, "7,1,2,0\n", "all.csv"), features).inputs.tolist() == [[1, 2]]
    assert load_inputs(written(tmp_path, "1,2\n", "bare.csv"), features).inputs.tolist() == [[1, 2]]
    with pytest.raises(DataError, match="Got 3 columns without names"):
        load_inputs(written(tmp_path, "1,2,0\n", "doubt.csv"), features)


def test_infinite_inputs_are_counted_beside_gaps(tmp_path):
    features = load_dataset(written(tmp_path, "a,b,y\n" + "1,2,0\n3,4,1\n" * 9)).features
    np.savez(tmp_path / "new.npz", X=[[np.nan, np.nan], [np.inf, 1]])
    with pytest.raises(DataError, match="Got 2 NaN and 1 infinite values"):
        load_inputs(tmp_path / "new.npz", features)

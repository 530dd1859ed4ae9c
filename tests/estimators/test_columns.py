"""A column means what it meant in training, whichever way rows come."""

import decimal
import fractions

import numpy as np
import pytest
from scipy import sparse

from fewfire.errors import DataError, MemoryLimitError
from fewfire.estimators import WideClassifier

pandas = pytest.importorskip("pandas")
SMALL = {"width": 64, "threshold": 1.0, "constant": 1.0, "ridge": 0.1, "max_epochs": 1, "random_state": 0}
N = 60
FRAME = pandas.DataFrame({"x": np.random.default_rng(0).standard_normal(N), "c": list("pqr") * 20})
Y = np.array([0, 1, 1] * 20)


def fitted(rows, **settings):
    return WideClassifier(**{**SMALL, **settings}).fit(rows, Y)


def assert_same(model, rows, others):
    np.testing.assert_array_equal(model.predict_proba(rows), model.predict_proba(others))


@pytest.mark.parametrize("categories", ["auto", []])
def test_numbers_that_are_categories_are_coded_by_value(categories):
    frame = FRAME.assign(c=pandas.Categorical([1, 2, 3] * 20))
    model = fitted(frame, categories=categories)
    assert model.score(frame, Y) == 1
    with pytest.warns(UserWarning, match="feature names"):
        assert_same(model, frame, frame.to_numpy(float))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("rows", [FRAME, FRAME.to_numpy()], ids=["frame", "array"])
def test_texts_of_a_frame_and_of_its_array_are_the_same(rows):
    model = fitted(rows)
    assert model.preparation_.one_hot.categories[1].tolist() == [0, 1, 2]
    assert model.score(FRAME.to_numpy(), Y) == 1
    np.testing.assert_array_equal(model.predict(FRAME.to_numpy()), fitted(FRAME).predict(FRAME))


def test_an_array_of_texts_holds_numbers_where_they_read_as_numbers():
    texts = FRAME.to_numpy().astype(str)
    assert list(fitted(texts).preparation_.one_hot.categories) == [1]
    assert list(fitted(texts.tolist()).preparation_.one_hot.categories) == [1]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_missing_value_is_not_an_unseen_one_in_frames_and_arrays():
    texts = FRAME.assign(c=["p", None, "r"] * 20)
    numbers = FRAME.assign(c=pandas.Categorical([1, None, 3] * 20))
    for frame, gap, new in ((texts, None, "z"), (numbers, np.nan, 9)):
        model = fitted(frame)
        rows = pandas.DataFrame({"x": [0.0, 0.0], "c": pandas.Series([gap, new], dtype=object)})
        coded = model.preparation_.one_hot.transform(model._numbers(rows, reset=False))
        assert coded[:, 1:].tolist() == [[0, 0, 1], [0, 0, 0]]
        assert_same(model, rows, rows.to_numpy())


@pytest.mark.parametrize("dtype", ["float64", "Int64", "Float32", "double[pyarrow]"])
def test_a_named_column_of_numbers_may_lack_values(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    frame = FRAME.assign(c=pandas.Series([1, 2, None] * 20, dtype="Float64").astype(dtype))
    model = fitted(frame, categories=["c"])
    np.testing.assert_array_equal(model.preparation_.one_hot.categories[1], [1, 2, np.nan])
    assert model.predict(frame).shape == (N,)
    array = frame.to_numpy(float, na_value=np.nan)
    np.testing.assert_array_equal(fitted(array, categories=[1]).predict(array), model.predict(frame))
    assert np.isfinite(model.predict_proba(frame.assign(x=np.nan))).all()
    assert fitted(frame, categories=["x"]).preparation_.gaps.columns.tolist() == [0]


def test_a_masked_value_is_a_missing_one():
    rows = np.ma.array(np.round(FRAME[["x", "x"]].to_numpy()))
    assert fitted(rows).n_features_in_ == 2
    rows[3, 1] = np.ma.masked
    assert np.isnan(fitted(rows, categories=[1]).preparation_.one_hot.categories[1][-1])
    assert fitted(rows, categories=[0]).preparation_.gaps.columns.tolist() == [0]
    with pytest.raises(ValueError, match="Input y contains NaN"):
        WideClassifier(**SMALL).fit(FRAME, np.ma.array(Y, mask=Y == 0))


@pytest.mark.parametrize("mask", [[False, True, False], np.array([False, True, False])])
def test_categories_may_be_a_mask(mask):
    rows = np.round(np.random.default_rng(0).standard_normal((N, 3)))
    assert list(fitted(rows, categories=mask).preparation_.one_hot.categories) == [1]
    for bad in (mask[:2], [True, 2]):
        with pytest.raises(ValueError, match="categories"):
            fitted(rows, categories=bad)


def test_columns_that_lack_or_moved_are_refused_in_the_words_of_scikit_learn():
    model = fitted(FRAME)
    with pytest.raises(ValueError, match="yet now missing:\n- c"):
        model.predict(FRAME[["x"]])
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(FRAME[["c", "x"]])
    unnamed = FRAME.set_axis([0, 1], axis=1)
    with pytest.raises(ValueError, match="X has 1 features, but WideClassifier is expecting 2"):
        fitted(unnamed).predict(unnamed[[0]])


@pytest.mark.parametrize(
    "kind", ["string[python]", "string[pyarrow]", "large_string", "dictionary", "category"]
)
def test_texts_of_any_dtype(kind):
    column = FRAME["c"]
    if kind in ("large_string", "dictionary"):
        pa = pytest.importorskip("pyarrow")
        cells = pa.array(column.tolist())
        cells = cells.dictionary_encode() if kind == "dictionary" else cells.cast(pa.large_string())
        column = pandas.Series(pandas.arrays.ArrowExtensionArray(cells))
    elif "pyarrow" in kind:
        pytest.importorskip("pyarrow")
    column = column.astype(kind) if column.dtype == FRAME["c"].dtype else column
    model = fitted(FRAME.assign(c=column))
    assert_same(model, FRAME, FRAME.assign(c=column))
    assert model.score(FRAME, Y) == 1


def test_a_table_of_arrow_is_a_frame():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"x": FRAME["x"].to_numpy(), "c": FRAME["c"].tolist()})
    assert_same(fitted(table), table, FRAME)


@pytest.mark.parametrize("as_kind", [float, decimal.Decimal])
def test_objects_that_are_numbers_are_numbers(as_kind):
    numbers = FRAME.assign(c=np.arange(N))
    objects = numbers.map(as_kind).astype(object)
    model = fitted(objects)
    assert model.network_.n_features == 3
    assert_same(model, objects, numbers)
    with pytest.raises(DataError, match="must hold numbers alone. Got 'z' in row 0"):
        model.predict(objects.assign(c="z"))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([[1]] * N, "Got list in column 'b'"),
        ([{"a": 1}] * N, "Got dict in column 'b'"),
        ([pandas.Timestamp("2020-01-01").date()] * N, "Got date in column 'b'"),
        (pandas.Timestamp("2020-01-01"), "Got datetime64"),
        ([1, 2, "x"] * 20, "numbers or texts, not both. Got 'x' in row 2 .* where 40 of 60 values"),
        ([f"id{i}" for i in range(N)] * 3, "Categories must repeat. Got 180 different values in 180 rows"),
    ],
)  # fmt: skip
def test_columns_that_are_neither_numbers_nor_categories_are_refused(column, message):
    frame, y = FRAME, Y
    if isinstance(column, list) and len(column) > N:
        frame, y = pandas.concat([FRAME] * 3, ignore_index=True), np.tile(Y, 3)
        column = [f"id{i}" for i in range(len(frame))]
    with pytest.raises(DataError, match=message):
        WideClassifier(**SMALL).fit(frame.assign(b=column), y)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_column_of_texts_refuses_numbers_later():
    model = fitted(FRAME)
    for rows in (FRAME.assign(c=1), np.zeros((2, 2))):
        with pytest.raises(DataError, match=r"such as \['p', 'q', 'r'\]. Got numbers"):
            model.predict(rows)
    assert model.predict(FRAME.assign(c=np.nan)).shape == (N,)  # none of them has a value


@pytest.mark.parametrize("kind", ["csr_array", "coo_matrix", "csc_matrix"])
def test_columns_of_a_sparse_matrix_may_be_named(kind):
    rows = np.round(np.random.default_rng(0).standard_normal((N, 2)))
    model = fitted(getattr(sparse, kind)(rows), categories=[1])
    assert_same(model, getattr(sparse, kind)(rows), rows)


def test_names_must_differ():
    with pytest.raises(DataError, match="The names of columns must differ. Got 'x' twice in X"):
        fitted(pandas.concat([FRAME, FRAME], axis=1))


def test_numbers_that_are_named_as_categories_must_repeat():
    with pytest.raises(DataError, match="Categories must repeat. Got 150 different values"):
        WideClassifier(categories=[0], **SMALL).fit(np.arange(150.0)[:, None], np.arange(150) % 2)


def test_the_limit_of_memory_is_heeded_before_categories_become_columns():
    names = pandas.DataFrame({"c": [f"id{i // 3}" for i in range(6000)]})
    model = WideClassifier(memory_limit=10**7, **SMALL)
    with pytest.raises(MemoryLimitError, match="one column per category. Got 6,000 x 2,000 numbers, 96 MB"):
        model.fit(names, np.arange(6000) % 2)
    assert not hasattr(model, "n_features_in_")


def test_the_limit_of_memory_is_heeded_in_predictions():
    model = fitted(FRAME, memory_limit=20_000_000)
    model.memory_limit = 8 * 4 * N - 1
    with pytest.raises(MemoryLimitError, match=f"Got {N} x 4 numbers.*Give fewer rows"):
        model.predict(FRAME)


@pytest.mark.parametrize("kind", [object, str, list])
def test_texts_in_an_array_for_a_model_of_numbers_are_placed(kind):
    numbers = np.random.default_rng(0).standard_normal((N, 2))
    model = fitted(numbers)
    rows = numbers.astype(object if kind is list else kind)
    assert_same(model, rows, numbers)
    rows[3, 1] = "abc"
    rows = rows.tolist() if kind is list else rows
    with pytest.raises(DataError, match=r"Got 'abc' in row 3 \(from 0\), column 1 .*name the column in cat"):
        model.predict(rows)
    with pytest.raises(ValueError, match="expecting 2 features"):
        model.predict(np.array(rows, object)[:, :1])


def test_numbers_as_texts_in_a_frame_say_how_they_become_numbers():
    numbers = FRAME[["x"]]
    with pytest.raises(DataError, match=r"Convert that column with astype\(float\)"):
        fitted(numbers).predict(numbers.astype(str))


@pytest.mark.parametrize("as_rows", [pandas.DataFrame, np.array, list], ids=["frame", "array", "list"])
@pytest.mark.parametrize("categories", ["auto", [1]])
@pytest.mark.parametrize("value", [-(10**400), fractions.Fraction(10**400)], ids=type)
def test_numbers_beyond_floats_are_placed(as_rows, categories, value):
    cells = [[row % 7 / 3, row % 3] for row in range(N)]
    model = fitted(as_rows(cells), categories=categories)
    cells[5][1] = value
    message = r"finite in float64. Got .* beyond 1.8e308 in row 5 \(from 0\), column 1"
    with pytest.raises(DataError, match=message):
        fitted(as_rows(cells), categories=categories)
    with pytest.raises(DataError, match=message):
        model.predict(as_rows(cells))


@pytest.mark.parametrize("fill", [np.nan, 0.0, 1.0])
def test_a_sparse_frame_may_leave_out_any_value(fill):
    cells = np.random.default_rng(0).choice([0.0, 1.0, 2.5], (N, 2))
    parts = (pandas.arrays.SparseArray(column, fill_value=fill) for column in cells.T)
    frame = pandas.DataFrame(dict(zip("ab", parts, strict=True)))
    assert_same(fitted(frame), frame, pandas.DataFrame(cells, columns=list("ab")))


def messy(**columns) -> pandas.DataFrame:
    return pandas.DataFrame({"age": np.arange(300.0), **columns})


def test_all_columns_that_cannot_be_used_are_named_in_one_message():
    days = pandas.date_range("2024-01-01", periods=300)
    frame = messy(
        id=[f"c{number}" for number in range(300)],
        price=["12,5", "3,75"] * 150,
        day=days.astype(str),
        when=days,
    )
    with pytest.raises(DataError) as caught:
        WideClassifier(width=64).fit(frame, np.arange(300) % 2)
    first, *found = str(caught.value).splitlines()
    assert first == "Each column must be fit to learn from. Got 4 that are not:"
    assert "Categories must repeat. Got 300 different values" in found[0]
    assert "Got '12,5' in row 0 (from 0), column 'price'. Write numbers as 1234.5" in found[1]
    assert "Got '2024-01-01' in row 0 (from 0), column 'day'. Turn dates and times into numbers" in found[2]
    assert "Got datetime64" in found[3]


def test_amounts_that_are_named_as_categories_are_categories():
    frame = messy(price=["12,5", "3,75"] * 150)
    target = np.arange(300) % 2
    model = WideClassifier(width=64, categories=["price"], random_state=0).fit(frame, target)
    assert model.score(frame, target) == 1
    declared = frame.astype({"price": "category"})
    assert WideClassifier(width=64, random_state=0).fit(declared, target).score(declared, target) == 1


def test_texts_among_which_few_look_like_amounts_are_texts():
    frame = messy(room=["1,5", *["kitchen", "hall"] * 149, "hall"])
    model = WideClassifier(width=64, random_state=0).fit(frame, np.arange(300) % 2)
    assert dict(model.column_readings_)["room"] == "category, 3 values"


def test_how_each_column_was_read():
    frame = messy(town=["Rome", None, "Oslo"] * 100, member=[True, False] * 150)
    frame.loc[3, "age"] = np.nan
    model = WideClassifier(width=64, random_state=0).fit(frame, np.arange(300) % 2)
    assert model.column_readings_ == [
        ("age", "number, some missing"), ("town", "category, 3 values"), ("member", "number"),
    ]  # fmt: skip
    array = WideClassifier(width=64, random_state=0).fit(frame[["age"]].to_numpy(), np.arange(300) % 2)
    assert array.column_readings_ == [("column 1", "number, some missing")]
    wide = np.random.default_rng(0).standard_normal((60, 40))
    assert WideClassifier(width=64, random_state=0).fit(wide, np.arange(60) % 2).column_readings_ == [
        ("number", "40 columns")
    ]


def test_numbers_that_are_categories_are_read_as_such():
    frame = messy(size=[1, 2, 3, 10] * 75, town=["Rome", None, "Oslo"] * 100)
    frame.loc[3, "age"] = np.nan
    model = WideClassifier(width=64, categories=["size"], random_state=0).fit(frame, np.arange(300) % 2)
    assert model.column_readings_ == [
        ("age", "number, some missing"), ("size", "category, 4 values"), ("town", "category, 3 values"),
    ]  # fmt: skip

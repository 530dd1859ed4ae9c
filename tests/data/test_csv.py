"""The reader of tables."""

import csv
import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewfire.data.csv import read_csv
from fewfire.data.table import rows_to_predict, rows_to_train
from fewfire.errors import DataError
from fewfire.prepare import Features


@pytest.fixture
def table(tmp_path):
    """Write text to a table file and read it."""

    def read(text, n_features=None):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        table = read_csv(path)
        return rows_to_train(table) if n_features is None else rows_to_predict(table, Features(n_features))

    return read


def assert_two_rows(rows, labels=(0, 1)):
    np.testing.assert_array_equal(rows.inputs, [[1, 2.5], [3, -4]])
    np.testing.assert_array_equal(rows.labels, labels)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " ", ", ", "   "])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last_end", [True, False])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_every_delimiter_and_line_end(table, delimiter, line_end, last_end, compress):
    lines = [delimiter.join(cells) for cells in (("1", "2.5", "0"), ("3", "-4", "1"))]
    text = line_end.join(lines) + line_end * last_end
    assert_two_rows(table(compress(text.encode())))


def test_blank_lines_byte_order_mark_and_outer_spaces_do_not_matter(table):
    assert_two_rows(table("\ufeff\n  \n1,2.5,0\n\n,,\n3,-4,1\n\n"))
    assert_two_rows(table("\n   1   2.5 0  \n 3 -4  1\n"))


def test_quoted_cells_may_hold_delimiters_and_line_ends(table):
    assert_two_rows(table('"1",2.5,"a;b\tc"\n3,-4,"d\ne"\n'), ["a;b\tc", "d\ne"])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1,2.5,a;b\n3,-4,a;b\n", "a;b"),
        ("1;2.5;a,b\n3;-4;a,b\n", "a,b"),
        ("1\t2.5\ta,b;c\n3\t-4\ta,b;c\n", "a,b;c"),
        ("long name,other long name,class\n1,2.5,a\n3,-4,a\n", "a"),
        ("length;height, cm;target\n1;2.5;a\n3;-4;a\n", "a"),
    ],
)
def test_the_mark_that_cuts_the_first_line_into_most_numbers_is_the_delimiter(table, text, label):
    assert_two_rows(table(text), [label, label])


def test_string_labels_in_a_table_without_header(table):
    assert_two_rows(table("1,2.5,cat\n3,-4, dog\n"), ["cat", "dog"])


def test_labels_are_strings_where_one_is_no_number(table):
    assert_two_rows(table("1,2.5,0\n3,-4,1b\n"), ["0", "1b"])


@pytest.mark.parametrize(
    "text",
    [
        "a,b,c\n1,2.5,0\n3,-4,1\n",
        "a,target,b\n1,0,2.5\n3,1,-4\n",
        "Label,a,b\n0,1,2.5\n1,3,-4\n",
        "a, CLASS ,b\n1,0,2.5\n3,1,-4\n",
        "class,target,b\n1,0,2.5\n3,1,-4\n",
        "target,1,2\n0,1,2.5\n1,3,-4\n",
        "# a,b,label\n1,2.5,0\n3,-4,1\n",
    ],
    ids=["last", "target", "label", "class", "target wins", "numbered columns", "numpy.savetxt"],
)
def test_the_header_names_the_target_else_it_is_the_last_column(table, text):
    assert_two_rows(table(text))


@pytest.mark.parametrize("header", ["", "a,b\n", "class,b\n"])
def test_a_table_of_exactly_the_features_of_a_model_has_no_labels(table, header):
    rows = table(f"{header}1,2.5\n3,-4\n", n_features=2)
    np.testing.assert_array_equal(rows.inputs, [[1, 2.5], [3, -4]])
    assert rows.labels is None


def test_a_table_of_one_column_more_than_a_model_has_labels(table):
    assert_two_rows(table("target,a,b\n0,1,2.5\n1,3,-4\n", n_features=2))


def test_one_feature_for_a_model_of_one(table):
    np.testing.assert_array_equal(table("1\n2\n", n_features=1).inputs, [[1], [2]])


@pytest.mark.parametrize("n_features", [1, 4])
def test_another_number_of_columns_than_a_model_has_features(table, n_features):
    with pytest.raises(DataError, match=f"model's {n_features} features.*Got 3 columns"):
        table("1,2,0\n3,4,1\n", n_features)


@pytest.mark.parametrize("n_features", [None, 2])
@pytest.mark.parametrize("text", ["", "\n \n", "a,b,target\n"])
def test_a_table_without_rows_is_refused(table, text, n_features):
    with pytest.raises(DataError, match="at least one row. Got none in .*table.csv"):
        table(text, n_features)


@pytest.mark.parametrize(("row", "n_cells"), [("3,4", 2), ("3,4,1,1", 4), ("3 4 1", 1)])
def test_a_ragged_row_is_named_by_its_line(table, row, n_cells):
    with pytest.raises(DataError, match=rf"as its first, 3. Got {n_cells} in line 5 of"):
        table(f"a,b,c\n1,2,0\n\n1,2,0\n{row}\n")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1,2,0\n3,red,1\n", "'red' in line 2, column 2"),
        ("1;2;0\n3,5;4;1\n", "'3,5' in line 2, column 1"),
        ("x,1,0\n3,4,1\n", "'x' in line 1, column 1"),
    ],
)
def test_a_feature_that_is_no_number_is_named_by_line_and_column(table, text, place):
    with pytest.raises(DataError, match=f"column of numbers must hold finite ones, or none. Got {place} of"):
        table(text)


def test_a_missing_label_is_named_by_its_line(table):
    with pytest.raises(DataError, match="must have a label. Got '' in line 2, column 3 of"):
        table("1,2,0\n3,4, \n")


def test_a_column_without_a_name_is_refused(table):
    with pytest.raises(DataError, match="must have a name. Got none for column 1 in line 1"):
        table(",a,target\n0,1,0\n1,3,1\n")


def test_a_table_of_one_column_is_refused(table):
    with pytest.raises(DataError, match="at least one feature beside the target. Got 1 column"):
        table("1\n2\n")


@pytest.mark.parametrize("content", ["1,2,caf\u00e9\n3,4,b\n".encode("latin-1"), b"\xff\xfe1\x00"])
def test_text_that_is_not_utf8_is_refused(table, content):
    with pytest.raises(DataError, match="table must be UTF-8 text"):
        table(content)


def test_a_cell_beyond_the_limit_of_the_csv_module_is_refused(table):
    with pytest.raises(DataError, match="table must be UTF-8 text.*field larger"):
        table("1," + "2" * (csv.field_size_limit() + 1) + ",0\n")


def test_damaged_gzip_is_refused(table):
    with pytest.raises(DataError, match="gzipped file must be complete and undamaged"):
        table(gzip.compress(b"1,2,0\n3,4,1\n" * 100)[:-12])


number = st.floats(allow_nan=False, allow_infinity=False)
text_label = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=5).map(
    lambda text: "c" + text
)


@settings(deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(
        lambda d: st.lists(st.lists(number, min_size=d, max_size=d), min_size=1, max_size=6)
    ),
    data=st.data(),
    delimiter=st.sampled_from([",", "\t", ";"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    header=st.booleans(),
)
def test_what_the_csv_module_writes_comes_back(rows, data, delimiter, line_end, header):
    label = data.draw(st.sampled_from([st.integers(-99, 99), text_label]))
    labels = data.draw(st.lists(label, min_size=len(rows), max_size=len(rows)))
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_NONNUMERIC  # unquoted, `1,c;2;3` may be cut at either mark
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    if header:
        writer.writerow([f"feature {j}" for j in range(len(rows[0]))] + ["target"])
    writer.writerows([*row, label] for row, label in zip(rows, labels, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(text.getvalue().encode())
        read = rows_to_train(read_csv(path))
    np.testing.assert_array_equal(read.inputs, rows)
    np.testing.assert_array_equal(read.labels, labels)

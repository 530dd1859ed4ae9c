"""Tables that could be read in two ways: each is read in the right one, or refused with its place."""

import gzip
import re

import numpy as np
import pytest

from fewfire.data import load_dataset
from fewfire.data.table import Column, Table, require_names, rows_to_predict
from fewfire.errors import DataError, MemoryLimitError
from fewfire.prepare.columns import Features
from fewfire.prepare.notation import is_amount, is_number

AMOUNTS = [
    "0,5",
    "-1,25",
    "$1,200",
    "1,200.50",
    "1.234,5",
    "1 200",
    "12%",
    "(3,50)",
    "€ 5",
    "5 EUR",
    "1'000",
    "'7'",
]
DATES = ["2026-01-05", "05/01/2026", "5.1.26", "2026-01-05T10:30:00Z", "10:30", "5 Jan 2026", "2026-01"]


@pytest.fixture
def read(tmp_path):
    def load(text, name="table.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_dataset(path, **options)

    return load


def refused(read, text, message, **options):
    with pytest.raises(DataError, match=message):
        read(text, **options)


@pytest.mark.parametrize("cell", AMOUNTS + DATES)
def test_amounts_and_dates_are_no_categories_unless_they_are_named(read, cell):
    rows = "".join(f'"{cell}";{n};{n % 2}\n' for n in range(20))
    refused(read, f"a;b;label\n{rows}", f"Got {re.escape(repr(cell))} in line 2, column 1 ")
    refused(
        read, rows, f"Got {re.escape(repr(cell))} in line 1, column 1 of .*(decimal point|dates and times)"
    )
    assert read(rows, categories=["1"]).features.categories == {0: (cell,)}


@pytest.mark.parametrize(
    "text",
    [
        "red",
        "10-20",
        "<0",
        "v1.2",
        "1,2,3",
        "00123",
        "1.5",
        "1:2",
        "a 5",
        "",
        "nan",
        "1_0",
        "A4",
        "192.168.0.1",
    ],
)
def test_other_texts_are_no_amounts(text):
    assert not is_amount(text)


def test_decimal_commas_do_not_cut_rows(read):
    rows = "".join(f"{n % 9},{n % 4};{n % 5},5;{n % 2}\n" for n in range(60))
    refused(read, rows, "Got '0,0' in line 1, column 1 of .*decimal point")
    header = "length, m;weight, kg;class\n"
    refused(read, header + rows, r"Got '0,0' in line 2, column 1 \(length, m\)")


@pytest.mark.parametrize("line", [2, 9, 30, 40])
@pytest.mark.parametrize("end", ["", '"'])
def test_the_line_of_a_stray_quote_is_named(read, line, end):
    rows = ["a,b,label"] + [f"{n},{2 * n},{'xy'[n % 2]}" for n in range(50)]
    rows[line - 1] = f'{line},1,"y'
    rows[line + 4] += end
    refused(read, "\n".join(rows), f"row that begins in line {line} of .*(Close or remove the quote)")


def test_a_quote_in_a_text_feature_is_named_by_its_line(read):
    rows = ["a,b,label"] + [f"w{n % 3},{n},{n % 2}" for n in range(20)]
    rows[6] = '"w1,6,0'
    refused(read, "\n".join(rows), "row that begins in line 7 of")
    refused(read, '"a" 1 x\n"b" 2 y\n', "must not be quoted. Got a quote in line 1 of")


def test_underscores_make_a_column_of_texts(read):
    dataset = read("".join(f"{n % 2 + 1}_0,{n},{n % 2}\n" for n in range(12)))
    assert dataset.features.categories == {0: ("1_0", "2_0")}
    assert not is_number("1_0")


def test_zeros_before_a_number_are_kept(read):
    rows = "".join(f"{n % 12 + 1:02d},{n},{n % 2:03d}\n" for n in range(48))
    dataset = read(f"month,b,label\n{rows}")
    assert dataset.features.categories == {0: tuple(f"{month:02d}" for month in range(1, 13))}
    assert set(dataset.labels) == {"000", "001"}
    assert read(rows).features.names is None


def test_zeros_before_one_number_among_others_are_placed(read):
    rows = [f"{n},{n % 3},{n % 2}" for n in range(20)]
    rows[4] = "007,1,0"
    refused(read, "\n".join(rows), "Got '007' in line 5, column 1 .*without zeros before them")
    assert set(read("".join(f"0.{n}5,{n % 2}\n" for n in range(9))).inputs.dtype.kind) == {"f"}


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("top", ["sep={}\n", "\ufeffsep={}\r\n"])
def test_the_separator_that_excel_names_is_taken(read, mark, top):
    dataset = read(top.format(mark) + "a;b;label\n1;2;x\n3;4;y\n5;6;y\n".replace(";", mark))
    assert dataset.features.names == ("a", "b")


@pytest.mark.parametrize("comments", ["# made by hand\n", "# one\n\n#two, three\n", "#\n"])
def test_comments_at_the_top_are_left_out(read, comments):
    table = "a,b,c,label\n1,2,3,x\n3,4,5,y\n5,6,7,y\n"
    assert read(comments + table).features.names == ("a", "b", "c")
    refused(read, comments + table + "# the end\n", "Got 1 in line .*Remove comments between the rows")


def test_empty_columns_are_named(read):
    refused(
        read,
        "1,2,0,\n3,4,1,\n",
        "value in some row. Got '' in all rows of column 4 of .*delimiter at the end",
    )
    refused(read, "a,b,label,\n1,2,0,\n", "Got none for column 4 in line 1 of .*delimiter at the end")
    refused(read, "a,b,label\n1,2,0,\n", "Got 4 in line 2 of .*the delimiter at the end .* empty column 4")
    refused(
        read, "Unnamed: 0,b,label\n1,2,0\n", "Got Unnamed: 0 for column 1 in line 1 of .*numbers the rows"
    )


@pytest.mark.parametrize("text", ["1,2,a\0\n3,4,b\n", "1\t2\t0\n3\0\t4\t1\n", "a,b,label\n1,2,\0x\n"])
def test_a_nul_byte_is_named_by_its_line(read, text):
    line = text[: text.index("\0")].count("\n") + 1
    refused(read, text, f"Got a NUL byte in line {line} of")


@pytest.mark.parametrize("name", ['"a\nb"', '"a\r\n\r\nb"', '"a, x\nb"'])
def test_a_name_may_hold_line_breaks(read, name):
    dataset = read(f"{name},c,label\n1,2,x\n3,4,y\n5,6,y\n")
    assert dataset.features.names == (name.strip('"'), "c")
    refused(read, f"{name},c,label\n1,2,x\n3,4\n", f"Got 2 in line {name.count(chr(10)) + 3} of")


@pytest.mark.parametrize(
    ("name", "text"), [("a.svm", "1 1:2\n0 2:3\n1 1:1\n"), ("a.txt", "3 2 2\n0 0:1\n1 1:2\n0 0:2\n")]
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_byte_order_mark_before_sparse_rows_does_not_matter(read, name, text, compress):
    assert read(compress(b"\xef\xbb\xbf" + text.encode()), name).inputs.shape[1] == 2


def test_folders_of_parquet_files_are_named(tmp_path):
    for inner in ("year=2026", "part.parquet"):
        folder = tmp_path / inner[:4]
        (folder / inner).mkdir(parents=True)
        with pytest.raises(DataError, match="must be one file. Got .*, a folder of Parquet files. Write it"):
            load_dataset(folder)


# Claims are checked before anything is made of them


@pytest.mark.parametrize(
    ("name", "text", "got"),
    [
        ("a.txt", "3 20000000 2\n0 0:1\n1 1:2\n0 0:2\n", "no more features .* Got 20000000 in"),
        ("a.txt", "3 2 20000000\n0 0:1\n1 1:2\n0 0:2\n", "no more labels .* Got 20000000 in"),
        ("a.txt", "20000000 2 2\n0 0:1\n1 1:2\n", "no more rows .* Got 20000000 in"),
        ("a.svm", "1 1:2\n0 20000000:3\n", "no more features .*, 19. Got 20000000 in"),
    ],
)
def test_sparse_sizes_out_of_proportion_are_refused(read, name, text, got):
    refused(read, text, got, name=name)


def test_a_content_beyond_the_memory_is_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", X=np.ones((50, 3)), y=np.arange(50) % 2)
    (tmp_path / "a.svm").write_text("1 1:1\n0 1:2\n" * 50)
    (tmp_path / "a.csv").write_text("1,2,0\n" * 50)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(bytes(500))
    monkeypatch.setattr("fewfire.system.memory.available_bytes", lambda: 300)
    for source in ("a.npz", "a.svm", "a.csv", "."):
        with pytest.raises(MemoryLimitError, match="must fit in memory.* beside 300 B that are free, in /"):
            load_dataset(tmp_path / source)


def test_one_long_label_is_refused_where_it_does_not_fit(read, monkeypatch):
    rows = "".join(f"{n},a\n" for n in range(1000)) + "1," + "b" * 10_000 + "\n"
    monkeypatch.setattr("fewfire.system.memory.available_bytes", lambda: 30_000_000)
    with pytest.raises(
        MemoryLimitError, match="labels must fit in memory. Got 1001 of up to 10000 characters"
    ):
        read(rows)


def test_a_long_cell_is_cut_in_messages(read):
    with pytest.raises(DataError) as caught:
        read("1,2,x\n3," + "b" * 10_000 + ",y\n5,6,x\n")
    assert len(str(caught.value)) < 500


def test_a_line_without_end_is_refused(read, monkeypatch):
    monkeypatch.setattr("fewfire.data.files.LONGEST_LINE", 1000)
    for name in ("a.csv", "a.svm", "a.txt"):
        refused(read, "1 1:1\n" + "1" * 2000, "line of text must be shorter .* in line", name=name)


class CountedName(str):
    """A name that counts how often it is compared with another."""

    compared = 0

    def __eq__(self, other):
        CountedName.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_names_are_compared_in_proportion_to_their_number(monkeypatch):
    monkeypatch.setattr(CountedName, "compared", 0)
    names = [CountedName(f"gene_{n}") for n in range(5_000)]
    require_names(names, "x")
    columns = [Column.of_numbers(np.ones(3)) for _ in names]
    table = Table("x", tuple(names), columns, [1, 2, 3])
    model = Features(len(names), tuple(CountedName(name) for name in names), {len(names): "label"})
    assert rows_to_predict(table, model).inputs.shape == (3, 5_000)
    assert CountedName.compared < 10 * len(names)

"""Data sets of OpenML: scikit-learn's own loader, on files as openml.org sends them, in its cache."""

import gzip
import hashlib
import json
import sys
from urllib.error import URLError

import numpy as np
import pytest

from fewfire.data import load_dataset, load_inputs
from fewfire.errors import DataError

pytest.importorskip("pandas", reason="data sets of OpenML need pandas")
openml = pytest.importorskip("sklearn.datasets._openml")

KINDS = {"age": "NUMERIC", "colour": "{red,blue}", "size": "NUMERIC", "risk": "{good,bad}"}
ROWS = [(30, "red", 2, "good"), (41, "blue", 1, "bad"), (55, "red", 3, "bad"), (28, "?", 2, "good")] * 3


@pytest.fixture
def openml_set(tmp_path, monkeypatch):
    """Put a data set of these rows into the cache, as number 31 and under the name credit."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))

    def no_network(request):
        raise URLError("no network in tests")

    monkeypatch.setattr(openml, "urlopen", no_network)
    monkeypatch.setattr(openml.time, "sleep", lambda seconds: None)

    def put(rows=ROWS, targets=("risk",), kinds=KINDS, ignored=(), numbered=(), checksum=None):
        arff = "@RELATION credit\n" + "".join(f"@ATTRIBUTE {name} {kind}\n" for name, kind in kinds.items())
        arff += "@DATA\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
        features = [
            {"index": str(place), "name": name.strip("'"), "data_type": data_type(kind),
             "is_target": str(name in targets).lower(), "is_ignore": str(name in ignored).lower(),
             "is_row_identifier": str(name in numbered).lower(), "number_of_missing_values": "0"}
            for place, (name, kind) in enumerate(kinds.items())
        ]  # fmt: skip
        description = {
            "id": "31", "name": "credit", "version": "1", "format": "ARFF", "status": "active",
            "description": "",
            "url": "https://www.openml.org/data/v1/download/31/credit.arff",
            "default_target_attribute": ",".join(targets),
            "md5_checksum": checksum or hashlib.md5(arff.encode()).hexdigest(),
        }  # fmt: skip
        found = [{"did": 31, "name": "credit", "version": 1, "status": "active", "format": "ARFF"}]
        answers = {
            "api/v1/json/data/31": {"data_set_description": description},
            "api/v1/json/data/features/31": {"data_features": {"feature": features}},
            "api/v1/json/data/qualities/31": {"data_qualities": {"quality": []}},
            "api/v1/json/data/list/data_name/credit/limit/2/status/active/": {"data": {"dataset": found}},
        }
        for path, answer in answers.items():
            cache(path, json.dumps(answer))
        cache("data/v1/download/31/credit.arff", arff)

    def data_type(kind):
        return (
            "nominal" if kind.startswith("{") else {"STRING": "string", "DATE": "date"}.get(kind, "numeric")
        )

    def cache(path, text):
        file = tmp_path / "openml" / "openml.org" / (path + ".gz")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(text.encode()))

    return put


@pytest.mark.parametrize("source", ["openml:31", "openml:credit"])
def test_a_data_set_by_number_and_by_name(openml_set, source):
    openml_set()
    dataset = load_dataset(source)
    assert dataset.name == source.removeprefix("openml:")
    assert dataset.tabular
    assert dataset.features.names == ("age", "colour", "size")
    assert dataset.features.targets == {3: "risk"}
    assert dataset.features.categories[1] == ("blue", "red", "")
    assert dataset.inputs.shape == (10, 5)
    assert set(dataset.labels) == {"good", "bad"}


def test_another_target_and_categories(openml_set):
    openml_set()
    dataset = load_dataset("openml:31", target="size", categories=["age"])
    assert dataset.features.names == ("age", "colour", "risk")
    assert sorted(dataset.features.categories) == [0, 1, 2]
    assert set(dataset.labels.tolist()) == {1, 2, 3}


def test_a_data_set_to_predict(openml_set):
    openml_set()
    dataset = load_dataset("openml:31")
    rows = load_inputs("openml:31", dataset.features)
    assert rows.inputs.shape == (12, 3)
    assert np.count_nonzero(rows.labels == "good") == 6


def test_a_missing_number_is_filled(openml_set):
    openml_set([*ROWS, *[("?", "red", 1, "bad")] * 4])
    dataset = load_dataset("openml:31")
    assert np.isfinite(dataset.inputs).all()
    assert dataset.features.gaps.columns.tolist() == [0]


def test_several_targets_are_refused(openml_set):
    openml_set(targets=("size", "age"))
    with pytest.raises(DataError, match="must have one target. Got 2 for openml:31. Save it as a CSV"):
        load_dataset("openml:31")


@pytest.mark.parametrize("source", ["openml:32", "openml:absent"])
def test_without_network_the_message_says_what_to_do(openml_set, source):
    with (
        pytest.warns(UserWarning, match="network error"),
        pytest.raises(DataError, match=f"{source} must be .* Got: .*no network.* Check its name or"),
    ):
        load_dataset(source)


def test_without_pandas_the_message_says_what_to_install(openml_set, monkeypatch):
    openml_set()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DataError, match=r"OpenML needs pandas.* pip install 'fewfire\[openml\]'"):
        load_dataset("openml:31")


def changed(place, cells):
    """The rows with these cells, again and again, in one column."""
    return [(*row[:place], cells[i % len(cells)], *row[place + 1 :]) for i, row in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("given", "names", "labels"),
    [
        ({"rows": changed(3, ["1", "2"]), "kinds": KINDS | {"risk": "{1,2}"}}, "age colour size", "1 2"),
        ({"rows": changed(3, ["01", "1"]), "kinds": KINDS | {"risk": "{01,1}"}}, "age colour size", "01 1"),
        ({"rows": changed(3, ["TRUE", "FALSE"]), "kinds": KINDS | {"risk": "{TRUE,FALSE}"}},
         "age colour size", "FALSE TRUE"),
        ({"rows": changed(3, ["'a b'", "'c,d'"]), "kinds": KINDS | {"risk": "{'a b','c,d'}"}},
         "age colour size", "a b|c,d"),
        ({"rows": changed(3, ["god", "dårlig"]), "kinds": KINDS | {"risk": "{god,dårlig}"}},
         "age colour size", "dårlig god"),
        ({"ignored": ["age"]}, "colour size", "bad good"),
        ({"numbered": ["size"]}, "age colour", "bad good"),
        ({"kinds": {"'an age'": "NUMERIC"} | {name: KINDS[name] for name in ("colour", "size", "risk")}},
         "an age|colour|size", "bad good"),
        ({"kinds": KINDS | {"age": "INTEGER", "size": "REAL"}}, "age colour size", "bad good"),
        ({"rows": changed(2, ["large", "small"]), "kinds": KINDS | {"size": "STRING"}},
         "age colour size", "bad good"),
        ({"rows": [("% a remark",), *ROWS]}, "age colour size", "bad good"),
        ({"rows": [(f"{{0 {a}", "1 red", f"2 {s}", f"3 {r}}}") for a, _, s, r in ROWS]},
         "age colour size", "bad good"),
        ({"rows": changed(0, ["-3", "1.5e1", "+4"])}, "age colour size", "bad good"),
    ],
    ids=["numbers as classes", "leading zeros", "booleans", "quotes", "letters", "ignored column",
         "numbers of rows", "quoted name", "integers", "texts", "remark", "sparse rows", "signs"],
)  # fmt: skip
def test_what_an_arff_file_may_hold_is_read_as_it_says(openml_set, given, names, labels):
    openml_set(**given)
    dataset = load_dataset("openml:31")
    assert dataset.features.names == tuple(names.split("|" if "|" in names else None))
    assert sorted(set(dataset.labels.tolist())) == labels.split("|" if "|" in labels else None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rows": changed(3, ["good"])}, "at least two classes. Got only 'good'"),
        ({"rows": [*ROWS, (30, "red", 2, "?")]}, r"must have a label. Got '' in row 12 .*column 4 \(risk\)"),
        ({"rows": changed(0, ["?"])}, r"must have a value in some row. Got '' in all .*column 1 \(age\)"),
        ({"rows": [*ROWS, ("1e400", "red", 2, "good")]}, r"Got inf in row 12 .*column 1 \(age\)"),
        ({"rows": ROWS[:1]}, "at least two classes"),
        ({"targets": ()}, "must have one target. Got 0"),
        ({"rows": changed(0, [2**53, 2**53 + 1]), "kinds": KINDS | {"age": "INTEGER"}, "targets": ["age"]},
         "below 2.53"),
        ({"rows": []}, "must be a data set of openml.org"),
        ({"rows": changed(0, ["3,5"])}, "must be a data set of openml.org"),
        ({"rows": changed(1, ["green"])}, "must be a data set of openml.org"),
        ({"rows": [*ROWS, (30, "red", 2)]}, "must be a data set of openml.org"),
        ({"checksum": "0" * 32}, "must be a data set of openml.org"),
    ],
    ids=["one class", "no label", "all missing", "infinite", "one row", "no target", "beyond 2^53", "no rows",
         "decimal comma", "undeclared category", "short row", "damaged"],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Invalid cache", "ignore:A network error", "ignore:Downloaded file")
def test_a_set_that_cannot_be_trained_on_is_refused(openml_set, given, message):
    openml_set(**given)
    with pytest.raises(DataError, match=message):
        load_dataset("openml:31")

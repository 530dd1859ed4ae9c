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

KINDS = {"age": "numeric", "colour": "nominal", "size": "numeric", "risk": "nominal"}
ROWS = [(30, "red", 2, "good"), (41, "blue", 1, "bad"), (55, "red", 3, "bad"), (28, "?", 2, "good")] * 3


@pytest.fixture
def openml_set(tmp_path, monkeypatch):
    """Put a data set of these rows into the cache, as number 31 and under the name credit."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))

    def no_network(request):
        raise URLError("no network in tests")

    monkeypatch.setattr(openml, "urlopen", no_network)
    monkeypatch.setattr(openml.time, "sleep", lambda seconds: None)

    def put(rows=ROWS, targets=("risk",)):
        types = {"age": "NUMERIC", "colour": "{red,blue}", "size": "NUMERIC", "risk": "{good,bad}"}
        arff = "@RELATION credit\n" + "".join(f"@ATTRIBUTE {name} {kind}\n" for name, kind in types.items())
        arff += "@DATA\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
        features = [
            {"index": str(place), "name": name, "data_type": kind, "is_target": str(name in targets).lower(),
             "is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
            for place, (name, kind) in enumerate(KINDS.items())
        ]  # fmt: skip
        description = {
            "id": "31", "name": "credit", "version": "1", "format": "ARFF", "status": "active",
            "description": "",
            "url": "https://www.openml.org/data/v1/download/31/credit.arff",
            "default_target_attribute": ",".join(targets),
            "md5_checksum": hashlib.md5(arff.encode()).hexdigest(),
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
    assert dataset.features.categories[1] == ("", "blue", "red")
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
    assert rows.inputs.shape == (12, 5)
    assert np.count_nonzero(rows.labels == "good") == 6


def test_a_missing_number_is_placed(openml_set):
    openml_set([*ROWS, ("?", "red", 1, "bad")])
    with pytest.raises(DataError, match=r"Got '' in row 12 \(from 0\), column 1 \(age\) of openml:31; 12"):
        load_dataset("openml:31")


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

"""`fewfire study tensors` and `study hierarchical`: what it prints and leaves, and what it refuses."""

import csv
import json

import pytest

from command import fewfire

SMALL = ("--dim", 5, "--rank", 2, "--components", "2,6", "--start", "0.1", "--seeds", 2)


def test_tensors_are_studied(tmp_path):
    out = tmp_path / "tensors"
    ended = fewfire("study", "tensors", *SMALL, "--out", out, "--json")
    assert ended.code == 0, ended.err
    assert {path.name for path in out.iterdir()} == {"rows.csv", "summary.json", "tensors.png", "tensors.svg"}
    assert ended.figures == json.loads((out / "summary.json").read_text())
    with open(out / "rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["n_components"] for row in rows] == ["2", "6", "2", "6"]
    assert ended.figures["advice"] in ended.err
    assert ended.figures["regimes"]["large start"]["aligned"] < 0.5
    assert "turned by" in ended.err


def test_samples_of_one_direction_are_studied(tmp_path):
    out = tmp_path / "study"
    ended = fewfire("study", "hierarchical", "--degree", 2, "--dim", 6, "--samples", "20,80", "--seeds", 1,
                    "--indicators", 40, "--out", out, "--json")  # fmt: skip
    assert ended.code == 0, ended.err
    left = {"points.csv", "summary.json", "hierarchical.png", "hierarchical.svg"}
    assert {path.name for path in out.iterdir()} == left
    assert ended.figures == json.loads((out / "summary.json").read_text())
    assert ended.figures["reached"]["head"] in (20, 80)
    assert "head on degree2: below 0.1 with" in ended.err
    with open(out / "points.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--components", "5,0"], "--components must be whole numbers >= 1, a,b,c. Got '5,0'."),
        (["--start", "small"], "--start must be numbers, a,b,c. Got 'small'."),
        (["--start", "0"], "start must be a finite number > 0. Got 0.0."),
        (["--order", 2], "an order of at least 3 is needed"),
        (["--seeds", 0], "seeds must be a whole number >= 1. Got 0."),
    ],
)
def test_tensors_that_cannot_be_studied_are_refused(tmp_path, options, message):
    ended = fewfire("study", "tensors", "--out", tmp_path / "out", *options)
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--samples", "100,x"], "--samples must be whole numbers >= 2, a,b,c. Got '100,x'."),
        (["--degree", 0], "degree must be a whole number >= 1. Got 0."),
        (["--indicators", 0], "indicators must be a whole number >= 1. Got 0."),
        (["--dim", 300], "dim must be at most 199. Got 300."),
    ],
)
def test_samples_that_cannot_be_studied_are_refused(tmp_path, options, message):
    ended = fewfire("study", "hierarchical", "--out", tmp_path / "out", *options)
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "out").exists()

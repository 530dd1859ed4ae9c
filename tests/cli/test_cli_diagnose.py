"""`fewfire diagnose` and `fewfire study lazy`: what they say, what they leave, and what they refuse."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import fewfire.cli.diagnose as command
from command import fewfire
from fewfire.diagnose import lazy_regime
from fewfire.errors import DataError
from html_pages import Page

QUICK = ("--width", 512, "--samples", 128, "--threads", 2)
FILES = {"diagnosis.json", "diagnosis.png", "diagnosis.svg", "diagnosis.html"}


@pytest.fixture
def regression(tmp_path) -> Path:
    random = np.random.default_rng(0)
    rows = random.standard_normal((60, 80))
    path = tmp_path / "table.csv"
    lines = [",".join([*(f"c{place}" for place in range(80)), "target"])]
    lines += [",".join(f"{value:.5f}" for value in [*row, row[0] + 0.1 * row[1]]) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_data_are_diagnosed_and_figures_picture_and_page_are_left(tmp_path):
    out = tmp_path / "out"
    ended = fewfire("diagnose", "digits", *QUICK, "--depth", "1,2", "--out", out, "--json")
    assert ended.code == 0, ended.err
    assert {path.name for path in out.iterdir()} == FILES
    assert ended.figures == json.loads((out / "diagnosis.json").read_text())
    start = ended.figures["start"]
    assert (start["kind"], start["width"], start["n_looked_at"]) == ("own", 512, 128)
    assert [layer["depth"] for layer in ended.figures["layers"]] == [1, 2]
    assert ended.figures["end"] is None
    for word in ("condition", "effective rank", "left out", "memory", "to the limit", "layers"):
        assert word in ended.err
    page = Page.of((out / "diagnosis.html").read_text())
    assert "effective rank" in page.text
    assert fewfire("diagnose", "digits", *QUICK, "--quiet").out == ""


def test_a_run_is_diagnosed_and_its_report_shows_it(tmp_path):
    run = tmp_path / "run"
    trained = fewfire(
        "train", "digits", "--width", 512, "--epochs", 3, "--index", "exhaustive", "--out", run, "--json"
    )
    assert trained.code == 0, trained.err
    assert "neurons moved" in trained.err
    assert trained.figures["regime"]["kernel_change"] > 0
    assert "The tangent kernel" not in report_of(run)
    ended = fewfire("diagnose", run, "--samples", 256, "--depth", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.figures["end"]["condition"] != ended.figures["start"]["condition"]
    foretold, recorded = ended.figures["foretold"], ended.figures["recorded"]
    assert len(foretold) == len(recorded) == 3
    assert foretold[0] == pytest.approx(recorded[0], rel=0.25)
    assert "foretold loss" in ended.err
    shares = ended.figures["taylor"]
    assert shares["n_samples"] == 256
    assert 0 < shares["second"] < 0.5 < shares["first"] < 1.5
    assert "of first order" in ended.err
    page = report_of(run)
    assert "The tangent kernel" in page
    assert "Was that the kernel regime?" in page


def report_of(run: Path) -> str:
    assert fewfire("report", run).code == 0
    return (run / "report.html").read_text()


def test_a_run_of_an_estimator_is_diagnosed_as_it_ended(tmp_path, regression):
    run = tmp_path / "run"
    assert fewfire("train", regression, "--width", 256, "--out", run).code == 0
    ended = fewfire("diagnose", run, "--samples", 40, "--depth", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.figures["start"] is None
    assert ended.figures["end"]["width"] == 256
    assert ended.figures["foretold"] == []


def test_quantum_costs_stand_behind_a_flag(tmp_path):
    ended = fewfire("diagnose", "digits", *QUICK, "--depth", "1", "--quantum", "--json")
    assert ended.code == 0, ended.err
    assert [cost["samples"] for cost in ended.figures["quantum"]] == [16, 64, 256]
    assert len(ended.figures["quantum_classes"]) == 2
    assert "It assumes a quantum memory" in ended.err
    assert "conjugate gradients" in ended.err


def test_evidence_is_a_table(regression):
    ended = fewfire("diagnose", regression, "--evidence", "--depth", "1,4", "--psi=-0.2,0", "--json")
    assert ended.code == 0, ended.err
    assert len(ended.figures["networks"]) == 4
    logs = [kernel["log"] for kernel in ended.figures["kernels"]]
    assert len(logs) == 12
    assert logs == sorted(logs, reverse=True)
    assert ended.figures["kernel_width"] > 0
    assert "RMSE left out" in ended.err


def test_representations_are_a_table_and_a_sentence(regression):
    ended = fewfire("diagnose", regression, "--representations", "--json")
    assert ended.code == 0, ended.err
    names = [one["name"] for one in ended.figures["table"]]
    assert names == ["nothing", "metric", "fire", "quadratic head"]
    assert "degree2: " in ended.err  # features of so many columns are too many
    assert all(0 < one["error"] < 2 for one in ended.figures["table"])
    assert ended.figures["advised"] in names
    assert ended.figures["advice"] in ended.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["digits", "--representations"], "representations must be compared on a regression"),
        (["digits", "--representations", "--evidence"], "a diagnosis must be of one kind."),
        (["digits", "--samples", 1], "--samples must be >= 2. Got 1."),
        (["digits", "--depth", "1,x"], "--depth must be whole numbers >= 1, a,b,c. Got '1,x'."),
        (["digits", "--evidence"], "evidence must be of a regression, as it takes noise to be Gaussian."),
        (["digits", "--psi", "x"], "--psi must be numbers, a,b,c. Got 'x'."),
        (["digits", *QUICK, "--threshold", 2, "--depth", 24], "depth 24 at threshold 2 is a constant"),
        (["nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_line(options, message):
    ended = fewfire("diagnose", *options)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.startswith("fewfire: ") or "\nfewfire: " in ended.err


def test_a_run_has_no_evidence_and_a_regression_no_quantum_costs(tmp_path, regression):
    run = tmp_path / "run"
    fewfire("train", "digits", "--width", 64, "--epochs", 1, "--out", run)
    for flag in ("--evidence", "--representations"):
        assert f"{flag} must be of data. Got the run" in fewfire("diagnose", run, flag).err
    ended = fewfire("diagnose", regression, *QUICK, "--quantum")
    assert "quantum costs must be of classes, one per row" in ended.err


def test_data_that_were_changed_since_are_refused(tmp_path, regression):
    run = tmp_path / "run"
    trained = fewfire("train", regression, "--optimizer", "sgd", "--width", 64, "--epochs", 1, "--out", run)
    assert trained.code == 0, trained.err
    regression.write_text(regression.read_text().replace("0.", "1.", 1))
    ended = fewfire("diagnose", run)
    assert ended.code == 2
    assert "a run must be diagnosed on the data that it began with" in ended.err


def test_the_lazy_regime_is_studied(tmp_path):
    out = tmp_path / "lazy"
    ended = fewfire("study", "lazy", "digits", "--widths", "100,401", "--threshold", 0, "--samples", 60,
                    "--steps", 30,
                    "--out", out, "--json")  # fmt: skip
    assert ended.code == 0, ended.err
    assert {path.name for path in out.iterdir()} == {"points.csv", "summary.json", "lazy.png", "lazy.svg"}
    assert ended.figures == json.loads((out / "summary.json").read_text())
    assert [point["width"] for point in ended.figures["points"]] == [100, 402]
    assert ended.figures["exponents"]["moved"] < 0
    with open(out / "points.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 2
    assert "kernel changed" in ended.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--widths", "1,2"], "--widths must be whole numbers >= 2, a,b,c. Got '1,2'."),
        (["--samples", 1], "--samples must be >= 2. Got 1."),
        (["--loss", 2], "loss a share between 0 and 1"),
    ],
)
def test_what_cannot_be_studied_is_refused(tmp_path, options, message):
    ended = fewfire("study", "lazy", "digits", "--out", tmp_path / "out", *options)
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_what_was_studied_before_a_break_is_kept(tmp_path, monkeypatch):
    point, seen = lazy_regime._point, []

    def interrupted(*arguments):
        if seen:
            raise KeyboardInterrupt
        seen.append(point(*arguments))
        return seen[-1]

    monkeypatch.setattr(lazy_regime, "_point", interrupted)
    options = ("--widths", "100,400", "--threshold", 0, "--samples", 60, "--steps", 5)
    ended = fewfire("study", "lazy", "digits", "--out", tmp_path / "lazy", *options)
    assert ended.code == 130
    summary = json.loads((tmp_path / "lazy" / "summary.json").read_text())
    assert [one["width"] for one in summary["points"]] == [100]
    assert summary["thresholds"] == [0.0]
    ended = fewfire("study", "lazy", "digits", "--out", tmp_path / "none", *options)
    assert ended.code == 130
    assert not (tmp_path / "none").exists()


def test_a_place_for_the_figures_is_asked_for_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("kept")
    monkeypatch.setattr(command, "diagnose_data", lambda *_, **__: pytest.fail("worked first"))
    ended = fewfire("diagnose", "digits", *QUICK, "--out", tmp_path / "full")
    assert ended.code == 2
    assert "the output folder must be new or empty" in ended.err
    monkeypatch.setattr(command, "diagnose_data", _broken)
    assert fewfire("diagnose", "digits", *QUICK, "--out", tmp_path / "new").code == 2
    assert not (tmp_path / "new").exists()


def _broken(*_, **__):
    raise DataError("data must be whole. Got a part. Give others.")


def test_a_deep_run_says_its_regime_and_is_diagnosed(tmp_path):
    run = tmp_path / "run"
    trained = fewfire("train", "digits", "--width", "256,128", "--epochs", 1, "--out", run, "--json")
    assert trained.code == 0, trained.err
    assert trained.figures["regime"]["kernel_width"] is None
    ended = fewfire("diagnose", run, "--samples", 64, "--depth", "2", "--json")
    assert ended.code == 0, ended.err
    assert ended.figures["end"]["depth"] == 2

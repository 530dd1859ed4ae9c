"""`fewfire report`: a page in its place, or one message."""

import json
import shutil

import pytest

from command import fewfire
from fewfire.runs.folder import RunFolder
from html_pages import Page


@pytest.fixture
def copied_run(digits_run, tmp_path):
    """A run that may be changed."""
    run, _ = digits_run
    return shutil.copytree(run.path, tmp_path / "copy")


def test_a_report_of_one_run_lies_in_its_folder(copied_run):
    ended = fewfire("report", copied_run)
    assert ended.code == 0, ended.err
    assert ended.out == f"report written to {copied_run / 'report.html'}\n"
    page = Page.of((copied_run / "report.html").read_text(encoding="utf-8"))
    assert "Run copy" in page.texts
    figures = json.loads((copied_run / "result.json").read_text())
    assert page.rows("test accuracy")[0] == f"{figures['test_accuracy']:.4f}"
    assert "bit for bit as exhaustive search, on 262,144 pairs" in page.text
    assert len(page.captions) >= 6


def test_the_seal_of_the_settings_is_none_of_them_and_is_looked_at(copied_run):
    assert "sha256" not in RunFolder(copied_run).load_run().settings.as_dict()
    path = copied_run / "settings.json"
    path.write_text(path.read_text().replace('"epochs": ', '"epochs": 9'))
    ended = fewfire("report", copied_run)
    assert ended.code == 2
    assert "another checksum than when it was written" in ended.err


def test_a_report_of_several_runs_lies_here(digits_run, copied_run, tmp_path, monkeypatch):
    run, _ = digits_run
    monkeypatch.chdir(tmp_path)
    assert fewfire("report", run.path, "copy").code == 0
    page = Page.of((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {"2 runs compared", "digits", "copy"} <= set(page.texts)


def test_a_report_goes_where_it_is_asked_to_and_replaces_the_one_before(copied_run, tmp_path):
    out = tmp_path / "page.html"
    out.write_text("old")
    assert fewfire("report", copied_run, "--out", out).code == 0
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert not (copied_run / "report.html").exists()


def test_a_failed_write_leaves_the_old_report(copied_run, monkeypatch):
    (copied_run / "report.html").write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert fewfire("report", copied_run).code == 2
    assert (copied_run / "report.html").read_text() == "old"


def test_a_run_that_did_not_finish_has_a_report(copied_run):
    (copied_run / "result.json").unlink()
    assert fewfire("report", copied_run).code == 0
    assert "Not finished" in (copied_run / "report.html").read_text(encoding="utf-8")
    (copied_run / "history.jsonl").unlink()
    assert fewfire("report", copied_run).code == 0
    assert "0 of 2 epochs" in (copied_run / "report.html").read_text(encoding="utf-8")


def test_a_history_of_before_drift_was_recorded_is_read(copied_run):
    lines = (copied_run / "history.jsonl").read_text().splitlines()
    old = [{k: v for k, v in json.loads(line).items() if not k.startswith("moved")} for line in lines]
    (copied_run / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in old))
    history = RunFolder(copied_run).load_history()
    assert [record.moved_mean for record in history] == [None, None]
    assert fewfire("report", copied_run).code == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("settings.json", None),
        ("settings.json", "{}"),
        ("settings.json", "[1"),
        ("settings.json", "[]"),
        ("history.jsonl", '{"epoch": 1}\n'),
        ("history.jsonl", "epoch 1\n"),
        ("result.json", "{"),
        ("result.json", "[]"),
        ("result.json", '{"train_loss": 0.5}'),
        ("result.json", '"x"'),
        ("result.json", "[" * 100_000),
        ("history.jsonl", "[1]\n"),
    ],
)
def test_what_is_no_run_folder_is_refused(copied_run, name, content):
    (copied_run / name).unlink()
    if content is not None:
        (copied_run / name).write_text(content)
    ended = fewfire("report", copied_run)
    assert ended.code == 2
    assert ended.message.startswith("fewfire: a run folder must hold what `fewfire train` saved. Got ")
    assert "Give the folder named by --out of a run that has ended." in ended.message
    assert not (copied_run / "report.html").exists()


@pytest.mark.parametrize("command", ["report", "resume"])
@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        ("result.json", "train_loss", "low"),
        ("result.json", "steps", 1.5),
        ("result.json", "chosen_index", 3),
        ("result.json", "test_accuracy", [0.5]),
        ("result.json", "exactness", {"pairs": "many", "fired": 1, "equal": True}),
        ("result.json", "exactness", 1),
        ("result.json", "dense_trials", {"a": "fast"}),
        ("history.jsonl", "loss", None),
        ("history.jsonl", "epoch", True),
        ("history.jsonl", "seconds", {}),
    ],
)
def test_a_value_of_another_kind_is_refused_in_one_line(copied_run, command, file, name, value):
    text = (copied_run / file).read_text()
    first = text.splitlines()[0] if file == "history.jsonl" else text
    (copied_run / file).write_text(json.dumps(json.loads(first) | {name: value}) + "\n")
    ended = fewfire(command, copied_run)
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (2, "", 1)
    assert ended.message.startswith("fewfire: a run folder must hold what `fewfire train` saved. Got ")
    assert file in ended.message

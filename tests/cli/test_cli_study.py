"""`fewfire study drift`: what it leaves, that its figures agree, and how it ends."""

import csv
import io
import json
import math
import re
import signal
import subprocess

import numpy as np
import pytest

import fewfire.cli.study as study_module
from command import SCRIPT, Ended, fewfire, fewfire_process
from fewfire.diagnose.drift import PARTS
from fewfire.indexes import DriftIndex
from fewfire.runs.folder import RunFolder
from fewfire.training.methods.gradient_descent import DescentStepper

PICTURES = {
    f"{name}.{kind}" for name in ("drift", "filters", "refreshes", "seconds") for kind in ("png", "svg")
}
FILES = {"steps.csv", "summary.json"} | PICTURES
SMALL = ("digits", "--width", 256, "--epochs", 2, "--batch-size", 256, "--threads", 2)  # 2 x 6 steps


def study_digits(out, *options) -> Ended:
    return fewfire("study", "drift", *SMALL, "--out", out, "--json", *options)


def rows_of(folder) -> dict[str, np.ndarray]:
    """The columns of steps.csv."""
    with open(folder / "steps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study, not to be changed: its folder, its rows, and how its command ended."""
    folder = tmp_path_factory.mktemp("studies") / "digits"
    ended = study_digits(folder)
    assert ended.code == 0, ended.err
    return folder, rows_of(folder), ended


def test_a_study_leaves_all_files_and_one_object(study):
    folder, _, ended = study
    assert {path.name for path in folder.iterdir()} == FILES
    assert ended.out.count("\n") == 1
    assert ended.figures == json.loads((folder / "summary.json").read_text())


def test_each_step_has_a_row(study):
    _, rows, ended = study
    assert rows["step"].tolist() == list(range(1, 13))
    assert rows["epoch"].tolist() == [1] * 6 + [2] * 6
    assert rows["steps"].tolist() == [1] * 12
    assert set(rows["learning_rate"]) == {ended.figures["learning_rate"]}


def test_quantiles_and_filters_are_in_order(study):
    _, rows, _ = study
    assert np.all(rows["drift_median"] <= rows["drift_90"])
    assert np.all(rows["drift_90"] <= rows["drift_99"])
    assert np.all(rows["drift_99"] <= rows["drift_max"])
    assert np.all(rows["drift_max"] > 0)
    assert np.all(rows["fire_rate"] <= rows["dot_rate"])
    assert np.all(rows["dot_rate"] <= rows["near_rate"])
    assert np.all(rows["fire_rate"] > 0)


def test_the_summary_is_that_of_the_rows_and_of_the_epochs(study):
    _, rows, ended = study
    figures = ended.figures
    assert figures["steps"] == 12
    assert figures["measured"] == rows["measured"].sum() > 0
    assert figures["refreshed"] == rows["refreshed"].sum()
    for rate in ("near_rate", "dot_rate", "fire_rate", "work_share"):
        asked = [2] + [1] * 11  # batches, of 239 or 240
        assert figures[rate] == pytest.approx(np.average(rows[rate], weights=asked), rel=1e-2)
        of_epochs = [record[rate] for record in figures["history"]]
        assert figures[rate] == pytest.approx(np.average(of_epochs, weights=[7, 6]), rel=1e-2)
    for part in PARTS:
        assert figures["seconds"][part] == pytest.approx(rows[f"seconds_{part}"].sum())
    assert figures["seconds"]["build"] > 0
    assert figures["last_drift"] == {
        name: rows[name][-1] for name in ("drift_median", "drift_90", "drift_99", "drift_max")
    }


def test_a_study_trains_as_train_does(study, digits_run):
    _, _, ended = study
    run, trained = digits_run
    learned = [(record.loss, record.accuracy, record.dot_rate) for record in run.load_history()]
    assert [(r["loss"], r["accuracy"], r["dot_rate"]) for r in ended.figures["history"]] == learned
    assert ended.figures["learning_rate"] == trained.figures["learning_rate"]


@pytest.mark.parametrize(("every", "steps"), [(4, [4, 2, 4, 2]), (5, [5, 1, 5, 1]), (100, [6, 6])])
def test_records_of_several_steps_lose_nothing(study, tmp_path, every, steps):
    _, each, _ = study
    study_digits(tmp_path / "run", "--every", every)
    rows = rows_of(tmp_path / "run")
    assert rows["steps"].tolist() == steps
    assert rows["step"].tolist() == np.cumsum(steps).tolist()
    ends = np.searchsorted(each["step"], rows["step"])
    assert rows["measured"].tolist() == np.diff(np.cumsum(each["measured"])[ends], prepend=0).tolist()
    assert rows["drift_max"].tolist() == each["drift_max"][ends].tolist()


def test_a_long_run_is_thinned_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(study_module, "RECORDS", 4)
    assert study_digits(tmp_path / "run").figures["every"] == 3
    assert rows_of(tmp_path / "run")["steps"].tolist() == [3] * 4


def test_momentum_is_in_force(tmp_path):
    figures = study_digits(tmp_path / "run", "--momentum", 0.9, "--weight-decay", 0.001).figures
    assert (figures["momentum"], figures["weight_decay"]) == (0.9, 0.001)
    assert figures["last_drift"]["drift_max"] > figures["last_drift"]["drift_median"] > 0


def test_the_schedule_is_in_force(tmp_path):
    ended = study_digits(tmp_path / "run", "--schedule", "cosine", "--learning-rate", 0.5)
    assert ended.figures["schedule"] == {"name": "cosine", "epochs": 2, "final": 0.0}
    rows = rows_of(tmp_path / "run")
    rates = [0.25 * (1 + math.cos(math.pi * (step - 1) / 12)) for step in rows["step"]]
    assert rows["learning_rate"] == pytest.approx(rates)


def test_a_table_is_read_as_train_reads_it(tmp_path):
    """Its target may stand in any column, and numbers may be categories."""
    random = np.random.default_rng(0)
    table = np.column_stack([random.standard_normal((50, 2)), random.integers(0, 3, 50)])
    np.savetxt(tmp_path / "table.csv", table, delimiter=",", header="price,size,zip", comments="", fmt="%.6g")
    asked = ("--target", "price", "--task", "regression", "--categories", "zip", "--test-fraction", 0.5)
    small = ("--width", 64, "--epochs", 1, "--fire-rate", 0.5, "--out", tmp_path / "run")
    figures = fewfire("study", "drift", tmp_path / "table.csv", *asked, *small, "--json", "-q").figures
    assert (figures["n_samples"], figures["n_features"]) == (25, 1 + 3 + 1)
    assert figures["history"][0]["rmse"] > 0
    assert figures["threshold"] == 0


def test_a_lower_learning_rate_drifts_less(study, tmp_path):
    _, rows, ended = study
    study_digits(tmp_path / "run", "--learning-rate", ended.figures["learning_rate"] / 1000)
    slow = rows_of(tmp_path / "run")
    assert np.all(slow["drift_max"] < 0.1 * rows["drift_max"])
    assert slow["near_rate"][-1] < rows["near_rate"][-1]


def test_what_a_person_reads(tmp_path):
    ended = fewfire("study", "drift", *SMALL, "--out", tmp_path / "run")
    assert ended.code == 0
    assert ended.err == ""
    lines = ended.out.splitlines()
    assert max(len(line.rstrip()) for line in lines if "saved in" not in line) <= 80
    assert re.search(r"epoch +drift 50% +drift 99% +norm bound +dots +fire +refreshes +ms/step", ended.out)
    assert sum(line.strip().startswith(("1/2", "2/2")) for line in lines) == 2
    assert f"saved in          {tmp_path / 'run'}\n" in ended.out
    last = " ".join(ended.out.rsplit("\n\n", 1)[1].split())
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert last == summary["limit"]
    assert re.match(r"The largest part of the time \(\d+%\) goes to ", last)


def test_lines_of_epochs_have_one_width_below_80(tmp_path):
    ended = fewfire("study", "drift", *SMALL, "--epochs", 100, "--out", tmp_path / "run")
    lines = [line for line in ended.out.splitlines() if re.match(r" *(\d+/100|epoch) ", line)]
    assert len(lines) == 101
    assert {len(line) for line in lines} == {79}


def test_the_default_folder_is_named_by_data_and_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fewfire("study", "drift", *SMALL).code == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("drift-digits-20")


def test_without_matplotlib_a_study_lacks_its_pictures_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("fewfire.report.pictures.find_spec", lambda name: None)
    ended = study_digits(tmp_path / "run")
    assert ended.code == 0
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES - PICTURES
    assert "No pictures without matplotlib: pip install 'fewfire[plot]' brings it." in ended.err


def test_help_says_nothing_of_options_that_a_study_lacks():
    assert "gauss-newton" not in fewfire("study", "drift", "--help").out


def test_help_has_an_example():
    ended = fewfire_process("study", "drift", "--help")
    assert ended.code == 0
    assert "fewfire study drift digits --width 16384" in ended.out
    assert "drift" in fewfire_process("study").out + fewfire_process("study").err


# Errors of the user


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--every", 0), r"--every must be >= 1\. Got 0\. Use 1 to record each step"),
        (("--width", 0), r"--width must be >= 1\. Got 0"),
        (("--schedule", "linear"), r"the schedule must be one of constant, cosine, step\. Got 'linear'"),
        (
            ("--learning-rate", "fast"),
            r"--learning-rate must be a finite number, 'auto' or 'measured'\. Got 'fast'",
        ),
        (("--memory-limit", "1MB"), r"data and network, before any index, must fit in --memory-limit "),
    ],
)
def test_a_bad_option_is_explained(tmp_path, options, message):
    ended = study_digits(tmp_path / "run", *options)
    assert ended.code == 2
    assert re.match(f"fewfire: {message}", ended.message), ended.message
    assert "Traceback" not in ended.err
    assert not (tmp_path / "run").exists()


def test_a_folder_with_files_is_not_written_to(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    ended = study_digits(tmp_path)
    assert ended.code == 2
    assert re.match(
        r"fewfire: the output folder must be new or empty\. Got .*, which holds files\. Give another --out",
        ended.message,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_place_that_cannot_be_written_to_is_found_before_training(tmp_path):
    (tmp_path / "file").write_text("mine")
    ended = study_digits(tmp_path / "file")
    assert ended.code == 2
    assert "the output folder must be a place that can be written to" in ended.message
    assert "epoch" not in ended.err


@pytest.mark.parametrize(("rate", "what"), [(1e30, "the loss"), (1e300, "every weight")])
def test_training_that_fails_saves_the_steps_before(tmp_path, rate, what):
    ended = study_digits(tmp_path / "run", "--learning-rate", rate)
    assert ended.code == 1
    found = re.match(rf"fewfire: {what} must stay finite\. .*This was step (\d) .*Saved in ", ended.message)
    assert found, ended.message
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert f"{what} must stay finite" in summary["failed"]
    moved = int(found[1]) - (what == "the loss")  # a step whose loss is not finite moves nothing
    assert rows_of(tmp_path / "run")["step"][-1] == moved


# Ctrl-C


def test_a_study_that_is_interrupted_while_the_index_is_built_is_saved(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(DriftIndex, "build", interrupted)
    ended = study_digits(tmp_path / "run")
    assert ended.code == 130
    assert "Traceback" not in ended.err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["interrupted"] is True
    assert summary["limit"].startswith("No step was taken")


def interrupted_after(monkeypatch, steps):
    step, taken = DescentStepper.step, []

    def step_or_interrupt(*arguments):
        taken.append(1)
        if len(taken) > steps:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(DescentStepper, "step", step_or_interrupt)


@pytest.mark.parametrize("steps", [0, 1, 8])
def test_ctrl_c_saves_the_steps_before(study, tmp_path, monkeypatch, steps):
    _, each, _ = study
    interrupted_after(monkeypatch, steps)
    ended = study_digits(tmp_path / "run")
    assert ended.code == 130
    assert f"Interrupted after {steps // 6} whole epochs. Saved in" in ended.err
    assert {path.name for path in (tmp_path / "run").iterdir()} == (FILES if steps else FILES - PICTURES)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["interrupted"] is True
    if steps:
        rows = rows_of(tmp_path / "run")
        assert rows["near_rate"].tolist() == each["near_rate"][each["step"] <= steps].tolist()


def test_ctrl_c_in_a_process(tmp_path):
    command = [SCRIPT, "study", "drift", *SMALL[:-4], "--epochs", 10**6, "--out", tmp_path / "run"]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert isinstance(process.stdout, io.TextIOBase)
    for line in process.stdout:
        if line.strip().startswith("3/"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert re.search(r"Interrupted after \d+ whole epochs\. Saved in", out.splitlines()[-1])
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES


def test_a_run_folder_may_hold_other_files_but_a_study_is_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder(tmp_path).require_free()
    assert study_digits(tmp_path).code == 2

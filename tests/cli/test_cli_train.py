"""`fewfire train`: what a run leaves, and that its figures agree with each other."""

import csv
import json
import math
import re
import struct

import numpy as np
import pytest

from command import fewfire, fewfire_process, train_digits
from fewfire.data import load_dataset
from fewfire.diagnose.exactness import Exactness
from fewfire.runs.folder import RunFolder

FILES = {
    "model.safetensors",
    "settings.json",
    "history.jsonl",
    "history.png",
    "result.json",
}
SETTINGS = {
    "data", "target", "task", "categories", "drop", "width", "index", "epochs", "batch_size", "learning_rate",
    "loss", "threshold",
    "optimizer", "schedule", "momentum", "nesterov", "weight_decay", "ridge",
    "init", "train_output_weights", "test_fraction", "validation_fraction", "patience",
    "seed", "threads", "memory_limit", "fewfire",
    "checkpoint_every", "training_data", "instruction_set", "n_samples", "n_features", "n_outputs", "n_test",
    "attack", "adversarial", "attack_steps", "trades",
}  # fmt: skip
FIGURES = {
    "test_accuracy", "baseline_accuracy", "train_loss", "train_accuracy", "fire_rate",
    "work_share", "refreshes", "steps",
    "seconds_per_step", "build_seconds", "training_seconds", "test_seconds", "total_seconds",
    "index_bytes", "peak_memory_bytes",
}  # fmt: skip
OTHERS = {"confusion", "regime"}  # no single numbers
TABLE = {"table_bits", "tabled_share"}  # None without a table
EXACTNESS = {"exactness"}  # None with the exhaustive index
CHOICE = {"chosen_index", "index_reason"}  # the reason only of "auto"
COUNTED = {"oracle_queries"}  # None but for the Grover index
COMPARED = {"dense_seconds_per_step", "speedup", "max_weight_difference"}


def model_bytes(folder) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("loss", ["squared", "softmax", "logistic"])
@pytest.mark.parametrize("index", ["drift", "exhaustive", "grover"])
def test_a_run_leaves_all_files_and_consistent_figures(tmp_path, index, loss):
    folder = tmp_path / "run"
    ended = train_digits(folder, "--index", index, "--loss", loss)
    assert ended.code == 0, ended.err
    assert {path.name for path in folder.iterdir()} == FILES

    figures = ended.figures
    assert figures.keys() == SETTINGS | FIGURES | OTHERS | TABLE | EXACTNESS | CHOICE | COUNTED | COMPARED
    assert all(math.isfinite(figures[name]) for name in FIGURES)
    counts = np.array(list(figures["confusion"].values()))
    assert counts.diagonal().sum() / counts.sum() == figures["test_accuracy"]
    assert counts.sum(axis=1).max() / counts.sum() >= figures["baseline_accuracy"]
    assert all(figures[name] is None for name in COMPARED)
    assert figures == json.loads((folder / "result.json").read_text())
    assert (figures["index"], figures["loss"], figures["width"]) == (index, loss, 256)
    assert (figures["n_samples"], figures["n_test"]) == (1438, 359)
    assert (figures["n_features"], figures["n_outputs"]) == (65, 10)
    assert figures["steps"] == 2 * 6
    assert figures["seconds_per_step"] == pytest.approx(figures["training_seconds"] / figures["steps"])
    assert figures["total_seconds"] >= figures["build_seconds"] + figures["training_seconds"]
    assert 0.5 < figures["test_accuracy"] <= 1
    assert 0 < figures["fire_rate"] < 0.2

    history = RunFolder(folder).load_history()
    assert [record.epoch for record in history] == [1, 2]
    assert figures["train_loss"] == history[-1].loss < history[0].loss
    assert figures["train_accuracy"] == history[-1].accuracy
    assert figures["index_bytes"] == history[-1].index_bytes
    assert (figures["index_bytes"] == 0) == (index != "drift")
    table = (figures["table_bits"], figures["tabled_share"])
    assert table == ((8, 1) if index == "drift" else (None, None))
    assert (figures["oracle_queries"] is not None) == (index == "grover")
    compared = figures["exactness"]
    assert (compared is None) == (index == "exhaustive")
    assert compared is None or (compared["pairs"], compared["equal"]) == (256 * 1024, True)
    # Who fires was asked 7 times in the first epoch of 6 steps, the last time for the second; of 239 or 240.
    rates = [record.fire_rate for record in history]
    assert figures["fire_rate"] == pytest.approx(np.average(rates, weights=[7, 6]), rel=1e-3)
    # The share of the run counts the product that builds the table too.
    shares = np.average([record.work_share for record in history], weights=[7, 6])
    assert figures["work_share"] >= shares * (1 - 1e-3)

    model, data = RunFolder(folder).load_model(), load_dataset("digits", seed=0)
    assert np.mean(model.labels(data.test_rows) == data.test_labels) == figures["test_accuracy"]
    assert json.loads((folder / "settings.json").read_text())["classes"] == list(range(10))


def test_an_index_that_is_not_exact_is_reported_loudly(tmp_path, monkeypatch):
    wrong = Exactness(pairs=1000, fired=20, equal=False)
    monkeypatch.setattr("fewfire.runs.run.check_exactness", lambda _: wrong)
    ended = train_digits(tmp_path / "run")
    assert ended.code == 1
    assert "exactness         NOT AS EXHAUSTIVE SEARCH, on 1,000 pairs" in ended.err
    assert ended.message.startswith("fewfire: the drift index must find the fire sets of exhaustive search")
    saved = json.loads((tmp_path / "run" / "result.json").read_text())
    assert saved["exactness"] == {"pairs": 1000, "fired": 20, "equal": False}


def test_a_run_through_an_approximate_index_says_so_everywhere(tmp_path):
    folder = tmp_path / "run"
    ended = train_digits(folder, "--index", "hashing")
    assert ended.code == 0, ended.err
    assert ended.err.count("the hashing index is approximate: it misses pairs that fire") == 1
    found = ended.figures["exactness"]
    assert not found["equal"]
    assert 0 < found["recall_low"] < found["recall"] < found["recall_high"] < 1
    assert f"exactness         approximate: finds {found['recall']:.1%} of the pairs that fire" in ended.err
    saved = json.loads((folder / "settings.json").read_text())
    assert saved["approximate"] == {
        "name": "hashing", "hash": "simhash", "bits": 9, "tables": 50, "rehash": "drift", "centre": False,
        "seed": 0,
    }  # fmt: skip
    first, second = RunFolder(folder).load_history()
    assert 0 < first.recall < 1
    assert second.recall is None  # the next audit is 50 batches later
    assert f"{first.recall:.1%} found" in ended.err
    run = RunFolder(folder).load_run()
    assert run.settings.approximate == saved["approximate"]
    assert run.result.exactness.recall == found["recall"]


def test_settings_and_threads_that_may_not_matter_do_not(digits_run, tmp_path):
    run, _ = digits_run
    same = [
        ("--threads", 1),
        ("--threads", 3),
        ("--index", "exhaustive"),
        ("--index", "grover"),
        ("--memory-limit", "8GB"),
    ]
    for number, options in enumerate(same):
        assert train_digits(tmp_path / str(number), *options).code == 0
        assert model_bytes(tmp_path / str(number)) == model_bytes(run.path), options


def test_settings_that_matter_do(digits_run, tmp_path):
    run, _ = digits_run
    other = [
        ("--seed", 1),
        ("--schedule", "cosine"),
        ("--loss", "softmax"),
        ("--epochs", 1),
        ("--train-output-weights",),
        ("--init", "gaussian"),
        ("--momentum", 0.9),
        ("--weight-decay", 0.001),
    ]
    for number, options in enumerate(other):
        assert train_digits(tmp_path / str(number), *options).code == 0
        assert model_bytes(tmp_path / str(number)) != model_bytes(run.path), options


def test_output_weights_stay_signs_unless_they_are_trained(digits_run, tmp_path):
    run, _ = digits_run
    assert np.all(np.abs(run.load_model().network.output_weights) == 1)
    train_digits(tmp_path / "run", "--train-output-weights")
    assert np.any(np.abs(RunFolder(tmp_path / "run").load_model().network.output_weights) != 1)


def test_drift_and_exhaustive_agree_where_output_weights_train(tmp_path):
    for index in ("drift", "exhaustive"):
        options = ("--train-output-weights", "--loss", "softmax", "--index", index)
        assert train_digits(tmp_path / index, *options).code == 0
    assert model_bytes(tmp_path / "drift") == model_bytes(tmp_path / "exhaustive")


def test_drift_and_exhaustive_agree_with_momentum_and_decay(tmp_path):
    options = ("--momentum", 0.9, "--nesterov", "--weight-decay", 1e-4)
    for index in ("drift", "exhaustive"):
        figures = train_digits(tmp_path / index, *options, "--index", index).figures
        assert (figures["momentum"], figures["nesterov"], figures["weight_decay"]) == (0.9, True, 1e-4)
    assert model_bytes(tmp_path / "drift") == model_bytes(tmp_path / "exhaustive")


def test_the_settings_ask_for_what_the_run_does(tmp_path):
    figures = train_digits(tmp_path / "a", "--learning-rate", 0.5, "--threshold", 1.25).figures
    assert (figures["learning_rate"], figures["threshold"]) == (0.5, 1.25)
    assert figures["threads"] == 2
    assert figures["seed"] == 0

    figures = train_digits(tmp_path / "b", "--fire-rate", 0.1, "--learning-rate", 1e-9).figures
    assert figures["fire_rate"] == pytest.approx(0.1, rel=0.2)
    assert json.loads((tmp_path / "b" / "settings.json").read_text())["fire_rate"] == 0.1

    figures = train_digits(tmp_path / "c", "--test-fraction", 0.5, "--batch-size", 100).figures
    assert (figures["n_samples"], figures["n_test"]) == (899, 898)
    assert figures["steps"] == 2 * 9


@pytest.mark.parametrize(
    ("options", "recorded", "last_rate"),
    [
        ((), {"name": "constant"}, 0.5),
        (("--schedule", "cosine"), {"name": "cosine", "epochs": 3, "final": 0.0}, None),
        (("--schedule", "step"), {"name": "step", "every": 1, "gamma": 0.1}, 0.5 * 0.1**2),
        (
            ("--schedule", "step", "--decay-every", 2, "--decay-gamma", 0.5),
            {"name": "step", "every": 2, "gamma": 0.5},
            0.25,
        ),
    ],
)
def test_a_schedule_is_recorded_with_the_rates_it_gave(tmp_path, options, recorded, last_rate):
    ended = train_digits(tmp_path / "run", "--epochs", 3, "--learning-rate", 0.5, *options)
    assert ended.figures["schedule"] == recorded
    assert ended.figures["learning_rate"] == 0.5
    if last_rate is None:  # the last of 18 steps
        last_rate = 0.5 * (1 + math.cos(math.pi * 17 / 18)) / 2
    assert RunFolder(tmp_path / "run").load_history()[-1].learning_rate == pytest.approx(last_rate)


def test_without_json_the_figures_are_for_people(tmp_path):
    ended = fewfire("train", "digits", "--width", 64, "--epochs", 1, "--out", tmp_path / "run")
    assert ended.code == 0
    assert ended.err == ""
    for text in ("1,438 samples", "epoch", "loss", "accuracy", "fire rate", "work of dense"):
        assert text in ended.out
    assert f"saved in          {tmp_path / 'run'}\n" in ended.out


def test_with_json_stdout_holds_the_object_alone(digits_run):
    _, ended = digits_run
    assert ended.out.count("\n") == 1
    assert isinstance(ended.figures, dict)
    assert "test accuracy" in ended.err


def test_the_default_folder_is_named_by_data_and_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fewfire("train", "digits", "--width", 64, "--epochs", 1).code == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("digits-20")
    assert (folder / "model.safetensors").exists()


def test_names_with_brackets_are_printed_as_they_are(tmp_path):
    data = tmp_path / "a [b] :smile:.csv"
    data.write_text("x,y,label\n" + "1,2,up\n2,1,down\n1,3,up\n3,1,down\n2,3,up\n3,2,down\n" * 3)
    folder = tmp_path / "[red]run"
    ended = fewfire("train", data, "--width", 64, "--epochs", 1, "--out", folder)
    assert ended.code == 0, ended.err
    assert "a [b] :smile:: 14 samples" in ended.out
    assert str(folder) in ended.out


def test_a_pipe_gets_no_colour_and_lines_of_80_columns(tmp_path):
    ended = fewfire_process(
        "train", "digits", "--width", 128, "--epochs", 2, "--threads", 2, "--out", tmp_path / "run"
    )
    assert ended.code == 0
    assert ended.err == ""
    assert "\x1b" not in ended.out
    assert "\r" not in ended.out
    lines = ended.out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert sum("1/2" in line or "2/2" in line for line in lines) == 2


def write_npz(folder, parts):
    (samples, codes), (new_samples, new_codes) = parts
    np.savez(folder / "data.npz", X=samples, y=codes, X_test=new_samples, y_test=new_codes)
    return folder / "data.npz", folder / "data.npz", new_codes.astype(str)


def write_csv(folder, parts):
    names = np.array([f"digit, {code}" for code in range(10)])
    for file, (samples, codes) in zip(["data.csv", "new.csv"], parts, strict=True):
        head = ",".join(["label", *(f"pixel{i}" for i in range(samples.shape[1]))])
        rows = [
            f'"{names[code]}",' + ",".join(map(str, row)) for row, code in zip(samples, codes, strict=True)
        ]
        (folder / file).write_text("\n".join([head, *rows]))
    return folder / "data.csv", folder / "new.csv", names[parts[1][1]]


def write_idx(folder, parts):
    for prefix, (samples, codes) in zip(["train", "t10k"], parts, strict=True):
        header = struct.pack(">4I", 0x803, len(samples), 8, 8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + samples.astype(np.uint8).tobytes())
        header = struct.pack(">2I", 0x801, len(codes))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(header + codes.astype(np.uint8).tobytes())
    return folder, folder, parts[1][1].astype(str)


@pytest.mark.parametrize("write", [write_npz, write_csv, write_idx])
def test_every_kind_of_data_goes_from_file_to_predictions(tmp_path, write):
    digits = load_dataset("digits")
    parts = [
        (digits.inputs[:400], digits.labels[:400]),
        (digits.test_inputs[:200], digits.test_labels[:200]),
    ]
    data, new, expected = write(tmp_path, parts)
    ended = fewfire("train", data, "--width", 256, "--epochs", 20, "--json", "--out", tmp_path / "run")
    assert ended.code == 0, ended.err

    predicting = fewfire("predict", tmp_path / "run", new, "--out", tmp_path / "predicted.csv")
    assert predicting.code == 0, predicting.err
    with open(tmp_path / "predicted.csv", newline="") as file:
        (head,), *rows = csv.reader(file)
    accuracy = np.mean([label for (label,) in rows] == expected)
    assert head == "prediction"
    assert accuracy > 0.7
    assert f"accuracy on the labels given: {accuracy:.4f}" in predicting.out
    if data == new:  # a source with a test part: predict reads that part
        assert accuracy == ended.figures["test_accuracy"]


def test_two_classes_with_the_logistic_loss_have_one_output(tmp_path):
    random = np.random.default_rng(0)
    codes = random.integers(0, 2, 300)
    rows = random.standard_normal((300, 4)) + 2 * codes[:, None]
    np.savez(tmp_path / "two.npz", X=rows, y=np.where(codes, "yes", "no"))
    ended = fewfire(
        "train", tmp_path / "two.npz", "--width", 256, "--epochs", 5, "--batch-size", 60,
        "--loss", "logistic", "--json", "--out", tmp_path / "run",
    )  # fmt: skip
    assert ended.figures["n_outputs"] == 1
    assert ended.figures["test_accuracy"] > 0.85
    model = RunFolder(tmp_path / "run").load_model()
    assert np.mean(model.labels(rows) == np.where(codes, "yes", "no")) > 0.85


def test_info_names_version_instruction_set_and_threads():
    ended = fewfire_process("info")
    assert ended.code == 0
    assert re.fullmatch(r"fewfire \d+\.\d+\.\d+\ninstruction set: \w+ .*\nthreads: \d+ .*\n", ended.out)


def test_comparing_with_dense_reports_it_and_leaves_the_saved_model(digits_run, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr("torch.compile", lambda function: function)  # which takes half a minute
    run, _ = digits_run
    ended = train_digits(tmp_path / "run", "--compare-dense", 3)
    assert ended.code == 0, ended.err
    figures = ended.figures
    assert figures.keys() == SETTINGS | FIGURES | OTHERS | TABLE | EXACTNESS | CHOICE | COUNTED | COMPARED | {
        "dense_step", "dense_trials", "compared_steps", "whole_run_speedup", "bfloat16_step",
        "bfloat16_seconds_per_step", "bfloat16_speedup", "bfloat16_whole_run_speedup",
        "pure_bfloat16_seconds_per_step", "pure_bfloat16_speedup",
    }  # fmt: skip
    assert figures == json.loads((tmp_path / "run" / "result.json").read_text())
    assert figures["compared_steps"] == 3
    assert figures["speedup"] == figures["dense_seconds_per_step"] / figures["seconds_per_step"]
    assert figures["whole_run_speedup"] == pytest.approx(
        figures["dense_seconds_per_step"]
        * figures["steps"]
        / (figures["build_seconds"] + figures["training_seconds"])
    )
    assert figures["dense_step"] in figures["dense_trials"]
    assert 0 < figures["max_weight_difference"] < 0.1  # a pair within rounding of the threshold may part
    for row in (r"dense float32", r"dense bfloat16"):
        assert re.search(rf"{row} +[\d.]+ ms: [\d.]+ x a step, [\d.]+ x the whole run\n", ended.err)
    assert re.search(r"pure bfloat16 +[\d.]+ ms: [\d.]+ x a step\n", ended.err)
    assert re.search(r"ways tried +[\d.]+ ms ", ended.err)
    assert model_bytes(tmp_path / "run") == model_bytes(run.path)


def test_the_index_auto_says_what_it_chose_and_trains_to_the_same_weights(digits_run, tmp_path):
    run, _ = digits_run
    ended = train_digits(tmp_path / "run", "--index", "auto")
    assert ended.code == 0
    (line,) = [line for line in ended.err.splitlines() if line.startswith("index auto: ")]
    assert ended.figures["index_reason"] == line
    assert line.startswith(f"index auto: {ended.figures['chosen_index']} (predicted ")
    weights = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert weights == (run.path / "model.safetensors").read_bytes()

"""`fewfire predict`, and what it says of folders and samples that do not fit."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from command import fewfire
from fewfire.data import load_dataset
from fewfire.runs.folder import RunFolder

USER_ERROR = 2


@pytest.fixture
def run_copy(digits_run, tmp_path):
    """A folder that a test may damage."""
    return shutil.copytree(digits_run[0].path, tmp_path / "run")


def test_the_accuracy_of_the_run_is_that_of_its_test_rows(digits_run, tmp_path):
    run, ended = digits_run
    digits = load_dataset("digits", seed=0)
    np.savez(tmp_path / "test.npz", X=digits.test_inputs, y=digits.test_labels)
    predicting = fewfire("predict", run.path, tmp_path / "test.npz", "--out", tmp_path / "p.csv")
    assert predicting.code == 0
    assert predicting.out == (
        f"359 predictions written to {tmp_path / 'p.csv'}\n"
        f"accuracy on the labels given: {ended.figures['test_accuracy']:.4f}\n"
    )
    predicted = np.loadtxt(tmp_path / "p.csv", skiprows=1, dtype=np.int64)
    assert np.mean(predicted == digits.test_labels) == ended.figures["test_accuracy"]


def test_predictions_go_to_the_run_folder_by_default(run_copy):
    assert fewfire("predict", run_copy, "digits").code == 0
    lines = (run_copy / "predictions.csv").read_text().splitlines()
    assert lines[0] == "prediction"
    assert len(lines) == 1 + 1797


def test_samples_without_labels_are_predicted_without_accuracy(digits_run, tmp_path):
    digits = load_dataset("digits")
    np.savetxt(tmp_path / "new.csv", digits.test_inputs[:7], delimiter=",")
    ended = fewfire("predict", digits_run[0].path, tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert ended.out == f"7 predictions written to {tmp_path / 'p.csv'}\n"


def test_labels_that_training_never_saw_count_as_wrong(digits_run, tmp_path):
    digits = load_dataset("digits")
    model = digits_run[0].load_model()
    labels = model.labels(digits.test_inputs[:4]).astype(str)
    labels[0] = "ten"
    np.savez(tmp_path / "new.npz", X=digits.test_inputs[:4], y=labels)
    ended = fewfire("predict", digits_run[0].path, tmp_path / "new.npz", "--out", tmp_path / "p.csv")
    assert ended.out.endswith("accuracy on the labels given: 0.7500\n")


def test_labels_that_are_missing_in_some_rows_or_in_all_do_not_count(digits_run, tmp_path):
    digits = load_dataset("digits")
    labels = digits_run[0].load_model().labels(digits.test_inputs[:4]).astype(float)
    labels[0], labels[1] = labels[0] + 1, np.nan
    for given, told in (
        (labels, "accuracy on the labels given (3 of 4 rows): 0.6667\n"),
        (labels * np.nan, ""),
    ):
        np.savez(tmp_path / "new.npz", X=digits.test_inputs[:4], y=given)
        ended = fewfire("predict", digits_run[0].path, tmp_path / "new.npz", "--out", tmp_path / "p.csv")
        assert ended.out == f"4 predictions written to {tmp_path / 'p.csv'}\n{told}"


def test_a_place_that_cannot_be_written_to_is_named(digits_run, tmp_path):
    ended = fewfire("predict", digits_run[0].path, "digits", "--out", tmp_path / "absent" / "p.csv")
    assert ended.code == USER_ERROR
    assert re.match(
        r"fewfire: files must be readable .* Got: .*the folder .*absent does not exist\. Check path",
        ended.message,
    )


@pytest.mark.parametrize("n_columns", [1, 63, 66])
def test_another_number_of_columns_is_refused(digits_run, tmp_path, n_columns):
    np.savetxt(tmp_path / "new.csv", np.ones((3, n_columns)), delimiter=",")
    ended = fewfire("predict", digits_run[0].path, tmp_path / "new.csv", "--out", tmp_path / "p.csv")
    assert ended.code == USER_ERROR
    assert re.match(
        rf"fewfire: Each row must have the model's 64 features, with or without a label\. Got {n_columns} "
        r"columns in .*new\.csv\. Give the columns that the model was trained on\.",
        ended.message,
    )
    assert not (tmp_path / "p.csv").exists()


def assert_no_run(folder, got):
    ended = fewfire("predict", folder, "digits")
    assert ended.code == USER_ERROR
    assert re.match(
        r"fewfire: a run folder must hold a model that `fewfire train` saved\. "
        rf"Got {re.escape(str(folder))}: .*{got}.*\. Give the folder named by --out of a finished run\.$",
        ended.message,
    ), ended.message
    assert "Traceback" not in ended.err
    assert not (folder / "predictions.csv").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    assert_no_run(tmp_path, r"model\.safetensors")
    assert_no_run(tmp_path / "absent", r"model\.safetensors")


@pytest.mark.parametrize("name", ["model.safetensors", "scaling.safetensors", "settings.json"])
def test_a_missing_file_is_named(run_copy, name):
    (run_copy / name).unlink()
    assert_no_run(run_copy, re.escape(name))


@pytest.mark.parametrize("name", ["model.safetensors", "scaling.safetensors", "settings.json"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_truncated_files_are_refused(run_copy, name, share):
    content = (run_copy / name).read_bytes()
    (run_copy / name).write_bytes(content[: int(share * (len(content) - 2))])
    assert_no_run(run_copy, "")


@pytest.mark.parametrize("content", [b"not a model", b"\x80\x04pickled", bytes(1000), b"\xff" * 1000])
def test_foreign_files_are_refused(run_copy, content):
    (run_copy / "model.safetensors").write_bytes(content)
    assert_no_run(run_copy, "must be a safetensors file with weights, output_weights and threshold")


@pytest.mark.parametrize("content", ["[]", "{}", "3", "null", '{"classes": 3}', '[["classes", 3]]'])
def test_foreign_settings_are_refused(run_copy, content):
    (run_copy / "settings.json").write_text(content)
    assert_no_run(run_copy, "settings.json is not what `fewfire train` wrote")


@pytest.mark.parametrize(("name", "value"), [("classes", 3), ("classes", None), ("features", 3)])
def test_settings_without_classes_or_features_are_refused(run_copy, name, value):
    run = RunFolder(run_copy)
    run.save_settings(replace(run.load_settings(), **{name: value}))
    assert_no_run(run_copy, "")


def test_settings_that_were_edited_are_refused(run_copy):
    text = (run_copy / "settings.json").read_text()
    (run_copy / "settings.json").write_text(text.replace("9\n", "8\n"))
    assert_no_run(run_copy, "settings.json has another checksum than when it was written")


def test_a_model_of_other_tensors_is_refused(run_copy):
    tensors = load_file(run_copy / "model.safetensors")
    save_file({"weights": tensors["weights"]}, run_copy / "model.safetensors")
    assert_no_run(run_copy, "must be a safetensors file with weights, output_weights and threshold")
    save_file({"mean": np.ones(3)}, run_copy / "scaling.safetensors")
    assert_no_run(run_copy, "")


def test_files_of_different_runs_are_refused(run_copy):
    run = RunFolder(run_copy)
    settings = run.load_settings()
    run.save_settings(replace(settings, classes=["yes", "no", "perhaps"]))
    assert_no_run(run_copy, "65 features and 10 outputs beside a scaling of 64 .* 3 classes")

    run.save_settings(settings)
    scaling = load_file(run_copy / "scaling.safetensors")
    save_file(
        scaling | {name: np.ascontiguousarray(scaling[name][:9]) for name in ("mean", "scale")},
        run_copy / "scaling.safetensors",
    )
    assert_no_run(run_copy, "65 features and 10 outputs beside a scaling of 9 ")

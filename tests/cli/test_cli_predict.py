"""`fewfire predict`, and what it says of folders and samples that do not fit."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from command import fewfire
from fewfire.data import load_dataset
from fewfire.prepare import Classes, Features
from fewfire.prepare.model import Model

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


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_a_truncated_model_is_refused(run_copy, share):
    content = (run_copy / "model.safetensors").read_bytes()
    (run_copy / "model.safetensors").write_bytes(content[: int(share * (len(content) - 2))])
    assert_no_run(run_copy, "")


@pytest.mark.parametrize("content", [b"not a model", b"\x80\x04pickled", bytes(1000), b"\xff" * 1000])
def test_foreign_files_are_refused(run_copy, content):
    (run_copy / "model.safetensors").write_bytes(content)
    assert_no_run(run_copy, "model.safetensors is no model that fewfire saved, but ")


def test_the_model_file_alone_is_enough(run_copy):
    """Settings, history and figures are for people."""
    for path in run_copy.iterdir():
        if path.name != "model.safetensors":
            path.unlink()
    assert fewfire("predict", run_copy, "digits").code == 0


def test_a_model_of_other_tensors_is_refused(run_copy):
    """As of a program that knows safetensors, or of fewfire before a model file held the way into it."""
    tensors = load_file(run_copy / "model.safetensors")
    save_file({"weights": tensors["weights"]}, run_copy / "model.safetensors")
    assert_no_run(run_copy, "a network without the way into it")


@pytest.mark.parametrize(
    ("change", "got"),
    [
        ({"targets": Classes(np.array(["yes", "no", "perhaps"]))}, "of .10. outputs .* 3 classes"),
        ({"features": Features(9)}, "for .64. columns, beside features for 9"),
        ({"mean": np.zeros(3)}, "networks of .3, 10. outputs"),
    ],
)
def test_parts_of_different_models_are_refused(run_copy, change, got):
    model = Model.load(run_copy / "model.safetensors")
    replace(model, **change).save(run_copy / "model.safetensors")
    assert_no_run(run_copy, got)

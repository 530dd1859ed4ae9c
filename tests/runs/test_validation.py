"""Rows held back from training: what is recorded of them, and when training stops."""

import numpy as np
import pytest

from command import fewfire, train_digits
from fewfire.data import load_dataset
from fewfire.runs import RunFolder, TrainOptions, resume_run, train_run
from fewfire.runs.validation import divided
from interrupting import Interrupting

SMALL = {"data": "digits", "width": 256, "batch_size": 64, "momentum": 0.9, "validation_fraction": 0.2}


def test_rows_are_divided_between_training_and_those_held_back():
    dataset = load_dataset("digits")
    kept, held = divided(dataset, 0.2, seed=0)
    assert len(held.test_rows) == round(0.2 * len(dataset.rows))
    together = np.concatenate([kept.rows, held.test_rows])
    assert sorted(map(bytes, together)) == sorted(map(bytes, dataset.rows))
    np.testing.assert_array_equal(kept.test_rows, dataset.test_rows)


@pytest.mark.parametrize("loss", ["squared", "softmax", "logistic"])
def test_the_last_record_is_that_of_the_model(tmp_path, loss):
    run = train_run(TrainOptions(**SMALL, epochs=3, loss=loss, out=tmp_path / "run"))
    model = RunFolder(tmp_path / "run").load_model()
    _, held = divided(load_dataset("digits"), 0.2, seed=0)
    right = model.labels(held.test_rows) == held.test_labels
    assert run.history[-1].validation_score == np.mean(right)
    losses = [record.validation_loss for record in run.history]
    assert all(np.isfinite(losses))
    assert losses[-1] < losses[0]
    assert run.settings.n_samples == 1438 - 288


def test_training_stops_once_the_loss_is_no_smaller_and_a_resumed_run_stops_there_too(tmp_path):
    options = {**SMALL, "epochs": 60, "patience": 1, "learning_rate": 30.0}
    whole = train_run(TrainOptions(**options, out=tmp_path / "whole"))
    losses = [record.validation_loss for record in whole.history]
    assert len(losses) < 60
    assert losses[-1] >= min(losses[:-1])
    assert np.argmin(losses) == len(losses) - 2

    with pytest.raises(KeyboardInterrupt):
        train_run(TrainOptions(**options, out=tmp_path / "run"), Interrupting(2))
    resumed = resume_run(tmp_path / "run")
    assert [record.validation_loss for record in resumed.history] == losses
    model = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert model == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_a_regression_records_its_r2(tmp_path):
    random = np.random.default_rng(0)
    inputs = random.standard_normal((200, 3))
    np.savetxt(tmp_path / "a.csv", np.column_stack([inputs, inputs @ [3, 2, 1]]), delimiter=",", fmt="%.3f")
    options = ("--width", 256, "--epochs", 4, "--batch-size", 16, "--validation-fraction", 0.2)
    ended = fewfire("train", tmp_path / "a.csv", *options, "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    record = RunFolder(tmp_path / "run").load_history()[-1]
    assert 0.3 < record.validation_score <= 1
    assert f"{record.validation_score:.4f} held back" in ended.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--validation-fraction", 1), "--validation-fraction must be >= 0 and below 1. Got 1.0."),
        (("--patience", 2), "--patience must go with --validation-fraction. Got 2 alone."),
        (("--patience", 0, "--validation-fraction", 0.1), "--patience must be >= 1. Got 0."),
        (
            ("--optimizer", "estimator", "--validation-fraction", 0.1),
            "--validation-fraction must go with --optimizer sgd or gauss-newton. Got it with",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, options, message):
    ended = fewfire("train", "digits", *options, "--out", tmp_path / "run")
    assert ended.code == 2
    assert message in ended.message
    assert not (tmp_path / "run").exists()


def test_the_report_and_the_picture_show_them(tmp_path):
    options = ("--validation-fraction", 0.2, "--momentum", 0.9)
    assert train_digits(tmp_path / "run", *options).code == 0
    fewfire("report", tmp_path / "run", "--out", tmp_path / "page.html")
    assert "Loss on rows held back" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "run" / "history.png").exists()

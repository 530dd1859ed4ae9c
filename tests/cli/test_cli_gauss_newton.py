"""`fewfire train --optimizer gauss-newton`."""

import pytest

from command import fewfire, train_digits
from fewfire.runs.folder import RunFolder
from fewfire.training import GaussNewtonRecord

NEWTON = ("--optimizer", "gauss-newton")


def test_a_run_fits_the_digits_in_a_handful_of_steps(tmp_path):
    ended = train_digits(
        tmp_path / "run", *NEWTON, "--batch-size", 1438, "--width", 1024, "--epochs", 3, "--ridge", 0.001
    )
    assert ended.code == 0, ended.err
    assert ended.figures["optimizer"] == "gauss-newton"
    assert ended.figures["threshold"] == pytest.approx((0.48 * 6.931471805599453) ** 0.5)
    assert ended.figures["train_accuracy"] > 0.99
    assert ended.figures["test_accuracy"] > 0.93
    assert "damping" in ended.err
    assert "predicted" in ended.err
    rows = [line.split() for line in ended.err.splitlines() if "/3 " in line]
    assert [len(row) for row in rows] == [8, 8, 8], "a row fits into 80 characters"
    history = RunFolder(tmp_path / "run").load_history()
    assert all(isinstance(record, GaussNewtonRecord) and record.actual > 0 for record in history)


def test_it_ends_when_nothing_is_left_to_gain(tmp_path):
    ended = train_digits(tmp_path / "run", *NEWTON, "--threshold", "50", "--epochs", "9")
    assert ended.code == 0, ended.err
    assert "No step decreases the loss any more: finished." in ended.err
    assert len(RunFolder(tmp_path / "run").load_history()) == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--momentum", "0.9"),
        ("--learning-rate", "0.1"),
        ("--schedule", "cosine"),
        ("--weight-decay", "0.1"),
        ("--train-output-weights",),
        ("--compare-dense", "5"),
    ],
    ids=lambda options: options[0],
)
def test_options_of_gradient_descent_are_refused(tmp_path, options):
    ended = fewfire("train", "digits", *NEWTON, *options, "--out", tmp_path / "run")
    assert ended.code == 2
    assert f"{options[0]} must go with another optimizer" in ended.err


def test_a_ridge_goes_with_gauss_newton(tmp_path):
    ended = fewfire("train", "digits", "--ridge", "0.1", "--out", tmp_path / "run")
    assert ended.code == 2
    assert "--ridge must go with another optimizer" in ended.err


def test_an_unknown_optimizer(tmp_path):
    ended = fewfire("train", "digits", "--optimizer", "adam", "--out", tmp_path / "run")
    assert ended.code == 2
    assert "--optimizer must be one of sgd, gauss-newton" in ended.err

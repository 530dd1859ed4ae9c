"""`fewfire train --optimizer gauss-newton`."""

import numpy as np
import pytest

import fewfire.runs.prepare as prepare_module
from command import fewfire, train_digits
from fewfire.networks.threshold import fire_rate_at, paper_threshold
from fewfire.plan.memory import training_memory
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
    assert f"{options[0]} must go with --optimizer sgd. Got it with --optimizer gauss-newton." in ended.err


def test_a_ridge_goes_with_gauss_newton(tmp_path):
    ended = fewfire("train", "digits", "--ridge", "0.1", "--out", tmp_path / "run")
    assert ended.code == 2
    assert (
        "--ridge must go with --optimizer gauss-newton or estimator. Got it with --optimizer sgd."
        in ended.err
    )


def test_an_unknown_optimizer(tmp_path):
    ended = fewfire("train", "digits", "--optimizer", "adam", "--out", tmp_path / "run")
    assert ended.code == 2
    assert "--optimizer must be one of auto, estimator, sgd, gauss-newton" in ended.err


def test_the_memory_budget_counts_with_the_threshold_that_the_network_gets(tmp_path, monkeypatch):
    """It took the paper's threshold for gradient descent, at which more neurons fire."""
    accounts = []
    monkeypatch.setattr(prepare_module, "resident_bytes", lambda: 0)
    monkeypatch.setattr(
        prepare_module, "training_memory", lambda **given: accounts.append(given) or training_memory(**given)
    )
    options = (*NEWTON, "--epochs", 1)
    ended = train_digits(tmp_path / "first", *options, "--memory-limit", "10GB")
    assert ended.code == 0, ended.err
    threshold = paper_threshold(256, second_order=True)
    assert RunFolder(tmp_path / "first").load_settings().threshold == np.float32(threshold)

    network_needs = training_memory(**accounts[0] | {"fire_rates": [fire_rate_at(threshold)]}).total
    needed = network_needs + prepare_module.SPARE_BYTES
    below = train_digits(tmp_path / "second", *options, "--memory-limit", needed - 1)
    assert "data and network, before any index," in below.message
    exact = train_digits(tmp_path / "second", *options, "--memory-limit", needed)
    assert "data and network, before any index," not in exact.message  # though this leaves the index no byte

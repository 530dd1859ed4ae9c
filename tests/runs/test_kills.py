"""Runs that are killed, a hundred times and more, end with the bits of runs that were not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from command import SCRIPT, fewfire
from fewfire.runs.folder import RunFolder

KILLED = -9
RANDOM = {
    "cosine": ("--schedule", "cosine", "--epochs", 20),
    "nesterov, decay, steps": (
        "--momentum", 0.9, "--nesterov", "--weight-decay", 0.001, "--schedule", "step", "--epochs", 20
    ),
    "both layers, seldom": (
        "--train-output-weights", "--loss", "softmax", "--epochs", 20, "--checkpoint-every", 3,
        "--index", "exhaustive",
    ),
    "gauss-newton, ridge": (
        "--optimizer", "gauss-newton", "--loss", "softmax", "--ridge", 0.01, "--epochs", 8
    ),
    "gauss-newton, ridge, batches": (
        "--optimizer", "gauss-newton", "--loss", "softmax", "--ridge", 0.01, "--batch-size", 20, "--epochs", 4
    ),
}  # fmt: skip
IN_CALLS = {
    "momentum": ("--momentum", 0.9, "--epochs", 3),
    "gauss-newton, ridge": (
        "--optimizer",
        "gauss-newton",
        "--loss",
        "softmax",
        "--ridge",
        0.01,
        "--epochs",
        3,
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sixty samples around three centres."""
    random = np.random.default_rng(0)
    centres, labels = random.standard_normal((3, 6)), random.integers(0, 3, 60)
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, X=centres[labels] + 0.5 * random.standard_normal((60, 6)), y=labels)
    return path


def deaths(how, folder, data, options):
    """What tests/support/deaths.py found."""
    alike = ("--width", 128, "--checkpoint-every", 1)
    if "--batch-size" not in options and "gauss-newton" not in options:
        alike += ("--batch-size", 16)
    program = Path(__file__).parents[1] / "support" / "deaths.py"
    command = [sys.executable, program, how, folder, data, *alike, *options]
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # of each short-lived process
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=120, env=one_thread
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", RANDOM)
def test_runs_that_are_killed_at_random_moments_end_with_the_same_bits(tmp_path, data, way):
    found = deaths("random", tmp_path, data, RANDOM[way])
    assert found["died"] >= 12
    assert found["others"] == []


@pytest.mark.parametrize("way", IN_CALLS)
def test_a_run_that_dies_while_it_writes_a_file_ends_with_the_same_bits(tmp_path, data, way):
    """In each call that writes, moves or removes a file; every other time once it has done so."""
    found = deaths("calls", tmp_path, data, IN_CALLS[way])
    assert found["died"] >= 30
    assert found["others"] == []


def test_commands_that_are_killed_go_on_with_other_threads(digits_file, tmp_path):
    run = ("train", digits_file, "--width", 256, "--batch-size", 256, "--epochs", 30, "--momentum", 0.9)
    assert fewfire(*run, "--threads", 1, "--out", tmp_path / "undisturbed").code == 0
    folder = tmp_path / "run"
    started = [*run, "--checkpoint-every", 1, "--out", folder]
    for threads, last in enumerate((5, 12, 21), start=1):
        command = [SCRIPT, *started, "--threads", threads]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip().startswith(f"{last}/"):
                break
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode == KILLED
        started = ["resume", folder]
    done = subprocess.run([SCRIPT, "resume", folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    saved, whole = (path / "model.safetensors" for path in (folder, tmp_path / "undisturbed"))
    assert saved.read_bytes() == whole.read_bytes()
    assert [record.epoch for record in RunFolder(folder).load_history()] == list(range(1, 31))

"""Ctrl-C: what was trained is saved, whole files only, exit code 130."""

import os
import re
import signal
import subprocess

import numpy as np
import pytest

import fewfire.runs.prepare as prepare_module
import fewfire.runs.run as run_module
from command import SCRIPT, fewfire, train_digits
from fewfire import Trainer, TwoLayerNetwork
from fewfire.runs.folder import RunFolder
from fewfire.system.signals import ENDING
from fewfire.training.methods.gradient_descent import DescentStepper

INTERRUPTED = 130
WHOLE = {"model.safetensors", "settings.json", "history.jsonl", "history.png"}
GOES_ON = "; `fewfire resume {}` goes on from checkpoint-"


def test_ctrl_c_while_training_saves_and_says_where(tmp_path):
    folder = tmp_path / "run"
    options = ["--width", "256", "--epochs", "1000000", "--threads", "2", "--out", str(folder)]
    command = [str(SCRIPT), "train", "digits", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:  # a handful of epochs
        if line.strip().startswith("5/"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert err == ""
    last = out.splitlines()[-1]
    saved_in = re.escape(f"Saved in {folder}" + GOES_ON.format(folder))
    found = re.fullmatch(rf"Interrupted after (\d+) whole epochs\. {saved_in}0*\1\.safetensors", last)
    assert found, last

    checkpoint = f"checkpoint-{int(found[1]):06}.safetensors"
    assert {path.name for path in folder.iterdir()} == WHOLE | {checkpoint}
    run = RunFolder(folder)
    assert len(run.load_history()) == int(found[1]) >= 5
    assert np.isfinite(run.load_model().network.weights).all()
    assert '"interrupted": true' in (folder / "settings.json").read_text()
    assert fewfire("predict", folder, "digits").code == 0


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_ctrl_c_while_building_saves_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "build", interrupt)
    ended = train_digits(tmp_path / "run")
    assert ended.code == INTERRUPTED
    assert "Interrupted after 0 whole epochs. Saved in" in ended.err
    assert ended.out == ""
    start = TwoLayerNetwork.initialize(256, 65, 10, init="structured", seed=0)
    saved = RunFolder(tmp_path / "run").load_model().network.weights
    assert np.array_equal(np.sort(saved, axis=0), np.sort(start.weights, axis=0))  # arranged, not moved


def test_ctrl_c_saves_neurons_that_coast_as_they_are_now(tmp_path, monkeypatch):
    step, present = DescentStepper.step, []

    def nine_steps(stepper, *ids):
        if stepper.steps_taken == 9:
            layer = stepper.problem.network.layer
            assert not layer.velocities.settled
            present.append(layer.present_weights())
            interrupt()
        return step(stepper, *ids)

    monkeypatch.setattr(DescentStepper, "step", nine_steps)
    assert train_digits(tmp_path / "run", "--momentum", 0.9).code == INTERRUPTED
    assert np.array_equal(RunFolder(tmp_path / "run").load_model().network.weights, present[0])


def test_ctrl_c_in_the_last_save_saves_again(digits_run, tmp_path, monkeypatch):
    saves = [interrupt, RunFolder.save_model]
    monkeypatch.setattr(RunFolder, "save_model", lambda *arguments: saves.pop(0)(*arguments))
    ended = train_digits(tmp_path / "run")
    assert ended.code == INTERRUPTED
    assert "Interrupted after 2 whole epochs" in ended.err
    saved = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert saved == (digits_run[0].path / "model.safetensors").read_bytes()


@pytest.mark.parametrize("number", ENDING)
def test_a_second_signal_does_not_end_the_save_that_the_first_began(tmp_path, monkeypatch, number):
    save = RunFolder.save_model

    def signalled(*arguments):
        os.kill(os.getpid(), number)
        save(*arguments)

    monkeypatch.setattr(Trainer, "epoch", interrupt)
    monkeypatch.setattr(RunFolder, "save_model", signalled)
    assert train_digits(tmp_path / "run").code == INTERRUPTED
    assert RunFolder(tmp_path / "run").load_settings().interrupted


@pytest.mark.parametrize(("module", "name"), [(prepare_module, "load_dataset"), (run_module, "prepare")])
def test_ctrl_c_before_training_leaves_nothing(tmp_path, monkeypatch, module, name):
    monkeypatch.setattr(module, name, interrupt)
    ended = train_digits(tmp_path / "run")
    assert ended.code == INTERRUPTED
    assert not (tmp_path / "run").exists()


def test_ctrl_c_in_the_comparison_leaves_the_run_as_it_is(digits_run, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "_comparison", interrupt)
    ended = train_digits(tmp_path / "run", "--compare-dense", 5)
    assert ended.code == INTERRUPTED
    assert '"speedup": null' in (tmp_path / "run" / "result.json").read_text()
    saved = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert saved == (digits_run[0].path / "model.safetensors").read_bytes()

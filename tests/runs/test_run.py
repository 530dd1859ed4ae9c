"""A run from Python: what it returns, what it calls, and that the command does the same."""

import dataclasses
import json

import pytest

from fewfire.runs import Result, RunFolder, RunObserver, Settings, TrainOptions, resume_run, train_run
from fewfire.runs.options import TAKEN_BY

SMALL = {"data": "digits", "width": 256, "epochs": 2, "batch_size": 256, "threads": 2}


class Listener(RunObserver):
    def __init__(self):
        self.heard = []

    def prepared(self, prepared):
        self.heard.append("prepared")

    def epoch_done(self, record, trainer):
        self.heard.append(record.epoch)

    def saved(self, folder, settings, history):
        self.heard.append("saved")

    def interrupted(self, epochs, folder, how_to_resume):
        self.heard.append(f"interrupted after {epochs}")

    def tested(self, run):
        self.heard.append("tested")


def test_a_run_from_python_is_that_of_the_command_and_prints_nothing(digits_run, tmp_path, capfd):
    folder, _ = digits_run
    listener = Listener()
    run = train_run(TrainOptions(**SMALL, out=tmp_path / "run"), listener)
    assert listener.heard == ["prepared", 1, 2, "saved", "tested"]
    assert capfd.readouterr() == ("", "")
    model = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert model == (folder.path / "model.safetensors").read_bytes()
    assert run.result.test_accuracy == folder.load_result().test_accuracy
    assert RunFolder(tmp_path / "run").load_result() == run.result


def test_a_run_that_was_interrupted_is_resumed(digits_run, tmp_path):
    class Interrupting(Listener):
        def stepped(self, done, steps):
            if self.heard[-1] == 1 and done == 2:
                raise KeyboardInterrupt

    listener = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        train_run(TrainOptions(**SMALL, out=tmp_path / "run"), listener)
    assert listener.heard == ["prepared", 1, "saved", "interrupted after 1"]
    assert RunFolder(tmp_path / "run").load_settings().interrupted
    run = resume_run(tmp_path / "run")
    assert not run.settings.interrupted
    model = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert model == (digits_run[0].path / "model.safetensors").read_bytes()


def test_settings_and_result_come_back_from_json(digits_run):
    run = digits_run[0].load_run()
    written = json.loads(json.dumps(run.settings.as_dict()))
    assert Settings.from_dict(written) == run.settings
    assert Settings.from_dict(written).to_resume == run.settings.options
    assert Result.from_dict(json.loads(json.dumps(run.result.as_dict()))) == run.result
    assert run.as_dict() == json.loads((digits_run[0].path / "result.json").read_text())


@pytest.mark.parametrize("name", ["width", "training_data", "n_outputs", "schedule"])
def test_settings_of_something_else_are_refused_by_name(digits_run, name):
    content = digits_run[0].load_settings().as_dict()
    del content[name]
    with pytest.raises(ValueError, match=f"lacks {name}$"):
        Settings.from_dict(content)


@pytest.mark.parametrize("name", ["train_loss", "chosen_index", "total_seconds"])
def test_a_result_of_something_else_is_refused_by_name(digits_run, name):
    content = digits_run[0].load_result().as_dict()
    del content[name]
    with pytest.raises(ValueError, match=f"lacks {name}$"):
        Result.from_dict(content)


def test_options_are_checked_when_they_are_made():
    assert TrainOptions(data="digits").samples_per_step == 256
    assert TrainOptions(data="digits", optimizer="gauss-newton").samples_per_step is None
    with pytest.raises(ValueError, match=r"--width must be >= 1\. Got 0"):
        TrainOptions(data="digits", width=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainOptions(data="digits").width = 3  # type: ignore[misc]


def test_each_method_has_its_own_options():
    assert "ridge" in TAKEN_BY["gauss-newton"] - TAKEN_BY["sgd"]
    assert {"learning_rate", "momentum", "compare_dense"} <= TAKEN_BY["sgd"] - TAKEN_BY["gauss-newton"]

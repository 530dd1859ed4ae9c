"""What goes wrong beside training ends no run; what goes wrong in saving leaves the last checkpoint."""

import errno
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import fewfire.cli.display as display_module
import fewfire.cli.study as study_module
import fewfire.diagnose.scaling as scaling_study
import fewfire.runs.run as run_module
from command import fewfire
from fewfire.cli.display import TrainingDisplay
from fewfire.runs import RunFolder, RunObserver, TrainOptions, resume_run, train_run
from fewfire.runs.tensorboard import TensorBoardLog
from fewfire.training import Trainer

EPOCHS = 3
MODEL = "model.safetensors"
CALLS = [name for name in vars(TrainingDisplay) if name in dir(RunObserver) and name[0] != "_"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, X=random.standard_normal((60, 4)), y=random.integers(0, 2, 60))
    return path


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    assert train(data, folder).code == 0
    return (folder / MODEL).read_bytes()


def train(data, folder, *options):
    small = ("--width", 32, "--epochs", EPOCHS, "--batch-size", 16, "--threads", 1, "--checkpoint-every", 1)
    return fewfire("train", data, *small, "--out", folder, *options)


def failing(*_, **__):
    raise RuntimeError("out of\npaint")


class FullDisk:
    """Lets so many calls of a function pass, then fails for good; or counts them."""

    def __init__(self, call, passed=10**9):
        self.call, self.passed, self.calls = call, passed, []

    def __call__(self, *arguments):
        if len(self.calls) >= self.passed:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.calls.append(arguments)
        return self.call(*arguments)


def assert_whole(folder, undisturbed):
    assert (folder / MODEL).read_bytes() == undisturbed
    run = RunFolder(folder).load_run()
    assert run.result is not None
    assert len(run.history) == EPOCHS
    assert not RunFolder(folder).checkpoints()
    RunFolder(folder).load_model()


@pytest.mark.parametrize("call", CALLS)
def test_a_display_that_fails_ends_no_run_and_says_so_once(data, undisturbed, tmp_path, monkeypatch, call):
    monkeypatch.setattr(TrainingDisplay, call, failing)
    ended = train(data, tmp_path / "run")
    assert ended.code == 0
    assert_whole(tmp_path / "run", undisturbed)
    said = "fewfire: not all of the run could be shown: out of paint. The run goes on.\n"
    called = call in ("prepared", "built", "stepped", "epoch_done", "saved", "tested")
    assert ended.err == (said if called else "")


def test_a_console_that_fails_ends_no_run(data, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(Console, "print", failing)
    ended = train(data, tmp_path / "run")
    assert (ended.code, len(ended.err.splitlines())) == (0, 1)
    assert_whole(tmp_path / "run", undisturbed)


def test_a_picture_that_fails_is_named_once_all_is_saved(data, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setattr("fewfire.report.draw_history", failing)
    ended = train(data, folder)
    assert (ended.code, ended.err) == (
        0,
        "fewfire: history.png could not be drawn: out of paint. The model and result are saved in "
        f"{folder}.\n",
    )
    assert_whole(folder, undisturbed)


@pytest.mark.parametrize("call", ["add_scalar", "flush", "close"])
def test_a_log_that_fails_ends_no_run(data, undisturbed, tmp_path, monkeypatch, call):
    summary = pytest.importorskip("tensorboard.summary")
    monkeypatch.setattr(summary.Writer, call, failing)
    ended = train(data, tmp_path / "run", "--tensorboard", tmp_path / "logs")
    assert ended.code == 0
    assert re.fullmatch(
        r"fewfire: the TensorBoard log in .*/logs/run is not whole: out of paint\..*\n", ended.err
    )
    assert_whole(tmp_path / "run", undisturbed)


def test_from_python_a_log_that_fails_is_a_warning(data, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    monkeypatch.setattr(TensorBoardLog, "epoch_done", failing)
    options = TrainOptions(data=str(data), width=32, epochs=2, out=tmp_path / "run", tensorboard=tmp_path)
    with pytest.warns(RuntimeWarning, match="TensorBoard log .* is not whole: out of paint"):
        assert train_run(options).result is not None


@pytest.mark.parametrize("name", ["os.replace", "os.fsync"])
def test_a_disk_that_is_full_at_any_save_names_the_file_and_leaves_what_was_saved(
    data, undisturbed, tmp_path, monkeypatch, name
):
    module, function = os, name.removeprefix("os.")
    whole = FullDisk(getattr(os, function))
    with monkeypatch.context() as patch:
        patch.setattr(module, function, whole)
        assert train(data, tmp_path / "counted", "-q").code == 0
    assert len(whole.calls) > 2 * EPOCHS
    for passed in range(len(whole.calls)):
        folder = tmp_path / f"{passed}"
        with monkeypatch.context() as patch:
            patch.setattr(module, function, FullDisk(getattr(os, function), passed))
            ended = train(data, folder, "-q")
        assert len(ended.err.splitlines()) <= 1
        if RunFolder(folder).finished:
            assert ended.code == 0
            assert_whole(folder, undisturbed)
            continue
        assert ended.code == 2
        assert re.search(rf"Got:? {folder}/[\w.-]+: No space left on device\.", ended.err)
        if not folder.exists():  # before the first epoch
            assert "settings.json" in ended.err
            continue
        newest = [path.name for path in RunFolder(folder).checkpoints()][-1:] or ["the beginning"]
        assert f"Make room; `fewfire resume {folder}` goes on from {newest[0]}." in ended.err
        assert resume_run(folder).result is not None
        assert_whole(folder, undisturbed)


def test_any_other_failure_of_training_leaves_the_last_checkpoint(data, undisturbed, tmp_path, monkeypatch):
    folder, epoch = tmp_path / "run", Trainer.epoch
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "epoch", lambda t, *a: failing() if len(t.history) == 2 else epoch(t, *a))
        with pytest.raises(RuntimeError, match="paint"), pytest.warns(RuntimeWarning) as warned:
            train_run(
                TrainOptions(
                    data=str(data), width=32, epochs=EPOCHS, batch_size=16, threads=1, checkpoint_every=1,
                    out=folder,
                )
            )  # fmt: skip
    assert f"2 epochs; `fewfire resume {folder}` goes on from checkpoint-000002" in str(warned[0].message)
    resume_run(folder)
    assert_whole(folder, undisturbed)


def test_a_disk_that_is_full_when_the_run_is_interrupted_leaves_the_last_checkpoint(
    data, undisturbed, tmp_path, monkeypatch
):
    folder, epoch = tmp_path / "run", Trainer.epoch
    with monkeypatch.context() as patch:

        def two_epochs(trainer, *arguments):
            if len(trainer.history) == 2:
                patch.setattr(os, "replace", FullDisk(os.replace, 0))
                raise KeyboardInterrupt
            return epoch(trainer, *arguments)

        patch.setattr(Trainer, "epoch", two_epochs)
        ended = train(data, folder, "-q")
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert f"Got {folder}/checkpoint-000002.safetensors: No space left" in ended.err
    assert f"`fewfire resume {folder}` goes on from checkpoint-000002.safetensors." in ended.err
    resume_run(folder)
    assert_whole(folder, undisturbed)


@pytest.mark.parametrize(("study", "draw"), [("drift", "draw_steps"), ("scaling", "draw_scaling")])
def test_pictures_of_a_study_that_fail_cost_no_figures(data, tmp_path, monkeypatch, study, draw):
    monkeypatch.setattr(f"fewfire.report.pictures.{study}.{draw}", failing)
    monkeypatch.setattr(study_module, "QUICK_SWEEPS", {"m": [256]})
    monkeypatch.setattr(scaling_study, "BASE", {"m": 256, "n": 16, "d": 4})
    options = ("--quick",) if study == "scaling" else (data, "--width", 32, "--epochs", 1)
    folder = tmp_path / "study"
    ended = fewfire("study", study, *options, "--out", folder, "--json")
    assert ended.code == 0
    assert ended.figures["fewfire"]
    said = f"fewfire: the pictures could not be drawn: out of paint. The figures are saved in {folder}."
    assert said in ended.err.splitlines()


def test_a_failure_before_the_first_epoch_gives_the_folder_back(data, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("mine")
    ended = train(data, folder, "--tensorboard", tmp_path / "file")
    assert ended.code == 2
    assert str(tmp_path / "file") in ended.message
    assert not folder.exists()
    for module, name in ((Trainer, "build"), (run_module, "train_and_save")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, failing)
            with pytest.raises(RuntimeError):
                train_run(TrainOptions(data=str(data), width=32, out=folder))
        assert not folder.exists()


def test_a_warning_names_the_line_that_gave_it():
    with pytest.warns(RuntimeWarning, match="a picture failed") as warned:
        RunObserver().warned("a picture failed")
    assert warned[0].filename == __file__


@pytest.mark.parametrize(("interrupted", "failed"), [(True, None), (False, "TrainingError"), (False, None)])
def test_a_run_that_ends_early_has_its_picture_at_once(tmp_path, monkeypatch, interrupted, failed):
    """A whole one has it after the test, whose accuracy it shows."""
    drawn = []
    monkeypatch.setattr(TrainingDisplay, "_draw", lambda *given: drawn.append(given))
    settings = SimpleNamespace(interrupted=interrupted, failed=failed)
    with TrainingDisplay(Console(quiet=True), 2) as display:
        display.saved(tmp_path, settings, [])
    assert bool(drawn) == (interrupted or failed is not None)


@pytest.mark.parametrize(
    ("interrupted", "failed", "saved"),
    [(True, None, "The model is saved"), (False, "it", "The model is saved"),
     (False, None, "The model and result are saved")],
)  # fmt: skip
def test_a_picture_that_fails_says_what_is_saved(tmp_path, monkeypatch, capsys, interrupted, failed, saved):
    monkeypatch.setattr(display_module, "can_draw", failing)
    settings = SimpleNamespace(interrupted=interrupted, failed=failed)
    TrainingDisplay(Console(quiet=True), 2)._draw(tmp_path, settings, [SimpleNamespace()])
    assert f"{saved} in {tmp_path}" in capsys.readouterr().err.replace("\n", " ")

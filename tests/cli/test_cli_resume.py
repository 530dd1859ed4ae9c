"""`fewfire resume`: a run goes on as if nothing had happened, or says what stands in the way."""

import errno
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest

from command import SCRIPT, fewfire, train_digits
from fewfire.runs.folder import RunFolder
from fewfire.training import State, Trainer
from fewfire.training.methods.gradient_descent import DescentStepper

USER_ERROR, INTERRUPTED, KILLED = 2, 130, 9
EPOCHS = 5
MODEL = "model.safetensors"
CHECKPOINTS = [f"checkpoint-{epoch:06}.safetensors" for epoch in (1, 2, 3)]
TIMES = {"seconds_per_step", "build_seconds", "training_seconds", "test_seconds", "total_seconds"}
ONCE = {"index_reason", "chosen_index", "index_bytes", "peak_memory_bytes", "refreshes", "work_share"}


def train(out, *options):
    return train_digits(out, "--epochs", EPOCHS, "--checkpoint-every", 1, *options)


@contextmanager
def death_before(epoch):
    """Training ends there, as if killed."""
    whole = Trainer.epoch

    def or_die(trainer, on_step=None):
        if len(trainer.history) + 1 == epoch:
            raise SystemExit(KILLED)
        return whole(trainer, on_step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "epoch", or_die)
        yield


def killed(out, *options, epoch=4):
    """A run that was killed at the beginning of an epoch."""
    with death_before(epoch):
        assert train(out, *options).code == KILLED
    return out


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    assert train(folder).code == 0
    return folder


def names(folder):
    return {path.name for path in folder.iterdir()}


def resume(folder, *options):
    ended = fewfire("resume", folder, "--json", *options)
    assert ended.code == 0, ended.err
    return ended


def assert_refused(folder, message):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    ended = fewfire("resume", folder)
    assert ended.code == USER_ERROR
    assert re.match(f"fewfire: {message}", ended.message), ended.message
    assert "Traceback" not in ended.err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--index", "auto", "--memory-limit", "8GB", "--fire-rate", 0.1),
        ("--init", "structured", "--momentum", 0.9, "--nesterov", "--schedule", "cosine"),
        ("--schedule", "step", "--decay-every", 2, "--decay-gamma", 0.5, "--loss", "softmax", "--seed", 3),
        ("--optimizer", "gauss-newton", "--loss", "softmax", "--ridge", 0.1, "--batch-size", 700),
    ],
)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path, options):
    whole = train(tmp_path / "whole", *options).figures
    folder = killed(tmp_path / "run", *options)
    assert names(folder) == {
        "settings.json",
        "checkpoint-000002.safetensors",
        "checkpoint-000003.safetensors",
    }
    ended = resume(folder)
    assert f"From {folder / 'checkpoint-000003.safetensors'}, after 3 epochs." in ended.err
    assert names(folder) == names(tmp_path / "whole")
    assert (folder / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()

    figures = ended.figures
    assert figures == json.loads((folder / "result.json").read_text())
    assert figures.keys() == whole.keys()
    same = figures.keys() - TIMES - ONCE - {"fire_rate"}
    assert {name: figures[name] for name in same} == {name: whole[name] for name in same}
    assert figures["fire_rate"] == pytest.approx(whole["fire_rate"], rel=0.02)  # asked once more
    history = RunFolder(folder).load_history()
    assert [record.epoch for record in history] == list(range(1, EPOCHS + 1))
    losses = [record.loss for record in RunFolder(tmp_path / "whole").load_history()]
    assert [record.loss for record in history] == losses
    assert figures["training_seconds"] >= sum(record.seconds for record in history)
    assert figures["total_seconds"] >= figures["training_seconds"]
    lines = [line.split()[0] for line in ended.err.splitlines() if re.match(r" +(epoch|\d+/\d+) ", line)]
    assert lines == ["epoch", "4/5", "5/5"]


def test_a_run_without_a_checkpoint_begins_anew(tmp_path, undisturbed):
    folder = killed(tmp_path / "run", epoch=1)
    assert names(folder) == {"settings.json"}
    assert fewfire("predict", folder, "digits").code == USER_ERROR
    assert "No checkpoint was written yet: from the beginning." in resume(folder).err
    assert (folder / MODEL).read_bytes() == (undisturbed / MODEL).read_bytes()


@pytest.mark.parametrize(("every", "kept"), [(0, []), (2, [2, 4]), (3, [3]), (7, [])])
def test_checkpoints_are_written_every_few_epochs_and_the_last_two_kept(tmp_path, every, kept):
    folder = killed(tmp_path / "run", "--checkpoint-every", every, epoch=EPOCHS)
    assert [path.name for path in RunFolder(folder).checkpoints()] == [
        f"checkpoint-{epoch:06}.safetensors" for epoch in kept
    ]


def test_the_data_may_be_given_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / "data.csv").write_text("x,y,label\n" + "1,2,up\n2,1,down\n1,3,up\n3,1,down\n" * 9)
    options = ("train", "data.csv", "--width", 64, "--epochs", EPOCHS, "--checkpoint-every", 1,
               "--target", "label", "--categories", "x,y")  # fmt: skip
    assert fewfire(*options, "--out", "whole").code == 0
    with death_before(3):
        assert fewfire(*options, "--out", "run").code == KILLED
    monkeypatch.chdir(tmp_path)
    resume(tmp_path / "here" / "run", "--threads", 1)
    here = tmp_path / "here"
    assert (here / "run" / MODEL).read_bytes() == (here / "whole" / MODEL).read_bytes()


# Interrupted


def test_a_run_that_is_interrupted_in_an_epoch_goes_on_from_its_beginning(tmp_path, undisturbed, monkeypatch):
    step = DescentStepper.step

    def interrupted(stepper, *ids):
        if stepper.steps_taken == 15:  # of 6 per epoch
            raise KeyboardInterrupt
        return step(stepper, *ids)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(DescentStepper, "step", interrupted)
        ended = train(folder, "--checkpoint-every", 0)
    assert ended.code == INTERRUPTED
    goes_on = f"Saved in {folder}; `fewfire resume {folder}` goes on"
    assert f"Interrupted after 2 whole epochs. {goes_on}" in ended.err
    assert "checkpoint-000002.safetensors" in names(folder)
    assert fewfire("predict", folder, "digits", "--out", tmp_path / "p.csv").code == 0
    figures = resume(folder).figures
    assert "interrupted" not in figures
    assert not RunFolder(folder).load_settings().interrupted
    assert (folder / MODEL).read_bytes() == (undisturbed / MODEL).read_bytes()
    assert names(folder) == names(undisturbed)


def test_sigterm_is_as_ctrl_c(tmp_path):
    options = ["--width", "256", "--epochs", "40", "--threads", "2", "--momentum", "0.9"]
    folder = tmp_path / "run"
    command = [str(SCRIPT), "train", "digits", *options, "--out", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().startswith("5/"):
            break
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (INTERRUPTED, "")
    assert re.match(r"Interrupted after \d+ whole epochs\. Saved in ", out.splitlines()[-1])
    resume(folder)
    assert fewfire("train", "digits", *options, "--out", tmp_path / "whole").code == 0
    assert (folder / MODEL).read_bytes() == (tmp_path / "whole" / MODEL).read_bytes()


# What stands in the way


def test_a_finished_run_says_so(tmp_path, undisturbed):
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    (folder / "checkpoint-000004.safetensors").write_bytes(b"left by a kill in the very end")
    before = {path: path.read_bytes() for path in undisturbed.iterdir()}
    ended = fewfire("resume", folder)
    assert (ended.code, ended.out) == (0, f"The run in {folder} is finished.\n")
    assert resume(undisturbed).figures == json.loads((undisturbed / "result.json").read_text())
    assert {path: path.read_bytes() for path in undisturbed.iterdir()} == before
    assert names(folder) == names(undisturbed)


def test_a_failed_run_would_fail_again(tmp_path):
    assert train(tmp_path / "run", "--learning-rate", 1e30).code == 1
    assert_refused(
        tmp_path / "run",
        r"this run failed and would fail again: the loss must stay finite.*\. Got .*run\. Train anew, with "
        r"other settings\.$",
    )


def test_a_folder_without_a_run_is_refused(tmp_path):
    assert_refused(
        tmp_path,
        r"a run that goes on must be one that `fewfire train` began\. Got .*settings\.json: No such file or "
        r"directory.*\. Give the folder named by its --out\.$",
    )


def test_settings_that_were_changed_are_refused(tmp_path):
    folder = killed(tmp_path / "run")
    text = (folder / "settings.json").read_text()
    (folder / "settings.json").write_text(text.replace('"seed": 0', '"seed": 1'))
    assert_refused(folder, r"a run that goes on .*settings\.json has another checksum than when it was")
    (folder / "settings.json").write_text(text[:100])
    assert_refused(folder, r"a run that goes on .*settings\.json is not what `fewfire train` wrote")


def test_other_data_are_refused(tmp_path):
    random = np.random.default_rng(0)
    samples, labels = random.standard_normal((60, 3)), np.arange(60) % 2
    data = tmp_path / "data.npz"
    np.savez(data, X=samples, y=labels)
    options = ("--width", 64, "--checkpoint-every", 1, "--out", tmp_path / "run")
    with death_before(3):
        assert fewfire("train", data, *options).code == KILLED
    moved = samples + (np.arange(60) == 7)[:, None]
    for changed in (
        {"X": moved, "y": labels},
        {"X": samples, "y": 1 - labels},
    ):
        np.savez(data, **changed)
        assert_refused(
            tmp_path / "run",
            r"a run must go on with the data that it began with\. Got others in .*data\.npz, as their "
            r"checksum shows\. Bring back the file as it was, or train anew\.$",
        )
    data.unlink()
    assert_refused(tmp_path / "run", r"A source must exist\. Got .*data\.npz")


def test_a_damaged_checkpoint_is_passed_over(tmp_path, undisturbed):
    folder = killed(tmp_path / "run")
    newest = folder / "checkpoint-000003.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    err = resume(folder).err
    assert f"Got {newest}: " in err
    assert "the file was cut off or changed" in err
    assert "checkpoint-000002.safetensors takes its place." in err
    assert "after 2 epochs." in err
    assert (folder / MODEL).read_bytes() == (undisturbed / MODEL).read_bytes()


def test_without_any_whole_checkpoint_a_run_does_not_begin_anew_by_itself(tmp_path, undisturbed):
    folder = killed(tmp_path / "run")
    for path in RunFolder(folder).checkpoints():
        path.write_bytes(b"")
    assert_refused(
        folder,
        r"a run that goes on must have a checkpoint that is whole\. Got 2 that are not\. a checkpoint must "
        r"be .*checkpoint-000003\.safetensors: .*Without any of them, the run would begin anew\.$",
    )
    for path in RunFolder(folder).checkpoints():
        path.unlink()
    resume(folder)
    assert (folder / MODEL).read_bytes() == (undisturbed / MODEL).read_bytes()


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    folder, other = killed(tmp_path / "run"), killed(tmp_path / "other", "--learning-rate", 1)
    for path in RunFolder(other).checkpoints():
        shutil.copy(path, folder)
    assert_refused(
        folder,
        r"this checkpoint belongs to another training run: .*checkpoint-000003\.safetensors was saved with "
        r"learning_rate = 1\.0, but the trainer has .*\. Use the data and settings it was saved with",
    )


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path):
    folder = killed(tmp_path / "run")
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert_refused(
        folder,
        r"a run must be trained by one process at a time\. Got .*run, which another one trains now\. Wait",
    )
    os.close(handle)
    resume(folder)


def test_a_killed_run_is_not_overwritten(tmp_path):
    folder = killed(tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert "must not hold another run" in train(folder).message
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


# Full disks


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, undisturbed, monkeypatch):
    save = State.save

    def full(state, path):
        if state.epochs == 3:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        save(state, path)

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(State, "save", full)
        ended = train(folder)
    assert ended.code == USER_ERROR
    assert re.match(
        r"fewfire: a run must fit on its disk\. Got .*checkpoint-000003\.safetensors: No space left on device"
        rf"\. Make room; `fewfire resume {re.escape(str(folder))}` goes on from {CHECKPOINTS[1]}\.$",
        ended.message,
    )
    assert names(folder) == {
        "settings.json",
        "checkpoint-000001.safetensors",
        "checkpoint-000002.safetensors",
    }
    resume(folder)
    assert (folder / MODEL).read_bytes() == (undisturbed / MODEL).read_bytes()


def test_a_file_that_may_not_grow_leaves_the_checkpoint_before(tmp_path, undisturbed):
    """The kernel's own error, in the midst of a write."""
    folder = killed(tmp_path / "run", epoch=2)
    before = names(folder)
    done = subprocess.run(
        [str(SCRIPT), "resume", str(folder)],
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )  # fmt: skip
    assert done.returncode == USER_ERROR
    assert re.search(r"^fewfire: a run must fit on its disk\. Got .*: File too large\.", done.stderr)
    assert names(folder) == before
    resume(folder)
    assert (folder / MODEL).read_bytes() == (undisturbed / MODEL).read_bytes()


def test_what_kills_left_half_written_is_removed(tmp_path):
    folder = killed(tmp_path / "run")
    left = [".checkpoint-000004.safetensors.123.tmp", ".settings.json.99.tmp"]
    for name in [*left, ".mine.123.tmp"]:
        (folder / name).write_text("half")
    resume(folder)
    assert {name for name in names(folder) if name.startswith(".")} == {".mine.123.tmp"}

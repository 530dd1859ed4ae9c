"""The run folder: what is written comes back, and an earlier run stays."""

import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from command import train_digits
from corruption import corruptions
from fewfire import DataError
from fewfire.prepare.scores import targets_of
from fewfire.runs.folder import RunFolder
from fewfire.training import EpochRecord


def test_history_comes_back_as_it_was(digits_run, tmp_path):
    run, _ = digits_run
    history = run.load_history()
    assert all(isinstance(record, EpochRecord) for record in history)
    copy = RunFolder(tmp_path)
    copy.save_history(history)
    assert copy.load_history() == history


def test_a_model_comes_back_bit_for_bit(digits_run, tmp_path):
    run, _ = digits_run
    model, copy = run.load_model(), RunFolder(tmp_path)
    copy.save_model(model, run.load_settings())
    again = copy.load_model()
    assert np.array_equal(again.network.weights, model.network.weights)
    assert np.array_equal(again.network.output_weights, model.network.output_weights)
    assert again.network.threshold == model.network.threshold
    ours, theirs = again.members[0].preparation.scaling, model.members[0].preparation.scaling
    assert np.array_equal(ours.mean, theirs.mean)
    assert ours.constant == theirs.constant
    assert again.targets.state() == model.targets.state()


def test_creating_takes_any_folder_but_one_with_a_run(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    RunFolder(tmp_path).create()
    RunFolder(tmp_path / "a" / "b").create()
    (tmp_path / "a" / "b" / "settings.json").write_text("{}")
    with pytest.raises(DataError, match=r"must not hold another run\. Got .*\. Give another --out"):
        RunFolder(tmp_path / "a" / "b").create()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "notes.txt"]


def test_only_an_empty_folder_is_removed(tmp_path):
    for name, content in [("empty", None), ("full", "text")]:
        folder = RunFolder(tmp_path / name)
        folder.create()
        if content is not None:
            (folder.path / "file").write_text(content)
        folder.remove_if_empty()
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize(
    ("loss", "n_classes", "n_outputs"),
    [("squared", 2, 2), ("softmax", 2, 2), ("logistic", 2, 1), ("logistic", 3, 3), ("squared", 3, 3)],
)
def test_targets_are_one_hot_but_for_two_classes_with_the_logistic_loss(loss, n_classes, n_outputs):
    from fewfire.prepare import Classes

    codes = np.array([1, 0, 1, n_classes - 1])
    classes = Classes(np.arange(n_classes) - 3)
    targets = targets_of(classes, classes.decode(codes), loss)
    assert targets.shape == (4, n_outputs)
    assert targets.dtype == np.float32
    expected = codes[:, None] if n_outputs == 1 else np.eye(n_classes)[codes]
    assert np.array_equal(targets, expected)
    assert math.isclose(targets.sum(), expected.sum())


def test_a_model_that_something_happened_to_is_named(digits_run, tmp_path, monkeypatch):
    """A thousand times, and nothing is taken for what was written."""
    name = "model.safetensors"
    run, other = RunFolder(tmp_path / "run"), tmp_path / "other"
    shutil.copytree(digits_run[0].path, run.path)
    train_digits(other, "--seed", 1, "--epochs", 1)
    read, content = Path.read_bytes, b""
    monkeypatch.setattr(Path, "read_bytes", lambda path: content if path.name == name else read(path))
    for what, content in corruptions(read(run.path / name), read(other / name), count=1000):  # noqa: B007
        with pytest.raises(DataError) as caught:
            run.load_model()
        message = (
            r"a run folder must hold a model that `fewfire train` saved\. "
            rf"Got {re.escape(str(run.path))}: .*{re.escape(str(run.path / name))}.*\. Give the folder"
        )
        assert re.match(message, str(caught.value), re.DOTALL), (what, str(caught.value))

"""`fewfire train --tensorboard`: what TensorBoard reads is the history."""

import json

import pytest

from command import fewfire, train_digits
from fewfire.runs.folder import RunFolder
from fewfire.runs.tensorboard import FIGURES, tensorboard_log
from histories import records


def read_back(folder) -> dict[str, list[tuple[int, float]]]:
    """By tag: (step, value)."""
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.util.tensor_util import make_ndarray

    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, float(make_ndarray(event.tensor_proto))) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def test_each_epoch_is_logged_in_a_folder_named_as_the_run(tmp_path):
    pytest.importorskip("tensorboard")
    assert train_digits(tmp_path / "mine", "--tensorboard", tmp_path / "logs").code == 0
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["mine"]
    logged = read_back(tmp_path / "logs" / "mine")
    history = RunFolder(tmp_path / "mine").load_history()
    of_others = {"r2", "rmse", "recall", "validation_loss", "validation_score", "clean_accuracy",
                 "robust_accuracy"}  # fmt: skip
    assert logged.keys() == set(FIGURES) - of_others
    for name in logged:
        expected = [(record.epoch, getattr(record, name)) for record in history]
        assert logged[name] == [(epoch, pytest.approx(value, rel=1e-6)) for epoch, value in expected]
    assert "tensorboard" not in json.loads((tmp_path / "mine" / "settings.json").read_text())


def test_an_epoch_can_be_seen_once_it_is_done(tmp_path):
    pytest.importorskip("tensorboard")
    with tensorboard_log(tmp_path, pytest.fail) as log:
        for number, record in enumerate(records(2, accuracy=None), start=1):
            log.epoch_done(record, None)
            logged = read_back(tmp_path)
            assert len(logged["loss"]) == number
            assert "accuracy" not in logged


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tensorboard_log(None, pytest.fail) as log:
        log.epoch_done(records(1)[0], None)
    assert not list(tmp_path.iterdir())


def test_without_the_package_the_option_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("fewfire.runs.options.find_spec", lambda _: None)
    out = tmp_path / "run"
    ended = fewfire("train", "digits", "--tensorboard", tmp_path, "--out", out)
    assert ended.code == 2
    assert ended.message == (
        "fewfire: --tensorboard needs the package tensorboard. Got none installed. Run pip install "
        "'fewfire[tensorboard]', or leave the option out."
    )
    assert not out.exists()

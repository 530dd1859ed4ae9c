"""`fewfire train --width a,b`: several hidden layers, from the data to a run folder and beyond."""

import json

import numpy as np
import pytest

from command import fewfire, fewfire_process, train_digits
from fewfire import DeepNetwork
from fewfire.runs.folder import RunFolder
from fewfire.training import Trainer

DEEP = ("--width", "256,128", "--fire-rate", "0.1", "--epochs", 3, "--seed", 1)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "deep"
    ended = train_digits(folder, *DEEP)
    assert ended.code == 0, ended.err
    assert "widths 256 - 128, thresholds 1.282 - 1.282" in ended.err
    return folder


def test_the_folder_holds_a_deep_network_and_what_was_asked_for(run_folder):
    folder = RunFolder(run_folder)
    settings = json.loads((run_folder / "settings.json").read_text())
    assert settings["width"] == [256, 128]
    assert settings["threshold"] == pytest.approx([1.2816, 1.2816], abs=1e-4)
    assert folder.load_settings().options.widths == (256, 128)
    assert DeepNetwork.load(run_folder / "model.safetensors").widths == (256, 128)


def test_each_layer_may_have_a_fire_rate_of_its_own(tmp_path):
    ended = train_digits(tmp_path / "run", "--width", "256,128", "--fire-rate", "0.1,0.05", "--epochs", 1)
    assert ended.code == 0, ended.err
    assert "thresholds 1.282 - 1.645" in ended.err
    assert RunFolder(tmp_path / "run").load_settings().options.fire_rate == (0.1, 0.05)


def test_the_history_has_the_figures_of_each_layer(run_folder):
    for record in RunFolder(run_folder).load_history():
        assert len(record.layers) == 2
        for layer in record.layers:
            assert 0.05 < layer["fire_rate"] < 0.2
            assert 0 < layer["moved_mean"] <= layer["moved_max"]
            assert 0 < layer["work_share"] < 1


def test_a_saved_run_predicts_what_it_was_tested_with(run_folder, tmp_path):
    ended = fewfire("predict", run_folder, "digits", "--out", tmp_path / "predicted.csv", "--json")
    assert ended.code == 0, ended.err
    model = RunFolder(run_folder).load_model()
    result = json.loads((run_folder / "result.json").read_text())
    assert ended.figures["accuracy"] > 0.5
    assert len(model.network.layers) == 2
    assert result["exactness"]["equal"] is True


def test_the_report_shows_the_layers(run_folder, tmp_path):
    page = tmp_path / "report.html"
    ended = fewfire("report", run_folder, "--out", page)
    assert ended.code == 0, ended.err
    text = page.read_text()
    assert "By layer" in text
    assert "dead samples" in text


def test_a_killed_run_resumes_with_the_same_bits(run_folder, tmp_path):
    whole = Trainer.epoch

    def or_die(trainer, on_step=None):
        if len(trainer.history) == 2:
            raise SystemExit(9)
        return whole(trainer, on_step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "epoch", or_die)
        assert train_digits(tmp_path / "killed", *DEEP, "--checkpoint-every", 1).code == 9
    ended = fewfire("resume", tmp_path / "killed")
    assert ended.code == 0, ended.err
    one, other = (DeepNetwork.load(folder / "model.safetensors").state()
                  for folder in (run_folder, tmp_path / "killed"))  # fmt: skip
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_an_interrupted_run_resumes_with_the_same_bits(run_folder, tmp_path):
    whole = Trainer.epoch

    def or_stop(trainer, on_step=None):
        if len(trainer.history) == 1:
            raise KeyboardInterrupt
        return whole(trainer, on_step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "epoch", or_stop)
        assert train_digits(tmp_path / "stopped", *DEEP).code == 130
    ended = fewfire("resume", tmp_path / "stopped")
    assert ended.code == 0, ended.err
    first, second = (DeepNetwork.load(folder / "model.safetensors").layers
                     for folder in (run_folder, tmp_path / "stopped"))  # fmt: skip
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.weights, other.weights)


@pytest.mark.parametrize("threads", [1, 2])
def test_every_index_of_the_first_layer_gives_the_same_bits(run_folder, tmp_path, threads):
    ended = train_digits(tmp_path / "run", *DEEP, "--index", "exhaustive", "--threads", threads)
    assert ended.code == 0, ended.err
    first, second = (DeepNetwork.load(folder / "model.safetensors").layers
                     for folder in (run_folder, tmp_path / "run"))  # fmt: skip
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.weights, other.weights)


def test_gauss_newton_steps_fit_the_digits(tmp_path):
    ended = train_digits(
        tmp_path / "run", *DEEP, "--optimizer", "gauss-newton", "--batch-size", 256, "--epochs", 1
    )
    assert ended.code == 0, ended.err
    assert ended.figures["train_accuracy"] > 0.8


@pytest.mark.parametrize(
    "options",
    [
        ("--momentum", "0.9"),
        ("--weight-decay", "0.1"),
        ("--attack", "linf:0.1"),
        ("--compare-dense", "5"),
        ("--index", "auto"),
    ],
    ids=lambda options: options[0],
)
def test_what_takes_one_hidden_layer_is_refused_before_anything_is_done(tmp_path, options):
    ended = fewfire("train", "digits", *DEEP, *options, "--out", tmp_path / "run")
    assert ended.code == 2
    assert f"{options[0]}" in ended.err
    assert "must go with one hidden layer. Got it with 2 widths." in ended.message
    assert not (tmp_path / "run").exists()


def test_the_command_as_an_estimator_takes_one_hidden_layer(tmp_path):
    ended = fewfire(
        "train", "digits", "--width", "64,32", "--optimizer", "estimator", "--out", tmp_path / "run"
    )
    assert ended.code == 2
    assert "--optimizer estimator must go with one hidden layer. Got it with 2 widths." in ended.message


def test_attacks_and_studies_of_drift_take_one_hidden_layer(run_folder, tmp_path):
    attacked = fewfire("attack", run_folder, "digits", "--attack", "linf:0.1")
    assert attacked.code == 2
    assert "an attack must be on a network of one hidden layer. Got one of 2." in attacked.message
    studied = fewfire("study", "drift", "digits", "--width", "64,32", "--out", tmp_path / "drift")
    assert studied.code == 2
    assert "a study of drift must have a network of one hidden layer. Got one of 2." in studied.message


@pytest.mark.parametrize("width", ["64,", "64,x", "64,0"])
def test_widths_that_are_none_are_refused(tmp_path, width):
    ended = fewfire("train", "digits", "--width", width, "--out", tmp_path / "run")
    assert ended.code == 2
    assert "--width must be" in ended.message


def test_the_memory_limit_counts_all_layers(tmp_path):
    ended = train_digits(tmp_path / "run", "--width", "256,400000000", "--memory-limit", "8GB")
    assert ended.code == 2
    assert "data and network, before any index," in ended.message


@pytest.mark.parametrize("method", ["sgd", "gauss-newton"])
def test_the_whole_process_keeps_within_its_limit(digits_file, tmp_path, method):
    """The table of the index takes 3 MB, and the matrices of a Gauss-Newton step 66."""
    options = ("train", digits_file, "--width", "2048,512", "--fire-rate", 0.3, "--epochs", 1, "--threads", 2,
               "--optimizer", method, "--batch-size", 1438)  # fmt: skip
    asked = fewfire_process(*options, "--memory-limit", "1MB", "--out", tmp_path / "a")
    assert asked.code == 2
    limit = asked.needed_bytes + 75_000_000
    ended = fewfire_process(*options, "--memory-limit", f"{limit}B", "--json", "--out", tmp_path / "b")
    assert ended.code == 0, ended.err
    assert ended.figures["peak_memory_bytes"] <= limit
    assert ended.figures["index_bytes"] > 2048 * 1438

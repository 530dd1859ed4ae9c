"""Runs that train against attacks: how they stand one after each epoch, and what is shown of it."""

import json

import numpy as np
import pytest

from command import fewfire, train_digits
from fewfire.adversarial import Attack, Box, robust_accuracy
from fewfire.data import load_dataset
from fewfire.runs import RunFolder, TrainOptions, resume_run, train_run
from fewfire.runs.robustness import Fooled
from fewfire.training import AdversarialRecord
from interrupting import Interrupting

ROBUST = {"data": "digits", "width": 256, "loss": "softmax", "attack": "linf:0.1", "attack_steps": 2}
OPTIONS = ("--loss", "softmax", "--attack", "linf:0.1", "--attack-steps", 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run against attacks, and how its command ended."""
    folder = tmp_path_factory.mktemp("robust") / "run"
    ended = fewfire("train", "digits", "--width", 256, "--epochs", 2, *OPTIONS, "--out", folder)
    assert ended.code == 0, ended.err
    return RunFolder(folder), ended


def test_each_record_says_how_the_model_stands_the_attack(run):
    folder, _ = run
    history, model, dataset = folder.load_history(), folder.load_model(), load_dataset("digits")
    samples = dataset.test_inputs[:512].astype(np.float32)
    attack = Attack(radius=1.6, steps=10, box=Box(0, 16))
    found = robust_accuracy(
        model.network, samples, model.targets.encode(dataset.test_labels), attack,
        scaling=model.members[0].preparation.scaling,
    )  # fmt: skip
    assert all(isinstance(record, AdversarialRecord) for record in history)
    assert (history[-1].clean_accuracy, history[-1].robust_accuracy) == (found.clean, found.robust)
    assert history[0].robust_accuracy < history[0].clean_accuracy
    result = json.loads((folder.path / "result.json").read_text())
    assert result["robust_accuracy"] == found.robust


def test_a_run_that_goes_on_has_the_same_history(tmp_path):
    whole = train_run(TrainOptions(**ROBUST, epochs=3, adversarial="free", out=tmp_path / "whole"))
    options = TrainOptions(**ROBUST, epochs=3, adversarial="free", out=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train_run(options, Interrupting(2))
    resumed = resume_run(tmp_path / "run")
    for name in ("loss", "steps", "clean_accuracy", "robust_accuracy"):
        expected = [getattr(record, name) for record in whole.history]
        assert [getattr(record, name) for record in resumed.history] == expected
    model = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert model == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_the_terminal_shows_both_accuracies(run):
    folder, ended = run
    heads, *lines = [line.split() for line in ended.out.splitlines() if line.split()[:1] in HEADS]
    assert heads == "epoch loss accuracy test robust fire rate work ms/step".split()
    for line, record in zip(lines, folder.load_history(), strict=True):
        assert line[3:5] == [f"{record.clean_accuracy:.4f}", f"{record.robust_accuracy:.4f}"]
    robust = folder.load_history()[-1].robust_accuracy
    assert f"robust accuracy   {robust:.4f} on up to 512 test samples, in 10 steps" in ended.out
    assert max(map(len, ended.out.splitlines()[:8])) <= 80


HEADS = (["epoch"], ["1/2"], ["2/2"])


def test_the_report_has_curves_of_both_and_the_picture(run):
    folder, _ = run
    assert fewfire("report", folder.path).code == 0
    page = (folder.path / "report.html").read_text()
    for text in ("Test accuracy, %", "robust test accuracy", "attacking", "data:image/png;base64,"):
        assert text in page
    assert (folder.path / "attacked.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_of_another_run_has_neither(digits_run, tmp_path):
    folder, _ = digits_run
    assert fewfire("report", folder.path, "--out", tmp_path / "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    for text in ("Test accuracy, %", "robust", "attacking", "data:image"):
        assert text not in page
    assert not (folder.path / "attacked.png").exists()


def test_tensorboard_is_told(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    ended = train_digits(tmp_path / "run", *OPTIONS, "--epochs", 1, "--tensorboard", tmp_path / "logs")
    assert ended.code == 0, ended.err
    events = EventAccumulator(str(tmp_path / "logs" / "run"))
    events.Reload()
    assert {"clean_accuracy", "robust_accuracy"} <= set(events.Tags()["tensors"])


def test_test_rows_beyond_those_of_training_are_attacked_too(tmp_path):
    """In a table each column has the range of its training rows; those of the test part may lie outside."""
    random = np.random.default_rng(0)
    columns = random.standard_cauchy((200, 4))
    np.savez(tmp_path / "d.npz", X=columns, y=columns[:, 0] > 0)
    ended = fewfire("train", tmp_path / "d.npz", "--width", 64, "--epochs", 1, "--attack", "linf:0.01",
                    "--loss", "softmax", "--out", tmp_path / "run", "--json")  # fmt: skip
    assert ended.code == 0, ended.err
    assert 0 <= ended.figures["robust_accuracy"] <= ended.figures["test_accuracy"]
    assert not (tmp_path / "run" / "attacked.png").exists()


def test_a_regression_is_trained_against_attacks_without_an_accuracy(tmp_path):
    random = np.random.default_rng(0)
    inputs = random.standard_normal((200, 3))
    np.savetxt(tmp_path / "a.csv", np.column_stack([inputs, inputs @ [3, 2, 1]]), delimiter=",", fmt="%.3f")
    options = ("--width", 128, "--epochs", 1, "--batch-size", 16, "--attack", "linf:0.01")
    ended = fewfire("train", tmp_path / "a.csv", *options, "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert RunFolder(tmp_path / "run").load_history()[0].robust_accuracy is None
    ended = fewfire(
        "train", tmp_path / "a.csv", *options, "--adversarial", "fast", "--out", tmp_path / "other"
    )
    assert ended.code == 2
    assert "fast adversarial training must have targets of classes" in ended.message


def test_a_table_of_numbers_is_trained_and_attacked(tmp_path):
    random = np.random.default_rng(0)
    columns = random.standard_normal((300, 3)) * [1, 10, 100]
    rows = [",".join(map(str, row)) + f",{'ab'[int(row[0] > 0)]}" for row in columns]
    (tmp_path / "t.csv").write_text("\n".join(["u,v,w,y", *rows]))
    options = ("--width", 128, "--epochs", 3, "--batch-size", 16, "--loss", "softmax")
    attack = ("--attack", "linf:0.05", "--json")
    ended = fewfire("train", tmp_path / "t.csv", *options, *attack, "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    found = fewfire("attack", tmp_path / "run", tmp_path / "t.csv", *attack)
    assert found.code == 0, found.err
    assert 0.3 < found.figures["robust_accuracy"] < found.figures["clean_accuracy"]
    (tmp_path / "gaps.csv").write_text("\n".join(["u,v,w,y", ",1,2,a", *rows]))
    ended = fewfire("train", tmp_path / "gaps.csv", *options, *attack, "--out", tmp_path / "other")
    assert ended.code == 2
    assert "--attack must have columns of numbers without gaps" in ended.message


def test_the_fooled_are_those_that_were_right(run):
    folder, _ = run
    model, dataset = folder.load_model(), load_dataset("digits")
    samples = dataset.test_inputs[:100].astype(np.float32)
    labels = dataset.test_labels[:100]
    found = robust_accuracy(
        model.network, samples, model.targets.encode(labels), Attack(radius=2.0, box=Box(0, 16)),
        scaling=model.members[0].preparation.scaling,
    )  # fmt: skip
    fooled = Fooled.of(model, samples, labels, found)
    assert len(fooled.samples) == round(100 * (found.clean - found.robust)) > 0
    np.testing.assert_array_equal(model.labels(fooled.samples), fooled.labels)
    np.testing.assert_array_equal(model.labels(fooled.examples), fooled.named)
    assert (fooled.named != fooled.labels).all()


def test_where_the_attack_turns_nothing_no_picture_is_drawn(tmp_path):
    ended = train_digits(tmp_path / "run", "--loss", "softmax", "--attack", "linf:0")
    assert ended.code == 0, ended.err
    assert ended.figures["robust_accuracy"] > 0.5
    assert not (tmp_path / "run" / "attacked.png").exists()


def test_an_attack_with_a_file_draws_beside_it(run, tmp_path):
    folder, _ = run
    out = tmp_path / "attacked.npz"
    ended = fewfire("attack", folder.path, "digits", "--attack", "linf:0.2", "--samples", 50, "--out", out)
    assert ended.code == 0, ended.err
    assert f"a picture of some drawn in {out.with_suffix('.png')}" in ended.out.replace("\n", "")
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")

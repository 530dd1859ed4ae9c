"""`fewfire attack`, and training against attacks."""

import json

import numpy as np
import pytest

from command import fewfire, train_digits
from fewfire.adversarial import Attack, Box, Surface
from fewfire.runs import RunFolder, attacks


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacked") / "plain"
    assert train_digits(folder, "--loss", "softmax", "--epochs", 5).code == 0
    return folder


def test_an_attack_tells_what_stays_right_and_keeps_what_it_found(run, tmp_path):
    out = tmp_path / "attacked.npz"
    ended = fewfire("attack", run, "digits", "--attack", "linf:0.1", "--steps", 5, "--restarts", 2,
                    "--samples", 100, "--out", out, "--json")  # fmt: skip
    assert ended.code == 0, ended.err
    figures = ended.figures
    assert figures["n_samples"] == 100
    assert figures["robust_accuracy"] == figures["per_restart"][-1] <= figures["per_restart"][0]
    assert figures["robust_accuracy"] < figures["clean_accuracy"]
    low, high = figures["robust_interval"]
    assert low <= figures["robust_accuracy"] <= high
    with np.load(out) as archive:
        points, labels, broken = archive["X"], archive["y"], archive["broken"]
    assert broken.mean() == pytest.approx(1 - figures["robust_accuracy"])
    model = RunFolder(run).load_model()
    np.testing.assert_array_equal(model.labels(points) != labels, broken)
    assert points.min() >= 0
    assert points.max() <= 16
    assert (figures["runs_done"], figures["interrupted"]) == (2, False)
    again = fewfire("attack", run, "digits", "--attack", "linf:0.1", "--steps", 5, "--restarts", 2,
                    "--samples", 100, "--threads", 1, "--json")  # fmt: skip
    assert again.figures["per_restart"] == figures["per_restart"]


def test_without_json_it_says_so_in_a_line(run):
    ended = fewfire("attack", run, "digits", "--attack", "l2:0.05", "--steps", 2, "--samples", 50)
    assert ended.code == 0
    assert "50 samples, l2:0.05 of the range, 2 steps, 1 run: accuracy" in ended.out + ended.err


def test_training_against_attacks_goes_through_an_open_index(tmp_path):
    options = ("--loss", "softmax", "--attack", "linf:0.05", "--attack-steps", 2)
    ended = train_digits(tmp_path / "run", *options)
    assert ended.code == 0, ended.err
    assert ended.figures["chosen_index"] == "screened"
    assert ended.figures["attack"] == "linf:0.05"
    other = train_digits(tmp_path / "other", *options, "--index", "exhaustive", "--threads", 1)
    assert other.code == 0, other.err
    one, two = (RunFolder(tmp_path / name).load_model().network.weights for name in ("run", "other"))
    np.testing.assert_array_equal(one, two)
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (settings["attack"], settings["attack_steps"]) == ("linf:0.05", 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--attack", "8/255"), "an attack must be written as NORM:RADIUS. Got '8/255'"),
        (("--attack", "l1:0.1"), "the norm of an attack must be"),
        (("--attack", "linf:0.1", "--index", "drift-tree"), "--index must be one of"),
        (
            ("--attack", "linf:0.1", "--index", "data_tree"),
            "must go with an exact index that answers for new inputs",
        ),
        (("--attack", "linf:0.1", "--optimizer", "gauss-newton"), "--attack must go with --optimizer sgd"),
        (
            ("--attack", "linf:0.1", "--trades", 6),
            "--trades must go with --adversarial trades. Got --trades 6",
        ),
        (("--adversarial", "trades", "--trades", 6), "--adversarial must go with --attack. Got"),
        (("--attack-steps", 3), "--attack-steps must go with --attack. Got --attack-steps 3 alone"),
        (("--attack", "linf:0.1", "--adversarial", "slow"), "--adversarial must be one of"),
        (
            ("--attack", "linf:0.1", "--adversarial", "fast", "--attack-steps", 2),
            "--attack-steps must be 1 with --adversarial fast. Got 2",
        ),
        (
            ("--attack", "linf:0.1", "--adversarial", "certified", "--attack-steps", 2),
            "--attack-steps must be left out with --adversarial certified",
        ),
        (("--attack", "linf:0.1", "--attack-steps", 0), "--attack-steps must be >= 1"),
        (("--attack", "linf:0.1", "--learning-rate", "measured"), "must be a number or 'auto'"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, options, message):
    ended = train_digits(tmp_path / "run", *options)
    assert ended.code == 2
    assert message in ended.message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("scheme", "options", "steps"),
    [
        ("pgd", ("--attack-steps", 2), 12),
        ("fast", (), 12),
        ("free", ("--attack-steps", 3), 36),
        ("trades", ("--attack-steps", 2, "--trades", 2), 12),
        ("certified", (), 12),
    ],
)
def test_every_scheme_trains(tmp_path, scheme, options, steps):
    ended = train_digits(
        tmp_path / "run", "--loss", "softmax", "--attack", "linf:0.05", "--adversarial", scheme, *options
    )
    assert ended.code == 0, ended.err
    assert ended.figures["adversarial"] == scheme
    assert ended.figures["steps"] == steps
    assert ended.figures["test_accuracy"] > 0.5


def test_samples_without_labels_are_refused(run, tmp_path):
    np.savez(tmp_path / "new.npz", X=np.ones((4, 64)))
    ended = fewfire("attack", run, tmp_path / "new.npz")
    assert ended.code == 2
    assert "samples to attack must all have labels" in ended.message


def test_a_table_of_categories_is_refused(tmp_path):
    rows = [
        "colour,size,y",
        *(f"{'red' if i % 3 else 'blue'},{i},{'a' if i % 2 else 'b'}" for i in range(60)),
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    ended = fewfire("train", tmp_path / "t.csv", "--width", 64, "--epochs", 1, "--attack", "linf:0.1",
                    "--out", tmp_path / "run")  # fmt: skip
    assert ended.code == 2
    assert "--attack must have columns of numbers without gaps" in ended.message
    plain = fewfire("train", tmp_path / "t.csv", "--width", 64, "--epochs", 1, "--batch-size", 8,
                    "--out", tmp_path / "plain")  # fmt: skip
    assert plain.code == 0, plain.err
    ended = fewfire("attack", tmp_path / "plain", tmp_path / "t.csv")
    assert ended.code == 2
    assert "an attack must be on columns of numbers" in ended.message


def test_the_radius_is_the_same_in_training_and_in_an_attack(tmp_path, monkeypatch):
    """In an NPZ file of columns with ranges of their own, and however many of the samples are attacked."""
    random = np.random.default_rng(0)
    columns = random.random((60, 2)) * [1, 1000]
    np.savez(tmp_path / "d.npz", X=columns, y=np.arange(60) % 2)
    found = []

    class Seen(Box):
        def __post_init__(self):
            found.append((self.low, self.high))

    monkeypatch.setattr(attacks, "Box", Seen)
    trained = fewfire("train", tmp_path / "d.npz", "--width", 64, "--epochs", 1, "--attack", "linf:0.1",
                      "--test-fraction", 0.02, "--out", tmp_path / "run")  # fmt: skip
    assert trained.code == 0, trained.err
    for count in (1, 60):
        ended = fewfire("attack", tmp_path / "run", tmp_path / "d.npz", "--samples", count, "--steps", 2)
        assert ended.code == 0, ended.err
    for low, high in found:
        assert low.shape == (2,)
        np.testing.assert_allclose(high - low, [1, 1000], rtol=0.2)
    np.testing.assert_array_equal(found[1], found[2])


def test_a_number_of_samples_below_one_is_refused(run):
    ended = fewfire("attack", run, "digits", "--samples", 0)
    assert ended.code == 2
    assert "--samples must be >= 1. Got 0" in ended.message


@pytest.mark.parametrize("out", ["missing/attacked.npz", "."])
def test_a_place_that_takes_no_file_is_refused_before_the_attack(run, tmp_path, monkeypatch, out):
    monkeypatch.setattr("fewfire.cli.attack.robust_accuracy", None)
    ended = fewfire("attack", run, "digits", "--out", tmp_path / out)
    assert ended.code == 2
    assert "--out must be a file in a folder that is there. Got" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_picture_takes_the_place_of_no_archive(run, tmp_path):
    out = tmp_path / "attacked.png"
    ended = fewfire(
        "attack", run, "digits", "--attack", "linf:0.2", "--steps", 2, "--samples", 40, "--out", out
    )
    assert ended.code == 0, ended.err
    with np.load(out) as archive:
        assert len(archive["X"]) == 40


def test_ctrl_c_keeps_what_was_found_so_far(run, tmp_path, monkeypatch):
    """Of three runs, the second of which is broken off."""
    steps, step = [], Attack.step

    def step_or_stop(attack, *arguments):
        steps.append(attack)
        if len(steps) == 15:
            raise KeyboardInterrupt
        return step(attack, *arguments)

    monkeypatch.setattr(Attack, "step", step_or_stop)
    out = tmp_path / "attacked.npz"
    ended = fewfire("attack", run, "digits", "--attack", "linf:0.1", "--steps", 10, "--restarts", 3,
                    "--samples", 100, "--out", out, "--json")  # fmt: skip
    assert ended.code == 130
    assert "interrupted after 1 of 3 runs: accuracy" in ended.err
    figures = ended.figures
    assert (figures["runs_done"], figures["restarts"], figures["interrupted"]) == (1, 3, True)
    assert figures["robust_accuracy"] == figures["per_restart"][0] < figures["clean_accuracy"]
    with np.load(out) as archive:
        assert archive["runs_done"] == 1
        assert archive["broken"].mean() == pytest.approx(1 - figures["robust_accuracy"])
        wrong = RunFolder(run).load_model().labels(archive["X"]) != archive["y"]
        np.testing.assert_array_equal(wrong, archive["broken"])


def test_ctrl_c_before_anything_was_seen_leaves_nothing(run, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Surface, "at", stop)
    ended = fewfire("attack", run, "digits", "--out", tmp_path / "attacked.npz", "--json")
    assert (ended.code, ended.out) == (130, "")
    assert not any(tmp_path.iterdir())

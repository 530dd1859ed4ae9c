"""`fewfire train` and `predict` on tables with categories, and on rows with several labels."""

import json
import re

import numpy as np
import pytest

from command import fewfire
from fewfire.prepare.scores import scores
from fewfire.runs.folder import RunFolder

USER_ERROR = 2
SMALL = ("--width", 256, "--epochs", 4, "--batch-size", 64, "--threads", 2, "--json")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The label is told by the colour and by whether the code is even: both are categories."""
    rng = np.random.default_rng(0)
    rows = ["size,colour,code,kind"]
    for _ in range(300):
        colour, code = rng.choice(["red", "green", "blue"]), rng.integers(6)
        rows.append(f"{rng.normal():.3f},{colour},{code},{'ab'[int((colour == 'red') ^ (code % 2))]}")
    path = tmp_path_factory.mktemp("table") / "kinds.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def table_run(table):
    folder = table.parent / "run"
    ended = fewfire("train", table, "--target", "kind", "--categories", "code", *SMALL, "--out", folder)
    assert ended.code == 0, ended.err
    return folder, ended


def test_categories_are_learned_and_remembered(table, table_run):
    folder, ended = table_run
    assert ended.figures["test_accuracy"] > 0.95
    assert ended.figures["n_features"] == 1 + 3 + 6 + 1
    assert ended.figures["categories"] == ["code"]
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["features"]["names"] == ["size", "colour", "code"]
    assert settings["features"]["categories"] == {"1": ["blue", "green", "red"], "2": list("012345")}
    assert RunFolder(folder).load_model().features.targets == {3: "kind"}


def test_new_tables_are_coded_alike_in_any_order_of_columns(table, table_run, tmp_path):
    rows = [line.split(",") for line in table.read_text().splitlines()]
    (tmp_path / "new.csv").write_text("".join(f"{code},{size},{colour}\n" for size, colour, code, _ in rows))
    ended = fewfire("predict", table_run[0], tmp_path / "new.csv", "--out", tmp_path / "new")
    assert ended.out == f"300 predictions written to {tmp_path / 'new'}\n"
    ended = fewfire("predict", table_run[0], table, "--out", tmp_path / "old")
    assert float(ended.out.split()[-1]) > 0.95
    assert (tmp_path / "new").read_text() == (tmp_path / "old").read_text()


def test_categories_that_training_never_saw_are_told(table_run, tmp_path):
    (tmp_path / "new.csv").write_text("size,colour,code\n1,Red,2\n1,red,9\n")
    ended = fewfire("predict", table_run[0], tmp_path / "new.csv", "--out", tmp_path / "p")
    told = "not seen in training, so coded as no category: 'Red' in colour, '9' in code\n"
    assert ended.out.endswith(told)


def test_a_missing_column_is_named(table_run, tmp_path):
    (tmp_path / "new.csv").write_text("size,hue,code\n1,red,2\n")
    ended = fewfire("predict", table_run[0], tmp_path / "new.csv", "--out", tmp_path / "p")
    assert ended.code == USER_ERROR
    assert re.match("fewfire: A table must have the model's 3 columns.* Got no 'colour' in", ended.message)
    assert not (tmp_path / "p").exists()


def test_a_target_that_is_not_there_is_named_before_training(table, tmp_path):
    ended = fewfire("train", table, "--target", "class", *SMALL, "--out", tmp_path / "run")
    assert ended.code == USER_ERROR
    assert re.match("fewfire: A column must be named as in the table: size, .* Got 'class'", ended.message)
    assert not (tmp_path / "run").exists()


# Several labels a row


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Words 2 k and 2 k + 1 stand for label k; rows have one or two."""
    folder, rng = tmp_path_factory.mktemp("several"), np.random.default_rng(0)
    for part, n_rows in (("train", 200), ("test", 50)):
        lines = [f"{n_rows} 12 6"]
        for _ in range(n_rows):
            labels = sorted(rng.choice(6, rng.integers(1, 3), replace=False).tolist())
            words = [f"{2 * label + word}:1" for label in labels for word in (0, 1)]
            lines.append(f"{','.join(map(str, labels))} {' '.join(words)}")
        (folder / f"words_{part}.txt").write_text("\n".join(lines) + "\n")
    return folder / "words_train.txt"


def test_several_labels_are_learned_by_the_logistic_loss_and_judged_by_precision(several, tmp_path):
    ended = fewfire("train", several, *SMALL, "--epochs", 20, "--out", tmp_path / "run")
    assert ended.code == 0, ended.err
    figures = ended.figures
    assert figures["loss"] == "logistic"
    assert (figures["n_samples"], figures["n_test"], figures["n_outputs"]) == (200, 50, 6)
    assert figures["test_accuracy"] is None
    assert figures["precision_at_1"] > 0.95
    assert figures["precision_at_1"] >= figures["precision_at_3"] >= figures["precision_at_5"] > 0.2
    assert f"precision at 3    {figures['precision_at_3']:.4f}" in ended.err
    assert "test accuracy" not in ended.err

    test = several.with_name("words_test.txt")
    ended = fewfire("predict", tmp_path / "run", test, "--out", tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == ",".join(f"prediction {k}" for k in range(1, 6))
    assert len(lines) == 51
    assert f"precision at 1 on the labels given: {figures['precision_at_1']:.4f}\n" in ended.out


def test_the_squared_loss_and_gauss_newton_take_several_labels_too(several, tmp_path):
    for name, options in {"a": ("--loss", "squared"), "b": ("--optimizer", "gauss-newton")}.items():
        ended = fewfire("train", several, *SMALL, *options, "--out", tmp_path / name)
        assert ended.code == 0, ended.err
        assert ended.figures["precision_at_1"] > 0.8


def test_the_softmax_loss_takes_one_label_a_row(several, tmp_path):
    ended = fewfire("train", several, *SMALL, "--loss", "softmax", "--out", tmp_path / "run")
    assert ended.code == USER_ERROR
    assert ended.message.startswith(
        "fewfire: the loss softmax must have one label per row. Got data with several."
    )
    assert not (tmp_path / "run").exists()


def test_scores():
    labels = np.array([[1, 0, 1, 0], [0, 0, 0, 0]], bool)
    assert scores(np.array([[2, 1, 0], [0, 1, 2]]), labels) == {
        "precision at 1": 0.5,
        "precision at 3": 1 / 3,
    }
    assert scores(np.array([1, 2]), np.array(["1", "x"])) == {"accuracy": 0.5}

"""`fewfire train` and `predict` on tables with categories, and on rows with several labels."""

import json
import re

import numpy as np
import pytest

from command import fewfire
from fewfire import WideClassifier, load_dataset
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
    ended = fewfire("train", several, *SMALL, "--loss", "logistic", "--epochs", 20, "--out", tmp_path / "run")
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


def test_several_labels_are_learned_as_the_estimator_does(several, tmp_path):
    assert fewfire("train", several, "--width", 64, "--out", tmp_path / "run").code == 0
    words = load_dataset(several)
    fitted = WideClassifier(64, random_state=0).fit(words.inputs, words.labels.astype(int))
    loaded = WideClassifier.load(tmp_path / "run")
    of_test = fitted.decision_function(words.test_inputs)
    np.testing.assert_array_equal(loaded.decision_function(words.test_inputs), of_test)


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


@pytest.fixture(scope="module")
def own_table(tmp_path_factory):
    """As people have them: an id, gaps, dates, a free text, and categories with gaps."""
    rng = np.random.default_rng(0)
    rows = ["id,age,income,city,joined,note,plan"]
    for number in range(400):
        age, city = rng.integers(18, 80), rng.choice(["Rome", "Paris", ""])
        plan = "no yes".split()[int((age > 45) ^ (city == "Paris"))]
        age = "" if number % 10 == 0 else age
        rows.append(
            f"c{number},{age},{rng.normal():.2f},{city},2024-01-{number % 28 + 1:02},say {number},{plan}"
        )
    path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def own_run(own_table):
    folder = own_table.parent / "run"
    ended = fewfire("train", own_table, "--drop", "id,joined,note", *SMALL, "--out", folder)
    assert ended.code == 0, ended.err
    return folder, ended


def test_all_columns_that_cannot_be_used_are_told_at_once(own_table):
    ended = fewfire("train", own_table, *SMALL)
    assert ended.code == USER_ERROR
    assert "Got 3 that are not" in ended.err
    assert "400 different texts in 400 rows" in ended.err
    assert "Turn dates and times into numbers" in ended.err
    assert "--drop id,joined,note." in ended.err


def test_each_column_is_told_how_it_was_read(own_run):
    folder, ended = own_run
    read = re.findall(r"^  (\w+) +(.*)$", ended.err, re.MULTILINE)
    assert read[:7] == [
        ("id", "left out"), ("age", "number, some missing"), ("income", "number"),
        ("city", "category, 3 values"), ("joined", "left out"), ("note", "left out"), ("plan", "target"),
    ]  # fmt: skip
    assert RunFolder(folder).load_model().features.readings == read[:7]
    assert ended.figures["drop"] == ["id", "joined", "note"]
    assert ended.figures["test_accuracy"] > 0.8 > ended.figures["baseline_accuracy"]


def test_rows_with_gaps_are_predicted_with_or_without_the_columns_left_out(own_table, own_run, tmp_path):
    rows = [line.split(",") for line in own_table.read_text().splitlines()]
    rows[5][2] = rows[6][1] = rows[6][2] = "NA"  # of a column that lacked none in training, too
    of = {"all": range(7), "unlabelled": range(6), "bare": [3, 2, 1]}
    texts = []
    for name, columns in of.items():
        (tmp_path / name).with_suffix(".csv").write_text(
            "".join(",".join(row[column] for column in columns) + "\n" for row in rows)
        )
        ended = fewfire("predict", own_run[0], tmp_path / f"{name}.csv", "--out", tmp_path / name)
        assert ended.code == 0, ended.err
        texts.append((tmp_path / name).read_text())
    assert len(texts[0].splitlines()) == 401
    assert texts[0] == texts[1] == texts[2]


def test_columns_left_out_are_found_by_place_where_none_has_a_name(own_table, tmp_path):
    rows = [line.split(",") for line in own_table.read_text().splitlines()[1:]]
    rows = [[str(n), row[1], row[4], row[2], row[6]] for n, row in enumerate(rows)]

    def written(name, columns):
        path = tmp_path / f"{name}.csv"
        path.write_text("".join(",".join(row[c] for c in columns) + "\n" for row in rows))
        return path

    trained = fewfire("train", written("all", range(5)), "--drop", "1,3", *SMALL, "--out", tmp_path / "run")
    assert trained.code == 0, trained.err
    texts = []
    for name, columns in {"all": range(5), "unlabelled": range(4), "bare": [1, 3]}.items():
        ended = fewfire("predict", tmp_path / "run", written(name, columns), "--out", tmp_path / name)
        assert ended.code == 0, ended.err
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1] == texts[2]
    ended = fewfire("predict", tmp_path / "run", written("three", [1, 3, 4]))
    assert ended.code == USER_ERROR
    assert "2 features, alone or with the 2 columns that training left out" in ended.err


@pytest.mark.parametrize(
    ("drop", "message"), [("plan", "neither a target nor"), ("mood", "named as in the table")]
)
def test_a_column_that_cannot_be_left_out_is_named(own_table, drop, message):
    ended = fewfire("train", own_table, "--target", "plan", "--drop", drop, *SMALL)
    assert (ended.code, message in ended.err) == (USER_ERROR, True)


def test_predictions_go_to_stdout_and_figures_are_json(own_table, own_run, tmp_path):
    piped = fewfire("predict", own_run[0], own_table, "--out", "-")
    assert piped.out.splitlines()[0] == "prediction"
    assert len(piped.out.splitlines()) == 401
    assert "accuracy on the labels given" in piped.err
    told = fewfire("predict", own_run[0], own_table, "--out", tmp_path / "p.csv", "--json")
    figures = json.loads(told.out)
    assert (tmp_path / "p.csv").read_text() == piped.out
    assert figures.keys() == {"n_predictions", "predictions", "accuracy"}
    assert figures["n_predictions"] == 400
    both = fewfire("predict", own_run[0], own_table, "--out", "-", "--json")
    assert (both.code, both.out) == (USER_ERROR, "")

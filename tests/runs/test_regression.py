"""Regression as a run: both methods, one target or several, in their units, resumed to the bit."""

import json
import re

import numpy as np
import pytest

from command import fewfire
from fewfire.data import load_dataset
from fewfire.runs import RunFolder, TrainOptions, resume_run, train_run
from interrupting import Interrupting

METHODS = {
    "sgd": {"optimizer": "sgd", "epochs": 20, "batch_size": 32, "momentum": 0.9},
    "gauss-newton": {"optimizer": "gauss-newton", "epochs": 3, "ridge": 1e-2},
}
N_ROWS, UNIT, OFFSET = 300, 3e4, 2e5


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A price that a few numbers and a category tell, and a temperature."""
    rng = np.random.default_rng(0)
    sizes, ages = rng.normal(size=(2, N_ROWS))
    towns = rng.choice(["a", "b"], N_ROWS)
    prices = OFFSET + UNIT * (sizes * ages + (towns == "a") + 0.05 * rng.normal(size=N_ROWS))
    heats = 0.01 * np.sin(2 * sizes)
    rows = [
        f"{size:.4f},{town},{price:.2f},{age:.4f},{heat:.6f}"
        for size, town, price, age, heat in zip(sizes, towns, prices, ages, heats, strict=True)
    ]
    path = tmp_path_factory.mktemp("table") / "houses.csv"
    path.write_text("\n".join(["size,town,price,age,heat", *rows]) + "\n")
    return path


@pytest.fixture(scope="module", params=METHODS)
def options(request, table):
    return {"data": str(table), "target": ("price",), "width": 512, "threads": 2, **METHODS[request.param]}


@pytest.fixture(scope="module")
def run(options, tmp_path_factory):
    return train_run(TrainOptions(**options, out=tmp_path_factory.mktemp("runs") / "run"))


def r2_and_rmse(values, targets):
    errors = values - targets
    r2 = 1 - np.mean(errors**2, axis=0) / np.var(targets, axis=0)
    return r2.mean(), np.sqrt(np.mean(errors**2, axis=0)).mean()


def test_a_run_of_real_values_learns_and_tells_r2_and_rmse_in_units(run, table):
    result = run.result
    assert run.settings.options.task == "regression"
    assert result.test_r2 > 0.6
    assert 0.6 < result.train_r2 <= 1
    assert 0 < result.test_rmse < UNIT
    assert (result.train_accuracy, result.test_accuracy) == (None, None)
    dataset, model = load_dataset(table, target="price"), RunFolder(run.path).load_model()
    expected = r2_and_rmse(model.labels(dataset.test_rows), dataset.test_labels)
    np.testing.assert_allclose((result.test_r2, result.test_rmse), expected, rtol=1e-9)


def test_r2_and_rmse_of_training_follow_from_the_loss(run, table):
    targets = load_dataset(table, target="price").labels
    for record in run.history:
        assert record.accuracy is None
        assert record.r2 == pytest.approx(1 - 2 * record.loss, rel=1e-4)
        assert record.rmse == pytest.approx(targets.std() * np.sqrt(2 * record.loss), rel=1e-4)
    assert (run.history[-1].r2, run.history[-1].rmse) == (run.result.train_r2, run.result.train_rmse)


def test_the_figures_of_gauss_newton_are_those_of_the_trained_network(run, table):
    if run.settings.options.optimizer == "sgd":
        pytest.skip("before each step")
    dataset, model = load_dataset(table, target="price"), RunFolder(run.path).load_model()
    expected = r2_and_rmse(model.labels(dataset.rows), dataset.labels)
    np.testing.assert_allclose((run.result.train_r2, run.result.train_rmse), expected, rtol=1e-4)


def test_an_interrupted_regression_is_resumed_bit_for_bit(run, options, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train_run(TrainOptions(**options, out=tmp_path / "run"), Interrupting(2))
    assert not RunFolder(tmp_path / "run").finished
    resumed = resume_run(tmp_path / "run")
    name = "model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (run.path / name).read_bytes()
    assert [(record.r2, record.rmse) for record in resumed.history] == [
        (record.r2, record.rmse) for record in run.history
    ]
    assert (resumed.result.test_r2, resumed.result.test_rmse) == (run.result.test_r2, run.result.test_rmse)


def test_the_same_through_another_index(run, options, tmp_path):
    train_run(TrainOptions(**{**options, "index": "exhaustive"}, out=tmp_path / "run"))
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (
        run.path / "model.safetensors"
    ).read_bytes()


# The command


def train(table, out, *more):
    small = ("--width", 256, "--epochs", 3, "--threads", 2)
    return fewfire("train", table, *small, "--out", out, *more)


@pytest.fixture(scope="module")
def two_run(table):
    """A run of two targets in very different units."""
    folder = table.parent / "two"
    ended = train(table, folder, "--target", "price,heat", "--epochs", 30, "--batch-size", 16, "--json")
    assert ended.code == 0, ended.err
    return folder, ended


def test_several_targets_are_predicted_in_the_units_of_each(two_run, table, tmp_path):
    folder, ended = two_run
    assert ended.figures["target"] == ["price", "heat"]
    assert (ended.figures["task"], ended.figures["n_outputs"]) == ("regression", 2)
    assert "test R2" in ended.err
    assert "test RMSE" in ended.err
    assert ended.err.split("epoch")[1].split()[:3] == ["RMSE", "R2", "fire"]
    predicting = fewfire("predict", folder, table, "--out", tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == "prediction price,prediction heat"
    values = np.loadtxt(lines[1:], delimiter=",")
    rows = [line.split(",") for line in table.read_text().splitlines()[1:]]
    targets = np.array([[row[2], row[4]] for row in rows], float)
    r2, rmse = r2_and_rmse(values, targets)
    assert r2 > 0.5
    assert np.all(np.corrcoef(values.T, targets.T)[[0, 1], [2, 3]] > 0.5)
    assert f"R2 on the targets given: {r2:.4f}\nRMSE on the targets given: {rmse:.4g}\n" in predicting.out


def test_figures_are_in_result_history_json_and_report(two_run):
    folder, ended = two_run
    figures = json.loads((folder / "result.json").read_text())
    assert figures == ended.figures
    assert "precision_at_1" not in figures
    for part in ("train", "test"):
        assert figures[f"{part}_r2"] <= 1
        assert figures[f"{part}_rmse"] > 0
    last = json.loads((folder / "history.jsonl").read_text().splitlines()[-1])
    assert (last["r2"], last["rmse"]) == (figures["train_r2"], figures["train_rmse"])
    assert fewfire("report", folder).code == 0
    page = (folder / "report.html").read_text()
    for text in ("test R²", "training RMSE", "Training R²", "price, heat", f"{figures['test_rmse']:.4g}"):
        assert text in page
    assert "accuracy" not in page.lower().replace("loss, accuracy, r²", "")


def test_rows_without_targets_or_with_some_are_predicted(two_run, table, tmp_path):
    folder, _ = two_run
    outputs = []
    for name, header, cells in (
        ("without", "size,town,age", ["0.5,a,0.5", "1,b,-1"]),
        ("empty", "size,town,age,price,heat", ["0.5,a,0.5,,", "1,b,-1,?,"]),
        ("some", "size,town,age,price,heat", ["0.5,a,0.5,2e5,0.01", "1,b,-1,,0.02"]),
    ):
        (tmp_path / "new.csv").write_text("\n".join([header, *cells]) + "\n")
        ended = fewfire("predict", folder, tmp_path / "new.csv", "--out", tmp_path / name)
        assert ended.code == 0, ended.err
        assert ("RMSE on the targets given (1 of 2 rows)" in ended.out) == (name == "some")
        assert "R2" not in ended.out  # of one row there is none
        outputs.append((tmp_path / name).read_text())
    assert len(set(outputs)) == 1


def test_classification_of_the_same_table_by_its_texts(table, tmp_path):
    ended = train(table, tmp_path / "run", "--target", "town", "--json")
    assert ended.figures["task"] == "classification"
    assert ended.figures["test_accuracy"] is not None
    assert "test_r2" not in ended.figures


def test_comparing_with_dense_and_choosing_an_index_work(table, tmp_path):
    pytest.importorskip("torch")
    more = ("--index", "auto", "--compare-dense", 2, "--json")
    ended = train(table, tmp_path / "run", "--target", "heat", *more)
    assert ended.code == 0, ended.err
    assert ended.figures["max_weight_difference"] < 1e-4
    assert ended.figures["index_reason"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--target", "price", "--loss", "softmax"), "loss of a regression must be squared. Got softmax"),
        (("--target", "town", "--task", "regression"), "finite one in every row. Got 'a'|Got 'b'"),
        (
            ("--target", "price", "--task", "ranking"),
            "--task must be one of auto, classification",
        ),
        (("--target", "price,town"), "finite one in every row. Got '[ab]'"),
        (("--target", "price,price"), "must be different columns"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_folder_is_made(table, tmp_path, more, message):
    ended = train(table, tmp_path / "run", *more)
    assert ended.code == 2
    assert re.search(message, ended.message), ended.message
    assert not (tmp_path / "run").exists()


def test_whole_amounts_are_asked_about(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text("x,count\n" + "".join(f"{row},{row * row}\n" for row in range(60)))
    ended = train(path, tmp_path / "run")
    assert ended.code == 2
    assert "Give --task regression for amounts, or --task classification for classes." in ended.message
    assert train(path, tmp_path / "run", "--task", "regression", "--quiet").code == 0


def test_a_model_of_one_target_says_prediction_and_the_values(run, table, tmp_path):
    fewfire("predict", run.path, table, "--out", tmp_path / "p.csv")
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == "prediction"
    assert len(lines) == N_ROWS + 1
    assert abs(np.mean([float(line) for line in lines[1:]]) - OFFSET) < 2 * UNIT

"""`fewfire train` on a table: the estimator's choice, the estimator's bits, and one model file for both."""

import re

import numpy as np
import pandas
import pytest

from command import fewfire
from fewfire import WideClassifier, WideRegressor
from fewfire.data.split import split_ids
from fewfire.errors import DataError
from fewfire.estimators import choices, common
from fewfire.prepare.model import Model
from fewfire.runs import RunFolder, TrainOptions, resume_run, train_run
from interrupting import Interrupting

N_ROWS = 240
SIZE = ("--width", 256)


def people(seed=0) -> pandas.DataFrame:
    """Numbers with gaps, categories with gaps, truths, whole numbers, and a constant."""
    random = np.random.default_rng(seed)
    town = random.choice(np.array(["Rome", "Oslo", "Bonn", None], object), N_ROWS)
    age, size = random.standard_normal(N_ROWS).round(3), random.integers(8, 12, N_ROWS)
    member = random.random(N_ROWS) < 0.5
    score = age + 2 * (town == "Oslo") * member - size
    return pandas.DataFrame(
        {
            "age": np.where(random.random(N_ROWS) < 0.1, np.nan, age),
            "town": town,
            "member": member,
            "size": size,
            "one": 1.0,
            "score": score.round(3),
            "target": np.where(score > np.median(score), "high", "low"),
        }
    )


def parts(frame: pandas.DataFrame, target: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows that the command trains on and tests with."""
    labels = frame[target].to_numpy()
    return split_ids(labels if labels.dtype == object else np.zeros(len(frame)), 0.2, 0, "people")


@pytest.fixture(scope="module")
def people_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    people().drop(columns="score").to_csv(folder / "people.csv", index=False)
    ended = fewfire("train", folder / "people.csv", *SIZE, "--out", folder / "run")
    assert ended.code == 0, ended.err
    return folder, ended


def test_command_and_estimator_agree_in_every_bit(people_run):
    folder, _ = people_run
    frame = pandas.read_csv(folder / "people.csv")
    ids, test_ids = parts(frame, "target")
    inputs = frame.drop(columns="target")
    fitted = WideClassifier(256, random_state=0).fit(inputs.iloc[ids], frame["target"].iloc[ids])
    loaded = WideClassifier.load(folder / "run")
    new = inputs.iloc[test_ids]
    np.testing.assert_array_equal(loaded.predict_proba(new), fitted.predict_proba(new))
    np.testing.assert_array_equal(loaded.decision_function(new), fitted.decision_function(new))
    result = RunFolder(folder / "run").load_result()
    assert result.test_accuracy == fitted.score(new, frame["target"].iloc[test_ids])


def test_they_agree_on_tables_that_are_divided(tmp_path, monkeypatch):
    for module in (common, choices):
        monkeypatch.setattr(module, "CENTRED_FROM", 100)
    monkeypatch.setattr(common, "PART_ROWS", 60)
    monkeypatch.setattr(choices, "TWO_UP_TO", 100)
    frame = people(2).drop(columns="score")
    frame.to_csv(tmp_path / "people.csv", index=False)
    ended = fewfire("train", tmp_path / "people.csv", *SIZE, "--out", tmp_path / "run", "--json")
    assert ended.code == 0, ended.err
    ids, test_ids = parts(frame, "target")
    inputs, target = frame.drop(columns="target"), frame["target"]
    fitted = WideClassifier(256, random_state=0).fit(inputs.iloc[ids], target.iloc[ids])
    assert len(fitted.members_) == 4
    loaded = WideClassifier.load(tmp_path / "run")
    np.testing.assert_array_equal(
        loaded.decision_function(inputs.iloc[test_ids]), fitted.decision_function(inputs.iloc[test_ids])
    )
    assert ended.figures["train_accuracy"] == fitted.score(inputs.iloc[ids], target.iloc[ids])


@pytest.mark.parametrize("named", [(), ("size",)])
def test_a_regression_agrees_too_with_numbers_named_as_categories(tmp_path, named):
    frame = people(1).drop(columns="target")
    frame.to_csv(tmp_path / "people.csv", index=False)
    options = ("--categories", ",".join(named)) if named else ()
    ended = fewfire("train", tmp_path / "people.csv", *SIZE, *options, "--out", tmp_path / "run", "--json")
    assert ended.code == 0, ended.err
    assert ended.figures["optimizer"] == "estimator"
    ids, test_ids = parts(frame, "score")
    inputs, score = frame.drop(columns="score"), frame["score"]
    categories = [*named, "town"] if named else "auto"
    fitted = WideRegressor(256, random_state=0, categories=categories).fit(inputs.iloc[ids], score.iloc[ids])
    loaded, new = WideRegressor.load(tmp_path / "run"), inputs.iloc[test_ids]
    np.testing.assert_array_equal(loaded.predict(new), fitted.predict(new))
    assert ended.figures["test_r2"] == pytest.approx(fitted.score(new, score.iloc[test_ids]), rel=1e-9)


def test_the_command_predicts_what_an_estimator_saved(tmp_path):
    frame = people()
    inputs, target = frame.drop(columns=["score", "target"]), frame["target"]
    fitted = WideClassifier(256, random_state=0).fit(inputs, target)
    fitted.save(tmp_path / "people.safetensors")
    inputs.to_csv(tmp_path / "new.csv", index=False)
    ended = fewfire("predict", tmp_path / "people.safetensors", tmp_path / "new.csv", "--proba", "--out", "-")
    assert ended.code == 0, ended.err
    header, *lines = ended.out.splitlines()
    assert header == "prediction,probability high,probability low"
    shares = np.array([line.split(",")[1:] for line in lines], float)
    np.testing.assert_allclose(shares, fitted.predict_proba(inputs), rtol=1e-5)
    assert [line.split(",")[0] for line in lines] == fitted.predict(inputs).tolist()


@pytest.mark.parametrize("columns", ["frame", "array"])
def test_an_estimator_comes_back_from_its_file(tmp_path, columns):
    frame = people()
    inputs, target = frame.drop(columns=["score", "target"]), frame["target"]
    inputs = inputs if columns == "frame" else inputs[["age", "member", "size"]].to_numpy(float)
    fitted = WideClassifier(256, random_state=0).fit(inputs, target)
    fitted.save(tmp_path / "model.safetensors")
    loaded = WideClassifier.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(inputs), fitted.predict_proba(inputs))
    np.testing.assert_array_equal(loaded.feature_importances_, fitted.feature_importances_)
    assert loaded.classes_.tolist() == ["high", "low"]
    assert (loaded.width, loaded.n_members, loaded.n_features_in_) == (256, 2, inputs.shape[1])
    assert hasattr(loaded, "feature_names_in_") == (columns == "frame")


def test_several_targets_come_back(tmp_path):
    random = np.random.default_rng(0)
    inputs, targets = random.standard_normal((60, 3)), random.standard_normal((60, 2)) * [1, 100]
    fitted = WideRegressor(128, random_state=0).fit(inputs, targets)
    fitted.save(tmp_path / "model.safetensors")
    loaded = WideRegressor.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(inputs), fitted.predict(inputs))


@pytest.mark.parametrize("loss", ["squared", "softmax", "logistic"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_run_of_gradient_descent_is_loaded_as_a_classifier(tmp_path, loss, n_classes):
    """Whatever its outputs are: one for each class, or one alone with its boundary at 0."""
    random = np.random.default_rng(0)
    inputs = random.standard_normal((200, 4)).round(3)
    labels = np.digitize(inputs[:, 0], [0.0, 0.7][: n_classes - 1])
    table = np.column_stack([inputs, labels])
    np.savetxt(tmp_path / "a.csv", table, delimiter=",", header="a,b,c,d,y", comments="", fmt="%g")
    options = ("--epochs", 5, "--batch-size", 32, "--loss", loss, *SIZE, "--out", tmp_path / "run")
    assert fewfire("train", tmp_path / "a.csv", *options).code == 0
    frame = pandas.DataFrame(inputs, columns=list("abcd"))
    loaded, model = WideClassifier.load(tmp_path / "run"), RunFolder(tmp_path / "run").load_model()
    np.testing.assert_array_equal(loaded.predict(frame), model.labels(inputs))
    shares = loaded.predict_proba(frame)
    np.testing.assert_array_equal(shares, model.probabilities_of(model.outputs(inputs)))
    np.testing.assert_array_equal(loaded.classes_[shares.argmax(axis=1)], loaded.predict(frame))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert loaded.score(frame, labels) > 0.8


def test_probabilities_of_a_logistic_output_are_its_sigmoid(tmp_path):
    random = np.random.default_rng(0)
    inputs = random.standard_normal((100, 2)).round(3)
    table = np.column_stack([inputs, inputs[:, 0] > 0])
    np.savetxt(tmp_path / "a.csv", table, delimiter=",", header="a,b,y", comments="", fmt="%g")
    options = ("--epochs", 3, "--loss", "logistic", *SIZE, "--out", tmp_path / "run")
    assert fewfire("train", tmp_path / "a.csv", *options).code == 0
    model = Model.load(tmp_path / "run" / "model.safetensors")
    outputs = model.outputs(inputs)
    expected = 1 / (1 + np.exp(-outputs[:, 0]))
    np.testing.assert_allclose(model.probabilities_of(outputs)[:, 1], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [("--epochs", 2), ("--momentum", 0.9), ("--threshold", 1), ("--loss", "softmax"), ("--batch-size", 9)],
)
def test_a_setting_of_gradient_descent_takes_gradient_descent(people_run, tmp_path, options):
    source = people_run[0] / "people.csv"
    ended = fewfire("train", source, *SIZE, *options, "--out", tmp_path / "run", "--json")
    assert ended.code == 0, ended.err
    assert ended.figures["optimizer"] == "sgd"


def test_pictures_take_gradient_descent_but_may_be_told_otherwise(digits_run, tmp_path):
    assert RunFolder(digits_run[0].path).load_settings().options.optimizer == "sgd"
    options = ("--optimizer", "estimator", *SIZE, "--out", tmp_path / "run", "--json")
    ended = fewfire("train", "digits", *options)
    assert ended.code == 0, ended.err
    assert ended.figures["test_accuracy"] > 0.95


def test_options_that_an_estimator_lacks_are_refused(people_run, tmp_path):
    source = people_run[0] / "people.csv"
    for name, value in (("threshold", 1), ("learning-rate", 1), ("checkpoint-every", 1)):
        options = ("--optimizer", "estimator", f"--{name}", value, "--out", tmp_path / "run")
        ended = fewfire("train", source, *options)
        assert ended.code == 2
        assert re.search(rf"--{name} must go with --optimizer sgd.* Got it with .* estimator\.", ended.err)
        assert not (tmp_path / "run").exists()


def test_without_scikit_learn_the_command_says_what_to_install(people_run, tmp_path, monkeypatch):
    monkeypatch.setattr("fewfire.runs.tables.find_spec", lambda name: None)
    ended = fewfire("train", people_run[0] / "people.csv", "--out", tmp_path / "run")
    assert ended.code == 2
    assert "needs scikit-learn" in ended.message
    assert "pip install 'fewfire[sklearn]', or give --optimizer sgd" in ended.message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_run_is_saved_and_begins_anew_to_the_same_bits(people_run, tmp_path, epoch):
    """Epoch 1 is of the first network, 3 of the second."""
    folder = people_run[0]

    options = TrainOptions(data=str(folder / "people.csv"), width=256, out=tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        train_run(options, Interrupting(epoch))
    run = RunFolder(tmp_path / "run")
    assert run.load_settings().interrupted
    assert not run.checkpoints()
    assert np.isfinite(run.load_model().outputs(np.zeros((1, 5)))).all()
    resume_run(tmp_path / "run")
    whole = (folder / "run" / "model.safetensors").read_bytes()
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == whole


def test_a_memory_limit_that_is_too_low_leaves_nothing(people_run, tmp_path):
    options = ("--memory-limit", "50MB", "--out", tmp_path / "run")
    ended = fewfire("train", people_run[0] / "people.csv", *options)
    assert ended.code == 2
    assert "--memory-limit" in ended.message
    assert not (tmp_path / "run").exists()


def test_what_is_no_model_is_refused(people_run, tmp_path):
    with pytest.raises(DataError, match="must be one for the task of WideRegressor.*with WideClassifier"):
        WideRegressor.load(people_run[0] / "run")
    (tmp_path / "text").write_text("no model")
    for path in (tmp_path / "absent", tmp_path / "text", tmp_path):
        with pytest.raises(DataError, match="a model must be one that an estimator or `fewfire train` saved"):
            WideClassifier.load(path)
    ended = fewfire("predict", tmp_path / "text", people_run[0] / "people.csv")
    assert ended.code == 2
    assert "a model file must be one that fewfire saved" in ended.message


def test_probabilities_of_a_regression_are_refused(tmp_path):
    people().drop(columns="target").to_csv(tmp_path / "people.csv", index=False)
    assert fewfire("train", tmp_path / "people.csv", *SIZE, "--out", tmp_path / "run").code == 0
    ended = fewfire("predict", tmp_path / "run", tmp_path / "people.csv", "--proba")
    assert ended.code == 2
    assert "Probabilities must be those of classes. Got a model of a regression." in ended.message
    assert not (tmp_path / "run" / "predictions.csv").exists()


def test_truths_in_a_table_are_numbers(people_run):
    features = RunFolder(people_run[0] / "run").load_model().features
    assert dict(features.readings)["member"] == "number"


def test_the_run_says_what_is_chosen_and_shows_each_network(people_run):
    ended = people_run[1]
    assert "as WideClassifier does" in ended.out
    assert "network 2 of 2: " in ended.out
    assert "test accuracy" in ended.out


@pytest.mark.parametrize("seed", range(3))
def test_a_table_of_numbers_alone_agrees_in_every_bit(tmp_path, seed):
    """A DataFrame of numbers lies column by column in memory, and sums have another order there."""
    random = np.random.default_rng(seed)
    frame = pandas.DataFrame(random.standard_normal((150, 3)), columns=list("abc")).round(4)
    frame.loc[random.random(150) < 0.2, "b"] = np.nan
    frame["i"] = random.integers(0, 1000, 150)
    frame["target"] = np.where(frame["a"] + frame["c"] > 0, "yes", "no")
    frame.to_csv(tmp_path / "numbers.csv", index=False)
    assert fewfire("train", tmp_path / "numbers.csv", *SIZE, "--out", tmp_path / "run").code == 0
    ids, test_ids = parts(frame, "target")
    inputs, new = frame.drop(columns="target"), frame.drop(columns="target").iloc[test_ids]
    loaded = WideClassifier.load(tmp_path / "run")
    for rows in (inputs, np.asfortranarray(inputs), np.ascontiguousarray(inputs)):
        part = rows.iloc[ids] if rows is inputs else rows[ids]
        fitted = WideClassifier(256, random_state=0).fit(part, frame["target"].iloc[ids])
        same = new if rows is inputs else new.to_numpy()
        np.testing.assert_array_equal(loaded.predict_proba(new), fitted.predict_proba(same))


def test_truths_with_gaps_agree_in_every_bit(tmp_path):
    frame = people()[["age", "target"]]
    truths = np.where(people()["town"].isna(), None, people()["member"].astype(object))
    frame.insert(0, "member", truths)
    frame.to_csv(tmp_path / "truths.csv", index=False)
    assert fewfire("train", tmp_path / "truths.csv", *SIZE, "--out", tmp_path / "run").code == 0
    ids, test_ids = parts(frame, "target")
    inputs = pandas.read_csv(tmp_path / "truths.csv").drop(columns="target")
    fitted = WideClassifier(256, random_state=0).fit(inputs.iloc[ids], frame["target"].iloc[ids])
    new, loaded = inputs.iloc[test_ids], WideClassifier.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.predict_proba(new), fitted.predict_proba(new))
    assert fitted.column_readings_[0] == ("member", "number, some missing")


def test_a_row_without_any_cell_is_predicted_too(tmp_path):
    frame = people()[["age", "size", "target"]]
    frame.to_csv(tmp_path / "people.csv", index=False)
    assert fewfire("train", tmp_path / "people.csv", *SIZE, "--out", tmp_path / "run").code == 0
    (tmp_path / "new.csv").write_text("age,size\n1,9\n,\n\n2,8\n")  # and a blank line, which is no row
    ended = fewfire("predict", tmp_path / "run", tmp_path / "new.csv", "--out", "-")
    assert len(ended.out.splitlines()) == 1 + 3


def test_an_estimator_of_gradient_descent_goes_on_at_its_rate_once_it_is_loaded(tmp_path):
    random = np.random.default_rng(0)
    inputs = random.standard_normal((80, 3))
    labels = (inputs[:, 0] > 0).astype(int)
    fitted = WideClassifier(64, optimizer="sgd", max_epochs=2, random_state=0).fit(inputs, labels)
    fitted.save(tmp_path / "model.safetensors")
    loaded = WideClassifier.load(tmp_path / "model.safetensors")
    assert (loaded.optimizer_, loaded.learning_rate_) == ("sgd", fitted.learning_rate_)

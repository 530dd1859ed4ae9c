"""Tables of more rows than several steps over all of them allow: networks for parts of the rows."""

import numpy as np
import pytest

from fewfire.errors import DataError
from fewfire.estimators import WideClassifier, WideRegressor, choices, common
from fewfire.training import CentredGaussNewton

ROWS = np.random.default_rng(0).standard_normal((400, 3))
CLASSES = np.digitize(ROWS[:, 0] + ROWS[:, 1], [-0.5, 0.5])
VALUES = np.sin(2 * ROWS[:, 0]) + ROWS[:, 1]
SMALL = {"width": 1024, "random_state": 0}


@pytest.fixture(autouse=True)
def _large_from_200(monkeypatch):
    for module in (common, choices):
        monkeypatch.setattr(module, "CENTRED_FROM", 200)
    monkeypatch.setattr(common, "PART_ROWS", 110)
    monkeypatch.setattr(choices, "TWO_UP_TO", 200)


def test_classes_and_values_are_learned_in_one_step(methods):
    classifier = WideClassifier(**SMALL).fit(ROWS[:300], CLASSES[:300])
    assert classifier.score(ROWS[300:], CLASSES[300:]) > 0.85
    assert classifier.network_.width == 1024
    regressor = WideRegressor(**SMALL).fit(ROWS[:300], VALUES[:300])
    assert regressor.score(ROWS[300:], VALUES[300:]) > 0.95
    assert set(methods) == {CentredGaussNewton.__name__}
    assert len(regressor.history_) == 1
    assert len(regressor.members_) == regressor.division_.n_parts == 4


def test_a_row_is_answered_by_the_network_of_its_part():
    model = WideRegressor(**SMALL).fit(ROWS, VALUES)
    scaled = (model.predict(ROWS) - model.target_scaling_.mean) / model.target_scaling_.scale
    for part, (member, ids) in enumerate(zip(model.members_, model.division_.parts(ROWS), strict=True)):
        np.testing.assert_allclose(member.outputs(ROWS[ids])[:, 0] + model.mean_, scaled[ids], atol=1e-6)
        assert (model.division_.places(ROWS[ids]) == part).all()


def test_few_rows_are_predicted_where_most_parts_have_none():
    model = WideRegressor(**SMALL).fit(ROWS, VALUES)
    alone = np.concatenate([model.predict(row[None]) for row in ROWS[:20]])
    np.testing.assert_allclose(alone, model.predict(ROWS)[:20], rtol=1e-5)


def test_a_row_that_is_too_large_is_named_by_its_number_in_the_table():
    model, rows = WideRegressor(**SMALL, features="none").fit(ROWS, VALUES), ROWS.copy()
    rows[57, 1] = 1e200
    with pytest.raises(DataError, match=r"too large in row 57 \(from 0\)"):
        model.predict(rows)


def test_it_is_the_same_for_any_number_of_threads_and_after_a_file(tmp_path):
    outputs = [WideClassifier(**SMALL, n_threads=k).fit(ROWS, CLASSES).predict_proba(ROWS) for k in (1, 2, 3)]
    for other in outputs[1:]:
        np.testing.assert_array_equal(other, outputs[0])
    model = WideClassifier(**SMALL).fit(ROWS, CLASSES)
    model.save(tmp_path / "model")
    loaded = WideClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(ROWS), outputs[0])
    assert loaded.n_members == "auto"
    loaded.partial_fit(ROWS, CLASSES)


@pytest.mark.parametrize("settings", [{"n_members": 2}, {"early_stopping": True}])
def test_who_asks_for_a_mean_or_held_out_samples_gets_one_division_less(settings, methods):
    model = WideRegressor(**SMALL, **settings).fit(ROWS, VALUES)
    assert model.division_ is None
    assert set(methods) == {CentredGaussNewton.__name__}
    assert model.score(ROWS, VALUES) > 0.9


def test_a_limit_of_time_keeps_all_parts():
    model = WideRegressor(**SMALL, time_limit=1e-6).fit(ROWS, VALUES)
    assert len(model.members_) == model.division_.n_parts
    assert model.score(ROWS, VALUES) > 0.9


def test_more_samples_in_parts_that_are_there(methods):
    model = WideRegressor(**SMALL, warm_start=True).fit(ROWS, VALUES)
    before = [member.network.weights for member in model.members_]
    near = model.division_.parts(ROWS)[1]
    model.fit(ROWS[near], VALUES[near])
    moved = [bool((m.network.weights != w).any()) for m, w in zip(model.members_, before, strict=True)]
    assert moved == [False, True, False, False]


def test_interrupted_it_keeps_a_network_for_each_part(monkeypatch):
    train, calls = WideRegressor._train, []

    def interrupted(self, *given):
        calls.append(1)
        return train(self, *given) if len(calls) == 1 else False

    monkeypatch.setattr(WideRegressor, "_train", interrupted)
    with pytest.warns(UserWarning, match="Training was interrupted"):
        model = WideRegressor(**SMALL).fit(ROWS, VALUES)
    assert len(model.members_) == model.division_.n_parts
    assert np.isfinite(model.predict(ROWS)).all()


def test_sample_weights_count():
    weights = np.where(VALUES > 0, 1.0, 1e-3)
    model = WideRegressor(**SMALL, ridge=10.0, features="none").fit(ROWS, VALUES, sample_weight=weights)
    errors = np.square(model.predict(ROWS) - VALUES)
    assert errors[VALUES > 0].mean() < 0.5 * errors[VALUES <= 0].mean()


@pytest.mark.parametrize("settings", [{"batch_size": 100}, {"max_epochs": 2}, {"optimizer": "sgd"}])
def test_who_asks_for_steps_gets_them(settings, methods):
    WideClassifier(**SMALL, **settings).fit(ROWS, CLASSES)
    assert CentredGaussNewton.__name__ not in methods


def test_a_warm_start_goes_on_by_steps_over_batches(methods):
    model = WideRegressor(**SMALL, warm_start=True).fit(ROWS, VALUES)
    before = model.score(ROWS, VALUES)
    model.fit(ROWS, VALUES)
    assert methods[-1] == "GaussNewton"
    assert model.score(ROWS, VALUES) >= before - 1e-3


def test_samples_held_out_are_judged():
    model = WideClassifier(**SMALL, early_stopping=True).fit(ROWS, CLASSES)
    assert model.score(ROWS, CLASSES) > 0.85


def test_many_outputs_take_steps_over_batches(methods, monkeypatch):
    monkeypatch.setattr(choices, "MOST_STEPPED", 2)
    WideClassifier(**SMALL).fit(ROWS, CLASSES)
    assert CentredGaussNewton.__name__ not in methods

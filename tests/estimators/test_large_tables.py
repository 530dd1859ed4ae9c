"""Tables of more rows than several steps over all of them allow: one step through centres."""

import numpy as np
import pytest

from fewfire.estimators import WideClassifier, WideRegressor, common
from fewfire.training import CentredGaussNewton

ROWS = np.random.default_rng(0).standard_normal((400, 3))
CLASSES = np.digitize(ROWS[:, 0] + ROWS[:, 1], [-0.5, 0.5])
VALUES = np.sin(2 * ROWS[:, 0]) + ROWS[:, 1]
SMALL = {"width": 1024, "random_state": 0}


@pytest.fixture(autouse=True)
def _large_from_200(monkeypatch):
    monkeypatch.setattr(common, "CENTRED_FROM", 200)


@pytest.fixture
def methods(monkeypatch):
    """The methods of all trainers that are planned."""
    seen, plan = [], common.plan_trainer

    def planned(*given, **settings):
        seen.append(type(settings["method"]).__name__)
        return plan(*given, **settings)

    monkeypatch.setattr(common, "plan_trainer", planned)
    return seen


def test_classes_and_values_are_learned_in_one_step(methods):
    classifier = WideClassifier(**SMALL).fit(ROWS[:300], CLASSES[:300])
    assert classifier.score(ROWS[300:], CLASSES[300:]) > 0.85
    assert classifier.network_.width == 1024
    regressor = WideRegressor(**SMALL).fit(ROWS[:300], VALUES[:300])
    assert regressor.score(ROWS[300:], VALUES[300:]) > 0.95
    assert set(methods) == {CentredGaussNewton.__name__}
    assert len(regressor.history_) == 1


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
    monkeypatch.setattr(common, "CENTRED_OUTPUTS", 2)
    WideClassifier(**SMALL).fit(ROWS, CLASSES)
    assert CentredGaussNewton.__name__ not in methods

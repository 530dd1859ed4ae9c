"""`fewfire.train`: what it is called with, what it calls, and when it stops."""

import inspect

import pytest

from fewfire import GaussNewton, GradientDescent, train
from fewfire.training import METHODS
from problems import clustered_problem


def trained(problem, **settings):
    return train(problem.network, problem.inputs, problem.targets, **settings)


def test_every_argument_is_spelled_out():
    kinds = {argument.kind for argument in inspect.signature(train).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds


def test_training_ends_where_no_step_decreases_the_loss_any_more():
    history = trained(clustered_problem(), method=GaussNewton(), epochs=100)
    assert len(history) < 100
    assert history[-1].actual == 0


def test_each_epoch_is_announced_with_its_record_and_trainer():
    seen = []
    history = trained(clustered_problem(), epochs=3, on_epoch=lambda *given: seen.append(given))
    assert [record for record, _ in seen] == history
    assert all(trainer.history == history for _, trainer in seen)


@pytest.mark.parametrize("stop", [True, 1])
def test_training_stops_where_the_callback_says_so(stop):
    assert len(trained(clustered_problem(), epochs=9, on_epoch=lambda record, trainer: stop)) == 1


@pytest.mark.parametrize("go_on", [None, False])
def test_training_goes_on_where_the_callback_says_nothing(go_on):
    assert len(trained(clustered_problem(), epochs=3, on_epoch=lambda record, trainer: go_on)) == 3


@pytest.mark.parametrize("name", METHODS)
def test_a_name_is_the_method_with_its_default_settings(name):
    named, given = clustered_problem(), clustered_problem()
    trained(named, method=name, epochs=2)
    trained(given, method=METHODS[name](), epochs=2)
    assert named.network.weights.tobytes() == given.network.weights.tobytes()


def test_a_method_may_be_used_again():
    method = GradientDescent(momentum=0.9, nesterov=True)
    first, again = clustered_problem(), clustered_problem()
    for problem in (first, again):
        trained(problem, method=method, epochs=2)
    assert first.network.weights.tobytes() == again.network.weights.tobytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "adam"}, "the method must be one of sgd, gauss-newton. Got 'adam'"),
        ({"epochs": -1}, "epochs must be >= 0. Got -1"),
        ({"method": "gauss-newton", "index": "auto"}, "Gauss-Newton steps need a named index"),
    ],
)
def test_what_cannot_be_trained_is_a_clear_error(settings, message):
    with pytest.raises(ValueError, match=message):
        trained(clustered_problem(), **settings)

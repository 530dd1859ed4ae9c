"""Each loss: its value against the textbook formula, its residual as its derivative, its curvature."""

import numpy as np
import pytest
from hypothesis import given

from fewfire import reference
from fewfire.networks.losses import LOSSES, LogisticLoss, SquaredLoss, loss_named, predicted_classes
from strategies import outputs_and_targets

EACH_LOSS = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


@EACH_LOSS
@given(case=outputs_and_targets())
def test_values_and_residuals_are_those_of_the_reference(loss, case):
    outputs, targets = case
    np.testing.assert_allclose(
        loss.values(outputs, targets),
        reference.loss_values(loss.name, outputs, targets),
        rtol=1e-13,
        atol=1e-13,
    )
    np.testing.assert_allclose(
        loss.residuals(outputs, targets), reference.loss_gradients(loss.name, outputs, targets), atol=1e-13
    )


@EACH_LOSS
@given(case=outputs_and_targets(bound=5))
def test_residuals_are_the_derivative_of_the_value(loss, case):
    outputs, targets = case
    h = 1e-5
    for output in range(outputs.shape[1]):
        shift = h * (np.arange(outputs.shape[1]) == output)
        slope = (loss.values(outputs + shift, targets) - loss.values(outputs - shift, targets)) / (2 * h)
        np.testing.assert_allclose(loss.residuals(outputs, targets)[:, output], slope, atol=1e-8)


@EACH_LOSS
@given(case=outputs_and_targets(bound=5))
def test_no_direction_curves_more_than_the_curvature(loss, case):
    outputs, targets = case
    h = 1e-4
    for direction in np.vstack([np.eye(outputs.shape[1]), np.ones(outputs.shape[1])]):
        direction = direction / np.linalg.norm(direction)
        change = loss.residuals(outputs + h * direction, targets) - loss.residuals(outputs, targets)
        assert np.all(change @ direction <= h * loss.curvature * (1 + 1e-6))


def test_the_squared_loss_takes_targets_of_any_kind():
    outputs, targets = np.array([[1.0, 5.0], [0.0, 0.0]]), np.array([[-2.0, 1.0], [0.5, 0.0]])
    np.testing.assert_array_equal(SquaredLoss().values(outputs, targets), [12.5, 0.125])
    np.testing.assert_array_equal(SquaredLoss().residuals(outputs, targets), [[3, 4], [-0.5, 0]])


def test_the_logistic_loss_of_one_output_is_the_cross_entropy_of_its_sigmoid():
    outputs, targets = np.array([[0.0], [np.log(3)]]), np.array([[1.0], [0.0]])
    np.testing.assert_allclose(LogisticLoss().values(outputs, targets), [np.log(2), np.log(4)])
    np.testing.assert_allclose(LogisticLoss().residuals(outputs, targets), [[-0.5], [0.75]])


@EACH_LOSS
def test_huge_outputs_are_met_without_overflow(loss):
    outputs = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    targets = np.array([[1, 0], [1, 0]], np.float32)
    exact = reference.loss_values(loss.name, outputs, targets)
    np.testing.assert_allclose(loss.values(outputs, targets), exact, rtol=1e-6)
    assert np.isfinite(loss.residuals(outputs, targets)).all()


@EACH_LOSS
def test_the_dtype_is_kept(loss, dtype):
    outputs, targets = np.ones((2, 3), dtype), np.eye(3, dtype=dtype)[:2]
    assert loss.values(outputs, targets).dtype == dtype
    assert loss.residuals(outputs, targets).dtype == dtype


def test_losses_are_found_by_name():
    assert [loss_named(name).name for name in ("squared", "softmax", "logistic")] == list(LOSSES)
    with pytest.raises(
        ValueError, match="must be one of squared, softmax, logistic. Got 'hinge'. Choose one"
    ):
        loss_named("hinge")


def test_the_predicted_class_is_the_largest_output():
    np.testing.assert_array_equal(predicted_classes(np.array([[1.0, 3, 2], [5, 4, 5]])), [1, 0])


def test_the_predicted_class_of_one_output_is_its_sign():
    np.testing.assert_array_equal(predicted_classes(np.array([[-1.0], [0], [2]])), [0, 0, 1])

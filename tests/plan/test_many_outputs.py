"""What is chosen for tables of many outputs."""

import numpy as np
import pytest

from fewfire.plan.many_outputs import mean_square, select_for_many

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.standard_normal((300, 5))
TARGETS = np.eye(35)[np.digitize(ROWS[:, 0], np.linspace(-2, 2, 34))]
TARGETS -= TARGETS.mean(axis=0)


@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.0])
def test_the_mean_square_is_that_of_gaussian_neurons(threshold):
    drawn = np.maximum(np.random.default_rng(0).standard_normal(10**6) - threshold, 0)
    assert mean_square(threshold) == pytest.approx(np.square(drawn).mean(), rel=0.05)


def test_the_error_is_that_of_samples_left_out():
    found = select_for_many(ROWS, TARGETS, width=512)
    missed = TARGETS[found.judged] - found.outputs
    assert found.error == pytest.approx(np.square(missed).mean())
    assert found.error < np.square(TARGETS).mean()
    assert found.members[0].importances.sum() == pytest.approx(1)


def test_columns_that_hardly_vary_count_only_where_they_are_standardized():
    """The targets hang on a column a thousand times smaller than noise, or on the large one."""
    small = ROWS * [1e-3, 1, 1, 1, 1]
    chosen = select_for_many(small, TARGETS, width=512).members[0].preparation
    np.testing.assert_allclose(chosen.scaling.scale, small.std(axis=0))
    large = ROWS * [1e3, 1, 1, 1, 1]
    chosen = select_for_many(large, TARGETS, width=512).members[0].preparation
    np.testing.assert_array_equal(chosen.scaling.scale, 1)


def test_the_ridge_of_labels_is_the_one_whose_first_place_is_most_often_right():
    random = np.random.default_rng(2)
    rows = random.standard_normal((600, 100))
    scores = rows @ random.standard_normal((100, 40)) + 10 * random.standard_normal((600, 40))
    labels = np.argsort(-scores - 8 * np.exp(-np.arange(40) / 3))[:, :2]  # some are frequent
    targets = np.zeros((600, 40))
    np.put_along_axis(targets, labels, 1, axis=1)
    means = targets.mean(axis=0)

    def right(found):
        places = (found.outputs + means).argmax(axis=1)
        return targets[found.judged, places].mean()

    by_errors = select_for_many(rows, targets - means, width=512)
    by_place = select_for_many(rows, targets - means, means=means, width=512)
    assert right(by_place) > right(by_errors)
    assert by_place.members[0].ridge < by_errors.members[0].ridge
    assert by_place.error > by_errors.error


def test_what_is_given_is_taken():
    found = select_for_many(
        ROWS, TARGETS, constants=(0.5,), thresholds=(0.7,), ridges=np.array([0.2]), n_members=2, width=256,
        sample_weight=np.full(len(ROWS), 2.0),
    )  # fmt: skip
    assert len(found.members) == 2
    assert found.members[0].threshold == 0.7
    assert found.members[0].ridge == pytest.approx(0.2 * mean_square(0.7))

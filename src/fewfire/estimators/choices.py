"""What the parameters of an estimator leave to be chosen, as `fewfire.plan.preparation.select` takes it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.networks.threshold import threshold_for_fire_rate
from fewfire.plan.preparation import CONSTANTS, RIDGES, THRESHOLDS
from fewfire.prepare.categories import perhaps_categories
from fewfire.training import GaussNewton, GradientDescent

TWO_UP_TO = 5_000  # samples for which two networks take little time


def choices_of(estimator: Any, inputs: NDArray) -> dict[str, Any]:
    """What is left to be chosen."""
    known = tuple(sorted(estimator._coding.categories))
    categories = [known]
    if isinstance(estimator.categories, str):
        found = [column for column in perhaps_categories(inputs) if column not in known]
        categories += [(*known, *found)] if found else []
    if estimator.fire_rate is not None:
        thresholds: tuple[float, ...] = (threshold_for_fire_rate(estimator.fire_rate),)
    else:
        thresholds = THRESHOLDS if isinstance(estimator.threshold, str) else (float(estimator.threshold),)
    ridges = RIDGES if isinstance(estimator.ridge, str) else np.array([float(estimator.ridge)])
    constants = CONSTANTS if isinstance(estimator.constant, str) else (float(estimator.constant),)
    if (
        estimator.optimizer_ == GradientDescent.name
        and len(categories) * len(thresholds) * len(constants) == 1
    ):
        ridges = ridges[:1]  # of which descent knows nothing: all is chosen
    second_order = estimator.optimizer_ == GaussNewton.name
    usual = 2 if second_order and len(inputs) <= TWO_UP_TO else 1
    return {
        "n_members": usual if isinstance(estimator.n_members, str) else estimator.n_members,
        "categories": categories,
        "features": estimator.features,
        "ridge_of_all": second_order and not estimator._through_centres,
        "thresholds": thresholds,
        "ridges": ridges,
        "constants": constants,
    }

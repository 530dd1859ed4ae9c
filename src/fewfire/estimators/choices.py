"""What the parameters of an estimator leave to be chosen, as `fewfire.plan.preparation.select` takes it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from fewfire.networks.threshold import threshold_for_fire_rate
from fewfire.plan import many_outputs
from fewfire.plan.preparation import AUTO, CONSTANTS, NONE, RIDGES, THRESHOLDS, Selection, select
from fewfire.prepare.categories import perhaps_categories
from fewfire.system.deadline import Deadline
from fewfire.training import GaussNewton, GradientDescent

MOST_STEPPED = 31  # outputs whose hidden weights are trained, as each takes a copy of every neuron
CENTRED_FROM, CENTRED_UP_TO = 5_000, 1_000_000  # samples between which training is one step through centres
TWO_UP_TO = 5_000  # samples for which two networks take little time


def widths_of(estimator: Any) -> tuple[int, ...]:
    """Neurons of each hidden layer."""
    several = estimator.hidden_layers
    return (estimator.width,) if several is None else tuple(several)


def is_deep(estimator: Any) -> bool:
    """Whether there are several hidden layers."""
    return len(widths_of(estimator)) > 1


def solves_outputs(estimator: Any) -> bool:
    """Whether the output weights of so many outputs are solved for, and the neurons stay as drawn."""
    left_open = estimator.batch_size == "auto" and estimator.max_epochs is None
    left_open &= estimator.features in (AUTO, NONE)  # no directions of columns are learned
    left_open &= not is_deep(estimator)
    return estimator.optimizer_ == GaussNewton.name and left_open and len(estimator.mean_) > MOST_STEPPED


def may_be_centred(estimator: Any, n_samples: int, n_outputs: int) -> bool:
    """Whether one step through centres takes the place of several over batches of samples."""
    left_open = estimator.batch_size == "auto" and estimator.max_epochs is None and not is_deep(estimator)
    least = CENTRED_FROM if estimator.time_limit is None else 0  # one step is the shortest training
    return left_open and least < n_samples <= CENTRED_UP_TO and n_outputs <= MOST_STEPPED


def chosen_for(
    estimator: Any, inputs: NDArray, targets: NDArray, weights: NDArray | None, deadline: Deadline
) -> Selection:
    """What suits these samples (n, d) and centred targets (n, c)."""
    given = {"sample_weight": weights, "width": widths_of(estimator)[0], "seed": estimator._seed}
    if solves_outputs(estimator):
        means = estimator.mean_ if is_classifier(estimator) else None
        return many_outputs.select_for_many(
            inputs, targets, means=means, **given, **choices_for_many(estimator, inputs)
        )
    return select(inputs, targets, deadline=deadline, **given, **choices_of(estimator, inputs))


def choices_of(estimator: Any, inputs: NDArray) -> dict[str, Any]:
    """What is left to be chosen."""
    categories = _ways_to_tell(estimator, inputs)
    thresholds = _thresholds(estimator, THRESHOLDS)
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


def choices_for_many(estimator: Any, inputs: NDArray) -> dict[str, Any]:
    """What is left to be chosen where there are many outputs, as `select_for_many` takes it."""
    given: dict[str, Any] = {
        "n_members": 1 if isinstance(estimator.n_members, str) else estimator.n_members,
        "categories": _ways_to_tell(estimator, inputs),
        "thresholds": _thresholds(estimator, many_outputs.THRESHOLDS),
    }
    if not isinstance(estimator.ridge, str):
        given["ridges"] = np.array([float(estimator.ridge)])
    if not isinstance(estimator.constant, str):
        given["constants"] = (float(estimator.constant),)
    return given


def _ways_to_tell(estimator: Any, inputs: NDArray) -> list[tuple[int, ...]]:
    """Which columns hold categories: those that are known to, and perhaps those of few whole numbers."""
    known = tuple(sorted(estimator._coding.categories))
    if not isinstance(estimator.categories, str):
        return [known]
    found = [column for column in perhaps_categories(inputs) if column not in known]
    return [known, (*known, *found)] if found else [known]


def _thresholds(estimator: Any, usual: tuple[float, ...]) -> tuple[float, ...]:
    if estimator.fire_rate is not None:
        return (threshold_for_fire_rate(estimator.fire_rate),)
    return usual if isinstance(estimator.threshold, str) else (float(estimator.threshold),)

"""What an estimator does with a table that a reader has coded: `fewfire train` chooses as its users do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from fewfire.estimators.checks import check_parameters
from fewfire.estimators.members import jobs
from fewfire.estimators.saving import know_columns
from fewfire.estimators.stopping import UntilNothingImproves
from fewfire.prepare import Features
from fewfire.training import Trainer


def plan_on_rows(
    estimator: Any, rows: NDArray, labels: NDArray, features: Features
) -> list[tuple[Trainer, UntilNothingImproves]]:
    """Choose for rows, and make what trains each network of an estimator and what ends its training.

    Trained so, the estimator is the one that `fit` makes of a DataFrame of these rows, bit for bit.

    Parameters
    ----------
    estimator : WideClassifier or WideRegressor
    rows : (n, features.n_columns)
        Numbers, the codes of `features` for categories, NaN for a gap.
    labels : (n,) classes, (n, k) booleans, or (n, c) real values
    """
    check_parameters(estimator)
    know_columns(estimator, features)
    inputs = np.ascontiguousarray(rows, np.float64)
    if is_classifier(estimator):
        estimator._learn_classes(labels)
        targets = estimator._labels.targets(labels)
    else:
        values = labels[:, 0] if labels.shape[1] == 1 else labels
        estimator._learn_scale(values, None)
        targets = estimator._targets(values)
    estimator._begin(inputs, targets, None)
    return [
        (estimator._trainer(member, *part), estimator._watch(member))
        for member, part in jobs(estimator, inputs, targets - estimator.mean_, None)
    ]

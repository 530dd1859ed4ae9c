"""What suits a table of many classes, labels or targets: scaling, constant, threshold and ridge.

One system serves all outputs where the output weights are trained, and its errors by leaving one out cost one
eigenvalue problem for all of them. Columns are not learned: their gradients cost as many kernel regressions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import exp, pi, sqrt
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from fewfire.networks.threshold import fire_rate_at
from fewfire.plan.preparation import RIDGES, Chosen, Selection
from fewfire.prepare.preparation import Preparation
from fewfire.tangent.centres import least_ridge
from fewfire.tangent.leave_one_out import leave_one_out, left_out

Floats = NDArray[np.float64]
CONSTANTS, THRESHOLDS = (0.3, 1.0), (0.0, 1.0)
LOOKED_AT, FOR_RIDGE, JUDGED = 1000, 4000, 2000  # samples


@dataclass(frozen=True, eq=False)
class Look:
    """The least error by leaving one out of a way into the network and a threshold, with its ridge."""

    preparation: Preparation
    threshold: float
    ridge: float
    error: float


def select_for_many(
    inputs: NDArray,
    targets: Floats,
    *,
    means: NDArray | None = None,
    sample_weight: NDArray | None = None,
    categories: Sequence[Sequence[int]] = ((),),
    constants: Sequence[float] = CONSTANTS,
    thresholds: Sequence[float] = THRESHOLDS,
    ridges: NDArray = RIDGES,
    n_members: int = 1,
    width: int = 8192,
    seed: int = 0,
) -> Selection:
    """Choose on up to 1,000 samples, and the ridge on up to 4,000, with neurons as those of the network.

    Parameters
    ----------
    inputs : (n, d)
    targets : (n, c)
        Centred.
    means : (c,), optional
        What was taken from the targets, where these are 1 for the classes or labels that a sample has: the
        ridge is then the one whose largest output is most often right, and not that of least squared error.
    sample_weight, categories, constants, thresholds, ridges, n_members, width, seed
        See `fewfire.plan.preparation.select`. Each way to tell categories is tried with standardized columns
        and with columns that are only centred, as suits counts of words.

    Notes
    -----
    Cost: an eigenvalue problem of 1,000 samples for each way; some Cholesky factors of 4,000.
    """
    order, begin = np.random.default_rng(seed).permutation(len(inputs)), perf_counter()
    ids = order[:LOOKED_AT]
    weights = None if sample_weight is None else sample_weight[ids]
    looks = []
    for columns, standardize in product(categories, (True, False)):
        way = Preparation.fit(inputs, columns, standardize=standardize, sample_weight=sample_weight)
        for constant in constants:
            preparation = replace(way, scaling=replace(way.scaling, constant=constant * way.scaling.constant))
            pulls = _pulls(preparation.transform(inputs[ids]), width, seed)
            for threshold in thresholds:
                errors = leave_one_out(_kernel(pulls, threshold), targets[ids], ridges, weights)
                best = int(errors.argmin())
                looks.append(Look(preparation, threshold, float(ridges[best]), float(errors[best])))
    seconds = (perf_counter() - begin) / len(looks) / len(ids) ** 2
    look = min(looks, key=lambda one: one.error)
    ids = order[:FOR_RIDGE]
    weights = None if sample_weight is None else sample_weight[ids]
    kernel = _kernel(_pulls(look.preparation.transform(inputs[ids]), width, seed), look.threshold)
    look, outputs = _finer(look, kernel, targets[ids], means, weights, ridges)
    chosen = Chosen(
        look.preparation,
        look.threshold,
        look.ridge * mean_square(look.threshold),
        np.full(inputs.shape[1], 1 / inputs.shape[1]),
    )
    return Selection([chosen] * n_members, look.error, ids[len(ids) - len(outputs) :], outputs, seconds)


def mean_square(threshold: float) -> float:
    """E max(z - b, 0)^2 for a standard normal z: what K(x, x) is, and a ridge is counted in."""
    density = exp(-threshold * threshold / 2) / sqrt(2 * pi)
    return (1 + threshold**2) * fire_rate_at(threshold) - threshold * density


def _finer(
    look: Look,
    kernel: Floats,
    targets: Floats,
    means: NDArray | None,
    weights: NDArray | None,
    ridges: NDArray,
) -> tuple[Look, Floats]:
    """The ridge chosen anew among more samples, downwards: the more there are, the less it must be.

    With what is predicted for each of the last samples from all others.
    """
    count = min(JUDGED, len(kernel))
    judging = None if weights is None else weights[-count:]
    best, found, lowest, least = look, np.empty(0), np.inf, least_ridge(kernel)
    for ridge in ridges[ridges <= look.ridge][::-1]:
        missed = left_out(kernel, targets, max(float(ridge), least), count, weights)
        error = float(np.average(np.square(missed).mean(axis=1), weights=judging))
        outputs, judged = targets[-count:] - missed, error
        if means is not None:
            first = (outputs + means).argmax(axis=1)[:, None]
            right = np.take_along_axis(targets[-count:] + means, first, axis=1)[:, 0]
            judged = 1 - float(np.average(right, weights=judging))
        if judged >= lowest:
            break
        best, found, lowest = replace(look, ridge=float(ridge), error=error), outputs, judged
    return best, found


def _pulls(units: NDArray, width: int, seed: int) -> NDArray[np.float32]:
    """<w_r, x> (n, width) of as many neurons as the network has."""
    return units @ np.random.default_rng(seed).standard_normal((width, units.shape[1]), np.float32).T


def _kernel(pulls: NDArray[np.float32], threshold: float) -> Floats:
    """Phi Phi^T, over its expected diagonal."""
    given = np.maximum(pulls - np.float32(threshold), 0)
    return (given @ given.T).astype(np.float64) / (pulls.shape[1] * mean_square(threshold))

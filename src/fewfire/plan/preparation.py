"""What suits a data set: preparation, threshold and ridge, by the wide kernel's leave-one-out error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.networks.threshold import fire_rate_at
from fewfire.prepare.preparation import Preparation
from fewfire.tangent.infinite import wide_kernel
from fewfire.tangent.leave_one_out import leave_one_out

CONSTANTS = (0.25, 0.5, 1.0, 2.0)  # of the norm of a row: the larger, the smoother the kernel
THRESHOLDS = (0.0, 1.0)  # the higher, the more local
RIDGES = 10.0 ** np.arange(-5, 1.01, 0.5)  # over the fire rate
FIRST_LOOK, SECOND_LOOK, LOOKED_AT_TWICE = 500, 1500, 4  # samples, samples, choices


Way = tuple[tuple[int, ...], float]  # columns of categories, constant


@dataclass(frozen=True)
class Selection:
    """The choice with the least error.

    Attributes
    ----------
    preparation : Preparation
    threshold : float
    ridge : float
        As `GaussNewton` takes it.
    error : float or None
        Mean squared error of leaving one out, with the wide kernel; None where there was nothing to choose.
    """

    preparation: Preparation
    threshold: float
    ridge: float
    error: float | None


def select(
    inputs: NDArray,
    targets: NDArray[np.float64],
    *,
    sample_weight: NDArray[np.float64] | None = None,
    categories: Sequence[Sequence[int]] = ((),),
    constants: Sequence[float] = CONSTANTS,
    thresholds: Sequence[float] = THRESHOLDS,
    ridges: NDArray[np.float64] = RIDGES,
    seed: int = 0,
) -> Selection:
    """Try all choices on 500 samples, and the best of them again on up to 1,500.

    Parameters
    ----------
    inputs : (n, d)
    targets : (n, c) float64
        Centred.
    sample_weight : (n,), > 0, optional
    categories : ways to tell which columns hold categories
    constants, thresholds, ridges : to choose from; ridges over the fire rate

    Notes
    -----
    Cost: an eigenvalue problem of 500 rows for each choice, a twentieth of a second; nothing for one choice.
    """
    order = np.random.default_rng(seed).permutation(len(inputs))
    prepared = {
        (tuple(columns), constant): preparation
        for columns in categories
        for constant, preparation in zip(
            constants, Preparation.fit_each(inputs, columns, constants, sample_weight), strict=True
        )
    }

    choices: list[tuple[Way, float]] = [(way, threshold) for way in prepared for threshold in thresholds]
    if len(choices) == len(ridges) == 1:
        (way, threshold), ridge = choices[0], float(ridges[0])
        return Selection(prepared[way], threshold, ridge * fire_rate_at(threshold), None)

    def tried(way: Way, threshold: float, count: int) -> tuple[float, float]:
        """Least error, and the ridge that leads to it."""
        few = order[:count]
        samples = prepared[way].transform(inputs[few], np.float64)
        weights = None if sample_weight is None else sample_weight[few]
        errors = leave_one_out(wide_kernel(samples @ samples.T, threshold), targets[few], ridges, weights)
        return float(errors.min()), float(ridges[errors.argmin()])

    if len(choices) > LOOKED_AT_TWICE:
        errors = [tried(way, threshold, FIRST_LOOK)[0] for way, threshold in choices]
        choices = [choices[place] for place in np.argsort(errors, kind="stable")[:LOOKED_AT_TWICE]]
    seconds = [tried(way, threshold, SECOND_LOOK) for way, threshold in choices]
    (error, ridge), (way, threshold) = min(zip(seconds, choices, strict=True), key=lambda pair: pair[0])
    return Selection(prepared[way], threshold, ridge * fire_rate_at(threshold), error)

"""Tasks, and real-valued targets in a user's units <-> the standardized ones that a network learns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.prepare.scaling import NO_SPREAD

AUTO, CLASSIFICATION, REGRESSION = "auto", "classification", "regression"
TASKS = (AUTO, CLASSIFICATION, REGRESSION)


@dataclass(frozen=True, eq=False)
class TargetScaling:
    """Mean and standard deviation of the real-valued targets of a training set.

    Attributes
    ----------
    mean : float64 array (c,)
    scale : float64 array (c,), > 0
        The standard deviation of each target; 1 where it has no spread.

    Examples
    --------
    >>> prices = np.array([[100.0], [300.0]])
    >>> scaling = TargetScaling.fit(prices)
    >>> scaling.transform(prices).tolist()
    [[-1.0], [1.0]]
    >>> scaling.inverse(np.array([[0.5]])).tolist()
    [[250.0]]
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, targets: NDArray, sample_weight: NDArray | None = None) -> "TargetScaling":
        """Take the statistics of finite targets (n, c), whose weights (n,) say how often each row counts.

        Each target is divided by a power of two near its largest value: no square overflows or vanishes.
        """
        _, exponents = np.frexp(np.abs(targets).max(axis=0).astype(np.float64))
        power = np.ldexp(1.0, exponents - 1)
        shares = targets / power
        mean = np.average(shares, axis=0, weights=sample_weight)
        deviation = np.sqrt(np.average(np.square(shares - mean), axis=0, weights=sample_weight))
        spreads = deviation > NO_SPREAD * np.abs(mean)
        return cls(mean * power, np.where(spreads, deviation * power, 1.0))

    def __len__(self) -> int:
        """Number of targets."""
        return len(self.mean)

    def transform(self, targets: NDArray) -> NDArray[np.float64]:
        """Targets (n, c) of mean 0 and variance 1, as far as they are like those of training."""
        return (targets - self.mean) / self.scale

    def inverse(self, outputs: NDArray) -> NDArray[np.float64]:
        """Targets (n, c) in the units of training, of a network's outputs (n, c)."""
        return outputs * self.scale + self.mean

    def state(self) -> dict[str, NDArray[np.float64]]:
        """The statistics as arrays under the names target_mean and target_scale."""
        return {"target_mean": self.mean, "target_scale": self.scale}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> "TargetScaling":
        """The inverse of `state`; other names in the mapping are ignored."""
        return cls(state["target_mean"], state["target_scale"])


def is_given(labels: NDArray) -> NDArray[np.bool_]:
    """Which rows have a label, or all targets of a regression, (n,): neither an empty text nor NaN."""
    if labels.dtype.kind not in "fU":
        return np.ones(len(labels), bool)
    missing = labels == "" if labels.dtype.kind == "U" else np.isnan(labels)
    return np.asarray(np.logical_not(np.reshape(missing, (len(labels), -1)).any(axis=1)))

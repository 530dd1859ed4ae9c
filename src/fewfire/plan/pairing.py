"""Two candidates on the same samples: is one better, and how many samples would tell?"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.9  # that one is worse than another, where it is said to be


@dataclass(frozen=True)
class Paired:
    """What samples say of two candidates.

    Attributes
    ----------
    first, second : int
        Samples that speak for one of them only.
    n_samples : int
    """

    first: int
    second: int
    n_samples: int

    @classmethod
    def of(cls, first: NDArray, second: NDArray) -> "Paired":
        """From how often each candidate is right on each sample, (seeds, n) booleans."""
        difference = first.sum(axis=0, dtype=int) - second.sum(axis=0, dtype=int)
        return cls(int((difference > 0).sum()), int((difference < 0).sum()), len(difference))

    @property
    def p_value(self) -> float:
        """Of McNemar's exact test, two-sided: how often equals would differ so much."""
        from scipy.stats import binomtest

        both = self.first + self.second
        return float(binomtest(self.first, both).pvalue) if both else 1.0

    @property
    def is_tie(self) -> bool:
        return self.p_value > 1 - CONFIDENCE

    @property
    def needed(self) -> float:
        """Samples that would tell them apart at the rate seen; infinite where neither is ahead.

        Those at which the difference of the two shares is 1.64 of its standard errors.
        """
        from scipy.stats import norm

        share = (self.first + self.second) / self.n_samples
        ahead = (self.first - self.second) / self.n_samples
        if ahead == 0:
            return math.inf
        return math.ceil(float(norm.ppf((1 + CONFIDENCE) / 2)) ** 2 * share / ahead**2)


def is_worse(losses: NDArray, of_leader: NDArray) -> bool:
    """Whether a candidate's losses exceed the leader's, pair by pair, at 90 % (one-sided)."""
    from scipy.stats import norm

    if not np.isfinite(losses).all():
        return True
    differences = losses - of_leader
    error = differences.std(ddof=1) / math.sqrt(len(differences)) if len(differences) > 1 else math.inf
    return bool(differences.mean() > norm.ppf(CONFIDENCE) * error)

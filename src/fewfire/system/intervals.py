"""How sure a share is that was counted on a sample."""

from math import sqrt
from statistics import NormalDist

SURE = 0.95  # of the interval


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of which `successes` of n were seen (Wilson, 1927).

    Both may be numbers of independent observations that would say as much as those that were made.
    """
    z = NormalDist().inv_cdf((1 + SURE) / 2)
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)

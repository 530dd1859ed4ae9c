"""How sure a share is that was counted on a sample."""

from math import sqrt
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)  # half of the 5 % lie beyond


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of which `successes` of n were seen (Wilson, 1927).

    Both may be numbers of independent observations that would say as much as those that were made.
    """
    share, spread = successes / n, Z * Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)

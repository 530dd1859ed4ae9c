"""The shifted ReLU, max(z - b, 0), and the link between its threshold b and the fire rate.

A pre-activation <w, x> of a standard normal w and a unit-norm x is standard normal, so a neuron fires
with probability Q(b) = P[N(0, 1) > b].
"""

import math
from numbers import Real
from statistics import NormalDist

FIRING_SHARE = 0.0025  # of the neurons, on a sample, at the threshold "auto"
FIRING = 160  # at least


def paper_threshold(width: int, *, second_order: bool = False) -> float:
    """b = sqrt(0.4 ln m), at which at most m^(4/5) neurons fire on a sample.

    With `second_order` sqrt(0.48 ln m) and m^(0.76), for Gauss-Newton training.

    Sources: Song, Yang, Zhang, NeurIPS 2021 (arXiv 2110.04622), the sparsity lemma; Deng, Hu, Song,
    Weinstein, Zhuo, arXiv 2208.04508.
    """
    return math.sqrt((0.48 if second_order else 0.4) * math.log(width))


def auto_threshold(width: int, *, second_order: bool = False) -> float:
    """The paper's threshold, or a higher one at which 0.25 % of the neurons fire on a sample, 160 at least.

    A step costs what fires, and a wide network at the paper's threshold fires more than training needs: at
    the same time the higher one is ahead on most data (docs/decisions/0027-threshold-and-rate.md). Narrower
    than some 4,900 neurons the two are the same, and for Gauss-Newton training they always are.
    """
    paper = paper_threshold(width, second_order=second_order)
    if second_order:
        return paper
    return max(paper, threshold_for_fire_rate(min(0.5, max(FIRING_SHARE, FIRING / width))))


def threshold_for_fire_rate(fire_rate: float) -> float:
    """The threshold at which freshly initialized neurons fire on this share of unit-norm samples.

    Parameters
    ----------
    fire_rate : float in (0, 0.5]

    Raises
    ------
    ValueError
        The fire rate lies outside that range.

    Examples
    --------
    >>> round(threshold_for_fire_rate(0.02), 2)
    2.05
    """
    if not 0 < fire_rate <= 0.5:
        raise ValueError(
            f"the fire rate must be in (0, 0.5]. Got {fire_rate}. "
            "Use 0.5 for a plain ReLU, 0.02 for two firing pairs in a hundred."
        )
    return max(0.0, NormalDist().inv_cdf(1 - fire_rate))


def fire_rate_at(threshold: float) -> float:
    """Q(b): the share of pairs that fire at initialization on unit-norm samples."""
    return 1 - NormalDist().cdf(threshold)


def mean_square_activation(threshold: float) -> float:
    """V(b) = E[max(g - b, 0)^2] of a standard normal g: (1 + b^2) Q(b) - b phi(b)."""
    b = threshold
    tail = math.erfc(b / math.sqrt(2)) / 2
    return (1 + b * b) * tail - b * math.exp(-b * b / 2) / math.sqrt(2 * math.pi)


def map_slope(threshold: float) -> float:
    """Q(b) / V(b): what a layer multiplies small differences of unit vectors by, and of their squared norms.

    It is 1 for a plain ReLU, and about 4 where two neurons in a hundred fire (docs/theory/deep.md).

    Sources: Poole et al., arXiv 1606.05340, and Schoenholz et al., arXiv 1611.01232, for such maps.
    """
    return math.erfc(threshold / math.sqrt(2)) / 2 / mean_square_activation(threshold)


def variance_map(threshold: float, v: float) -> float:
    """The mean squared activation on inputs of squared norm v > 0, over that on unit vectors.

    v E[max(g - b / sqrt(v), 0)^2] / E[max(g - b, 0)^2]; its slope at v = 1 is `map_slope`.
    """
    return v * mean_square_activation(threshold / math.sqrt(v)) / mean_square_activation(threshold)


BY_NAME = {"auto": auto_threshold, "paper": paper_threshold}


def require_one_of_both(threshold: float | str, fire_rate: float | None, *, left_out: str) -> None:
    """Raise ValueError where a fire rate is given beside a threshold that is not left out."""
    if fire_rate is not None and threshold != left_out:
        raise ValueError(
            f"give a threshold or a fire rate, not both. Got threshold={threshold} and "
            f"fire_rate={fire_rate}. Leave one out."
        )


def threshold_of(
    asked: float | str,
    width: int,
    *,
    fire_rate: float | None = None,
    second_order: bool = False,
    left_out: str = "paper",
) -> float:
    """The threshold that was asked for: a number, a name, or the one of a fire rate.

    Parameters
    ----------
    asked : float >= 0, "auto" or "paper"
        See `auto_threshold` and `paper_threshold`.
    width : int
    fire_rate : float in (0, 0.5], optional
        In place of a threshold; see `threshold_for_fire_rate`.
    second_order : bool
        Whether Gauss-Newton steps will train the network.
    left_out : "auto" or "paper"
        What the threshold is where only a fire rate was asked for.

    Raises
    ------
    ValueError
        Both a threshold and a fire rate are given, or the threshold is neither a number nor a name.
    """
    require_one_of_both(asked, fire_rate, left_out=left_out)
    if fire_rate is not None:
        return threshold_for_fire_rate(fire_rate)
    if isinstance(asked, str) and asked in BY_NAME:
        return BY_NAME[asked](width, second_order=second_order)
    if not isinstance(asked, Real):
        raise ValueError(
            f"threshold must be a number, 'auto' or 'paper'. Got {asked!r}. Use 'auto' if in doubt."
        )
    return float(asked)

"""Interval bounds of affine maps and of margins, rounding included; for NumPy arrays and PyTorch's alike.

A box is a centre and how far it reaches to both sides. docs/theory/implicit.md has the sums.
"""

from typing import Any

Array = Any  # of NumPy or of PyTorch: both have the operators that are used here


def rounding(terms: int, eps: float) -> float:
    """More than rounding takes twice from a sum of so many products, relative to the sum of their sizes.

    Once for the bound, once for the number that is bounded; a sum of k products errs by at most k eps / 2,
    in whatever order, and the rest is room for the few operations around it.
    """
    return (terms + 10) * eps


def affine_bounds(
    weights: Array, bias: Array, centre: Array, reach: Array, rounded: float
) -> tuple[Array, Array]:
    """Where W x + b lies for x in the boxes (n, d), as it is and as it is computed.

    Returns
    -------
    centre, reach : (n, m)
    """
    far = (reach + rounded * (abs(centre) + reach)) @ abs(weights).T + rounded * abs(bias)
    return centre @ weights.T + bias, (1 + rounded) * far


def margins_over(
    label: int, weights: Array, bias: Array, centre: Array, reach: Array, rounded: float
) -> Array:
    """Lower bounds (n, c) on f_label - f_j over x in the boxes, where f = W x + b.

    Never below the difference of the outputs' own bounds: what the two outputs share cancels. The entry of
    the label itself says nothing.
    """
    lead = weights[label] - weights
    least = centre @ lead.T + (bias[label] - bias) - reach @ abs(lead).T
    sizes = (abs(centre) + reach) @ abs(weights).T + abs(bias)
    return least - rounded * (sizes[:, label : label + 1] + sizes)


def metzler_part(weights: Array, identity: Array) -> Array:
    """M of A = M + K: the diagonal, and what is positive beside it."""
    positive = (weights + abs(weights)) / 2
    return positive + (weights - positive) * identity

"""How a kernel regression depends on each column: the average of its gradients' outer products.

f(z) = sum_j alpha_j H(<u, u_j>), with u = v / |v| and v = (z, constant). Its gradient at a sample is

    grad f(z_i) = (s_i - <s_i, u_i> u_i) / |v_i|  without the last entry,
    s_i = sum_(j != i) alpha_j H'(<u_i, u_j>) u_j.

Where the outputs vary a lot along a direction, distances along it should count more. Source: Radhakrishnan,
Beaglehole, Pandit, Belkin, recursive feature machines (Science 2024), whose kernel has no constant and no
sphere; docs/theory/learned_features.md derives ours.
"""

import numpy as np
from numpy.typing import NDArray

from fewfire.tangent.infinite import wide_kernel_slope

Floats = NDArray[np.float64]
NO_NEIGHBOUR = 1 - 1e-10  # a cosine from here on is that of a copy, which gives no direction
MOST_OUTPUTS = 8  # of several more, as many random sums stand for all


def mean_outer_gradients(
    rows: Floats,
    constant: float,
    dual: Floats,
    threshold: float,
    *,
    full: bool,
    weights: Floats | None = None,
) -> Floats:
    """The mean over samples, summed over outputs, of grad grad^T: (d, d), or its diagonal (d,).

    Parameters
    ----------
    rows : (n, d)
        The samples z, before the constant and the sphere.
    constant : float > 0
    dual : (n, c)
        The weights alpha of the samples in the outputs.
    threshold : float >= 0
    full : bool
    weights : (n,), optional
        Of the samples in the mean.

    Notes
    -----
    Cost: n^2 d for each output, at most eight, and n d^2 for each if full.
    """
    outputs = dual.shape[1]
    if outputs > MOST_OUTPUTS:
        mixed = np.random.default_rng(0).standard_normal((outputs, MOST_OUTPUTS))
        dual = dual @ mixed / np.sqrt(MOST_OUTPUTS)
    lengths = np.sqrt(np.square(rows).sum(axis=1) + constant**2)
    units = np.column_stack([rows, np.full(len(rows), constant)]) / lengths[:, None]
    cosines = units @ units.T
    slopes = np.where(np.abs(cosines) < NO_NEIGHBOUR, wide_kernel_slope(cosines, threshold), 0.0)
    shares = np.full(len(rows), 1 / len(rows)) if weights is None else weights / weights.sum()
    total = np.zeros((rows.shape[1],) * (2 if full else 1))
    for alpha in dual.T:
        sums = (slopes * alpha) @ units
        along = np.einsum("ij,ij->i", sums, units)
        gradients = (sums - along[:, None] * units)[:, :-1] / lengths[:, None]
        if full:
            total += (gradients * shares[:, None]).T @ gradients
        else:
            total += shares @ np.square(gradients)
    return total

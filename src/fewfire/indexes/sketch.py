"""The sketch: the few directions in which the data vary most, for a sharper bound on what a drift can do.

P has k orthonormal rows. For a drift D and a sample x, <D, x> = <P D, P x> + <D perp, x perp> exactly,
where "perp" is what P leaves out. The second term is at most |D perp| |x perp|: small where P catches
most of x.
"""

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.core.rows import aligned_empty, stride_of

SAMPLED_ROWS = 2048  # rows that the directions are found from
CHUNK = 4096  # rows sketched at one time
SIZES = (16, 32, 48, 64)  # of a sketch that is chosen by the data
PAIR_OVERHEAD = (
    100  # multiply-adds that the dot or the sketch test of a single pair takes as long as, beside its own
)
SILENT_SHARE = 0.5  # of the pairs that the norm bound leaves; the others fire


def sketch_directions(inputs: Inputs, size: int | None) -> NDArray[np.float64]:
    """The principal directions (d, k), k of them as asked for, or as many as suit the data."""
    if size is None:
        return default_directions(inputs)
    return principal_directions(inputs, min(size, *inputs.samples.shape))


def default_directions(inputs: Inputs) -> NDArray[np.float64]:
    """The principal directions (d, k), with the k that makes the pairs left by the norm bound cheapest.

    k is 0, for no sketch, or one of 16, 32, 48, 64. The cost depends on the data alone: on how much of the
    samples the directions leave out. docs/theory/drift_index.md derives it.
    """
    n, d = inputs.samples.shape
    least, without = PAIR_OVERHEAD + SIZES[0], SILENT_SHARE * (d + PAIR_OVERHEAD)
    if least >= without:
        return np.empty((d, 0))
    directions = principal_directions(inputs, min(SIZES[-1], n, d))
    rows = _sampled_rows(inputs)
    inside = np.cumsum(np.square(rows @ directions.astype(rows.dtype)).sum(axis=0))
    outside = 1 - np.append(0, inside) / (np.square(rows).sum() or 1)
    sizes = [k for k in SIZES if k <= directions.shape[1]]
    costs = {k: PAIR_OVERHEAD + k + outside[k] * without for k in sizes} | {0: without}
    return directions[:, : min(costs, key=lambda k: costs[k])]


def principal_directions(inputs: Inputs, k: int) -> NDArray[np.float64]:
    """Orthonormal columns (d, k) that span most of the rows, scaled to norm 1.

    Source: the randomised range finder of Halko, Martinsson, Tropp (SIAM Review 2011), Algorithm 4.4.
    """
    rows = _sampled_rows(inputs)
    shape = inputs.n_features, min(2 * k, inputs.n_features)
    basis = np.random.default_rng(1).standard_normal(shape).astype(rows.dtype)
    for _ in range(2):
        basis = np.linalg.qr(rows.T @ (rows @ basis))[0]
    # The k best directions within the range that was found.
    inside = rows @ basis
    right = np.linalg.eigh(inside.T @ inside)[1][:, ::-1]
    return np.linalg.qr((basis @ right[:, :k]).astype(np.float64))[0]


def _sampled_rows(inputs: Inputs) -> NDArray:
    """Some of the rows, scaled to norm 1; all where there are few."""
    count = min(len(inputs), SAMPLED_ROWS)
    chosen = np.sort(np.random.default_rng(0).choice(len(inputs), count, replace=False))
    return inputs.samples[chosen] * inputs.inverse_norms[chosen, None]


def sketch_of(inputs: Inputs, directions: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """(P x, padded (n, stride); |x perp| (n,), rounded up) for all inputs, in their dtype."""
    k = directions.shape[1]
    sketch = aligned_empty((len(inputs), stride_of(k, inputs.dtype)), inputs.dtype)
    sketch[:, k:] = 0
    perps = np.empty(len(inputs), inputs.dtype)
    for first in range(0, len(inputs), CHUNK):
        part = slice(first, first + CHUNK)
        rows = inputs.samples[part].astype(np.float64)
        inside = rows @ directions
        squares = np.einsum("ij,ij->i", rows, rows)
        with np.errstate(invalid="ignore"):  # where squares overflow, nothing is proven
            outside = np.maximum(squares - np.einsum("ij,ij->i", inside, inside), 0)
        perp = np.sqrt(outside) + 1e-6 * np.sqrt(squares)
        too_short = (inputs.norms[part] > 0) & (inputs.inverse_norms[part] == 0)
        perp[too_short | np.isnan(perp)] = np.inf
        sketch[part, :k] = inside
        perps[part] = perp
    return sketch, perps

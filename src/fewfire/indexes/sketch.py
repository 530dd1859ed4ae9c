"""The sketch: the few directions in which the data vary most, for a sharper bound on what a drift can do.

P has k orthonormal rows. For a drift D and a sample x, <D, x> = <P D, P x> + <D perp, x perp> exactly,
where "perp" is what P leaves out. The second term is at most |D perp| |x perp|: small where P catches
most of x.
"""

import numpy as np
from numpy.typing import NDArray

from fewfire.inputs import Inputs
from fewfire.rows import aligned_empty, stride_of

SAMPLED_ROWS = 4096  # rows that the directions are found from
CHUNK = 4096  # rows sketched at one time
SMALLEST_N_FEATURES = 128  # below about this a dot is as cheap as the sketch test
LARGEST_SKETCH = 32


def default_sketch_size(n_features: int) -> int:
    """k: 32, or no sketch at all where the features are few."""
    return LARGEST_SKETCH if n_features > SMALLEST_N_FEATURES else 0


def principal_directions(inputs: Inputs, k: int) -> NDArray[np.float64]:
    """Orthonormal columns (d, k) that span most of the rows, scaled to norm 1.

    Source: the randomised range finder of Halko, Martinsson, Tropp (SIAM Review 2011), Algorithm 4.4.
    """
    random = np.random.default_rng(0)
    count = min(len(inputs), SAMPLED_ROWS)
    chosen = np.sort(random.choice(len(inputs), count, replace=False))
    rows = inputs.samples[chosen] * inputs.inverse_norms[chosen, None].astype(np.float64)
    basis = random.standard_normal((inputs.n_features, min(2 * k, inputs.n_features)))
    for _ in range(3):
        basis = np.linalg.qr(rows.T @ (rows @ basis))[0]
    # The k best directions within the range that was found.
    right = np.linalg.svd(rows @ basis, full_matrices=False)[2]
    return np.linalg.qr(basis @ right[:k].T)[0]


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

"""A hashing index for a recall that is asked for, from the collisions of a sample of the pairs."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded
from fewfire.indexes import HashingIndex, fitting
from fewfire.indexes.hash_functions import HASHES, HashFamily
from fewfire.indexes.hashing import MOST_BITS
from fewfire.networks.layer import Layer
from fewfire.system.words import require_one_of

NEURONS, SAMPLES = 1024, 256  # that the recall is measured on
MOST_TABLES = 200
MOST_LOOKED_AT = 0.5  # of the pairs: beyond it, looking at all is simpler and exact


def plan_hashing(
    layer: Layer, inputs: ArrayLike | Inputs, recall: float = 0.9, *, hash: str = "simhash", seed: int = 0
) -> HashingIndex:
    """The hashing index that finds this share of what fires while it looks at as few pairs as can be.

    Parameters
    ----------
    layer : Layer
    inputs : (n, d) array or Inputs
        Samples of the kind that will be asked about.
    recall : float in (0, 1)
        As measured on the pairs of up to 1,024 neurons and 256 of the samples.
    hash : "simhash", "wta" or "dwta"
    seed : int
        Seed for what is drawn, the index's functions among it.

    Returns
    -------
    HashingIndex
        Not built yet. Its recall on other pairs is near the one that was asked for, and `audited` tells it.

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        The recall is out of its range; nothing fires in the sample; or no tables, 200 at the most, reach the
        recall without looking at half of the pairs.

    Notes
    -----
    Each length of code is tried: about 2^18 comparisons per table, a second or two in all.
    """
    if not 0 < recall < 1:
        raise ValueError(f"recall must be between 0 and 1. Got {recall}. Use 0.9.")
    require_one_of(hash, HASHES, "the hash")
    inputs, random = fitting(layer, inputs), np.random.default_rng(seed)
    some = inputs.batch(np.sort(random.choice(len(inputs), min(SAMPLES, len(inputs)), replace=False)))
    neurons = np.sort(random.choice(layer.width, min(NEURONS, layer.width), replace=False))
    rows = padded(layer.present_weights()[neurons], layer.dtype)
    fires = rows[:, : layer.n_features] @ some.samples.T > layer.threshold
    if not fires.any():
        raise ValueError(
            f"something must fire for a recall to be measured. Got {fires.size} pairs, all silent. Lower the "
            "threshold, or give bits and tables to HashingIndex."
        )
    chosen = (MOST_LOOKED_AT, 0, 0)
    of_a_value = HASHES[hash].bits
    for bits in range(of_a_value, MOST_BITS + 1, of_a_value):
        together = bits // of_a_value
        functions = HASHES[hash].draw(MOST_TABLES, together, layer.n_features, layer.dtype, random)
        first = _first_common_table(functions, together, rows, some.rows)
        tables = int(np.quantile(first[fires], recall, method="inverted_cdf")) + 1
        if tables <= MOST_TABLES:
            chosen = min(chosen, (float(np.mean(first < tables)), bits, tables))
    _, bits, tables = chosen
    if not tables:
        raise ValueError(
            f"a recall must be within reach of tables that look at less than {MOST_LOOKED_AT:.0%} of the "
            f"pairs. Got {recall}, which {hash} does not reach here. Ask for less, or use the screened "
            "index, which is exact."
        )
    return HashingIndex(hash, bits, tables, seed=seed)


def _first_common_table(
    functions: HashFamily, together: int, rows: NDArray, samples: NDArray
) -> NDArray[np.int64]:
    """In which table each pair lies in one bucket for the first time, (m, n); MOST_TABLES where in none."""
    view = functions.core_view(rows.dtype)
    codes = [np.empty((MOST_TABLES, len(some)), np.uint32) for some in (rows, samples)]
    for some, of_them in zip((rows, samples), codes, strict=True):
        _core.hash_codes(view, together, some, of_them)
    first = np.full((len(rows), len(samples)), MOST_TABLES)
    for table in reversed(range(MOST_TABLES)):
        first[codes[0][table][:, None] == codes[1][table]] = table
    return first

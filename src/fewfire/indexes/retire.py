"""Which neurons of a table of distance codes fire on no sample, and a smaller table of the others."""

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.rows import BLOCK

WORTH = 1 / 8  # of the table: or it is not worth the pass over it


def retire(
    table: NDArray[np.uint8], reach: NDArray[np.uint8], rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put the neurons that may fire first, in place.

    A neuron is proven silent by its codes, all beyond its reach. Those that may fire and stand in the last
    blocks take the places of silent ones in the first.

    Parameters
    ----------
    table : (blocks, n, bytes per line)
        See `DriftIndex`.
    reach : (64 blocks,)
        The codes up to which each neuron may fire.
    rows : int
        Neurons in the table; the rest of its last block is empty.

    Returns
    -------
    (kept, retired)
        Which neurons the first blocks hold now, in the order of their places, and which are in none. All and
        none where too little would be saved.
    """
    places = np.arange(len(reach))
    silent = np.zeros(len(reach), np.uint8)
    _core.beyond_reach(table, reach, silent)
    silent[rows:] = 1
    tabled = -(-np.count_nonzero(silent == 0) // BLOCK)
    if len(table) - tabled < WORTH * len(table):
        return places, places[:0]
    kept, last = np.split(places, [tabled * BLOCK])
    moved = last[silent[last] == 0]
    free = kept[silent[kept] == 1][: len(moved)]
    _core.copy_columns(table, moved, free)
    kept[free] = moved
    _core.give_back(table[tabled:].ravel())
    return kept, np.setdiff1d(np.arange(rows), kept)

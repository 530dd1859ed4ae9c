"""How far the numbers that `predict` computes may lie from the real ones (docs/theory/rounding.md)."""

from math import log2

import numpy as np
from numpy.typing import DTypeLike

from fewfire.core.rows import VECTOR_BYTES

SPARE = 6  # further operations around a sum: a rounded input, a difference, a product, with room to spare
IN_FLOAT64 = 1e-11  # of the sizes that are summed: more than all sums in float64 here can lose


def dot_rounding(n_products: int, dtype: DTypeLike) -> float:
    """A proven bound on the relative rounding error of the shared dot kernel over so many products.

        |computed - exact| <= dot_rounding(n) |w| |x|

    It adds up in lanes, one fused multiply-add per vector, and then the lanes in a tree: no number takes part
    in more than n / lanes + log2(lanes) sums.
    """
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return _bound(-(-n_products // lanes) + log2(lanes), dtype)


def sum_rounding(n_terms: int, dtype: DTypeLike) -> float:
    """The same of a sum of so many terms in any order, over the sum of their sizes."""
    return _bound(n_terms, dtype)


def _bound(n_roundings: float, dtype: DTypeLike) -> float:
    total = (n_roundings + SPARE) * float(np.finfo(dtype).eps) / 2
    return total / (1 - total)

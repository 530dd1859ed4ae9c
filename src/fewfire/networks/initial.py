"""Parameters drawn at random: rows of normal numbers, or nearly, and of signs."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fewfire.core.rows import ROWS_AT_A_TIME, padded_zeros
from fewfire.networks.structured import StructuredWeights
from fewfire.system.words import require_one_of

INITS = ("gaussian", "structured")


def require_init(init: str) -> None:
    """Raise ValueError unless this is a name of initial weights."""
    require_one_of(init, INITS, "init")


def first_rows(
    init: str, width: int, n_features: int, random: np.random.Generator, dtype: DTypeLike
) -> tuple[NDArray, StructuredWeights | None]:
    """The padded rows of a layer by the name of their initialization, and what they were made of."""
    if init != "structured":
        return gaussian_rows(width, n_features, random, dtype), None
    weight_rows = padded_zeros(width, n_features, dtype)
    structure = StructuredWeights.draw(width, n_features, random, dtype)
    structure.write(weight_rows)
    return weight_rows, structure


def gaussian_rows(width: int, n_features: int, random: np.random.Generator, dtype: DTypeLike) -> NDArray:
    """Padded rows (width, stride) of standard normal numbers."""
    weight_rows = padded_zeros(width, n_features, dtype)
    for first in range(0, width, ROWS_AT_A_TIME):  # in pieces: no second copy of the weights
        rows = weight_rows[first : first + ROWS_AT_A_TIME, :n_features]
        rows[:] = random.standard_normal(rows.shape, dtype=weight_rows.dtype.type)
    return weight_rows


def sign_rows(width: int, n_outputs: int, random: np.random.Generator, dtype: DTypeLike) -> NDArray:
    """Padded rows (width, stride) of +1 and -1, each as likely."""
    output_rows = padded_zeros(width, n_outputs, dtype)
    output_rows[:, :n_outputs] = random.integers(0, 2, (width, n_outputs)) * 2 - 1
    return output_rows

"""Neurons that fire on no sample of a training set never move, and never fire on it: drawn anew, not held.

docs/theory/silent_neurons.md.
"""

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded

MOST_DRAWS = 100  # per neuron: what fires as seldom as that stays silent


def fires_on_any(weight_rows: NDArray, inputs: Inputs, threshold: float) -> NDArray[np.bool_]:
    """Which of the neurons (m, stride) fire on some sample: up to n d multiply-adds each."""
    alive = np.empty(len(weight_rows), np.uint8)
    _core.fires_on_any(np.ascontiguousarray(weight_rows), inputs.core_view, threshold, alive)
    return alive.astype(bool)


def redraw_silent(weight_rows: NDArray, inputs: Inputs, threshold: float, random: np.random.Generator) -> int:
    """Draw the neurons (m, stride) that fire on no sample anew until they do; how many draws that took."""
    threshold = float(weight_rows.dtype.type(threshold))
    silent, draws = np.flatnonzero(~fires_on_any(weight_rows, inputs, threshold)), 0
    while len(silent) and draws < MOST_DRAWS * len(weight_rows):
        drawn = random.standard_normal((len(silent), inputs.n_features), dtype=weight_rows.dtype.type)
        rows = padded(drawn, weight_rows.dtype)
        alive = fires_on_any(rows, inputs, threshold)
        weight_rows[silent[alive]] = rows[alive]
        draws, silent = draws + len(silent), silent[~alive]
    return draws

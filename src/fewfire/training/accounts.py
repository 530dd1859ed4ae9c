"""What the work and the moves of an epoch come to, as its record shows them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fewfire.core.rows import ROWS_AT_A_TIME
from fewfire.core.work import Work


def work_figures(spent: Sequence[Work], n_features: Sequence[int]) -> dict[str, float]:
    """Shares of pairs and of dense work, over all layers; filters are those of the first, which has an index.

    Parameters
    ----------
    spent : of each layer, the first one first
    n_features : what each layer takes
    """
    first, asked = spent[0], max(1, sum(work.asked for work in spent))
    costs = [
        _cost(work, d, later=number > 0)
        for number, (work, d) in enumerate(zip(spent, n_features, strict=True))
    ]
    dense = sum(dense for _, dense in costs)
    return {
        "fire_rate": sum(work.fired for work in spent) / asked,
        "near_rate": first.near / max(1, first.asked),
        "dot_rate": first.dots / max(1, first.asked),
        "work_share": sum(products for products, _ in costs) / dense if dense else 0.0,
    }


def layer_figures(
    spent: Sequence[Work], n_features: Sequence[int], moved: Sequence[NDArray], dead_samples: Sequence[int]
) -> list[dict[str, float]]:
    """Figures of each layer of a deep network; see `EpochRecord.layers`."""
    figures = []
    for number, (work, d, moves, dead) in enumerate(zip(spent, n_features, moved, dead_samples, strict=True)):
        products, dense = _cost(work, d, later=number > 0)
        figures.append(
            {
                "fire_rate": work.fired / max(1, work.asked),
                "work_share": products / dense if dense else 0.0,
                "moved_mean": float(moves.mean()),
                "moved_max": float(moves.max()),
                "dead_samples": int(dead),
            }
        )
    return figures


def distances(rows: NDArray, before: NDArray) -> NDArray[np.float64]:
    """How far each row has moved, (m,); infinite where the square overflows."""
    apart = np.empty(len(rows))
    for first in range(0, len(rows), ROWS_AT_A_TIME):
        part = slice(first, first + ROWS_AT_A_TIME)
        with np.errstate(over="ignore"):
            moves = rows[part] - before[part]
            apart[part] = np.sqrt(np.einsum("rf,rf->r", moves, moves))
    return apart


def _cost(work: Work, n_features: int, *, later: bool) -> tuple[int, int]:
    """Multiply-adds of the steps of a layer, and of dense ones.

    A dense step has the pre-activations and the gradient of the weights; above the first layer that of the
    inputs, too.
    """
    if later:
        return work.input_products + work.pair_products, 3 * work.asked * n_features
    return work.multiply_adds(n_features) + work.fired * n_features, 2 * work.asked * n_features

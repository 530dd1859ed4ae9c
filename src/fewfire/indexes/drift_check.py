"""What must hold of a drift index, worked out in float64 and slowly: for its `check_invariants`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.networks.layer import Layer

Floats = NDArray[np.float64]


def decoded(table: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """The codes of a table, (neurons of whole blocks in index order, n)."""
    codes = np.concatenate([table & 15, table >> 4], axis=2) if bits == 4 else table
    return codes.transpose(0, 2, 1).reshape(-1, table.shape[1])


def sketch_now(layer: Layer, sketch: NDArray, motion: NDArray, velocity_sketch: NDArray) -> Floats:
    """P D of each neuron as it is now, in units of its scale, as the filter computes it: (m, k)."""
    now = sketch.astype(np.float64)
    if not len(motion):
        return now
    since, scale = motion["since"].astype(np.int64), motion["scale_now"]
    flows = np.array([layer.core_view.flow(time) for time in range(layer.core_view.now + 1)])
    p, q = flows[since, 0], flows[since, 1] + flows[since, 0] * motion["lead"]
    now *= (p / scale)[:, None]
    if len(velocity_sketch):
        now += (q / scale)[:, None] * velocity_sketch
    return now


def check_velocities(
    velocities: NDArray, reference: NDArray, motion: NDArray, velocity_sketch: NDArray, directions: NDArray
) -> None:
    """Raise AssertionError where a bound on a velocity, when its rows were last written, does not hold.

    Parameters
    ----------
    velocities, reference : (m, d)
        The values of the neurons, in index order.
    motion : (m,) records MOTION
    velocity_sketch : (m, k)
    directions : (k, d)
    """
    velocity = velocities.astype(np.float64) - motion["lag"][:, None] * reference
    too_fast = np.linalg.norm(velocity, axis=1) > motion["speed"] * (1 + 1e-12)
    assert not too_fast.any(), "a speed is too low"
    if not len(directions):
        return
    inside = velocity @ directions.astype(np.float64).T
    tiny = 1e-6 * motion["speed"]  # of the directions themselves, in their dtype
    errors = np.linalg.norm(inside - velocity_sketch, axis=1)
    assert not (errors > motion["speed_error"] + tiny).any(), "the sketch of a velocity is wrong"
    beside = np.linalg.norm(velocity - inside @ directions.astype(np.float64), axis=1)
    assert not (beside > motion["speed_perp"] + tiny).any(), "a speed beside the sketch is too low"


def check_index(index: Any, layer: Layer) -> None:
    """Raise AssertionError where a bound of a `DriftIndex` does not hold: drifts, codes, both filters."""
    inputs = index._inputs
    tabled = len(index._reference)
    order = index._order[:tabled]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        reference = index._reference[:, : layer.n_features] * index._drift["unit"][:, None]
        scale = index._motion["scale_now"][:, None] if len(index._motion) else np.ones((tabled, 1))
        assert not ((scale < 0) | (scale > 1)).any(), "a scale lies outside 0 .. 1"
        present = layer.present_weights()[order].astype(np.float64)
        moved = present - scale * reference
        too_far = np.linalg.norm(moved, axis=1) > index.drifts * (1 + 1e-12)
        assert not too_far.any(), "a neuron has drifted further than its bound"

        samples = inputs.samples.astype(np.float64)
        norms = np.linalg.norm(samples, axis=1)
        silence = layer.threshold - reference @ samples.T  # how far below the threshold it was
        slack = 1e-12 * (1 + np.abs(silence))
        codes = decoded(index._table, index.table_bits)[:tabled]
        distances = (np.arange(2**index.table_bits) - 1 - index._codes.firing) / index._resolution
        distances[0] = np.nan  # compares as neither: proves nothing
        assert not (silence + slack < distances[codes] * norms).any(), "a code promises too much"

        retired = layer.weights[index._order[index._n_searched :]].astype(np.float64)
        fires = retired @ samples.T > layer.threshold + 1e-5 * norms
        assert not fires.any(), "a neuron that is left out fires"

        fires = present @ samples.T - layer.threshold > slack
        reached = codes <= index._reach[:tabled, None]
        assert not (fires & ~reached).any(), "the norm filter would miss a pair"
        if index.k:
            change = moved @ samples.T
            perp, spare = index._perps[:tabled].astype(float), index._slacks[:tabled].astype(float)
            now = sketch_now(layer, index._sketch, index._motion, index._velocity_sketch)
            bound = now @ index._sample_sketch.T
            bound += np.outer(perp, index._sample_perps) + np.outer(spare, norms)
            assert not (change > scale * (bound + slack)).any(), "the sketch bound does not hold"
        if layer.velocities is not None and len(index._velocity_sketch):
            check_velocities(
                layer.velocities.rows[order, : layer.n_features], reference, index._motion,
                index._velocity_sketch[:, : index.k], index._directions[:, : layer.n_features],
            )  # fmt: skip

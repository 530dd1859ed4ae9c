"""What must hold of a drift index, worked out in float64 and slowly: for its `check_invariants`."""

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

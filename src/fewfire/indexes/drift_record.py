"""What the drift index knows of a neuron: the compiled core's structs Drift and Motion, field by field.

All fields are float64, in the order of csrc/indexes/drift.h.
"""

import numpy as np
from numpy.typing import NDArray


def _record(*names: str) -> np.dtype:
    return np.dtype([(name, np.float64) for name in names])


DRIFT = _record(
    "unit",  # of the words of the reference
    "reference_norm",  # |w at the reference|
    "measured",  # |D| when last measured
    "path",  # length of the way since
    "measured_perp",  # the part of |D| outside the sketch, when last measured
    "path_perp",  # and of the way since
    "sketch_error",  # |P D - its tracked value|
    "bound",  # |D|
)

# w = scale w0 + lead V + D and v = lag w0 + V when the rows were last written (docs/theory/momentum.md).
MOTION = _record(
    "since",  # the time when the rows were last written
    "scale",
    "lag",
    "lead",
    "speed",  # upper bound on |V|
    "speed_perp",  # and on its part outside the sketch
    "speed_error",  # |P V - its tracked value|
    "scale_now",  # w = scale_now w0 + D, as the filters use it
    "bound_now",  # |D|
)


def as_core(records: NDArray) -> NDArray[np.float64]:
    """The same memory as a matrix with a row per record, as the compiled core takes it."""
    return records.view(np.float64).reshape(len(records), len(records.dtype.names or ()))

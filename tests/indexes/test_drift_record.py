"""The records of the drift index are laid out as the compiled core lays out its structs."""

import numpy as np
import pytest

from fewfire import _core
from fewfire.indexes.drift_record import DRIFT, MOTION, as_core


@pytest.mark.parametrize(
    ("record", "offsets", "size"),
    [
        (DRIFT, _core.drift_offsets, _core.drift_bytes),
        (MOTION, _core.motion_offsets, _core.motion_bytes),
    ],
    ids=["drift", "motion"],
)
def test_fields_stand_where_the_core_has_them(record, offsets, size):
    assert {name: place for name, (_, place) in record.fields.items()} == offsets
    assert record.itemsize == size


def test_the_core_sees_the_same_memory():
    records = np.zeros(3, DRIFT)
    matrix = as_core(records)
    records["bound"] = 7
    assert matrix.shape == (3, 8)
    assert np.all(matrix[:, -1] == 7)
    assert as_core(np.zeros(0, MOTION)).shape == (0, 9)

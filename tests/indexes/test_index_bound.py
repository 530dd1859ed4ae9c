"""Bound indexes answer for the samples of their training set, by their ids."""

from dataclasses import replace

import numpy as np
import pytest

from fewfire.indexes import INDEXES, DriftIndex
from problems import clustered_problem


@pytest.mark.parametrize("make", [index for index in INDEXES.values() if not index.is_open])
@pytest.mark.parametrize(
    "ids",
    [
        pytest.param(None, id="none"),
        pytest.param(np.arange(1, 51, dtype=np.int32), id="beyond"),
        pytest.param(np.arange(-1, 49, dtype=np.int32), id="negative"),
    ],
)
def test_ids_must_be_those_of_the_training_set(make, ids):
    problem = clustered_problem(n_samples=50)
    index = make()
    index.build(problem.network.layer, problem.inputs)
    with pytest.raises(ValueError, match=f"the {index.name} index answers for samples of the training set"):
        index.fire_set(replace(problem.everything, ids=ids))


def test_a_sketch_size_must_not_be_negative():
    with pytest.raises(ValueError, match=r"sketch_size must be >= 0. Got -1. Use 0 for no sketch."):
        DriftIndex(sketch_size=-1)

"""The drift index is bound to its training set: it answers for its samples, by their ids."""

from dataclasses import replace

import numpy as np
import pytest
from problems import clustered_problem

from fewfire import DriftIndex


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param(None, id="none"),
        pytest.param(np.arange(1, 51, dtype=np.int32), id="beyond"),
        pytest.param(np.arange(-1, 49, dtype=np.int32), id="negative"),
    ],
)
def test_ids_must_be_those_of_the_training_set(ids):
    problem = clustered_problem(n_samples=50)
    index = DriftIndex()
    index.build(problem.network, problem.inputs)
    with pytest.raises(ValueError, match="samples of the training set it was built on. Got inputs without"):
        index.fire_set(replace(problem.everything, ids=ids))


def test_a_sketch_size_must_not_be_negative():
    with pytest.raises(ValueError, match=r"sketch_size must be >= 0. Got -1. Use 0 for no sketch."):
        DriftIndex(sketch_size=-1)

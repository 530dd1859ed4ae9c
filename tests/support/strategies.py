"""Hypothesis strategies that several test files share."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

seeds = st.integers(0, 2**32 - 1)


def floats_within(bound):
    return st.floats(-bound, bound, allow_subnormal=False)


@st.composite
def outputs_and_targets(draw, bound: float = 50):
    """Outputs (n, c) in float64, and one-hot targets."""
    n, c = draw(st.integers(1, 5)), draw(st.integers(2, 4))
    outputs = draw(arrays(np.float64, (n, c), elements=floats_within(bound)))
    return outputs, np.eye(c)[draw(arrays(np.int64, n, elements=st.integers(0, c - 1)))]

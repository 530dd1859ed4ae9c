"""Intervals of shares that were counted on a sample."""

import pytest

from fewfire.system import wilson


def test_the_interval_is_that_of_wilson():
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)

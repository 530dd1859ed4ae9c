"""Ticks of an axis: few, round, within it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewfire.report.page.ticks import linear_ticks, log_ticks, tick_label

NUMBERS = st.floats(-1e12, 1e12).map(lambda number: 0.0 if abs(number) < 1e-12 else number)


@given(NUMBERS, NUMBERS)
def test_linear_ticks_are_few_and_within(a, b):
    low, high = sorted((a, b))
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        return
    ticks = linear_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    slack = 1e-6 * (high - low)
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    steps = np.diff(ticks)
    assert steps == pytest.approx(steps[0])


@given(st.floats(-30, 30), st.floats(1.0001, 40))
def test_log_ticks_are_few_and_within(start, decades):
    low, high = 10**start, 10 ** (start + decades)
    ticks = log_ticks(low, high)
    assert 2 <= len(ticks) <= 9
    assert all(low * (1 - 1e-6) <= tick <= high * (1 + 1e-6) for tick in ticks)
    assert ticks == sorted(set(ticks))
    assert all(f"{tick:.3e}"[:5] in ("1.000", "2.000", "5.000") for tick in ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (1, 20, [5, 10, 15, 20]),
        (0.5, 1.5, [0.6, 0.8, 1, 1.2, 1.4]),
        (93.2, 99.9, [94, 96, 98]),
    ],
)
def test_linear_ticks_as_a_person_would_set_them(low, high, ticks):
    assert linear_ticks(low, high) == pytest.approx(ticks)


def test_log_ticks_as_a_person_would_set_them():
    assert log_ticks(0.011, 0.9) == pytest.approx([0.02, 0.05, 0.1, 0.2, 0.5])
    assert log_ticks(0.5e-6, 0.9) == pytest.approx([10.0**power for power in range(-6, 0)])
    assert [round(math.log10(tick)) for tick in log_ticks(1e-13, 1)] == list(range(-12, 1, 2))


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0, "0"),
        (0.05, "0.05"),
        (-2, "-2"),
        (99.95, "99.95"),
        (1000, "1,000"),
        (20000, "20,000"),
        (1e5, "10⁵"),
        (2e-6, "2×10⁻⁶"),
        (1.5e12, "1.5×10¹²"),
    ],
)
def test_labels_are_short(value, label):
    assert tick_label(value) == label

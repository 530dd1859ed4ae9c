"""The link between a threshold and the share of pairs that fire."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewfire.networks.threshold import (
    auto_threshold,
    fire_rate_at,
    paper_threshold,
    threshold_for_fire_rate,
    threshold_of,
)


@given(fire_rate=st.floats(1e-9, 0.5))
def test_threshold_and_fire_rate_are_inverse(fire_rate):
    threshold = threshold_for_fire_rate(fire_rate)
    assert threshold >= 0
    assert fire_rate_at(threshold) == pytest.approx(fire_rate, rel=1e-6)


def test_half_of_the_pairs_fire_without_a_threshold():
    assert threshold_for_fire_rate(0.5) == 0
    assert fire_rate_at(0) == 0.5


def test_known_quantiles_of_the_normal_distribution():
    assert threshold_for_fire_rate(0.025) == pytest.approx(1.959964, abs=1e-6)
    assert fire_rate_at(1) == pytest.approx(0.158655, abs=1e-6)


@pytest.mark.parametrize("fire_rate", [0, -0.1, 0.51, 1, math.nan])
def test_a_fire_rate_must_be_above_zero_and_at_most_a_half(fire_rate):
    with pytest.raises(
        ValueError, match=rf"must be in \(0, 0.5\]. Got {fire_rate}. Use 0.5 for a plain ReLU"
    ):
        threshold_for_fire_rate(fire_rate)


def test_the_threshold_of_the_paper_is_zero_for_one_neuron_and_grows():
    assert paper_threshold(1) == 0
    assert paper_threshold(65536) == pytest.approx(math.sqrt(0.4 * math.log(65536)))


@given(width=st.integers(2, 10**7))
def test_at_the_threshold_of_the_paper_at_most_the_four_fifths_power_of_neurons_fire(width):
    assert width * fire_rate_at(paper_threshold(width)) <= width**0.8


@pytest.mark.parametrize("second_order", [False, True])
def test_what_was_asked_for_is_resolved_in_one_place(second_order):
    assert threshold_of(1.5, 300, second_order=second_order) == 1.5
    paper = paper_threshold(300, second_order=second_order)
    assert threshold_of("paper", 300, second_order=second_order) == paper
    found = threshold_of("paper", 300, fire_rate=0.02, second_order=second_order)
    assert found == threshold_for_fire_rate(0.02)
    assert threshold_of("auto", 300, fire_rate=0.02, left_out="auto") == threshold_for_fire_rate(0.02)
    auto = auto_threshold(10**5, second_order=second_order)
    assert threshold_of("auto", 10**5, second_order=second_order) == auto


@given(width=st.integers(1, 10**7))
def test_auto_is_the_paper_s_threshold_or_a_higher_one_at_which_enough_neurons_fire(width):
    threshold, paper = auto_threshold(width), paper_threshold(width)
    assert threshold >= paper
    assert threshold == paper or width * fire_rate_at(threshold) >= 0.99 * max(160, 0.0025 * width)
    assert auto_threshold(width, second_order=True) == paper_threshold(width, second_order=True)


def test_auto_differs_from_the_paper_s_threshold_in_wide_networks():
    assert auto_threshold(4096) == paper_threshold(4096)
    assert fire_rate_at(auto_threshold(16_384)) == pytest.approx(160 / 16_384)
    assert fire_rate_at(auto_threshold(10**6)) == pytest.approx(0.0025)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"asked": 1.0, "fire_rate": 0.1}, "give a threshold or a fire rate, not both. Got threshold=1.0"),
        ({"asked": "high"}, "threshold must be a number, 'auto' or 'paper'. Got 'high'"),
    ],
)
def test_what_is_no_threshold_is_a_clear_error(settings, message):
    with pytest.raises(ValueError, match=message):
        threshold_of(width=100, **settings)

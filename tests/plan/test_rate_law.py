"""The law over shapes: exact where it holds, with an interval that covers, silent where it cannot know."""

import math

import numpy as np
import pytest

from fewfire.errors import DataError
from fewfire.plan import Accuracy, MaxRate, RateLaw

WIDTHS = (512, 1024, 2048, 4096)
SHAPES = [(width, depth) for width in (64, 128, 256) for depth in (2, 4, 8)]


def measured(rate, width, depth=1, sharpness=None):
    return MaxRate(rate, rate, rate, 0.0, True, (rate,), (), Accuracy(0.5), width, depth, sharpness, 0.0)


def law_over_widths(power=-0.7, noise=0.0, seed=0):
    random = np.random.default_rng(seed)
    return [measured(300 * w**power * math.exp(noise * random.standard_normal()), w) for w in WIDTHS]


def test_an_exact_power_law_is_recovered():
    law = RateLaw.fit(law_over_widths())
    assert law.form == "depth x width"
    assert law.exponents[0] == pytest.approx(-0.7, abs=1e-9)
    foretold = law.predict(32_768)
    assert foretold.rate == pytest.approx(300 * 32_768**-0.7, rel=1e-9)
    assert foretold.low == pytest.approx(foretold.high, rel=1e-6)


def test_two_exponents_are_recovered_and_chosen_where_one_does_not_do():
    law = RateLaw.fit([measured(50 * w**-0.4 * d**-1.1, w, d) for w, d in SHAPES])
    assert law.form == "width and depth"
    assert law.exponents == pytest.approx((-0.4, -1.1), abs=1e-9)
    assert law.predict(1024, 8).rate == pytest.approx(50 * 1024**-0.4 * 8**-1.1)
    assert law.errors["depth x width"] > 0.1


def test_a_law_of_the_sharpness_is_chosen_where_it_foretells_best():
    random = np.random.default_rng(0)
    sharp = np.exp(random.standard_normal(len(WIDTHS)))
    law = RateLaw.fit([measured(3 / s, w, sharpness=s) for w, s in zip(WIDTHS, sharp, strict=True)])
    assert law.form == "sharpness"
    assert law.predict(8192, sharpness=2.0).rate == pytest.approx(1.5)
    with pytest.raises(ValueError, match="a law of the sharpness must have that of the network"):
        law.predict(8192)


def test_the_interval_covers_four_in_five():
    covered, draws = 0, 200
    widths = [2**k for k in range(6, 14)]
    for seed in range(draws):
        random = np.random.default_rng(seed)
        noisy = [5 * w**-0.5 * math.exp(0.1 * random.standard_normal()) for w in (*widths, 2**15)]
        law = RateLaw.fit([measured(rate, w) for rate, w in zip(noisy[:-1], widths, strict=True)])
        foretold = law.predict(2**15)
        covered += foretold.low <= noisy[-1] <= foretold.high
    assert 0.7 <= covered / draws <= 0.9


def test_a_point_that_stands_out_bends_the_law_less_than_least_squares():
    points = [measured(10 * w**-0.5 * (8 if w == 1024 else 1), w) for w in [2**k for k in range(6, 14)]]
    logs = np.log([[one.width, one.rate] for one in points])
    plain = np.polyfit(logs[:, 0], logs[:, 1], 1)
    law = RateLaw.fit(points)
    assert abs(law.exponents[0] + 0.5) < abs(plain[0] + 0.5)


def test_a_rate_that_nears_a_limit_is_foretold_as_one():
    law = RateLaw.fit([measured(400 * math.exp(-600 / w), w) for w in WIDTHS])
    assert law.form == "kernel limit"
    assert law.predict(32_768).rate == pytest.approx(400 * math.exp(-600 / 32_768))
    assert str(law).startswith("largest rate = 400 exp(-600 / (depth x width)); it misses")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        ((32_769, 1), "within 8 times those measured. Got a width of 32,769, where 512 to 4,096 were"),
        ((63, 1), "Got a width of 63"),
        ((4096, 2), "a law over one depth says nothing of others. Got 2, where all measured have 1"),
    ],
)
def test_what_lies_too_far_is_not_foretold(ask, message):
    with pytest.raises(ValueError, match=message):
        RateLaw.fit(law_over_widths()).predict(*ask)


def test_a_law_that_misses_its_own_points_foretells_nothing():
    rates = [10.0, 1.0, 12.0, 1.0]
    law = RateLaw.fit([measured(rate, w) for rate, w in zip(rates, WIDTHS, strict=True)])
    with pytest.raises(DataError, match=r"misses its own points by \d+% \(leave-one-out\)"):
        law.predict(8192)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (law_over_widths()[:2], "three shapes at least. Got 2"),
        ([*law_over_widths(), measured(1.0, None)], "must know the width and depth of each network"),
    ],
)
def test_too_little_is_no_law(points, message):
    with pytest.raises(DataError, match=message):
        RateLaw.fit(points)


def test_a_shape_without_a_limit_is_named():
    from fewfire.plan import max_rate
    from toy_trials import ToyTrials

    endless = max_rate(ToyTrials(succeeds=lambda rate: True, width=8192))
    with pytest.raises(DataError, match="Got none at width 8,192: accuracy 0.5 does not tell"):
        RateLaw.fit([*law_over_widths(), endless])


def test_a_law_says_what_it_is_worth():
    assert str(RateLaw.fit(law_over_widths())).startswith(
        "largest rate = 300 (depth x width)^-0.70; it misses a shape that is left out by 0%"
    )


def test_measuring_a_shape_twice_tells_no_more_of_others():
    points = [measured(39.0, 16), measured(148.0, 32), measured(153.0, 64)]
    assert RateLaw.fit(points * 3).error == pytest.approx(RateLaw.fit(points).error)
    with pytest.raises(DataError, match="misses its own points"):
        RateLaw.fit(points * 3).predict(128)

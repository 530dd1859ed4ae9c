"""The picture of attacked samples is a PNG, however few there are."""

import numpy as np
import pytest

from fewfire.runs.robustness import Fooled

pytest.importorskip("matplotlib")

from fewfire.report.pictures.attacked import can_be_drawn, draw_attacked


@pytest.mark.parametrize("count", [1, 7, 8, 30])
@pytest.mark.parametrize("side", [1, 8, 28])
def test_any_number_of_pictures_makes_a_png(tmp_path, count, side):
    random = np.random.default_rng(0)
    samples = random.random((count, side * side))
    examples = samples + 0.1 * random.standard_normal(samples.shape)
    fooled = Fooled(samples, examples, np.array(["$a\\_b"] * count), np.arange(count))
    draw_attacked(fooled, tmp_path / "a.svg", "a path with $dollars")
    drawing = (tmp_path / "a.svg").read_text()
    assert drawing.count("<image") == 3 * min(count, 8)
    assert drawing.count("$a\\_b") == min(count, 8)


@pytest.mark.parametrize(("n_columns", "square"), [(1, True), (784, True), (785, False), (3, False)])
def test_only_squares_are_pictures(n_columns, square):
    assert can_be_drawn(n_columns) == square

"""The look of all pictures: read on white and on dark, no line hidden, no name over another."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.lines import Line2D
from matplotlib.text import Text

from fewfire.report.pictures import style


def luminance(colour):
    """Of a colour as #rrggbb, as WCAG defines it."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colour", [style.INK, *style.COLOURS])
def test_text_stands_out_from_the_card(colour):
    assert (luminance(style.PAPER) + 0.05) / (luminance(colour) + 0.05) >= 4.5


def drawn(*lines, log=False):
    """The axes of lines (name, values), named at their ends."""
    axes = style.new_figure(8, 4.5, "title").subplots()
    for (name, values), colour in zip(lines, style.COLOURS, strict=False):
        axes.plot(range(len(values)), values, color=colour, label=name)
    if log and np.nanmax(lines[0][1]) > 0:
        style.log_scale(axes)
    style.finish(axes)
    style.name_lines(axes)
    return axes


def test_lines_that_coincide_show_in_each_others_gaps(monkeypatch):
    styles, set_linestyle = [], Line2D.set_linestyle

    def noted(line, given):
        styles.append((line.get_label(), given))
        set_linestyle(line, given)

    monkeypatch.setattr(Line2D, "set_linestyle", noted)
    rising = np.arange(1.0, 9.0)
    drawn(("one", rising), ("other", rising + 1e-4), ("third", 9 - rising), ("again", rising))
    styles = [(name, given) for name, given in styles if isinstance(given, tuple)]
    assert [name for name, _ in styles] == ["one", "other", "again"]
    shown = np.zeros(12, int)
    for _, (offset, (on, off)) in styles:
        assert on + off == len(shown)
        shown += (np.arange(len(shown)) - offset) % (on + off) < on
    assert (shown == 1).all()


def test_names_stand_at_the_ends_in_their_order_and_colour_and_apart():
    axes = drawn(("top", [1, 3.0]), ("middle", [2, 2.9999]), ("bottom", [3, 2.9998]), ("low", [1, 0.5]))
    axes.figure.draw_without_rendering()
    names = {text.get_text(): text for text in axes.texts}
    assert [names[line.get_label()].get_color() for line in axes.get_lines()] == list(style.COLOURS[:4])
    boxes = [Text.get_window_extent(names[name]) for name in ("low", "bottom", "middle", "top")]
    for lower, upper in zip(boxes[:-1], boxes[1:], strict=True):
        assert lower.y1 <= upper.y0 + 1
    assert all(box.x0 > axes.get_window_extent().x1 for box in boxes)


def test_marks_on_a_line_leave_it_whole():
    axes = style.new_figure(8, 4.5, "title").subplots()
    axes.plot([1, 2], [1, 2], color=style.BLUE, label="line")
    axes.plot([2], [2], "D", color=style.RED, label="mark")
    style.name_lines(axes)
    assert [line.get_linestyle() for line in axes.get_lines()] == ["-", "None"]
    assert {text.get_text() for text in axes.texts} == {"line", "mark"}


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [np.nan, 1.0], [np.inf, 2.0], [1e-30, 1e30]])
@pytest.mark.parametrize("log", [False, True])
def test_any_values_are_named(values, log):
    axes = drawn(("found", values), ("nothing", [np.nan]), log=log)
    assert "nothing" not in [text.get_text() for text in axes.texts]

"""Line charts by epoch, as inline SVG that takes its colours from the page."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from fewfire.report.page.elements import element
from fewfire.report.page.ticks import linear_ticks, log_ticks, tick_label

WIDTH, HEIGHT = 360, 220  # in units of the view box, about those of the screen
TOP, RIGHT, BOTTOM = 10, 14, 36
ROOM = 14  # between an axis that is not 0 and the lowest mark
LETTER = 6.4  # width of a digit of a label
MARKED_POINTS = 40  # more of them run together: lines only
MOST_POINTS = 500  # of a line: more than a screen can show
LOG_FROM = 10.0  # times the least value: then a logarithmic axis shows more
DASHES = ("", "7 3", "2 3", "10 3 2 3", "5 5", "12 4")
COLOURS = len(DASHES)

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """Points by epoch; colour and dash go by the number of the style, from 0."""

    name: str
    points: Sequence[Point]
    style: int


@dataclass(frozen=True)
class Chart:
    """Lines over the epochs.

    Attributes
    ----------
    floor : where the axis begins: 0 for shares and times, None for the least value
    may_be_log : whether the axis is logarithmic where values span more than a decade
    """

    title: str
    lines: Sequence[Line]
    floor: float | None = 0.0
    may_be_log: bool = False


def thinned(items: Sequence, most: int) -> Sequence:
    """Every so many of the items, the last of them too: at most so many, or one more."""
    apart = max(1, -(-len(items) // most))
    return [*items[:-1:apart], *items[-1:]]


def drawn(chart: Chart) -> Element:
    """The chart as a figure: title, picture, legend where there are several lines."""
    lines = [Line(line.name, _finite(line.points), line.style) for line in chart.lines]
    values = [value for line in lines for _, value in line.points]
    is_log = chart.may_be_log and bool(values) and 0 < LOG_FROM * min(values) < max(values)
    figure = element("figure", element("figcaption", chart.title, " (log scale)" if is_log else ""))
    figure.append(_picture(chart, lines, is_log) if values else element("p", "Nothing was recorded."))
    if len(lines) > 1:
        figure.append(legend(lines))
    return figure


def legend(lines: Sequence[Line]) -> Element:
    return element("p", *(element("span", swatch(line.style), line.name) for line in lines), class_="legend")


def swatch(style: int) -> Element:
    """A short piece of a line."""
    piece = element("line", x1=0, y1=5, x2=24, y2=5, class_=_class_of(style), **_dash(style))
    return element("svg", piece, viewBox="0 0 24 10", class_="swatch", aria_hidden="true")


def _finite(points: Sequence[Point]) -> list[Point]:
    return [(epoch, value) for epoch, value in points if math.isfinite(value)]


def _picture(chart: Chart, lines: Sequence[Line], is_log: bool) -> Element:
    epochs = [epoch for line in lines for epoch, _ in line.points]
    values = [value for line in lines for _, value in line.points]
    lengths = [line.points[-1][0] for line in lines if line.points]
    of_unlike_length = max(lengths) > LOG_FROM * min(lengths)
    first, last = min(epochs), max(epochs)
    if first == last:
        first, last = first - 0.5, last + 0.5
    low, high = min(values), max(values)
    if is_log:
        ticks = log_ticks(low, high)
    else:
        low = low if chart.floor is None else min(low, chart.floor)
        if low == high:
            low, high = (high - 0.1 * abs(high), high) if high else (0.0, 1.0)
        ticks = linear_ticks(low, high)
    labels = [tick_label(tick) for tick in ticks]
    left = 10 + LETTER * max(map(len, labels), default=0)

    place = math.log if is_log else float
    place_epoch = math.log if of_unlike_length else float
    across = _scale(place_epoch(first), place_epoch(last), left + 6, WIDTH - RIGHT)
    above = 4 if low == chart.floor else ROOM  # the axis
    up = _scale(place(low), place(high), HEIGHT - BOTTOM - above, TOP + 4)
    bottom = HEIGHT - BOTTOM
    picture = element(
        "svg", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=_spoken(chart.title, lines)
    )
    for tick, label in zip(ticks, labels, strict=True):
        y = _short(up(place(tick)))
        picture.append(element("line", x1=_short(left), y1=y, x2=WIDTH - RIGHT, y2=y, class_="rule"))
        picture.append(
            element("text", label, x=_short(left - 5), y=y, dy="0.35em", text_anchor="end", class_="tick")
        )
    for tick in log_ticks(first, last) if of_unlike_length else linear_ticks(first, last):
        if tick == round(tick):
            x = _short(across(place_epoch(tick)))
            label = tick_label(tick)
            picture.append(element("line", x1=x, y1=bottom, x2=x, y2=bottom + 4, class_="axis"))
            picture.append(element("text", label, x=x, y=bottom + 16, text_anchor="middle", class_="tick"))
    picture.append(element("line", x1=_short(left), y1=bottom, x2=WIDTH - RIGHT, y2=bottom, class_="axis"))
    middle = _short((left + WIDTH - RIGHT) / 2)
    name = "epoch (log scale)" if of_unlike_length else "epoch"
    picture.append(element("text", name, x=middle, y=HEIGHT - 4, text_anchor="middle", class_="tick"))
    for line in lines:
        picture.append(
            _drawn_line(line, lambda epoch: across(place_epoch(epoch)), lambda value: up(place(value)))
        )
    return picture


def _drawn_line(line: Line, across: Callable[[float], float], up: Callable[[float], float]) -> Element:
    """The line, and where there is room its points, which say their values to who points at them."""
    points = thinned(line.points, MOST_POINTS)
    places = [(_short(across(epoch)), _short(up(value))) for epoch, value in points]
    path = " ".join(f"{x},{y}" for x, y in places)
    group = element("g", element("polyline", points=path, **_dash(line.style)), class_=_class_of(line.style))
    if len(points) <= MARKED_POINTS:
        for (x, y), (epoch, value) in zip(places, points, strict=True):
            text = element("title", f"{line.name}, epoch {epoch:g}: {value:.5g}")
            group.append(element("circle", text, cx=x, cy=y, r=2.6))
    return group


def _spoken(title: str, lines: Sequence[Line]) -> str:
    """The chart in words."""
    spans = [
        f"{line.name} from {line.points[0][1]:.4g} to {line.points[-1][1]:.4g}"
        for line in lines
        if line.points
    ]
    return f"{title}, by epoch: {'; '.join(spans)}"


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """The linear map from low .. high to start .. end."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _class_of(style: int) -> str:
    return f"line colour{style % COLOURS + 1}"


def _dash(style: int) -> dict[str, str]:
    """Lines of one colour, or that look alike to some, differ in their dashes."""
    dash = DASHES[(style + style // COLOURS) % len(DASHES)]
    return {"stroke_dasharray": dash} if dash else {}

"""How pictures look: ink on a light card, so that they are read on a white page and on a dark one alike."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fewfire.system.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PAPER, INK = "#fcfbf8", "#22313f"
# Text in any of them has a contrast of 4.5 to 1 with the card.
BLUE, GREEN, AMBER, RED, VIOLET, TEAL, GREY = COLOURS = (
    "#1f6fb2", "#1e7d4f", "#9a5b00", "#c0392b", "#7b4fc4", "#0f7680", "#5f6873"
)  # fmt: skip
CLOSE = 0.006  # of the height of the axes: two lines so close are seen as one
LINE_OF_TEXT = 11.5  # points that a name takes
DASH = 4.0


def new_figure(width: float, height: float, title: str) -> "Figure":
    """A figure of so many inches, with a title at its upper left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr]  # inches at the edges
    figure.suptitle(title, color=INK, fontsize="medium", x=0.02, ha="left", parse_math=False)
    return figure


def finish(axes: "Axes") -> None:
    """The look of axes that hold all that they will."""
    axes.set_facecolor(PAPER)
    axes.tick_params(which="both", colors=INK)
    axes.grid(alpha=0.2, color=INK)
    axes.spines[:].set_color(INK)
    axes.spines[["top", "right"]].set_visible(False)
    for label in (axes.title, axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK)


def log_scale(axes: "Axes") -> None:
    """A logarithmic y axis whose ticks say plain numbers, also within a decade."""
    from matplotlib.ticker import LogFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))


def save(figure: "Figure", *paths: Path) -> None:
    """Write a figure into files, of the kinds that their names end in, each whole or not at all."""
    from matplotlib import rc_context

    # Text in an SVG stays text, for search and for screen readers; the same picture is the same file.
    for path in paths:
        picture = BytesIO()
        metadata = {"Date": None} if path.suffix == ".svg" else None
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "fewfire"}):
            figure.savefig(picture, format=path.suffix[1:], dpi=120, metadata=metadata)
        write_atomically(path, picture.getvalue())


def name_lines(axes: "Axes") -> None:
    """Write the name of each line at its end, in its colour; call it once limits and scales are final.

    Lines that run over each other for most of their way each show in the gaps of the others.
    """
    axes.autoscale_view()  # of what was drawn last
    seen: list[list[Line2D]] = []
    for line in axes.get_lines():
        if line.get_linestyle() == "None":  # marks alone
            continue
        twins = next((lines for lines in seen if _run_together(axes, lines[0], line)), None)
        if twins is None:
            seen.append([line])
        else:
            twins.append(line)
    for lines in seen:
        for place, line in enumerate(lines if len(lines) > 1 else ()):
            line.set_linestyle((DASH * place, (DASH, DASH * (len(lines) - 1))))
    named = [line for line in axes.get_lines() if len(_places(axes, line))]
    ends = [(float(x), float(y)) for x, y in (_places(axes, line)[-1] for line in named)]
    name_at(axes, [(str(line.get_label()), str(line.get_color())) for line in named], ends)


def name_at(axes: "Axes", names: Sequence[tuple[str, str]], ends: Sequence[tuple[float, float]]) -> None:
    """Write names, each in its colour, to the right of the axes, near ends given as shares of the axes."""
    height = axes.get_window_extent().height * 72 / axes.figure.dpi  # in points
    apart = LINE_OF_TEXT / height
    order = sorted(range(len(names)), key=lambda i: (ends[i][1], -i))
    heights = [min(max(ends[i][1], 0.0), 1.0) for i in order]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + apart)
    top = 1.0
    for i in reversed(range(len(heights))):
        heights[i] = top = min(heights[i], top)
        top -= apart
    for i, at in zip(order, heights, strict=True):
        name, colour = names[i]
        axes.annotate(
            name, ends[i], xycoords="axes fraction", xytext=(1.04, at), textcoords="axes fraction",
            va="center", color=colour, fontsize=9, parse_math=False, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


def _run_together(axes: "Axes", first: "Line2D", second: "Line2D") -> bool:
    places = {x: y for x, y in _places(axes, first)}
    gaps = [abs(places[x] - y) for x, y in _places(axes, second) if x in places]
    return bool(gaps) and sum(gap < CLOSE for gap in gaps) > len(gaps) / 2


def _places(axes: "Axes", line: "Line2D") -> NDArray[np.float64]:
    """The points of a line that are on the axes, as shares of these."""
    points = np.column_stack([np.asarray(values, np.float64) for values in line.get_data()])
    places = axes.transAxes.inverted().transform(axes.transData.transform(points))
    return places[((places > -0.01) & (places < 1.01)).all(axis=1)]

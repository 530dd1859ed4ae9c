"""The pictures of a drift study, each as SVG and PNG, on no background of their own."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fewfire.diagnose.drift import StepRecord
from fewfire.system.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# All of them stand out from white and from black: at least 3 to 1 from either.
INK, BLUE, GREEN, AMBER, RED = "#7d8590", "#3d85c6", "#2a9d62", "#c77d0a", "#d9534f"
VIOLET, TEAL = "#9a6dd7", "#1a9aa5"

PARTS = {
    "seconds_dots": ("dots", BLUE),
    "seconds_filters": ("filters", TEAL),
    "seconds_moves": ("moving weights", GREEN),
    "seconds_forward": ("outputs, loss", AMBER),
    "seconds_drift": ("keeping the drift", VIOLET),
    "seconds_rest": ("the rest", INK),
    "seconds_refresh": ("refreshes", RED),
}


def draw_steps(records: Sequence[StepRecord], folder: Path, title: str) -> None:
    """Write all pictures into a folder. Needs matplotlib (pip install 'fewfire[plot]')."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    for name, (heading, draw) in PICTURES.items():
        # Text in an SVG stays text: readable by search and by screen readers.
        with rc_context({"svg.fonttype": "none"}):
            figure = Figure(figsize=(8, 4.5), layout="constrained")
            axes = figure.subplots()
            draw(axes, records)
            _finish(axes, f"{heading}\n{title}")
            for kind in ("svg", "png"):
                picture = BytesIO()
                figure.savefig(picture, format=kind, dpi=120, transparent=True)
                write_atomically(folder / f"{name}.{kind}", picture.getvalue())


def _finish(axes: "Axes", title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, color=INK, fontsize="medium", loc="left", parse_math=False)
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK)
    axes.tick_params(which="both", colors=INK)
    axes.grid(alpha=0.3, color=INK)
    axes.spines[:].set_color(INK)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.figure.legend(frameon=False, labelcolor=INK, loc="outside right center", reverse=True)


def _lines(
    axes: "Axes", records: Sequence[StepRecord], lines: dict[str, tuple[str, str]], factor: float
) -> None:
    steps = [record.step for record in records]
    for field, (label, colour) in lines.items():
        values = [factor * getattr(record, field) for record in records]
        axes.plot(steps, values, color=colour, label=label, marker="o" if len(records) == 1 else None)


def draw_drift(axes: "Axes", records: Sequence[StepRecord]) -> None:
    lines = {
        "drift_median": ("median", BLUE),
        "drift_90": ("90 %", GREEN),
        "drift_99": ("99 %", AMBER),
        "drift_max": ("largest", RED),
    }
    _lines(axes, records, lines, 1)
    axes.set_ylabel("drift, standard deviations\nof a pre-activation")
    axes.set_ylim(bottom=0)


def draw_filters(axes: "Axes", records: Sequence[StepRecord]) -> None:
    from matplotlib.ticker import LogFormatter

    lines = {
        "fire_rate": ("fire", RED),
        "dot_rate": ("need a dot", BLUE),
        "near_rate": ("pass the norm bound", AMBER),
    }
    _lines(axes, records, lines, 100)
    axes.set_ylabel("pairs, % of all")
    if any(record.near_rate > 0 for record in records):
        axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.4)))


def draw_refreshes(axes: "Axes", records: Sequence[StepRecord]) -> None:
    (counts,) = _a_step(records, ["refreshed"])
    axes.fill_between(_edges(records), counts, step="pre", color=RED, linewidth=0)
    axes.set_ylabel("blocks of 64 neurons a step")
    axes.set_ylim(0, 1.08 * (counts.max() or 1))


def draw_seconds(axes: "Axes", records: Sequence[StepRecord]) -> None:
    labels, colours = zip(*PARTS.values(), strict=True)
    seconds = 1e3 * np.array(_a_step(records, list(PARTS)))
    axes.stackplot(_edges(records), seconds, step="pre", labels=labels, colors=colours, linewidth=0)
    axes.set_ylabel("milliseconds a step")


def _edges(records: Sequence[StepRecord]) -> list[int]:
    """Where the spans of steps that records are of begin and end."""
    return [0, *(record.step for record in records)]


def _a_step(records: Sequence[StepRecord], names: Sequence[str]) -> list[NDArray[np.float64]]:
    """Each figure divided by the steps it is of, at the edges: the first counts for the edge before it."""
    values = ([getattr(record, name) / record.steps for record in records] for name in names)
    return [np.array([spans[0], *spans]) for spans in values]


PICTURES: dict[str, tuple[str, Callable[["Axes", Sequence[StepRecord]], None]]] = {
    "drift": ("How far neurons have moved since their reference", draw_drift),
    "filters": ("What each filter lets through", draw_filters),
    "refreshes": ("Refreshes of the table", draw_refreshes),
    "seconds": ("Where the time of a step goes", draw_seconds),
}

"""The pictures of a drift study, each as SVG and PNG."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fewfire.diagnose.drift import StepRecord
from fewfire.report.pictures.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    RED,
    TEAL,
    VIOLET,
    finish,
    log_scale,
    name_at,
    name_lines,
    new_figure,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {
    "seconds_dots": ("dots", BLUE),
    "seconds_filters": ("filters", TEAL),
    "seconds_moves": ("moving weights", GREEN),
    "seconds_forward": ("outputs, loss", AMBER),
    "seconds_drift": ("keeping the drift", VIOLET),
    "seconds_rest": ("the rest", GREY),
    "seconds_refresh": ("refreshes", RED),
}
SPANS = 60  # of which times are means: single steps are as restless as the machine


def draw_steps(records: Sequence[StepRecord], folder: Path, title: str) -> None:
    """Write all pictures into a folder. Needs matplotlib (pip install 'fewfire[plot]').

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        A picture cannot be written.
    """
    from matplotlib.ticker import MaxNLocator

    for name, (heading, draw) in PICTURES.items():
        figure = new_figure(8, 4.5, f"{heading}\n{title}")
        axes = figure.subplots()
        draw(axes, records)
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        finish(axes)
        save(figure, folder / f"{name}.svg", folder / f"{name}.png")


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
    name_lines(axes)


def draw_filters(axes: "Axes", records: Sequence[StepRecord]) -> None:
    lines = {
        "fire_rate": ("fire", RED),
        "dot_rate": ("need a dot", BLUE),
        "near_rate": ("pass the norm bound", AMBER),
    }
    _lines(axes, records, lines, 100)
    axes.set_ylabel("pairs, % of all")
    if any(record.near_rate > 0 for record in records):
        log_scale(axes)
    name_lines(axes)


def draw_refreshes(axes: "Axes", records: Sequence[StepRecord]) -> None:
    edges, (counts,) = _per_step(records, ["refreshed"], len(records))
    axes.fill_between(edges, counts, step="pre", color=RED, linewidth=0)
    axes.set_ylabel("blocks of 64 neurons per step")
    axes.set_ylim(0, 1.08 * (counts.max() or 1))


def draw_seconds(axes: "Axes", records: Sequence[StepRecord]) -> None:
    labels, colours = zip(*PARTS.values(), strict=True)
    edges, parts = _per_step(records, list(PARTS), SPANS)
    axes.stackplot(edges, 1e3 * parts, step="pre", labels=labels, colors=colours, linewidth=0)
    mean = "" if len(edges) > len(records) else f",\nmeans of {edges[1]:,} steps"
    axes.set_ylabel(f"milliseconds per step{mean}")
    axes.set_xlim(0, edges[-1])
    tops = np.cumsum(1e3 * parts[:, -1])
    _, high = axes.get_ylim()
    middles = (tops - 5e2 * parts[:, -1]) / high
    name_at(axes, list(PARTS.values()), [(1.0, float(middle)) for middle in middles])


def _per_step(
    records: Sequence[StepRecord], names: Sequence[str], spans: int
) -> tuple[list[int], NDArray[np.float64]]:
    """Where so many spans of steps, or fewer, begin and end, and each figure there divided by their steps.

    The first span counts for the edge before it.
    """
    parts = np.array_split(np.arange(len(records)), min(spans, len(records)))
    steps = np.array([sum(records[i].steps for i in part) for part in parts])
    sums = [[sum(getattr(records[i], name) for i in part) for part in parts] for name in names]
    values = np.array(sums, np.float64) / steps
    return [0, *(records[part[-1]].step for part in parts)], np.column_stack((values[:, :1], values))


PICTURES: dict[str, tuple[str, Callable[["Axes", Sequence[StepRecord]], None]]] = {
    "drift": ("How far neurons have moved since the table last took their weights", draw_drift),
    "filters": ("What each filter lets through", draw_filters),
    "refreshes": ("Refreshes of the table", draw_refreshes),
    "seconds": ("Where the time of a step goes", draw_seconds),
}

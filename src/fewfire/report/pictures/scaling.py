"""The pictures of a scaling study: work and time over each size that grows, each as SVG and PNG."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from fewfire.diagnose.scaling import Point
from fewfire.report.pictures.style import COLOURS, INK, finish, log_scale, name_lines, new_figure, save

AXES = {"m": "width m", "n": "samples n", "d": "features d"}
PICTURES = {  # figure, factor, unit
    "work": ("multiply_adds", 1.0, "multiply-adds per step"),
    "seconds": ("step_seconds", 1e3, "milliseconds per step"),
}


def draw_scaling(points: Sequence[Point], folder: Path) -> None:
    """Write both pictures into a folder. Needs matplotlib (pip install 'fewfire[plot]').

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        A picture cannot be written.
    """
    indexes = list(dict.fromkeys(point.index for point in points))
    colours = dict(zip(indexes, cycle((*COLOURS, INK)), strict=False))
    axes_of = list(dict.fromkeys(point.axis for point in points))
    for name, (field, factor, unit) in PICTURES.items():
        figure = new_figure(8, 0.4 + 3 * len(axes_of), f"{unit[0].upper()}{unit[1:]} through each index")
        panels = figure.subplots(len(axes_of), 1, squeeze=False)[:, 0]
        for axes, axis in zip(panels, axes_of, strict=True):
            for index in indexes:
                own = [point for point in points if (point.axis, point.index) == (axis, index)]
                axes.plot(
                    [point.size for point in own],
                    [factor * getattr(point, field) for point in own],
                    color=colours[index],
                    marker="o",
                    markersize=3,
                    label=index,
                )
            axes.set_xscale("log", base=2)
            log_scale(axes)
            axes.set_xlabel(AXES[axis])
            axes.set_ylabel(unit)
            finish(axes)
            name_lines(axes)
        save(figure, folder / f"{name}.svg", folder / f"{name}.png")

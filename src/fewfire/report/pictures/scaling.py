"""The pictures of a scaling study: work and time over each size that grows, each as SVG and PNG."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from fewfire.diagnose.scaling import Point
from fewfire.report.pictures.drift import AMBER, BLUE, GREEN, INK, RED, TEAL, VIOLET
from fewfire.system.files import write_atomically

COLOURS = (INK, TEAL, BLUE, GREEN, AMBER, RED, VIOLET)
AXES = {"m": "width m", "n": "samples n", "d": "features d"}
PICTURES = {
    "work": ("multiply_adds", "Multiply-adds of a step"),
    "seconds": ("step_seconds", "Seconds of a step"),
}


def draw_scaling(points: Sequence[Point], folder: Path) -> None:
    """Write both pictures into a folder. Needs matplotlib (pip install 'fewfire[plot]')."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    indexes = list(dict.fromkeys(point.index for point in points))
    axes_of = list(dict.fromkeys(point.axis for point in points))
    for name, (figure_of, heading) in PICTURES.items():
        with rc_context({"svg.fonttype": "none"}):
            figure = Figure(figsize=(10, 4), layout="constrained")
            figure.suptitle(heading, color=INK, fontsize="medium", x=0.02, ha="left")
            panels = figure.subplots(1, len(axes_of), sharey=True, squeeze=False)[0]
            for axes, axis in zip(panels, axes_of, strict=True):
                for number, index in enumerate(indexes):
                    own = [point for point in points if (point.axis, point.index) == (axis, index)]
                    axes.plot(
                        [point.size for point in own],
                        [getattr(point, figure_of) for point in own],
                        color=COLOURS[number % len(COLOURS)],
                        linestyle="-" if number < len(COLOURS) else "--",
                        marker="o",
                        markersize=3,
                        label=index,
                    )
                axes.set_xscale("log", base=2)
                axes.set_yscale("log")
                axes.set_xlabel(AXES[axis], color=INK)
                axes.tick_params(which="both", colors=INK)
                axes.grid(alpha=0.3, color=INK)
                axes.spines[:].set_color(INK)
                axes.spines[["top", "right"]].set_visible(False)
            handles, labels = panels[0].get_legend_handles_labels()
            figure.legend(handles, labels, frameon=False, labelcolor=INK, loc="outside right center")
            for kind in ("svg", "png"):
                picture = BytesIO()
                figure.savefig(picture, format=kind, dpi=120, transparent=True)
                write_atomically(folder / f"{name}.{kind}", picture.getvalue())

"""The picture of a diagnosis: spectrum, losses foretold and recorded, what a layer does, and depths."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fewfire.diagnose import KernelReport
from fewfire.report.pictures.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    RED,
    VIOLET,
    finish,
    log_scale,
    name_lines,
    new_figure,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 1e-12  # of the largest eigenvalue: less is not drawn


def draw_kernel(
    report: KernelReport,
    layers: Sequence[KernelReport],
    paths: Sequence[Path],
    title: str,
    *,
    foretold: Sequence[float] = (),
    recorded: Sequence[float] = (),
) -> None:
    """Write a picture of four panels into files. Needs matplotlib (pip install 'fewfire[plot]').

    Parameters
    ----------
    report : KernelReport
        Whose spectrum is drawn, and whose losses where no training was recorded.
    layers : sequence of KernelReport
        Limits of great width, by depth.
    paths : sequence of Path
        Their endings say the formats.
    title : str
    foretold, recorded : sequences of float
        Mean losses by epoch.

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        A picture cannot be written.
    """
    figure = new_figure(10, 7, title)
    (spectrum, losses), (layer, depths) = figure.subplots(2, 2)
    _spectrum(spectrum, report)
    if recorded:
        epochs = np.arange(1, len(recorded) + 1)
        losses.plot(epochs, np.where(np.isfinite(foretold), foretold, np.nan), color=BLUE, label="foretold")
        losses.plot(epochs, recorded, color=RED, label="recorded")
        losses.set_xlabel("epoch")
    else:
        steps = np.unique(np.geomspace(1, 1000, 60).astype(int))
        curve = [report.foretold.loss_after(step) for step in steps]
        losses.plot(steps, curve, color=BLUE, label="foretold")
        losses.set_xscale("log")
        losses.set_xlabel("step of full-batch descent")
    log_scale(losses)
    losses.set_ylabel("mean loss")
    finish(losses)
    name_lines(losses)
    _layer(layer, report)
    _depths(depths, layers)
    save(figure, *paths)


def _spectrum(axes: "Axes", report: KernelReport) -> None:
    axes.set_xlabel("eigenvector")
    if report.values is None or report.aligned is None:
        axes.text(0.5, 0.5, "more samples than all eigenvalues are found of", ha="center", va="center",
                  transform=axes.transAxes)  # fmt: skip
        finish(axes)
        return
    values = np.maximum(report.values[::-1], FEWEST * report.largest)
    places = np.arange(1, len(values) + 1)
    axes.plot(places, values / report.largest, color=BLUE, label="eigenvalue")
    axes.plot(places, np.cumsum(report.aligned[::-1]), color=AMBER, label="targets so far")
    axes.set_xscale("log")
    log_scale(axes)
    axes.set_ylabel("share")
    finish(axes)
    name_lines(axes)


def _layer(axes: "Axes", report: KernelReport) -> None:
    r = np.linspace(-1, 1, 201)
    axes.plot(r, r, color=GREY, linewidth=0.8, label="unchanged")
    axes.plot(r, report.layers.correlation(r), color=GREEN, label="a layer")
    point = report.layers.fixed_point
    axes.plot([point], [point], "o", color=GREEN)
    axes.axvline(report.nearest, color=VIOLET, linewidth=0.8, linestyle="--")
    axes.set_xlabel("cosine of two samples (dashed: nearest neighbours)")
    axes.set_ylabel("after a layer")
    finish(axes)
    name_lines(axes)


def _depths(axes: "Axes", layers: Sequence[KernelReport]) -> None:
    known = [one for one in layers if one.leave_one_out is not None]
    depths = [one.layers.depth for one in known]
    errors = [one.leave_one_out / one.variance for one in known if one.leave_one_out is not None]
    conditions = [one.largest / max(one.smallest, FEWEST * one.largest) for one in known]
    axes.plot(depths, errors, color=RED, marker="o", label="error left out")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("hidden layers, in the limit of great width")
    axes.set_ylabel("error left out, of the variance")
    finish(axes)
    other = axes.twinx()
    other.plot(depths, conditions, color=BLUE, marker="o", linestyle="--")
    other.set_yscale("log")
    other.set_ylabel("condition (dashed)", color=BLUE)
    other.spines[:].set_visible(False)
    axes.set_xticks(depths)

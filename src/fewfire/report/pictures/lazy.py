"""The picture of a study of the lazy regime: what falls with the width, losses, and spectra."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from fewfire.diagnose import Lazy
from fewfire.report.pictures.style import COLOURS, finish, log_scale, name_lines, new_figure, save

NAMES = {"moved": "neurons moved", "flipped": "pairs flipped", "kernel_change": "kernel changed"}


def draw_lazy(study: Lazy, paths: Sequence[Path], title: str) -> None:
    """Write a picture of three panels into files. Needs matplotlib (pip install 'fewfire[plot]').

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        A picture cannot be written.
    """
    figure = new_figure(12, 4.2, title)
    falls, losses, spectra = figure.subplots(1, 3)
    widths = [point.width for point in study.points]
    for (name, label), colour in zip(NAMES.items(), COLOURS, strict=False):
        slope = study.exponents[name]
        named = label if slope is None else f"{label}: {slope:.2f}"
        falls.plot(
            widths, [getattr(point, name) for point in study.points], color=colour, marker="o", label=named
        )
    falls.set_xscale("log")
    log_scale(falls)
    falls.set_xlabel("width (with the fitted exponent)")
    for point, colour in zip(study.points, cycle(COLOURS), strict=False):
        width = f"width {point.width:,}"
        losses.plot(np.arange(len(point.losses)), point.losses / point.losses[0], color=colour, label=width)
        seen = point.spectrum > 1e-9 * point.spectrum[0]
        places = np.arange(1, len(point.spectrum) + 1)
        spectra.plot(places[seen], point.spectrum[seen], color=colour, label=width)
        spectra.plot(places[seen], point.first_spectrum[seen], color=colour, linestyle=":", label="_at first")
    losses.set_xlabel("step")
    losses.set_ylabel("loss, of the first")
    spectra.set_xscale("log")
    spectra.set_xlabel("eigenvalue of the kernel (dotted: at first)")
    for axes in (losses, spectra):
        log_scale(axes)
    for axes in (falls, losses, spectra):
        finish(axes)
    for axes in (falls, losses):
        name_lines(axes)
    save(figure, *paths)

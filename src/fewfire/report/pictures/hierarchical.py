"""The picture of a study of representations: error over samples, singular values, and a whitened spectrum."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fewfire.diagnose.sample_complexity import WAYS, HierarchicalStudy
from fewfire.report.pictures.style import (
    COLOURS,
    GREY,
    finish,
    log_scale,
    name_lines,
    new_figure,
    save,
)


def draw_hierarchical(study: HierarchicalStudy, paths: Sequence[Path]) -> None:
    """Write a picture of three panels into files. Needs matplotlib (pip install 'fewfire[plot]').

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        A picture cannot be written.
    """
    figure = new_figure(14, 4.2, f"A polynomial of degree {study.degree} of one direction of {study.dim}")
    errors, singular, spectra = figure.subplots(1, 3)
    for way, colour in zip(WAYS, COLOURS, strict=False):
        points = sorted((point.samples, point.error) for point in study.points if point.way == way)
        errors.plot(*zip(*points, strict=True), color=colour, marker="o", label=way)
        if way in study.singular_values:
            values = study.singular_values[way]
            seen = values > 1e-9 * max(values.max(), 1e-300)
            places = np.arange(1, len(values) + 1)
            singular.plot(places[seen], values[seen], color=colour, marker="o", label=way)
    errors.set_xscale("log")
    counts = sorted({point.samples for point in study.points})
    errors.set_xticks(counts, [f"{count:,}" for count in counts])
    errors.set_xticks([], minor=True)
    errors.set_xlabel("samples")
    errors.set_ylabel("error, of the variance")
    singular.set_xticks(range(1, 1 + max(map(len, study.singular_values.values()))))
    singular.set_xlabel("singular value of the head, in the colors at the left")
    for values, name in zip(study.spectra, ("indicators", "whitened"), strict=True):
        places = np.arange(1, len(values) + 1)
        style = "--" if name == "whitened" else "-"
        spectra.plot(places, values, color=GREY, linestyle=style, label=name)
    spectra.set_xscale("log")
    spectra.set_xlabel("eigenvalue of the second moment")
    for axes in (errors, singular, spectra):
        log_scale(axes)
        finish(axes)
    for axes in (errors, spectra):
        name_lines(axes)
    save(figure, *paths)

"""The picture of a study of tensors: success over components, a descent, and the two regimes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fewfire.lab import TensorStudy
from fewfire.report.pictures.style import (
    BLUE,
    COLOURS,
    GREY,
    RED,
    finish,
    log_scale,
    name_lines,
    new_figure,
    save,
)


def draw_tensors(study: TensorStudy, paths: Sequence[Path]) -> None:
    """Write a picture of four panels into files. Needs matplotlib (pip install 'fewfire[plot]').

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        A picture cannot be written.
    """
    title = f"Tensors of order {study.order}, {study.dim} dimensions and {study.rank} components"
    figure = new_figure(11, 8, title)
    (success, loss), (regimes, norms) = figure.subplots(2, 2)
    kinds = dict.fromkeys((row.start, row.reinit_every) for row in study.rows)
    for (start, every), colour in zip(kinds, COLOURS, strict=False):
        rows = [row for row in study.rows if (row.start, row.reinit_every) == (start, every)]
        name = f"start {start:g}" + (", drawn anew" if every else "")
        shares = [row.successes / row.starts for row in rows]
        success.plot([row.n_components for row in rows], shares, color=colour, marker="o", label=name)
    success.set_ylim(0, 1.05)
    success.set_xlabel("components")
    success.set_ylabel("share of starts that find the tensor")
    small, large = study.examples
    for model, name, colour in ((small, "small start", BLUE), (large, "large start", RED)):
        steps = np.arange(1, len(model.loss_curve_) + 1)
        loss.plot(steps, model.loss_curve_, color=colour, label=name)
    loss.set_xscale("log")
    log_scale(loss)
    loss.set_xlabel("step")
    loss.set_ylabel("|model - tensor|² / |tensor|²")
    norms.plot(np.arange(1, len(small.norms_curve_) + 1), small.norms_curve_, color=GREY, linewidth=0.8)
    norms.set_xscale("log")
    norms.set_xlabel("step")
    norms.set_ylabel("norms of the components, small start")
    for found, name, colour in ((study.large, "large start", RED), (study.small, "small start", BLUE)):
        first = found[0]
        sizes = 4 + 400 * first.weights
        regimes.scatter(first.to_start, first.to_target, s=sizes, color=colour, alpha=0.5, label=name)
    regimes.set_xlabel("cosine with its start")
    regimes.set_ylabel("cosine with the nearest component of the tensor")
    regimes.legend(frameon=False, labelcolor=[RED, BLUE], loc="lower left")
    for axes in (success, loss, regimes, norms):
        finish(axes)
    for axes in (success, loss):
        name_lines(axes)
    save(figure, *paths)

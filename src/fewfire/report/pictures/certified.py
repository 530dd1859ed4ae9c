"""The picture of a certificate: accuracy and pairs over the radius, each sample, and each class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewfire.certify import Certificate, Margins
from fewfire.report.pictures.style import BLUE, GREEN, GREY, RED, finish, name_lines, new_figure, save
from fewfire.system.intervals import wilson

SHADE = 0.15


def draw_certified(
    found: Certificate,
    curve: Sequence[Margins],
    robust: Sequence[float],
    sizes: NDArray,
    path: Path,
    title: str,
) -> None:
    """Write the picture, whole or not at all.

    Needs matplotlib (pip install 'fewfire[plot]').

    Parameters
    ----------
    found : Certificate
    curve : sequence of Margins
        At some radii, ascending.
    robust : sequence of float
        Accuracy under attack at each of them, or none.
    sizes : (n,)
        The certified radius of each sample.
    path : Path
        Its ending says the format: .png, .svg, .pdf.
    title : str

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        The picture cannot be written.
    """
    figure = new_figure(11.5, 7.2, title)
    (accuracy, pairs), (radii, classes) = figure.subplots(2, 2)
    at, n = [0.0, *(point.radius for point in curve)], len(found.labels)
    lines = [("certified", GREEN, [point.accuracy for point in curve])]
    lines += [("attacked", RED, list(robust))] if robust else []
    for name, colour, shares in lines:
        shares = [found.clean, *shares]
        low, high = np.transpose([wilson(share * n, n) for share in shares])
        accuracy.plot(at, shares, color=colour, marker="o", markersize=3, label=name)
        accuracy.fill_between(at, low, high, color=colour, alpha=SHADE, linewidth=0)
    accuracy.plot(at, [found.clean] * len(at), color=GREY, linestyle="--", label="clean")
    accuracy.set(xlabel="radius", ylabel="share of the samples, 95 % bands", ylim=(0, 1), title="accuracy")
    for name, colour, what in (("at some points", RED, "undecided"), ("everywhere", GREEN, "firing")):
        shares = [float(getattr(point, what).mean()) for point in curve]
        pairs.plot(at[1:], shares, color=colour, marker="o", markersize=3, label=name)
    pairs.set(xlabel="radius", ylabel="share of the neurons", title="what fires in a ball")
    pairs.set_ylim(bottom=0)
    radii.scatter(found.clean_margin, sizes, s=6, color=BLUE, alpha=0.6, linewidths=0)
    radii.set(xlabel="margin of the sample as it is", ylabel="certified radius", title="each sample")
    by_class = [found.margin[found.labels == label] for label in np.unique(found.labels)]
    classes.boxplot(by_class, showfliers=False, medianprops={"color": BLUE})
    classes.axhline(0, color=GREY, linewidth=0.8)
    names = found.model.targets.decode(np.unique(found.labels))  # type: ignore[union-attr]
    classes.set_xticks(range(1, len(names) + 1), [str(name) for name in names])
    classes.set(xlabel="class", ylabel=f"least margin at radius {found.radius:g}", title="each class")
    for axes in (accuracy, pairs, radii, classes):
        finish(axes)
    for axes in (accuracy, pairs):
        name_lines(axes)
    save(figure, path)

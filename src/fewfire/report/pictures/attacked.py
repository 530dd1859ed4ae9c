"""The picture of an attack: samples, what was added to them, and what a network then took them for."""

from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fewfire.report.pictures.style import INK, new_figure, save
from fewfire.runs.robustness import Fooled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 8  # columns


def draw_attacked(fooled: Fooled, path: Path, title: str) -> None:
    """Write a picture of the first eight, whole or not at all.

    Needs matplotlib (pip install 'fewfire[plot]').

    Parameters
    ----------
    fooled : Fooled
        Square pictures in grey, and at least one; see `can_be_drawn`.
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
    count = min(len(fooled.samples), MOST)
    clean, attacked = (_squares(rows[:count]) for rows in (fooled.samples, fooled.examples))
    changes, low, high = attacked - clean, float(clean.min()), float(clean.max())
    largest = float(np.abs(changes).max())
    figure = new_figure(0.9 + 1.15 * MOST, 4.4, title)
    panels = figure.subplots(3, MOST, squeeze=False)
    rows = {
        "as it is": (clean, "gray", low, high, fooled.labels),
        f"added (red), taken\n(blue), up to {largest:.3g}": (changes, "RdBu_r", -largest, largest, None),
        "attacked": (attacked, "gray", low, high, fooled.named),
    }
    for row, (name, (images, colours, least, most, names)) in zip(panels, rows.items(), strict=True):
        for column, axes in enumerate(row):
            _bare(axes)
            if column >= count:
                axes.set_visible(False)
                continue
            axes.imshow(images[column], cmap=colours, vmin=least, vmax=most)
            if names is not None:
                axes.set_title(str(names[column]), fontsize=10, color=INK, pad=4, parse_math=False)
        row[0].set_ylabel(name, color=INK, fontsize=10)
    save(figure, path)


def can_be_drawn(n_columns: int) -> bool:
    """Whether rows of so many columns are square pictures."""
    return isqrt(n_columns) ** 2 == n_columns


def _squares(rows: NDArray) -> NDArray[np.float64]:
    side = isqrt(rows.shape[1])
    return rows.astype(np.float64).reshape(-1, side, side)


def _bare(axes: "Axes") -> None:
    """No ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)

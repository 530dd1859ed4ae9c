"""The picture of a study of depth: fire rates, lengths and cosines of each layer, measured and in theory."""

from collections.abc import Sequence
from pathlib import Path

from fewfire.diagnose.depth import LayerSignals
from fewfire.report.pictures.style import COLOURS, INK, finish, name_lines, new_figure, save

PANELS = (
    ("fire_rate", "share of pairs that fire"),
    ("norm", "length, over what theory expects"),
    ("cosine", "mean cosine of two samples"),
)


def draw_depth(signals: Sequence[LayerSignals], folder: Path, title: str) -> None:
    """Write depth.svg and depth.png into a folder. Needs matplotlib (pip install 'fewfire[plot]').

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        A picture cannot be written.
    """
    first, last = signals[0].epoch, signals[-1].epoch
    figure = new_figure(8, 0.4 + 2.4 * len(PANELS), title)
    panels = figure.subplots(len(PANELS), 1, squeeze=False)[:, 0]
    for axes, (name, unit) in zip(panels, PANELS, strict=True):
        for epoch, colour in zip(dict.fromkeys((first, last)), COLOURS, strict=False):
            own = [one for one in signals if one.epoch == epoch]
            label = "at first" if epoch == 0 else f"after epoch {epoch}"
            axes.plot([one.layer for one in own], [getattr(one, name) for one in own], color=colour,
                      marker="o", markersize=4, label=label)  # fmt: skip
        own = [one for one in signals if one.epoch == first]
        theory = [1.0 if name == "norm" else getattr(one, f"{name}_theory") for one in own]
        axes.plot([one.layer for one in own], theory, color=INK, linestyle="--", label="theory at first")
        axes.set_xticks([one.layer for one in own])
        axes.set_xlabel("layer")
        axes.set_ylabel(unit)
        axes.set_ylim(bottom=0)
        finish(axes)
        name_lines(axes)
    save(figure, folder / "depth.svg", folder / "depth.png")

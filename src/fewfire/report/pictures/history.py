"""The picture of a run: loss, accuracy or R², fire rate and work by epoch."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from fewfire.system.files import write_atomically
from fewfire.training import EpochRecord

INK, FIRED, NEAR, WORK = "#22313f", "#d1495b", "#8d99ae", "#00798c"
MANY_DECADES = 1e3
MARKED_EPOCHS = 40  # more of them run together: lines only


def draw_history(history: Sequence[EpochRecord], path: Path, title: str) -> None:
    """Write a PNG of four panels, whole or not at all. Needs matplotlib (pip install 'fewfire[plot]')."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    figure = Figure(figsize=(10, 6.5), layout="constrained")
    figure.suptitle(title, color=INK, parse_math=False)
    (loss, accuracy), (pairs, work) = figure.subplots(2, 2)
    epochs = [record.epoch for record in history]
    style = "o-" if len(history) <= MARKED_EPOCHS else "-"

    losses = [record.loss for record in history]
    loss.plot(epochs, losses, style, color=INK)
    loss.set(title="Training loss", yscale="log")
    # Of many decades, as Gauss-Newton steps pass them, only some fit on the axis.
    subs = (1, 2, 5) if max(losses) < MANY_DECADES * min(losses) else (1,)
    loss.yaxis.set_major_locator(LogLocator(subs=subs))
    loss.yaxis.set_minor_locator(NullLocator())
    loss.yaxis.set_major_formatter("{x:g}")

    is_real = history[0].r2 is not None
    shares = [record.r2 if is_real else record.accuracy for record in history]
    shares = [math.nan if share is None else (1 if is_real else 100) * share for share in shares]
    accuracy.plot(epochs, shares, style, color=INK)
    accuracy.set(title="Training R² (running)" if is_real else "Training accuracy (running), %")

    near, dots, fires = (
        [100 * getattr(record, rate) for record in history] for rate in ("near_rate", "dot_rate", "fire_rate")
    )
    pairs.plot(epochs, near, style, color=NEAR, label="pass the first filter")
    pairs.plot(epochs, dots, style, color=WORK, label="need a dot")
    pairs.plot(epochs, fires, style, color=FIRED, label="fire")
    pairs.set(title="Pairs, % of all (neuron, sample) pairs")
    pairs.legend(frameon=False)

    work.plot(epochs, [100 * record.work_share for record in history], style, color=WORK)
    work.set(title="Multiply-adds, % of a dense step's")

    for axes in (pairs, work):
        axes.set_ylim(0, 1.08 * axes.dataLim.y1 or 1)
    for axes in (loss, accuracy, pairs, work):
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    picture = BytesIO()
    figure.savefig(picture, dpi=120, format="png")
    write_atomically(path, picture.getvalue())

"""The picture of a run: loss, accuracy or R², fire rate and work by epoch."""

import math
from collections.abc import Sequence
from pathlib import Path

from fewfire.report.pictures.style import (
    AMBER,
    BLUE,
    GREEN,
    RED,
    VIOLET,
    finish,
    name_lines,
    new_figure,
    save,
)
from fewfire.training import EpochRecord

MANY_DECADES = 1e3
MARKED_EPOCHS = 40  # more of them run together: lines only


def draw_history(
    history: Sequence[EpochRecord], path: Path, title: str, *, test_accuracy: float | None = None
) -> None:
    """Write a picture of four panels, whole or not at all. Needs matplotlib (pip install 'fewfire[plot]').

    Parameters
    ----------
    history : sequence of EpochRecord
        As `fewfire.train` returns it.
    path : Path
        Its ending says the format: .png, .svg, .pdf.
    title : str
    test_accuracy : float, optional
        Drawn beside the training accuracy.

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    OSError
        The picture cannot be written.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    figure = new_figure(10, 6.5, title)
    (loss, accuracy), (pairs, work) = figure.subplots(2, 2)
    epochs = [record.epoch for record in history]
    style = "o-" if len(history) <= MARKED_EPOCHS else "-"

    losses = [record.loss for record in history]
    loss.plot(epochs, losses, style, color=BLUE, label="training")
    held = [record.validation_loss for record in history]
    has_held = None not in held
    if has_held:
        loss.plot(epochs, held, style, color=AMBER, label="held back")
        losses += [value for value in held if value is not None]
    loss.set(title="Loss (of training: running)" if has_held else "Training loss", yscale="log")
    # Where the loss passes many decades, as with Gauss-Newton steps, only some fit on the axis.
    subs = (1, 2, 5) if max(losses) < MANY_DECADES * min(losses) else (1,)
    loss.yaxis.set_major_locator(LogLocator(subs=subs))
    loss.yaxis.set_minor_locator(NullLocator())
    loss.yaxis.set_major_formatter("{x:g}")

    is_real = history[0].r2 is not None
    shares = [record.r2 if is_real else record.accuracy for record in history]
    shares = [math.nan if share is None else (1 if is_real else 100) * share for share in shares]
    accuracy.plot(epochs, shares, style, color=BLUE, label="training")
    if has_held:
        factor = 1 if is_real else 100
        scores = [record.validation_score for record in history]
        scores = [math.nan if score is None else factor * score for score in scores]
        accuracy.plot(epochs, scores, style, color=AMBER, label="held back")
    for name, field, colour in (("clean", "clean_accuracy", GREEN), ("robust", "robust_accuracy", VIOLET)):
        tested = [getattr(record, field, None) for record in history]
        if any(share is not None for share in tested):
            shares = [math.nan if share is None else 100 * share for share in tested]
            accuracy.plot(epochs, shares, style, color=colour, label=name)
    accuracy.set(title="R² (of training: running)" if is_real else "Accuracy (of training: running), %")

    near, dots, fires = (
        [100 * getattr(record, rate) for record in history] for rate in ("near_rate", "dot_rate", "fire_rate")
    )
    pairs.plot(epochs, near, style, color=AMBER, label="pass the first filter")
    pairs.plot(epochs, dots, style, color=BLUE, label="need a dot")
    pairs.plot(epochs, fires, style, color=RED, label="fire")
    pairs.set(title="Pairs, % of all (neuron, sample) pairs")

    work.plot(epochs, [100 * record.work_share for record in history], style, color=BLUE)
    work.set(title="Multiply-adds, % of a dense step's")

    for axes in (pairs, work):
        axes.set_ylim(0, 1.08 * axes.dataLim.y1 or 1)
    for axes in (loss, accuracy, pairs, work):
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        finish(axes)
    if test_accuracy is not None:
        accuracy.plot(epochs[-1:], [100 * test_accuracy], "D", color=RED, label=f"test {test_accuracy:.2%}")
        accuracy.margins(y=0.1)
    for axes in (loss, accuracy, pairs) if has_held else (accuracy, pairs):
        name_lines(axes)
    save(figure, path)

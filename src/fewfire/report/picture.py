"""The picture of a run: loss, accuracy, fire rate and work by epoch."""

from collections.abc import Sequence
from pathlib import Path

from fewfire.training import EpochRecord

INK, FIRED, NEAR, WORK = "#22313f", "#d1495b", "#8d99ae", "#00798c"


def draw_history(history: Sequence[EpochRecord], path: Path, title: str) -> None:
    """Write a PNG of four panels. Needs matplotlib (pip install 'fewfire[plot]')."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.5), layout="constrained")
    figure.suptitle(title, color=INK)
    (loss, accuracy), (fires, work) = figure.subplots(2, 2)
    epochs = [record.epoch for record in history]

    loss.plot(epochs, [record.loss for record in history], "o-", color=INK)
    loss.set(title="Training loss", yscale="log")

    accuracy.plot(epochs, [100 * (record.accuracy or 0) for record in history], "o-", color=INK)
    accuracy.set(title="Training accuracy (running), %")

    fires.plot(
        epochs, [100 * record.near_rate for record in history], "o-", color=NEAR, label="pass filter 1"
    )
    fires.plot(epochs, [100 * record.dot_rate for record in history], "o-", color=WORK, label="need a dot")
    fires.plot(epochs, [100 * record.fire_rate for record in history], "o-", color=FIRED, label="fire")
    fires.set(title="Pairs, % of all (neuron, sample) pairs", ylim=(0, None))
    fires.legend(frameon=False)

    work.plot(epochs, [100 * record.work_share for record in history], "o-", color=WORK)
    work.set(title="Multiply-adds, % of a dense step's", ylim=(0, None))

    for axes in (loss, accuracy, fires, work):
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120, format="png")

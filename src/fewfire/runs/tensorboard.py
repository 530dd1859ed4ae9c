"""The epochs of a run as TensorBoard shows them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fewfire.training import EpochRecord, Observer, Trainer

FIGURES = ("loss", "accuracy", "r2", "rmse", "fire_rate", "work_share", "learning_rate", "seconds")


class TensorBoardLog(Observer):
    """Writes the record of each epoch into an event file, at once."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def epoch_done(self, record: EpochRecord, trainer: Trainer) -> None:
        for name in FIGURES:
            value = getattr(record, name)
            if value is not None:
                self.writer.add_scalar(name, value, record.epoch)
        self.writer.flush()


@contextmanager
def tensorboard_log(folder: Path | None) -> Iterator[Observer]:
    """An observer that writes event files into a folder while the context is open; nothing without a folder.

    TensorBoard compares the folders that lie in the one it is started on.
    """
    if folder is None:
        yield Observer()
        return
    from tensorboard.summary import Writer  # the package's own: neither TensorFlow nor torch

    writer = Writer(str(folder))
    try:
        yield TensorBoardLog(writer)
    finally:
        writer.close()

"""The epochs of a run as TensorBoard shows them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fewfire.runs.aside import Aside, aside
from fewfire.training import EpochRecord, Observer, Trainer

FIGURES = (
    "loss",
    "accuracy",
    "r2",
    "rmse",
    "fire_rate",
    "work_share",
    "recall",
    "learning_rate",
    "seconds",
    "validation_loss",
    "validation_score",
    "clean_accuracy",
    "robust_accuracy",
)


class TensorBoardLog(Observer):
    """Writes the record of each epoch into an event file, at once."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def epoch_done(self, record: EpochRecord, trainer: Trainer) -> None:
        for name in FIGURES:
            value = getattr(record, name, None)
            if value is not None:
                self.writer.add_scalar(name, value, record.epoch)
        self.writer.flush()


@contextmanager
def tensorboard_log(folder: Path | None, warn: Callable[[str], None]) -> Iterator[Observer]:
    """An observer that writes event files into a folder while the context is open; nothing without a folder.

    TensorBoard compares the folders that lie in the one it is started on.
    Where a file can no longer be written, that is told by `warn` and ends nothing.
    """
    if folder is None:
        yield Observer()
        return
    from tensorboard.summary import Writer  # the package's own: neither TensorFlow nor torch

    writer = Writer(str(folder))
    what = f"the TensorBoard log in {folder} is not whole"
    try:
        yield Aside(TensorBoardLog(writer), what, warn)
    finally:
        with aside(what, "The run is not harmed.", warn):
            writer.close()

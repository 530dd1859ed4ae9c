"""The epochs of a run as TensorBoard shows them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from fewfire.training import EpochRecord

FIGURES = ("loss", "accuracy", "fire_rate", "work_share", "learning_rate", "seconds")


def require_tensorboard() -> None:
    if find_spec("tensorboard") is None:
        raise ValueError(
            "--tensorboard needs the package tensorboard. Got none installed. Run pip install "
            "'fewfire[tensorboard]', or leave the option out."
        )


@contextmanager
def tensorboard_log(folder: Path | None) -> Iterator[Callable[[EpochRecord], None]]:
    """What writes the record of an epoch into event files in a folder, at once; nothing without a folder.

    TensorBoard compares the folders that lie in the one it is started on.
    """
    if folder is None:
        yield lambda _: None
        return
    from tensorboard.summary import Writer  # the package's own: neither TensorFlow nor torch

    writer = Writer(str(folder))

    def write(record: EpochRecord) -> None:
        for name in FIGURES:
            value = getattr(record, name)
            if value is not None:
                writer.add_scalar(name, value, record.epoch)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()

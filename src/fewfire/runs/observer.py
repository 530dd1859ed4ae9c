"""Who watches a run: what happens before, between and after its epochs."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fewfire.training import EpochRecord, Observer, Trainer

if TYPE_CHECKING:
    from fewfire.runs.folder import Run
    from fewfire.runs.prepare import Prepared
    from fewfire.runs.settings import Settings


class RunObserver(Observer):
    """What is called while a run goes on, beside the calls of `Observer`; this one only warns."""

    def remarked(self, text: str) -> None:
        """Called with what a person may want to know, in whole sentences."""

    def warned(self, text: str) -> None:
        """Called with what went wrong and does not end the run, or how to go on from where it ended."""
        warnings.warn(text, RuntimeWarning, stacklevel=2)

    def prepared(self, prepared: "Prepared") -> None:
        """Called once the network is there, before the index is built."""

    def went_on(self, trainer: Trainer, number: int, count: int) -> None:
        """Called before the training of a further network of so many of a model: its trainer, and the number
        from 2 on."""

    def saved(self, folder: Path, settings: "Settings", history: Sequence[EpochRecord]) -> None:
        """Called once the model is saved: after training, and where it failed or was interrupted, as the
        settings then say."""

    def interrupted(self, epochs: int, folder: Path, how_to_resume: str) -> None:
        """Called once all was saved of a run that was interrupted (Ctrl-C) after so many whole epochs."""

    def tested(self, run: "Run") -> None:
        """Called once the result is known and saved."""

    def comparing(self, with_what: str) -> None:
        """Called while steps are taken in turn with dense PyTorch, with what is being tried."""

    def compared(self, run: "Run") -> None:
        """Called once the result of the comparison is saved too."""

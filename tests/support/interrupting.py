"""Ctrl-C at a known place of a run."""

from fewfire.runs import RunObserver


class Interrupting(RunObserver):
    """Interrupts a run once so many epochs are done, those of all its networks counted."""

    def __init__(self, epochs: int) -> None:
        self._left = epochs

    def epoch_done(self, record, trainer):
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt

"""Signals that ask a process to end: Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
TOGETHER = 1.0  # seconds in which several signals are one wish, sent by a terminal and by whoever began us


class _OneInterrupt:
    """Raises KeyboardInterrupt, once for signals that come together."""

    def __init__(self) -> None:
        self._last = -TOGETHER

    def __call__(self, number: int, frame: FrameType | None) -> None:
        last, self._last = self._last, monotonic()
        if self._last - last >= TOGETHER:
            raise KeyboardInterrupt


@contextmanager
def _handling(handler) -> Iterator[None]:
    """Have the signals go to a handler for a while, but for those that are ignored, as under nohup."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in ENDING}
        before = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def interrupting():
    """A context in which every signal that asks to end is as Ctrl-C."""
    return _handling(_OneInterrupt())


def uninterrupted():
    """A context in which no signal that asks to end has an effect: for saving, once one has come."""
    return _handling(lambda number, frame: None)

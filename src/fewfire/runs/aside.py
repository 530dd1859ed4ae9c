"""What goes on beside a run, and never ends it: the network is worth more than its picture."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from typing import Any

from fewfire.runs.observer import RunObserver
from fewfire.system.words import why
from fewfire.training import Observer


@contextmanager
def aside(what: str, rest: str, warn: Callable[[str], None]) -> Iterator[None]:
    """Let what fails meanwhile be told, and nothing more.

    Parameters
    ----------
    what : str
        What failed, if it does: "history.png could not be drawn".
    rest : str
        What is not harmed, as a sentence: "Training goes on."
    warn : callable
        Called with all of it in one line.
    """
    try:
        yield
    except Exception as error:
        warn(f"{what}: {why(error)}. {rest}")


class Aside(RunObserver):
    """Passes each call on to an observer that may fail, which it tells of the first time."""

    def __init__(self, observer: Observer, what: str, warn: Callable[[str], None]) -> None:
        self._observer, self._what, self._warn = observer, what, warn

    def _warn_once(self, text: str) -> None:
        warn, self._warn = self._warn, lambda _: None
        warn(text)

    def _pass_on(self, name: str, *arguments: Any) -> Any:
        with aside(self._what, "The run goes on.", self._warn_once):
            return getattr(self._observer, name)(*arguments)


for _name in (*vars(Observer), *vars(RunObserver)):
    if not _name.startswith("_"):
        setattr(Aside, _name, partialmethod(Aside._pass_on, _name))

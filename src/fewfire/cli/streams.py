"""What the command prints, on streams that may be closed, full or of another encoding."""

import io
import os
import sys
from contextlib import suppress
from typing import IO, Any

import typer
from rich.console import Console

from fewfire.system.words import why


def prepare_streams() -> None:
    """Let print work anywhere: nowhere without a stream, and with escapes where letters are lacking."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by a daemon
            setattr(sys, name, open(os.devnull, "w"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard(stream: IO[str]) -> None:
    """Let what is still on its way to a closed or full stream go nowhere, in place of an error at exit."""
    with suppress(OSError, ValueError):  # of a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say_error(text: str) -> None:
    """Print one line about what went wrong, where there is anywhere to print it."""
    try:
        typer.echo(f"fewfire: {text}", err=True)
    except (OSError, ValueError):
        discard(sys.stderr)


class PatientStream:
    """A stream that falls silent once it takes no more: a run is worth more than its lines.

    A closed pipe, as that of `| head`, is no news; what else is wrong is told on stderr.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._silent = stream, False

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, call: Any, *arguments: str) -> None:
        if self._silent:
            return
        try:
            call(*arguments)
        except (OSError, ValueError) as error:
            self._silent = True
            discard(self._stream)
            if not isinstance(error, BrokenPipeError):
                say_error(f"nothing more can be printed: {why(error)}. The command goes on in silence.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console_of(*, json: bool = False, quiet: bool = False) -> Console:
    """Where people read; paths and names of data sets are printed as they are: brackets are no markup."""
    stream: Any = PatientStream(sys.stderr if json else sys.stdout)
    return Console(file=stream, stderr=json, quiet=quiet, highlight=False, markup=False, emoji=False)

"""All commands of `fewfire` by the words that call them, and their parameters, as Typer makes them."""

import inspect
import typing
from typing import Any

import typer

from fewfire.cli.app import app


def _leaves(command: Any, *words: str) -> dict[str, Any]:
    if not hasattr(command, "commands"):
        return {" ".join(words): command}
    return {
        name: leaf
        for word, inner in command.commands.items()
        for name, leaf in _leaves(inner, *words, word).items()
    }


def kinds(command: str) -> dict[str, type]:
    """What kind of value each parameter takes: int for `int` and `int | None`."""
    function = inspect.unwrap(COMMANDS[command].callback)
    hints = typing.get_type_hints(function)
    return {
        name: next(iter(typing.get_args(hints[name])), hints[name])
        for name in inspect.signature(function).parameters
    }


COMMANDS = _leaves(typer.main.get_command(app))
CONFIGURED = [command for command in COMMANDS if "print_config" in kinds(command)]

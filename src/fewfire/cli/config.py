"""Settings of a command as TOML: `--config` reads them, `--print-config` writes them.

The keys are the names of the command's own options and arguments: there is no second list.
"""

import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from fewfire.system.words import did_you_mean, why

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]


class FewfireCommand(TyperCommand):
    """A command that takes no empty text: a variable of the shell that is not set is no wish."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for before, given in pairwise(["", *args]):
            if given == "" or re.fullmatch("--[^=]+=", given):
                option = before if before.startswith("-") and not given else given
                what = option.rstrip("=") or "an argument"
                ctx.fail(f"{what} must not be empty. Is a variable not set?")
        return super().parse_args(ctx, args)


class ConfigCommand(FewfireCommand):
    """A command that, asked with `--print-config`, prints its settings and does nothing else."""

    def invoke(self, ctx: Any) -> Any:
        if not ctx.params["print_config"]:
            return super().invoke(ctx)
        for key, param in _settings(ctx).items():
            value = ctx.params[param.name]
            typer.echo(f"# {key}: {param.help}" if value is None else f"{key} = {_toml(value)}")


def _settings(ctx: typer.Context) -> dict[str, Any]:
    """The parameters that a file may set, by their key. Those about the file itself are the eager ones."""
    params = [param for param in ctx.command.params if not param.is_eager]
    return {max(param.opts, key=len).lstrip("-").replace("_", "-"): param for param in params}


def _read(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make the settings in a file the defaults of the command: what is given beside it still wins."""
    if path is None:
        return None
    params, defaults = _settings(ctx), {}
    for written, value in toml_content(path, "--config").items():
        key = written.replace("_", "-")
        if key not in params:
            raise ValueError(
                f"a key of {path} must name an option of {ctx.command_path}. Got {written!r}. "
                f"{did_you_mean(key, params)}{ctx.command_path} --print-config prints all of them."
            )
        param = params[key]
        if param.name in defaults:
            raise ValueError(
                f"{path} must set each option once. Got {key} with a dash and with an underscore. "
                "Leave one out."
            )
        try:
            defaults[param.name] = _as_given(ctx, param, value)
        except typer.BadParameter as error:
            why = error.message.rstrip(".")
            raise ValueError(
                f"{key} in {path} must be a value that its option takes. Got {value!r}: {why}. "
                f"See {ctx.command_path} --help."
            ) from error
    ctx.default_map = defaults
    return path


def toml_content(path: Path, option: str) -> dict[str, Any]:
    """What a TOML file holds, which this option names.

    Raises
    ------
    ValueError
        It cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))  # as Windows begins a text
    except OSError as error:
        raise ValueError(
            f"{option} must name a file that can be read. Got {why(error)}. Check its name."
        ) from error
    except (ValueError, RecursionError) as error:  # also what is no UTF-8
        raise ValueError(
            f'{path} must be TOML. Got: {error}. Write lines such as width = 65536 or loss = "softmax".'
        ) from error


def _as_given(ctx: typer.Context, param: Any, value: object) -> str | bool:
    """A value as the command line would give it, known to fit its option."""
    is_flag = getattr(param, "is_flag", False)
    if isinstance(value, bool) != is_flag or not isinstance(value, str | int | float):
        needed = "true or false" if is_flag else "a number or a text in quotes"
        raise typer.BadParameter(f"{needed} is needed")
    if value == "":
        raise typer.BadParameter("a text must not be empty")
    given = value if isinstance(value, bool) else str(value)
    param.process_value(ctx, given)
    return given


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _let_settings_lack(ctx: typer.Context, asked: bool) -> bool:
    """Settings may be printed that lack what a run needs, as a file to fill in."""
    for param in ctx.command.params:
        param.required = param.required and not asked
    return asked


Config = Annotated[
    Path | None,
    typer.Option(help="TOML file with options as keys; those given here win.", is_eager=True, callback=_read),
]
PrintConfig = Annotated[
    bool,
    typer.Option(
        "--print-config",
        help="Print all settings, as --config reads them, and do nothing else.",
        is_eager=True,
        callback=_let_settings_lack,
    ),
]

"""The command `fewfire`: its sub-commands, and how errors end it."""

import errno
import sys
from typing import Annotated, Any, NoReturn

import typer

from fewfire._version import __version__
from fewfire.cli.attack import attack
from fewfire.cli.certify import certify
from fewfire.cli.config import ConfigCommand, FewfireCommand
from fewfire.cli.diagnose import diagnose
from fewfire.cli.hierarchical import hierarchical
from fewfire.cli.info import info
from fewfire.cli.lazy import lazy
from fewfire.cli.plan import law, ranking, rate
from fewfire.cli.predict import predict
from fewfire.cli.report import report
from fewfire.cli.resume import resume
from fewfire.cli.streams import discard, prepare_streams, say_error
from fewfire.cli.study import depth, drift, scaling
from fewfire.cli.tensors import tensors
from fewfire.cli.train import train
from fewfire.errors import FewfireError, TrainingError
from fewfire.system.signals import interrupting
from fewfire.system.words import why

USER_ERROR, TRAINING_FAILED, OUTPUT_CUT_OFF, INTERRUPTED = 2, 1, 1, 130
CUT_OFF = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)  # of a stream
UsageError: Any = typer.BadParameter.__base__  # of Typer or of Click, by the version of Typer

app = typer.Typer(
    name="fewfire",
    help="Train very wide neural networks while touching only the neurons that fire.",
    epilog="Exit codes: 0 done, 1 training failed or output cut off, 2 a mistake in the command, its files "
    "or its data, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
study_app = typer.Typer(
    help="Train, and look closely at how it went or at what it costs.", no_args_is_help=True
)
app.add_typer(study_app, name="study")
plan_app = typer.Typer(help="Find out what to train with, by short runs.", no_args_is_help=True)
app.add_typer(plan_app, name="plan")
for command in (train, attack, certify, diagnose):
    app.command(cls=ConfigCommand)(command)
for command in (resume, predict, report, info):
    app.command(cls=FewfireCommand)(command)
for study in (drift, depth, scaling, lazy, hierarchical, tensors):
    study_app.command(cls=ConfigCommand)(study)
for plan in (rate, law):
    plan_app.command(cls=ConfigCommand)(plan)
plan_app.command("rank", cls=ConfigCommand)(ranking)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"fewfire {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    pass


def run() -> NoReturn:
    """Run the command: what goes wrong ends it with one line. SIGTERM and SIGHUP are as Ctrl-C.

    Raises
    ------
    SystemExit
        Always, with the exit code.
    """
    prepare_streams()
    with interrupting():
        _run()


def _run() -> NoReturn:
    try:
        code = app(prog_name="fewfire", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except UsageError as error:
        if not (message := error.format_message().rstrip(".")):  # the help is shown in its place
            sys.exit(USER_ERROR)
        command = error.ctx.command_path if error.ctx else "fewfire"
        end = "" if message.endswith("?") else "."
        _fail(f"a command must be as its help says. Got: {message}{end} See {command} --help.", USER_ERROR)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except TrainingError as error:
        _fail(str(error), TRAINING_FAILED)
    except (FewfireError, ValueError) as error:
        _fail(str(error), USER_ERROR)
    except (MemoryError, OverflowError) as error:
        _fail(f"a run must fit in memory. Got: {error}. Lower --width or --batch-size.", USER_ERROR)
    except OSError as error:
        if error.filename is not None or error.errno not in CUT_OFF:
            _fail(f"files must be readable and writable. Got: {why(error)}. Check path and disk.", USER_ERROR)
        discard(sys.stdout)
        if isinstance(error, BrokenPipeError):
            sys.exit(OUTPUT_CUT_OFF)
        _fail(
            f"standard output must take what is printed. Got: {why(error)}. Send it elsewhere; what the "
            "command has written into files is there.",
            OUTPUT_CUT_OFF,
        )


def _fail(message: str, code: int) -> NoReturn:
    say_error(message)
    sys.exit(code)

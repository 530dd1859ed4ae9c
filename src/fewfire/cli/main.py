"""The command `fewfire`: its sub-commands, and how errors end it."""

import signal
import sys
from typing import Any

import typer

from fewfire.cli.config import ConfigCommand
from fewfire.cli.display import discard
from fewfire.cli.info import info
from fewfire.cli.predict import predict
from fewfire.cli.report import report
from fewfire.cli.resume import resume
from fewfire.cli.study import drift, scaling
from fewfire.cli.train import train
from fewfire.errors import FewfireError, TrainingError

USER_ERROR, TRAINING_FAILED, OUTPUT_CUT_OFF, INTERRUPTED = 2, 1, 1, 130
UsageError: Any = typer.BadParameter.__base__  # of Typer or of Click, by the version of Typer

app = typer.Typer(
    name="fewfire",
    help="Train very wide neural networks while touching only the neurons that fire.",
    epilog="Exit codes: 0 done, 1 training failed or output cut off, 2 a mistake in the command, its files "
    "or its data, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
study_app = typer.Typer(
    help="Train, and look closely at how it went or at what it costs.", no_args_is_help=True
)
app.add_typer(study_app, name="study")
app.command(cls=ConfigCommand)(train)
for command in (resume, predict, report, info):
    app.command()(command)
for study in (drift, scaling):
    study_app.command(cls=ConfigCommand)(study)


def run() -> None:
    """Entry point: errors of the user end with one message and no traceback. SIGTERM is as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(prog_name="fewfire", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except UsageError as error:
        if not (message := error.format_message().rstrip(".?")):  # the help is shown in its place
            sys.exit(USER_ERROR)
        command = error.ctx.command_path if error.ctx else "fewfire"
        _fail(f"a command must be as its help says. Got: {message}. See {command} --help.", USER_ERROR)
    except BrokenPipeError:
        discard(sys.stdout)
        sys.exit(OUTPUT_CUT_OFF)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except TrainingError as error:
        _fail(str(error), TRAINING_FAILED)
    except (FewfireError, ValueError) as error:
        _fail(str(error), USER_ERROR)
    except (MemoryError, OverflowError) as error:
        _fail(f"a run must fit in memory. Got: {error}. Lower --width or --batch-size.", USER_ERROR)
    except OSError as error:
        _fail(f"files must be readable and writable. Got: {error}. Check path and disk.", USER_ERROR)


def _fail(message: str, code: int) -> None:
    typer.echo(f"fewfire: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    run()

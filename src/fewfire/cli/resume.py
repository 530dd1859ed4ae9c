"""`fewfire resume`: a run that was interrupted or killed goes on from its last checkpoint."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from fewfire.cli.display import TrainingDisplay
from fewfire.cli.options import Json, Quiet, Threads
from fewfire.cli.streams import console_of
from fewfire.runs import resume_run


def resume(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that was stopped.")],
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Resume a run that was interrupted or killed.

    It resumes from its last checkpoint, and ends with the weights of a run without a break, bit for bit.

    Example:

      fewfire resume runs/fashion
    """
    with TrainingDisplay(console_of(json=json, quiet=quiet)) as display:
        run = resume_run(run_folder, threads=threads, observer=display)
    if json:
        print(json_format.dumps(run.as_dict()))

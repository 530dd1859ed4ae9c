"""`fewfire report`: one HTML page of one or several runs."""

from pathlib import Path
from typing import Annotated

import typer

from fewfire.cli.options import Quiet
from fewfire.cli.streams import console_of
from fewfire.report import report as report_page
from fewfire.runs import RunFolder
from fewfire.system.files import write_atomically


def report(
    run_folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs that ended.")],
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file to write; by default RUN/report.html, ./report.html of several runs."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make one HTML page of a run, or of several side by side.

    Settings, curves, work beside dense training, time, memory, exactness.

    Examples:

      fewfire report runs/digits
      fewfire report runs/drift runs/exhaustive --out compared.html
    """
    runs = [RunFolder(folder).load_run() for folder in run_folders]
    path = out or (run_folders[0] if len(runs) == 1 else Path()) / "report.html"
    write_atomically(path, report_page(runs))
    console_of(quiet=quiet).print(f"report written to {path}", soft_wrap=True)

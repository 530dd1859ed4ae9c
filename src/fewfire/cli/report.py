"""`fewfire report`: one HTML page of one or several runs."""

from collections.abc import Sequence
from pathlib import Path

from fewfire.cli.display import console_of
from fewfire.report.page.page import report
from fewfire.runs.folder import RunFolder
from fewfire.system.files import write_atomically


def report_command(run_folders: Sequence[Path], out: Path | None, *, quiet: bool) -> None:
    runs = [RunFolder(folder).load_run() for folder in run_folders]
    path = out or (run_folders[0] if len(runs) == 1 else Path()) / "report.html"
    write_atomically(path, report(runs))
    console_of(quiet=quiet).print(f"report written to {path}", soft_wrap=True)

"""`fewfire study tensors`: a small problem in which lazy training and features can be told apart."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from fewfire._version import __version__
from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.options import Json, Quiet, real_numbers, whole_numbers
from fewfire.cli.streams import console_of
from fewfire.cli.studies import drawing, save_study
from fewfire.lab import TensorStudy, study_tensors
from fewfire.report.pictures import can_draw
from fewfire.runs.run import default_folder
from fewfire.system.files import OutputFolder


def tensors(
    order: Annotated[int, typer.Option(help="Of the tensors, at least 3.")] = 4,
    dim: Annotated[int, typer.Option(help="Their dimensions.")] = 10,
    rank: Annotated[int, typer.Option(help="Their components, orthogonal up to --dim.")] = 5,
    components: Annotated[str, typer.Option(help="Components of the models, a,b,c.")] = "5,10,15",
    start: Annotated[
        str, typer.Option(help="Sizes of the components at the start, a,b; the first is drawn anew, too.")
    ] = "0.1,1",
    seeds: Annotated[int, typer.Option(help="Tensors and starts of each kind.")] = 20,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/tensors-TIME.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Decompose random tensors: how many components, and lazy or not?

    How often descent finds all components, with and without drawing the
    smallest anew, and how far those of a small and a large start turn: as a
    table, as pictures, and as one sentence of advice.

    Examples:

      fewfire study tensors
      fewfire study tensors --dim 10 --rank 15 --components 15,30 --seeds 6
    """
    counts = whole_numbers(components, "--components", example="5,10,15")
    sizes = real_numbers(start, "--start", example="0.1,1")
    console, folder = console_of(json=json, quiet=quiet), OutputFolder(out or default_folder("tensors"))
    bar = Progress(console=console, transient=True, disable=not console.is_interactive)
    with folder.created(), bar:
        task = bar.add_task("tensors", total=1.0)
        study = study_tensors(
            order=order, dim=dim, rank=rank, components=counts, starts=sizes, seeds=seeds,
            progress=lambda share: bar.update(task, completed=share),
        )  # fmt: skip
        figures = {"fewfire": __version__, "seeds": seeds} | study.as_dict()
        save_study(folder.path, "rows.csv", study.table(), figures)
    if can_draw():
        with drawing(folder.path):
            from fewfire.report.pictures.tensors import draw_tensors

            draw_tensors(study, (folder.path / "tensors.svg", folder.path / "tensors.png"))
    _print(console, study, folder.path)
    if json:
        print(json_format.dumps(figures))


def _print(console: Console, study: TensorStudy, folder: Path) -> None:
    line = "{:>10} {:>6} {:>11} {:>9} {:>8} {:>12}"
    console.print(
        "\n" + line.format("components", "start", "drawn anew", "reached", "aligned", "median steps")
    )
    for row in study.rows:
        every = "" if row.reinit_every is None else f"every {row.reinit_every}"
        console.print(line.format(row.n_components, f"{row.start:g}", every, f"{row.successes}/{row.starts}",
                                  f"{row.aligned}/{row.starts}", f"{row.median_steps:,.0f}"))  # fmt: skip
    for name, found in study.regimes.items():
        console.print(
            f"\n{name}: components turned by {found['turned_least']:.3f} to {found['turned_most']:.3f}, "
            f"{found['aligned']:.0%} of them are the tensor's",
            soft_wrap=True,
        )
    console.print(f"\n{study.advice}", soft_wrap=True)
    console.print(f"\nsaved in {folder}", soft_wrap=True)

"""`fewfire study hierarchical`: how many samples the kernel takes, and heads of second order."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from fewfire._version import __version__
from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.options import Json, Quiet, whole_numbers
from fewfire.cli.streams import console_of
from fewfire.cli.studies import drawing, save_study
from fewfire.diagnose.sample_complexity import REACHED, HierarchicalStudy, study_hierarchical
from fewfire.report.pictures import can_draw
from fewfire.runs.run import default_folder
from fewfire.system.files import OutputFolder


def hierarchical(
    degree: Annotated[int, typer.Option(help="Of the Hermite polynomial of one direction.")] = 4,
    dim: Annotated[int, typer.Option(help="Columns.")] = 12,
    samples: Annotated[str, typer.Option(help="Samples to learn from, a,b,c.")] = "100,200,400,800,1600",
    indicators: Annotated[
        int | None, typer.Option(help="Random indicators; by default 2 dim^2.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(help="Targets and samples of each kind.")] = 2,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/hierarchical-TIME.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Count the samples that one direction takes: kernel or second order?

    A Hermite polynomial of one direction, by the tangent kernel and by a
    quadratic head on rows, on features of degree two and on random
    indicators, plain and whitened: as a table and as a picture.

    Examples:

      fewfire study hierarchical
      fewfire study hierarchical --degree 2 --dim 20 --samples 60,120,300
    """
    counts = whole_numbers(samples, "--samples", example="100,400,1600", least=2)
    console, folder = console_of(json=json, quiet=quiet), OutputFolder(out or default_folder("hierarchical"))
    bar = Progress(console=console, transient=True, disable=not console.is_interactive)
    with folder.created(), bar:
        task = bar.add_task("hierarchical", total=1.0)
        study = study_hierarchical(
            degree=degree, dim=dim, samples=counts, indicators=indicators, seeds=seeds,
            progress=lambda share: bar.update(task, completed=share),
        )  # fmt: skip
        figures = {"fewfire": __version__, "seeds": seeds} | study.as_dict()
        save_study(folder.path, "points.csv", study.table(), figures)
    if can_draw():
        with drawing(folder.path):
            from fewfire.report.pictures.hierarchical import draw_hierarchical

            draw_hierarchical(study, (folder.path / "hierarchical.svg", folder.path / "hierarchical.png"))
    _print(console, study, counts, folder.path)
    if json:
        print(json_format.dumps(figures))


def _print(console: Console, study: HierarchicalStudy, counts: list[int], folder: Path) -> None:
    console.print(f"\nHe{study.degree} of one direction of {study.dim}: error over the variance\n")
    line = "{:<28}" + " {:>7}" * len(counts)
    console.print(line.format("samples", *(f"{count:,}" for count in counts)), soft_wrap=True)
    for way in study.reached:
        errors = {point.samples: point.error for point in study.points if point.way == way}
        console.print(line.format(way, *(f"{errors[count]:.3f}" for count in counts)), soft_wrap=True)
    console.print("")
    for way, reached in study.reached.items():
        with_so_many = "with none of these" if reached is None else f"with {reached:,} samples"
        console.print(f"{way}: below {REACHED:g} {with_so_many}")
    console.print(f"\nsaved in {folder}", soft_wrap=True)

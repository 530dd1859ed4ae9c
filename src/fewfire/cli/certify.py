"""`fewfire certify`: labels that no move within a radius can change, beside what an attack finds."""

import json as json_format
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from fewfire.adversarial.ball import NORMS
from fewfire.certify import Certificate
from fewfire.certify import certify as certify_samples
from fewfire.certify.certificate import UNITS, Margins, attackable
from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.display import draw_certified
from fewfire.cli.options import Json, Quiet, Seed, Threads, one_of, real_numbers
from fewfire.cli.streams import console_of
from fewfire.data import load_inputs
from fewfire.errors import DataError
from fewfire.prepare.model import Model
from fewfire.prepare.targets import is_given
from fewfire.runs import RunFolder
from fewfire.system.files import write_atomically
from fewfire.system.machine import set_threads


def certify(
    run_folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run, or a model file that an estimator saved.")
    ],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Samples with labels, in any of the formats of `train`.")
    ],
    radius: Annotated[
        str, typer.Option(help="How far samples may move; several with commas: 0.01,0.02,0.05.")
    ] = "0.01",
    norm: Annotated[
        str,
        typer.Option(help="linf: each column by itself; l2: all together.", autocompletion=one_of(NORMS)),
    ] = "linf",
    units: Annotated[
        str,
        typer.Option(
            help="What a radius counts: the range of the data, 'standard deviations' of columns, or raw.",
            autocompletion=one_of(UNITS),
        ),
    ] = "range",
    columns: Annotated[
        str | None, typer.Option(help="Columns that move, a,b; by default all columns of numbers.")
    ] = None,
    attack: Annotated[int, typer.Option(help="Steps of an attack on the same samples; 0 for none.")] = 0,
    samples: Annotated[int | None, typer.Option(help="The first so many samples; by default all.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="NPZ file for margins and the certified radius of each sample, with a picture beside it."
        ),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Prove for samples that no move within a radius changes their label.

    Examples:

      fewfire certify runs/digits digits --radius 0.01,0.02 --attack 20
      fewfire certify runs/fashion fashion_mnist/ --norm l2 --samples 500
      fewfire certify model.safetensors new.csv --units raw --columns age,bmi
    """
    if samples is not None and samples < 1:
        raise ValueError(f"--samples must be >= 1. Got {samples}. Leave it out for all.")
    if attack < 0:
        raise ValueError(f"--attack must be >= 0. Got {attack}. Use 20, or leave it out for none.")
    if out is not None and (out.suffix != ".npz" or not out.absolute().parent.is_dir()):
        raise ValueError(
            f"--out must be an .npz file in a folder that is there. Got {out}. Make its folder first, or "
            "give another path."
        )
    radii = _radii(radius)
    if threads is not None:
        set_threads(threads)
    model = RunFolder(run_folder).load_model() if run_folder.is_dir() else Model.load(run_folder)
    if attack:
        attackable(model)  # else the certificate would be lost
    rows = load_inputs(data, model.features, model.targets)
    if rows.labels is None or not is_given(rows.labels).all():
        raise DataError(
            f"samples to certify must all have labels. Got {data} with rows that have none. Give the test "
            "part."
        )
    inputs, labels = rows.inputs[:samples], rows.labels[:samples]
    console = console_of(json=json, quiet=quiet)
    with Progress(console=console, transient=True, disable=not console.is_interactive) as progress:
        task = progress.add_task(f"certify, {norm} {radii[-1]:g}", total=1.0)
        found = certify_samples(
            model, inputs, labels, radii[-1], norm=norm, units=units, data=rows.inputs,
            columns=None if columns is None else columns.split(","), seed=seed,
            on_share=lambda share: progress.update(task, completed=share),
        )  # fmt: skip
        curve = found.curve(radii)
        robust = [
            found.under_attack(attack, radius=point.radius, seed=seed).robust for point in curve if attack
        ]
    _say(console, found, curve, robust)
    if out is not None:
        sizes = found.radii()
        archive = BytesIO()
        np.savez_compressed(archive, radii=radii, margins=np.stack([point.margin for point in curve]),
                            certified_radius=sizes, y=labels)  # fmt: skip
        write_atomically(out, archive.getvalue())
        console.print(f"margins and radii written to {out}", soft_wrap=True)
        picture = out.with_suffix(".png")
        title = f"{run_folder.name}: {norm}, units {units}"
        if draw_certified(found, curve, robust, sizes, picture, title):
            console.print(f"a picture of them drawn in {picture}", soft_wrap=True)
    if json:
        print(json_format.dumps(_figures(found, curve, robust) | {"norm": norm, "units": units}))


def _radii(text: str) -> list[float]:
    """The radii of a list with commas, ascending."""
    radii = sorted(set(real_numbers(text, "--radius", example="0.01,0.02")))
    if not radii[0] > 0:
        raise ValueError(
            f"a certificate needs a radius > 0 in the units of the columns. Got {radii[0]:g}. Give --radius "
            "0.05 --units 'standard deviations'."
        )
    return radii


def _say(console: Console, found: Certificate, curve: list[Margins], robust: list[float]) -> None:
    """A line for each radius."""
    n = len(found.labels)
    console.print(f"{n:,} samples, accuracy {found.clean:.4f}; certified in {found.seconds:.1f} s\n")
    console.print("   radius  certified     95 % interval  attacked  undecided")
    for number, point in enumerate(curve):
        low, high = point.interval
        attacked = f"{robust[number]:.4f}" if robust else "-"
        console.print(
            f"{point.radius:>9g}  {point.accuracy:>9.4f}  {low:.4f} .. {high:.4f}  {attacked:>8}  "
            f"{point.undecided.mean():>9.2%}"
        )
    if found.advice is not None:
        console.print(f"\n{found.advice}", soft_wrap=True)


def _figures(found: Certificate, curve: list[Margins], robust: list[float]) -> dict[str, Any]:
    return {
        "n_samples": len(found.labels),
        "clean_accuracy": found.clean,
        "radii": [point.radius for point in curve],
        "certified_accuracy": [point.accuracy for point in curve],
        "certified_interval": [list(point.interval) for point in curve],
        "robust_accuracy": robust,
        "undecided": [float(point.undecided.mean()) for point in curve],
        "seconds": found.seconds,
        "advice": found.advice,
    }

"""`fewfire attack`: how many samples stay right, whatever is tried against them."""

import json as json_format
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import Progress

from fewfire.adversarial import robust_accuracy
from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.options import Json, Quiet, Seed, Threads
from fewfire.cli.streams import console_of
from fewfire.data import load_inputs
from fewfire.errors import DataError
from fewfire.prepare.targets import is_given
from fewfire.runs import RunFolder
from fewfire.runs.attacks import attack_on, attackable
from fewfire.system.files import write_atomically
from fewfire.system.machine import set_threads


def attack(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run by --optimizer sgd.")],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Samples with labels, in any of the formats of `train`.")
    ],
    attack: Annotated[
        str,
        typer.Option(help="Norm and radius, as a share of the range of the data: linf:8/255 or l2:0.5."),
    ] = "linf:8/255",
    steps: Annotated[int, typer.Option(help="Steps of each run against a sample.")] = 50,
    restarts: Annotated[int, typer.Option(help="Runs from random starts; the worst counts.")] = 1,
    objective: Annotated[str, typer.Option(help="What is driven up: loss, margin or dlr.")] = "loss",
    samples: Annotated[int | None, typer.Option(help="The first so many samples; by default all.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="NPZ file for the attacked samples X, their labels y, and broken.")
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Attack a trained network, and count what stays right in the worst case.

    Examples:

      fewfire attack runs/digits digits --attack linf:0.1
      fewfire attack runs/fashion fashion_mnist/ --restarts 10 --samples 2000
      fewfire attack runs/fashion fashion_mnist/ --out attacked.npz --json
    """
    if samples is not None and samples < 1:
        raise ValueError(f"--samples must be >= 1. Got {samples}. Leave it out for all.")
    if threads is not None:
        set_threads(threads)
    model = RunFolder(run_folder).load_model()
    member = attackable(model)
    rows = load_inputs(data, model.features, model.targets)
    if rows.labels is None or not is_given(rows.labels).all():
        raise DataError(
            f"samples to attack must all have labels. Got {data} with rows that have none. Give the test "
            "part."
        )
    tried = attack_on(
        attack, rows.inputs, member.preparation.scaling, steps=steps, restarts=restarts, objective=objective
    )
    inputs, labels = rows.inputs[:samples], rows.labels[:samples]
    console = console_of(json=json, quiet=quiet)
    with Progress(console=console, transient=True, disable=not console.is_interactive) as progress:
        task = progress.add_task(f"{attack}, {steps} steps", total=1.0)
        found = robust_accuracy(
            member.network, inputs, model.targets.encode(labels), tried,  # type: ignore[union-attr]
            scaling=member.preparation.scaling, mean=model.mean, seed=seed,
            on_batch=lambda share: progress.update(task, completed=share),
        )  # fmt: skip
    low, high = found.interval
    runs = "run" if restarts == 1 else "runs"
    console.print(
        f"{len(inputs):,} samples, {attack} of the range, {steps} steps, {restarts} {runs}: accuracy "
        f"{found.clean:.4f}, robust {found.robust:.4f} ({low:.4f} .. {high:.4f}), {found.seconds:.1f} s",
        soft_wrap=True,
    )
    if found.no_gradient:
        console.print(f"nothing fires on {found.no_gradient:,} of them, so their gradients say nothing")
    if out is not None:
        archive = BytesIO()
        np.savez_compressed(archive, X=found.examples, y=labels, broken=found.broken)
        write_atomically(out, archive.getvalue())
        console.print(f"attacked samples written to {out}", soft_wrap=True)
    if json:
        figures: dict[str, Any] = {
            "clean_accuracy": found.clean,
            "robust_accuracy": found.robust,
            "robust_interval": [low, high],
            "per_restart": list(found.per_restart),
            "attack": attack,
            "steps": steps,
            "restarts": restarts,
            "n_samples": len(inputs),
            "no_gradient": found.no_gradient,
            "attack_seconds": found.seconds,
        }
        print(json_format.dumps(figures))

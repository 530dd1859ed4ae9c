"""`fewfire attack`: how many samples stay right, whatever is tried against them."""

import json as json_format
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from fewfire.adversarial import AttackInterrupted, Robustness, robust_accuracy
from fewfire.adversarial.ball import as_floats
from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.display import draw_fooled
from fewfire.cli.options import Json, Quiet, Seed, Threads
from fewfire.cli.streams import console_of
from fewfire.data import load_inputs
from fewfire.errors import DataError
from fewfire.networks.deep import two_layers_of
from fewfire.prepare.targets import is_given
from fewfire.runs import RunFolder
from fewfire.runs.attacks import attack_on, attackable
from fewfire.runs.robustness import Fooled
from fewfire.system.files import write_atomically
from fewfire.system.machine import set_threads
from fewfire.system.signals import uninterrupted


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
        Path | None,
        typer.Option(
            help="NPZ file for attacked samples X, labels y, and broken, with a picture of some beside it; "
            "written after Ctrl-C, too."
        ),
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
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise ValueError(
            f"--out must be a file in a folder that is there. Got {out}. Make its folder first, or give "
            "another path."
        )
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
    report = _Report(console, out, attack, steps, restarts, len(inputs), json)
    with Progress(console=console, transient=True, disable=not console.is_interactive) as progress:
        task = progress.add_task(f"{attack}, {steps} steps", total=1.0)
        try:
            found = robust_accuracy(
                two_layers_of(member.network, "an attack"), inputs, model.targets.encode(labels), tried,  # type: ignore[union-attr]
                scaling=member.preparation.scaling, mean=model.mean, seed=seed,
                on_batch=lambda share: progress.update(task, completed=share),
            )  # fmt: skip
        except AttackInterrupted as stopped:
            progress.stop()
            with uninterrupted():
                report(stopped.found, labels, interrupted=True)
            raise
    report(found, labels)
    if out is not None and out.suffix == ".npz":  # of another name it may be the picture's own
        picture, title = out.with_suffix(".png"), f"{run_folder.name}: samples under {attack} of the range"
        if draw_fooled(model, Fooled.of(model, as_floats(inputs), labels, found), picture, title):
            console.print(f"a picture of some drawn in {picture}", soft_wrap=True)


@dataclass(frozen=True)
class _Report:
    """Says, and writes, what was found."""

    console: Console
    out: Path | None
    attack: str
    steps: int
    restarts: int
    n_samples: int
    json: bool

    def __call__(self, found: Robustness, labels: NDArray, *, interrupted: bool = False) -> None:
        say = self.console.print
        low, high = found.interval
        runs = "1 run" if self.restarts == 1 else f"{self.restarts} runs"
        if interrupted:
            runs = f"interrupted after {len(found.per_restart)} of {runs}"
        say(
            f"{self.n_samples:,} samples, {self.attack} of the range, {self.steps} steps, {runs}: accuracy "
            f"{found.clean:.4f}, robust {found.robust:.4f} ({low:.4f} .. {high:.4f}), {found.seconds:.1f} s",
            soft_wrap=True,
        )
        if found.no_gradient:
            silent = f"nothing fires on {found.no_gradient:,} of them"
            say(f"{silent}, which were attacked at a lower threshold, too", soft_wrap=True)
        if self.out is not None:
            archive = BytesIO()
            np.savez_compressed(archive, X=found.examples, y=labels, broken=found.broken,
                                runs_done=len(found.per_restart))  # fmt: skip
            write_atomically(self.out, archive.getvalue())
            say(f"attacked samples written to {self.out}", soft_wrap=True)
        if self.json:
            print(json_format.dumps(self._figures(found) | {"interrupted": interrupted}))

    def _figures(self, found: Robustness) -> dict[str, Any]:
        return {
            "clean_accuracy": found.clean,
            "robust_accuracy": found.robust,
            "robust_interval": list(found.interval),
            "per_restart": list(found.per_restart),
            "attack": self.attack,
            "steps": self.steps,
            "restarts": self.restarts,
            "runs_done": len(found.per_restart),
            "n_samples": self.n_samples,
            "no_gradient": found.no_gradient,
            "attack_seconds": found.seconds,
        }

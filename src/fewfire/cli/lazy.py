"""`fewfire study lazy`: how far training carries networks of growing width from their start."""

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import Progress

from fewfire._version import __version__
from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.options import Json, Quiet, number_or, takes, whole_numbers
from fewfire.cli.streams import console_of
from fewfire.cli.studies import drawing, save_study
from fewfire.diagnose import Lazy
from fewfire.diagnose import lazy as lazy_study
from fewfire.prepare import Classes, InputScaling, TargetScaling
from fewfire.prepare.scores import targets_of
from fewfire.report.pictures import can_draw
from fewfire.runs import TrainOptions
from fewfire.runs.prepare import load
from fewfire.runs.run import default_folder
from fewfire.system.files import OutputFolder


@takes("data", "target", "task", "categories", "drop", "test_fraction", "seed", "threads")
def lazy(
    options: TrainOptions,
    widths: Annotated[str, typer.Option(help="Widths, a,b,c.")] = "1000,10000,100000",
    samples: Annotated[int, typer.Option(help="Training samples, drawn at random.")] = 500,
    threshold: Annotated[
        str, typer.Option(help="Of all widths, 0 for plain ReLUs; paper: sqrt(0.4 ln width) of each.")
    ] = "paper",
    loss: Annotated[float, typer.Option(help="Share of the first loss at which training ends.")] = 0.05,
    steps: Annotated[int, typer.Option(help="Or after so many steps.")] = 500,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/lazy-DATA-TIME.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Measure how the lazy regime comes with the width.

    How far neurons move, how many pairs flip, and how much the tangent
    kernel changes until the loss is fitted, by width: as a table, as
    pictures, and as fitted exponents.

    Examples:

      fewfire study lazy digits --widths 1000,10000
      fewfire study lazy fashion_mnist/ --samples 500 --json
    """
    parts = whole_numbers(widths, "--widths", example="1000,10000", least=2)
    b = number_or(("paper",), "--threshold")(threshold)
    if samples < 2:
        raise ValueError(f"--samples must be >= 2. Got {samples}. Leave it out for 500.")
    dataset = load(options)
    folder = OutputFolder(out or default_folder(f"lazy-{dataset.name}"))
    rows = np.random.default_rng(options.seed).permutation(len(dataset.inputs))[:samples]
    inputs, labels = dataset.inputs[rows], dataset.labels[rows]
    scaling = InputScaling.fit(inputs, standardize=dataset.tabular)
    is_real = dataset.task == "regression"
    coding = TargetScaling.fit(labels) if is_real else Classes.of(dataset.labels)
    targets = targets_of(coding, labels, "squared")
    console = console_of(json=json, quiet=quiet)

    def save(study: Lazy) -> None:
        summary = _summary(study, dataset.name, options.seed)
        save_study(folder.path, "points.csv", study.table(), summary)

    bars = Progress(console=console, transient=True, disable=not console.is_interactive)
    with folder.created(), bars as progress:
        tasks = {part: progress.add_task(f"width {part:,}", total=1.0) for part in parts}
        study = lazy_study(
            scaling.transform(inputs), targets, widths=list(tasks), threshold=b, loss=loss,
            steps=steps, seed=options.seed,
            progress=lambda width, share: progress.update(tasks[width], completed=share), on_point=save,
        )  # fmt: skip
    if can_draw():
        with drawing(folder.path):
            from fewfire.report.pictures.lazy import draw_lazy

            title = f"{dataset.name}: {study.n_samples:,} samples, threshold {threshold}"
            draw_lazy(study, (folder.path / "lazy.svg", folder.path / "lazy.png"), title)
    line = "{:>9} {:>6} {:>8} {:>8} {:>9} {:>15} {:>10}"
    console.print(
        "\n" + line.format("width", "steps", "loss", "moved", "flipped", "kernel changed", "condition")
    )
    for one in study.points:
        condition = "singular" if one.condition is None else f"{one.condition:,.0f}"
        console.print(line.format(f"{one.width:,}", one.steps, f"{one.loss:.3f}", f"{one.moved:.3g}",
                                  f"{one.flipped:.3f}", f"{one.kernel_change:.3f}", condition))  # fmt: skip
    shown = {name: "" if slope is None else f"{slope:.2f}" for name, slope in study.exponents.items()}
    console.print(
        line.format("exponent", "", "", shown["moved"], shown["flipped"], shown["kernel_change"], "")
    )
    console.print(f"\nsaved in {folder.path}", soft_wrap=True)
    if json:
        print(json_format.dumps(_summary(study, dataset.name, options.seed)))


def _summary(study: Lazy, data: str, seed: int) -> dict[str, Any]:
    return {
        "fewfire": __version__,
        "data": data,
        "seed": seed,
        "samples": study.n_samples,
        "thresholds": list(study.threshold),
        "exponents": study.exponents,
        "points": [point.figures() for point in study.points],
    }

"""`fewfire study`: train, and look closely at how it went, or at what it costs as sizes grow."""

import json as json_format
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from fewfire._version import __version__
from fewfire.cli.config import Config, PrintConfig
from fewfire.cli.display import DriftTable, TrainingDisplay, print_depth, print_drift, print_scaling
from fewfire.cli.options import Json, Quiet, Seed, Threads, takes
from fewfire.cli.streams import console_of
from fewfire.cli.studies import drawing, save_study
from fewfire.diagnose.depth import DepthRecorder, depth_csv, depth_markdown
from fewfire.diagnose.drift import DriftRecorder, steps_table
from fewfire.diagnose.scaling import (
    QUICK_SWEEPS,
    STEPS,
    SWEEPS,
    all_points,
    fits,
    markdown_table,
    points_table,
)
from fewfire.networks.deep import DeepNetwork
from fewfire.report.pictures import can_draw
from fewfire.runs import Settings, TrainOptions
from fewfire.runs.prepare import load, prepare
from fewfire.runs.run import default_folder, train_and_save
from fewfire.system import machine
from fewfire.system.files import OutputFolder, write_atomically

RECORDS = 1000  # of a run, where nothing else is asked for: all that a picture can show
NO_PICTURES = "No pictures without matplotlib: pip install 'fewfire[plot]' brings it.\n"


@takes(
    "data", "target", "task", "categories", "drop", "width", "epochs", "batch_size", "learning_rate",
    "schedule", "decay_every", "decay_gamma", "momentum", "nesterov", "weight_decay", "loss", "threshold",
    "fire_rate", "test_fraction", "seed", "threads", "memory_limit",
)  # fmt: skip
def drift(
    options: TrainOptions,
    every: Annotated[
        int | None,
        typer.Option(help="Steps per record; by default as few as make 1,000 records at the most."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/drift-DATA-TIME.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Train through the drift index and record what limits the run.

    How far neurons drift, what each filter lets through, and where the time
    goes: as a table, as pictures, and in one sentence.

    Examples:

      fewfire study drift digits --width 16384 --epochs 20 --out runs/drift
      fewfire study drift digits --every 1 --quiet --json > drift.json
    """
    if every is not None and every < 1:
        raise ValueError(f"--every must be >= 1. Got {every}. Use 1 to record each step.")
    console = console_of(json=json, quiet=quiet)
    dataset = load(options)
    folder = OutputFolder(out or default_folder(f"drift-{dataset.name}"))
    folder.require_free()
    prepared = prepare(options, dataset)
    prepared.trainer.problem.two_layers("a study of drift")
    trainer, settings = prepared.trainer, prepared.settings
    every = every or math.ceil(prepared.epochs * trainer.problem.steps_per_epoch / RECORDS)
    folder.create()
    recorder = DriftRecorder(trainer, every)
    with TrainingDisplay(console, table=DriftTable(recorder)) as display:
        display.prepared(prepared)
        if not can_draw():
            console.print(NO_PICTURES)

        def save(**outcome: Any) -> None:
            _save(folder.path, recorder, settings, outcome)
            display.saved(folder.path, settings, [])

        train_and_save(prepared, folder, save, display, recorder)
    summary = _summary(recorder, settings)
    print_drift(console, summary, folder.path)
    if json:
        print(json_format.dumps(summary))


@takes(
    "data", "target", "task", "categories", "drop", "width", "epochs", "batch_size", "learning_rate", "loss",
    "threshold", "fire_rate", "test_fraction", "seed", "threads", "memory_limit",
)  # fmt: skip
def depth(
    options: TrainOptions,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/depth-DATA-TIME.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Train a deep network and measure its layers, beside the theory.

    How many neurons fire, how long hidden vectors are and how alike those of
    two samples, in each layer, as training begins and after each epoch.

    Examples:

      fewfire study depth digits --width 4096,4096 --epochs 5 --out runs/depth
      fewfire study depth digits --width 2048,2048,2048 --fire-rate 0.025
    """
    if len(options.widths) == 1:
        raise ValueError(
            "--width must give several layers to study their depth. Got one. Write for example 2048,2048."
        )
    console = console_of(json=json, quiet=quiet)
    dataset = load(options)
    folder = OutputFolder(out or default_folder(f"depth-{dataset.name}"))
    folder.require_free()
    prepared = prepare(options, dataset)
    network, settings = prepared.model.network, prepared.settings
    assert isinstance(network, DeepNetwork)
    folder.create()
    recorder = DepthRecorder(network, prepared.trainer.problem.inputs)
    with TrainingDisplay(console) as display:
        display.prepared(prepared)
        if not can_draw():
            console.print(NO_PICTURES)

        def save(**outcome: Any) -> None:
            _save_depth(folder.path, recorder, settings, outcome)
            display.saved(folder.path, settings, [])

        train_and_save(prepared, folder, save, display, recorder)
    print_depth(console, recorder.signals, folder.path)
    if json:
        print(json_format.dumps(_depth_summary(recorder, settings)))


def _depth_summary(recorder: DepthRecorder, settings: Settings) -> dict[str, Any]:
    return settings.as_dict() | {"signals": [asdict(one) for one in recorder.signals]}


def _save_depth(folder: Path, recorder: DepthRecorder, settings: Settings, outcome: dict[str, Any]) -> None:
    write_atomically(folder / "table.md", depth_markdown(recorder.signals))
    summary = _depth_summary(recorder, settings) | outcome
    save_study(folder, "layers.csv", depth_csv(recorder.signals), summary)
    if can_draw():
        with drawing(folder, "the pictures"):
            from fewfire.report.pictures.depth import draw_depth

            asked = settings.options
            draw_depth(recorder.signals, folder, f"{Path(asked.data).name}: {asked.width_text}")


def _summary(recorder: DriftRecorder, settings: Settings) -> dict[str, Any]:
    history = [record.as_dict() for record in recorder.trainer.history]
    return settings.as_dict() | {"every": recorder.every} | recorder.totals() | {"history": history}


def _save(folder: Path, recorder: DriftRecorder, settings: Settings, outcome: dict[str, Any]) -> None:
    summary = _summary(recorder, settings) | outcome
    save_study(folder, "steps.csv", steps_table(recorder.records), summary)
    if recorder.records and can_draw():
        with drawing(folder, "the pictures"):
            from fewfire.report.pictures.drift import draw_steps

            asked = settings.options
            title = f"{Path(asked.data).name}: {asked.width_text}, batch {asked.batch_size}"
            draw_steps(recorder.records, folder, title)


def scaling(
    quick: Annotated[bool, typer.Option("--quick", help="Only the smallest sizes: a few seconds.")] = False,
    seed: Seed = 0,
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/scaling-TIME.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    config: Config = None,
    print_config: PrintConfig = False,
) -> None:
    """Measure how the cost of a step grows, through every index.

    Over width, samples and features: counted work, time, and the exponents
    of their growth, as a table and as pictures. Five minutes at the most.

    Examples:

      fewfire study scaling --out runs/scaling
      fewfire study scaling --quick --threads 1
    """
    threads = machine.threads() if threads is None else threads
    for name, value, least in (("--seed", seed, 0), ("--threads", threads, 1)):
        if value < least:
            raise ValueError(f"{name} must be >= {least}. Got {value}. Leave it out for the default.")
    machine.set_threads(threads)
    folder = OutputFolder(out or default_folder("scaling"))
    folder.create()
    console = console_of(json=json, quiet=quiet)
    points = []
    with console.status("measuring") as status:
        for point in all_points(QUICK_SWEEPS if quick else SWEEPS, seed):
            points.append(point)
            status.update(f"{point.index}: {point.axis} = {point.size:,}")
    rows = fits(points)
    summary = {
        "fewfire": __version__,
        "instruction_set": machine.instruction_set(),
        "threads": threads,
        "seed": seed,
        "quick": quick,
        "steps": STEPS,
        "fits": rows,
    }
    write_atomically(folder.path / "table.md", markdown_table(rows))
    save_study(folder.path, "points.csv", points_table(points), summary)
    if can_draw():
        with drawing(folder.path, "the pictures"):
            from fewfire.report.pictures.scaling import draw_scaling

            draw_scaling(points, folder.path)
    else:
        console.print(NO_PICTURES)
    print_scaling(console, rows, folder.path)
    if json:
        print(json_format.dumps(summary))

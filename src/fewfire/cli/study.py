"""`fewfire study`: train, and look closely at how it went, or at what it costs as sizes grow."""

import json
import math
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fewfire
from fewfire.cli.display import DriftDisplay, console_of, print_drift, print_scaling
from fewfire.cli.train import (
    TrainOptions,
    check_and_load,
    default_folder,
    headline,
    prepare,
    settings_of,
    train_and_save,
)
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
from fewfire.system import machine
from fewfire.system.files import OutputFolder, write_atomically

RECORDS = 1000  # of a run, where nothing else is asked for: all that a picture can show


def drift_command(options: TrainOptions, every: int | None) -> None:
    """Train through the drift index; leaves a folder of figures and pictures."""
    if every is not None and every < 1:
        raise ValueError(f"--every must be >= 1. Got {every}. Use 1 to record each step.")
    console = console_of(json=options.json, quiet=options.quiet)
    dataset = check_and_load(options)
    folder = OutputFolder(options.out or default_folder(f"drift-{dataset.name}"))
    folder.require_free()
    _, trainer = prepare(options, dataset)
    every = every or math.ceil(options.epochs * trainer.problem.steps_per_epoch / RECORDS)
    settings = settings_of(options, dataset, trainer) | {"every": every}
    folder.create()
    console.print(headline(dataset, trainer), soft_wrap=True)
    if not _can_draw():
        console.print("No pictures without matplotlib: pip install 'fewfire[plot]' brings it.\n")

    recorder = DriftRecorder(trainer, every)
    display = DriftDisplay(console, options.epochs, recorder)
    train_and_save(display, trainer, folder, partial(_save, folder.path, recorder, settings))
    summary = _summary(recorder, settings)
    print_drift(console, summary, folder.path)
    if options.json:
        print(json.dumps(summary))


def _summary(recorder: DriftRecorder, settings: dict[str, Any]) -> dict[str, Any]:
    history = [record.as_dict() for record in recorder.trainer.history]
    return settings | recorder.totals() | {"history": history}


def _can_draw() -> bool:
    return find_spec("matplotlib") is not None


def _save(folder: Path, recorder: DriftRecorder, settings: dict[str, Any], **outcome: object) -> None:
    write_atomically(folder / "steps.csv", steps_table(recorder.records))
    summary = _summary(recorder, settings) | outcome
    write_atomically(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    if recorder.records and _can_draw():
        from fewfire.report.pictures.drift import draw_steps

        title = f"{Path(settings['data']).name}: width {settings['width']:,}, batch {settings['batch_size']}"
        draw_steps(recorder.records, folder, title)


def scaling_command(
    *, quick: bool, seed: int, threads: int, out: Path | None, as_json: bool, quiet: bool
) -> None:
    """Measure a step through every index over growing sizes; leaves a folder of figures and pictures."""
    for name, value, least in (("--seed", seed, 0), ("--threads", threads, 1)):
        if value < least:
            raise ValueError(f"{name} must be >= {least}. Got {value}. Leave it out for the default.")
    fewfire.set_threads(threads)
    folder = OutputFolder(out or default_folder("scaling"))
    folder.create()
    console = console_of(json=as_json, quiet=quiet)
    points = []
    with console.status("measuring") as status:
        for point in all_points(QUICK_SWEEPS if quick else SWEEPS, seed):
            points.append(point)
            status.update(f"{point.index}: {point.axis} = {point.size:,}")
    rows = fits(points)
    summary = {
        "fewfire": fewfire.__version__,
        "instruction_set": machine.instruction_set(),
        "threads": threads,
        "seed": seed,
        "quick": quick,
        "steps": STEPS,
        "fits": rows,
    }
    write_atomically(folder.path / "points.csv", points_table(points))
    write_atomically(folder.path / "table.md", markdown_table(rows))
    write_atomically(folder.path / "summary.json", json.dumps(summary, indent=2) + "\n")
    if _can_draw():
        from fewfire.report.pictures.scaling import draw_scaling

        draw_scaling(points, folder.path)
    else:
        console.print("No pictures without matplotlib: pip install 'fewfire[plot]' brings it.\n")
    print_scaling(console, rows, folder.path)
    if as_json:
        print(json.dumps(summary))

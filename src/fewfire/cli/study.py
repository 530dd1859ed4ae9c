"""`fewfire study`: train, and look closely at how it went."""

import json
import math
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fewfire.cli.display import DriftDisplay, print_drift
from fewfire.cli.train import (
    TrainOptions,
    check_and_load,
    console_of,
    default_folder,
    headline,
    prepare,
    settings_of,
    train_and_save,
)
from fewfire.files import OutputFolder, write_atomically
from fewfire.report.drift_study import DriftRecorder, steps_table

RECORDS = 1000  # of a run, where nothing else is asked for: all that a picture can show


def drift_command(options: TrainOptions, every: int | None) -> None:
    """Train through the drift index; leaves a folder of figures and pictures."""
    if every is not None and every < 1:
        raise ValueError(f"--every must be >= 1. Got {every}. Use 1 to record each step.")
    console = console_of(options)
    dataset = check_and_load(options)
    folder = OutputFolder(options.out or default_folder(f"drift-{dataset.name}"))
    folder.require_free()
    _, trainer = prepare(options, dataset)
    every = every or math.ceil(options.epochs * trainer.steps_per_epoch / RECORDS)
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
        from fewfire.report.drift_pictures import draw_steps

        title = f"{Path(settings['data']).name}: width {settings['width']:,}, batch {settings['batch_size']}"
        draw_steps(recorder.records, folder, title)

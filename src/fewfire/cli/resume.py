"""`fewfire resume`: a run that was interrupted or killed goes on from its last checkpoint."""

import json
from pathlib import Path
from time import perf_counter
from typing import Any

from fewfire.cli.display import console_of
from fewfire.cli.train import check_and_load, options_of, prepare, run
from fewfire.errors import DataError
from fewfire.runs.folder import RunFolder

# In the settings of a run that was stopped, not of one that goes on.
OUTCOMES = ("interrupted", "features", "classes", "several_labels")


def resume_command(path: Path, *, threads: int | None, as_json: bool, quiet: bool) -> None:
    """Take up the settings of a run and its last checkpoint, and train to the end."""
    start = perf_counter()
    folder = RunFolder(path)
    settings = _settings_of(folder)
    others: dict[str, Any] = {"out": path, "json": as_json, "quiet": quiet}
    if threads is not None:
        others["threads"] = threads
    options = options_of(settings, **others)
    console = console_of(json=as_json, quiet=quiet)
    with folder.held():
        if folder.finished:
            folder.remove_checkpoints()
            console.print(f"The run in {path} is finished.", soft_wrap=True)
            if as_json:
                print(json.dumps(folder.load_result()))
            return
        dataset = check_and_load(options)
        model, trainer = prepare(options, dataset)
        if trainer.problem.data_checksum != settings["training_data"]:
            raise DataError(
                f"a run must go on with the data that it began with. Got others in {options.data}, as their "
                "checksum shows. Bring back the file as it was, or train anew."
            )
        state = folder.newest_checkpoint(lambda message: console.print(message, soft_wrap=True))
        if state is None:
            console.print("No checkpoint was written yet: from the beginning.\n")
        else:
            trainer.restore(state)
            console.print(f"From {state.origin}, after {state.epochs} epochs.\n", soft_wrap=True)
        run(console, options, dataset, folder, model, trainer, settings, start)


def _settings_of(folder: RunFolder) -> dict[str, Any]:
    try:
        settings = folder.load_settings()
    except (OSError, ValueError) as error:
        raise DataError(
            f"a run that goes on must be one that `fewfire train` began. Got {folder.path}: {error}. Give "
            "the folder named by its --out."
        ) from error
    if "failed" in settings:
        raise DataError(
            f"a run that goes on must not have failed: it would fail again. Got {folder.path}: "
            f"{settings['failed']} Train anew."
        )
    return {name: value for name, value in settings.items() if name not in OUTCOMES}

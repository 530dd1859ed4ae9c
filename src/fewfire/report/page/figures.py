"""The figures of a run, in words."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fewfire.indexes import ExhaustiveIndex
from fewfire.runs.folder import Run
from fewfire.system.words import bytes_text, seconds_text


def named(runs: Sequence[Run]) -> dict[str, Run]:
    """Runs by the names of their folders, or by their paths where two folders have one name."""
    names = [run.path.resolve().name for run in runs]
    return {
        str(run.path) if names.count(name) > 1 else name: run for run, name in zip(runs, names, strict=True)
    }


def title_of(run: Run) -> str:
    """What was trained on what."""
    asked = run.settings.options
    return f"{Path(asked.data).name}, {asked.width_text}, {asked.index} index, {asked.optimizer}"


def trouble_of(run: Run) -> str | None:
    """How the run ended, where it did not end well."""
    epochs = f"{len(run.history):,} epochs"
    if run.settings.options.epochs is not None:
        epochs = f"{len(run.history):,} of {run.settings.options.epochs:,} epochs"
    if run.settings.failed is not None:
        return f"Training failed after {epochs}: {run.settings.failed}"
    if run.settings.interrupted:
        return f"Interrupted after {epochs}."
    if run.result is None:
        return f"Not finished: there is no result.json, and {epochs} were saved."
    exactness = run.result.exactness
    if exactness is not None and exactness.is_broken:
        return f"{exactness}: the weights may be wrong. This is a bug of fewfire."
    return None


def why_not_compared(run: Run) -> str:
    """Why a run has no check of its exactness."""
    if run.result is None:
        return "not compared: the run did not finish"
    if run.result.chosen_index == ExhaustiveIndex.name:
        return "is exhaustive search itself"
    return "not compared: the run is of an earlier version"


def percent(share: float) -> str:
    return f"{share:.2%}"


# Label, name of the figure, and how it is written.
ROWS: list[tuple[str, str, Callable[[Any], str]]] = [
    ("test accuracy", "test_accuracy", "{:.4f}".format),
    ("largest class alone", "baseline_accuracy", "{:.4f}".format),
    *((f"test precision at {k}", f"precision_at_{k}", "{:.4f}".format) for k in (1, 3, 5)),
    ("test R²", "test_r2", "{:.4f}".format),
    ("test RMSE", "test_rmse", "{:.4g}".format),
    ("robust test accuracy", "robust_accuracy", "{:.4f}".format),
    ("training accuracy", "train_accuracy", "{:.4f}".format),
    ("training R²", "train_r2", "{:.4f}".format),
    ("training RMSE", "train_rmse", "{:.4g}".format),
    ("training loss", "train_loss", "{:.4g}".format),
    ("pairs that fired", "fire_rate", percent),
    ("found, of those", "recall", percent),
    ("work, of dense", "work_share", percent),
    ("epochs", "epochs_done", "{:,}".format),
    ("steps", "steps", "{:,}".format),
    ("time of a step", "seconds_per_step", seconds_text),
    ("time to build the index", "build_seconds", seconds_text),
    ("time of training", "training_seconds", seconds_text),
    ("time of the whole run", "total_seconds", seconds_text),
    ("index", "chosen_index", str),
    ("size of the index", "index_bytes", bytes_text),
    ("neurons with a table", "tabled_share", percent),
    ("oracle queries, simulated", "oracle_queries", "{:,}".format),
    ("peak memory", "peak_memory_bytes", bytes_text),
    ("step, than dense PyTorch", "speedup", "{:.1f} × faster".format),
    ("run, than dense PyTorch", "whole_run_speedup", "{:.1f} × faster".format),
    ("step, than bfloat16", "bfloat16_speedup", "{:.1f} × faster".format),
    ("run, than bfloat16", "bfloat16_whole_run_speedup", "{:.1f} × faster".format),
]


def figures_of(run: Run) -> dict[str, str]:
    """By label, what is known of a run, also of one that did not finish."""
    known = _of_history(run) | ({} if run.result is None else run.result.as_dict())
    return {label: write(known[name]) for label, name, write in ROWS if known.get(name) is not None}


def _of_history(run: Run) -> dict[str, Any]:
    history = run.history
    if not history:
        return {"epochs_done": 0}
    seconds, steps = sum(record.seconds for record in history), sum(record.steps for record in history)
    last = history[-1]
    return {
        "train_loss": last.loss,
        "train_accuracy": last.accuracy,
        "train_r2": last.r2,
        "train_rmse": last.rmse,
        "robust_accuracy": getattr(last, "robust_accuracy", None),
        "epochs_done": len(history),
        "steps": steps,
        "training_seconds": seconds,
        "seconds_per_step": seconds / steps,
        "index_bytes": last.index_bytes,
        "recall": next((record.recall for record in reversed(history) if record.recall is not None), None),
    }


STEP_PARTS = ("find", "attack", "forward", "move")


def seconds_of(run: Run) -> dict[str, float]:
    """Where the time of a run went.

    build : of the index
    find, forward, move : of the steps; moving includes finding who fires next
    attack : of attacks on the batches, where there were some
    rest : of training
    around : loading, starting weights, testing, saving

    Build and around are unknown, and missing, where the run did not finish.
    """
    history = run.history
    parts = {part: sum(getattr(record, f"seconds_{part}", 0.0) for record in history) for part in STEP_PARTS}
    if not parts["attack"]:
        del parts["attack"]
    training = sum(record.seconds for record in history)
    if run.result is None:
        return parts | {"rest": max(0.0, training - sum(parts.values()))}
    training, build = run.result.training_seconds, run.result.build_seconds
    rest = max(0.0, training - sum(parts.values()))
    around = max(0.0, run.result.total_seconds - training - build)
    return {"build": build, **parts, "rest": rest, "around": around}


def settings_written(run: Run) -> dict[str, str]:
    """All settings as texts, but for how the run ended, and what is no setting for a person: classes."""
    left_out = ("failed", "interrupted", "classes", "features")
    return {name: _setting(value) for name, value in run.settings.as_dict().items() if name not in left_out}


def _setting(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):  # of columns, or one for each layer
        return ", ".join(map(_setting, value)) or "–"
    if isinstance(value, dict):  # a schedule
        kind, *others = (f"{item}" if name == "name" else f"{name} {item}" for name, item in value.items())
        return ", ".join([kind, *others])
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)

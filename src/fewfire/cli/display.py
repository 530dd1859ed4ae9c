"""What a person sees while training and at its end."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fewfire.memory import written
from fewfire.training import EpochRecord

# The table of epochs: 67 characters wide.
COLUMNS = ("epoch", "loss", "accuracy", "fire rate", "work of dense", "ms/step")
ROW = "{:>9}  {:>10}  {:>8}  {:>9}  {:>13}  {:>8}"


class TrainingDisplay:
    """A progress bar over the build and all epochs (none in a pipe), and one line for each epoch done."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console, self.epochs, self._done = console, epochs, 0
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> "TrainingDisplay":
        if self.console.is_interactive:
            self._progress.start()
        self._task = self._progress.add_task("building the index", total=1.0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress.live.is_started:
            self._progress.stop()

    def built(self, share: float) -> None:
        self._progress.update(self._task, completed=share)

    def stepped(self, done: int, steps: int) -> None:
        if self._done == 0 and done == 1:  # a new clock: building says nothing of how long steps take
            self._progress.reset(self._task)
        self._progress.update(
            self._task,
            description=f"epoch {self._done + 1}/{self.epochs}",
            completed=self._done + done / steps,
            total=self.epochs,
        )

    def epoch_done(self, record: EpochRecord) -> None:
        if self._done == 0:
            self.console.print(ROW.format(*COLUMNS))
        self._done = record.epoch
        self.console.print(
            ROW.format(
                f"{record.epoch}/{self.epochs}",
                f"{record.loss:.4g}",
                "" if record.accuracy is None else f"{record.accuracy:.4f}",
                f"{record.fire_rate:.2%}",
                f"{record.work_share:.2%}",
                f"{1e3 * record.seconds / record.steps:.1f}",
            )
        )


def print_result(console: Console, result: dict[str, Any], folder: Path) -> None:
    """The figures of a run as a short table."""
    _print_rows(
        console,
        ("test accuracy", f"{result['test_accuracy']:.4f}"),
        ("pairs that fired", f"{result['fire_rate']:.2%}"),
        ("multiply-adds", f"{result['work_share']:.2%} of dense training's (build and refreshes included)"),
        ("index", f"built in {result['build_seconds']:.1f} s, {written(result['index_bytes'])}"),
        ("training", f"{result['training_seconds']:.1f} s, {result['steps']:,} steps"),
        ("peak memory", written(result["peak_memory_bytes"])),
        ("saved in", str(folder)),
    )


def print_comparison(console: Console, result: dict[str, Any]) -> None:
    """The figures of a comparison with dense PyTorch."""
    ours, dense = 1e3 * result["seconds_per_step"], 1e3 * result["dense_seconds_per_step"]
    speedup, whole = result["speedup"], result["whole_run_speedup"]
    difference, steps = result["max_weight_difference"], result["compared_steps"]
    _print_rows(
        console,
        ("a step", f"{ours:.2f} ms"),
        ("dense PyTorch", f"{dense:.2f} ms ({result['dense_step']})"),
        ("faster", f"{speedup:.1f} x a step, {whole:.1f} x the whole run"),
        ("weights apart", f"{difference:.1e} at the most, after {steps} steps"),
    )


def _print_rows(console: Console, *rows: tuple[str, str]) -> None:
    for name, text in [("", ""), *rows]:
        console.print(f"{name:<18}{text}".rstrip(), soft_wrap=True)

"""What a person sees while training and at its end."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from fewfire.memory import written
from fewfire.training import EpochRecord


class TrainingDisplay:
    """A progress bar over the build and all epochs, and one line for each epoch that is done."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console, self.epochs, self._done = console, epochs, 0
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> "TrainingDisplay":
        self._progress.start()
        self._task = self._progress.add_task("building the index", total=1.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
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
        self._done = record.epoch
        accuracy = "" if record.accuracy is None else f"  accuracy {record.accuracy:.4f}"
        self.console.print(
            f"epoch {record.epoch:>3}/{self.epochs}  loss {record.loss:.5f}{accuracy}  "
            f"fire rate {record.fire_rate:.2%}  work {record.work_share:.2%} of dense  "
            f"{1e3 * record.seconds / record.steps:.1f} ms/step"
        )


def print_result(console: Console, result: dict[str, Any], folder: Path) -> None:
    """The figures of a run as a short table."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows = [
        ("test accuracy", f"{result['test_accuracy']:.4f}"),
        ("pairs that fired", f"{result['fire_rate']:.2%}"),
        ("multiply-adds", f"{result['work_share']:.2%} of dense training's (build and refreshes included)"),
        ("index", f"built in {result['build_seconds']:.1f} s, {written(result['index_bytes'])}"),
        ("training", f"{result['training_seconds']:.1f} s, {result['steps']:,} steps"),
        ("peak memory", written(result["peak_memory_bytes"])),
    ]
    if "speedup" in result:
        ours, dense = 1e3 * result["seconds_per_step"], 1e3 * result["dense_seconds_per_step"]
        rows += [
            ("a step", f"{ours:.2f} ms; dense PyTorch ({result['dense_step']}) {dense:.2f} ms"),
            (
                "faster",
                f"{result['speedup']:.1f} x a step, {result['whole_run_speedup']:.1f} x the whole run",
            ),
            (
                "same weights",
                f"largest difference to dense PyTorch after {result['compared_steps']} steps: "
                f"{result['max_weight_difference']:.1e}",
            ),
        ]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"Saved in {folder}", soft_wrap=True)

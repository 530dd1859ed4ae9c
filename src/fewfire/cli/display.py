"""What a person sees while training and at its end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fewfire.certify import Certificate, Margins
from fewfire.cli.streams import say_error
from fewfire.diagnose.depth import DEPTH_HEADS, LayerSignals, depth_rows
from fewfire.diagnose.drift import DriftRecorder
from fewfire.diagnose.scaling import fits_rows
from fewfire.networks.deep import Network
from fewfire.prepare.model import Model
from fewfire.prepare.scores import score_text
from fewfire.report.pictures import can_draw
from fewfire.runs import Result, Run, RunObserver, Settings
from fewfire.runs.aside import Aside, aside
from fewfire.runs.attacks import of_a_table
from fewfire.runs.folder import ATTACKED
from fewfire.runs.prepare import Prepared
from fewfire.runs.robustness import SAMPLES, STEPS, Fooled, UnderAttack
from fewfire.system import machine
from fewfire.system.words import bytes_text
from fewfire.training import (
    Adversarial,
    AdversarialRecord,
    EpochRecord,
    GaussNewton,
    GaussNewtonRecord,
    Trainer,
)

NOT_SHOWN = "not all of the run could be shown"


class EpochTable:
    """What is shown of each epoch of gradient descent: 67 characters wide."""

    columns: ClassVar = ("epoch", "loss", "accuracy", "fire rate", "work of dense", "ms/step")
    row: ClassVar = "{:>9}  {:>10}  {:>8}  {:>9}  {:>13}  {:>8}"

    def heads(self, record: EpochRecord) -> tuple[str, ...]:
        """What stands above the lines of epochs like this one."""
        of_regression = {} if record.rmse is None else {"loss": "RMSE", "accuracy": "R2"}
        return tuple(of_regression.get(name, name) for name in self.columns)

    def line(self, record: EpochRecord, epochs: int) -> str:
        """The line of an epoch; last, what an approximate index finds, and the score on rows held back."""
        line = self.row.format(f"{record.epoch}/{epochs}", *self.cells(record))
        if record.recall is not None:
            line += f"  {record.recall:.1%} found"
        return line if record.validation_score is None else f"{line}  {record.validation_score:.4f} held back"

    def scores(self, record: EpochRecord) -> tuple[str, str]:
        """Loss and accuracy, or RMSE and R2 where targets are real values."""
        size, share = record.rmse, record.r2
        if size is None:
            size, share = record.loss, record.accuracy
        return f"{size:.4g}", "" if share is None else f"{share:.4f}"

    def cells(self, record: EpochRecord) -> tuple[str, ...]:
        """The line of an epoch, after its number."""
        return (
            *self.scores(record),
            f"{record.fire_rate:.2%}",
            f"{record.work_share:.2%}",
            f"{1e3 * record.seconds / record.steps:.1f}",
        )


class GaussNewtonTable(EpochTable):
    """The same for Gauss-Newton steps, with how far the model of the loss is right: 78 characters wide."""

    columns: ClassVar = (
        "epoch", "loss", "accuracy", "fire rate", "damping", "predicted", "actual", "s/step"
    )  # fmt: skip
    row: ClassVar = "{:>6}  {:>10}  {:>8}  {:>9}  {:>7}  {:>9}  {:>9}  {:>6}"

    def cells(self, record: EpochRecord) -> tuple[str, ...]:
        assert isinstance(record, GaussNewtonRecord)
        return (
            *self.scores(record),
            f"{record.fire_rate:.2%}",
            f"{record.damping:.0e}",
            f"{record.predicted:.4g}",
            f"{record.actual:.4g}",
            f"{record.seconds / record.steps:.2f}",
        )


class AdversarialTable(EpochTable):
    """The same for adversarial training, with accuracy on test samples, as they are and attacked: 77 wide."""

    columns: ClassVar = (
        "epoch", "loss", "accuracy", "test", "robust", "fire rate", "work", "ms/step"
    )  # fmt: skip
    row: ClassVar = "{:>9}  {:>10}  {:>8}  {:>6}  {:>6}  {:>9}  {:>7}  {:>8}"

    def line(self, record: EpochRecord, epochs: int) -> str:
        """The line of an epoch; last what the watch has left of the step, where that is not all."""
        assert isinstance(record, AdversarialRecord)
        line, share = super().line(record, epochs), record.step_share
        return line if share in (None, 1.0) else f"{line}  step x {share:g}"

    def cells(self, record: EpochRecord) -> tuple[str, ...]:
        assert isinstance(record, AdversarialRecord)
        loss, accuracy, *others = super().cells(record)
        tested = (record.clean_accuracy, record.robust_accuracy)
        return loss, accuracy, *("" if share is None else f"{share:.4f}" for share in tested), *others


class DriftTable(EpochTable):
    """The same for a drift study, from what its recorder has seen: 79 characters wide."""

    columns: ClassVar = (
        "epoch", "drift 50%", "drift 99%", "norm bound", "dots", "fire", "refreshes", "ms/step"
    )  # fmt: skip
    row: ClassVar = "{:>7}  {:>9}  {:>9}  {:>10}  {:>7}  {:>7}  {:>9}  {:>7}"

    def __init__(self, recorder: DriftRecorder) -> None:
        self.recorder = recorder

    def cells(self, record: EpochRecord) -> tuple[str, ...]:
        drift = self.recorder.records[-1]
        return (
            f"{drift.drift_median:.3f}",
            f"{drift.drift_99:.3f}",
            f"{record.near_rate:.2%}",
            f"{record.dot_rate:.2%}",
            f"{record.fire_rate:.2%}",
            f"{record.refreshes:,}",
            f"{1e3 * record.seconds / record.steps:.1f}",
        )


class TrainingDisplay(RunObserver):
    """Shows a run: a progress bar (none in a pipe), a line per epoch, and the result.

    Parameters
    ----------
    console : Console
    epochs : int
        Known once the run is prepared, where it is not given.
    table : EpochTable, optional
        By default the one of the optimizer.
    """

    def __init__(self, console: Console, epochs: int = 0, table: EpochTable | None = None) -> None:
        self.console, self.epochs, self.table = console, epochs, table
        self._done = self._first = 0
        self._under_attack: UnderAttack | None = None
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._status = console.status("beside dense PyTorch")

    def __enter__(self) -> RunObserver:
        """What shows the run, and does not end it where that fails."""
        self._task = self._progress.add_task("building the index", total=1.0)
        return Aside(self, NOT_SHOWN, say_error)

    def __exit__(self, *_: object) -> None:
        with aside(NOT_SHOWN, "The run is not harmed.", say_error):
            self._stop()

    def _stop(self) -> None:
        """Show neither bar nor status any more."""
        if self._progress.live.is_started:
            self._progress.stop()
        self._status.stop()

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def remarked(self, text: str) -> None:
        self._say(text)

    def warned(self, text: str) -> None:
        say_error(text)

    def prepared(self, prepared: Prepared) -> None:
        trainer = prepared.trainer
        self._say(headline(prepared))
        if readings := prepared.dataset.features.readings:
            self._say(readings_text(readings))
        for chosen in (trainer.best_rate, trainer.choice):
            if chosen is not None:
                self._say(f"{chosen}\n")
        self._under_attack = prepared.under_attack
        self.epochs, self._done = prepared.epochs, len(trainer.history)
        self._first = self._done
        if self.table is None and isinstance(trainer.method, GaussNewton):
            self.table = GaussNewtonTable()
        if self.table is None and isinstance(trainer.method, Adversarial):
            self.table = AdversarialTable()
        self._progress.reset(self._task)
        self.built(0.0)

    def went_on(self, trainer: Trainer, number: int, count: int) -> None:
        rows, thresholds = len(trainer.problem), thresholds_text(trainer.network)
        self._say(f"\nnetwork {number} of {count}: {rows:,} samples, {thresholds}\n")
        self._done = self._first = 0
        self._progress.reset(self._task)

    def built(self, share: float) -> None:
        if self.console.is_interactive and not self._progress.live.is_started:
            self._progress.start()
        self._progress.update(self._task, completed=share)

    def stepped(self, done: int, steps: int) -> None:
        if self._done == self._first and done == 1:
            # A new clock: building says nothing of how long steps take.
            self._progress.reset(self._task, completed=self._done, total=self.epochs)
        self._progress.update(
            self._task,
            description=f"epoch {self._done + 1}/{self.epochs}",
            completed=self._done + done / steps,
            total=self.epochs,
        )

    def epoch_done(self, record: EpochRecord, trainer: Trainer) -> None:
        table = self.table or EpochTable()
        if self._done == self._first:
            self.console.print(table.row.format(*table.heads(record)))
        self._done = record.epoch
        self.console.print(table.line(record, self.epochs), soft_wrap=True)
        if trainer.finished:
            self._say("No step decreases the loss any more: finished.")

    def saved(self, folder: Path, settings: Settings, history: Sequence[EpochRecord]) -> None:
        """Draws the picture of a run that was broken off; that of a finished one holds its test."""
        self._stop()
        if settings.interrupted or settings.failed:
            self._draw(folder, settings, history)

    def interrupted(self, epochs: int, folder: Path, how_to_resume: str) -> None:
        self._say(f"Interrupted after {epochs} whole epochs. Saved in {folder}{how_to_resume}")

    def _draw(
        self, folder: Path, settings: Settings, history: Sequence[EpochRecord], accuracy: float | None = None
    ) -> None:
        """Draw the history where Matplotlib is there, with the accuracy of the test where it is known."""
        if not history:
            return
        saved = "The model is" if settings.interrupted or settings.failed else "The model and result are"
        rest = f"{saved} saved in {folder}."
        with aside("history.png could not be drawn", rest, say_error):
            if can_draw():
                from fewfire.report import draw_history

                asked = settings.options
                title = f"{Path(asked.data).name}: {asked.width_text}, {asked.index} index"
                draw_history(history, folder / "history.png", title, test_accuracy=accuracy)

    def tested(self, run: Run) -> None:
        if run.result is not None:
            print_result(self.console, run.result, run.path)
            self._draw(run.path, run.settings, run.history, run.result.test_accuracy)
            if self._under_attack is not None and (fooled := self._under_attack.fooled) is not None:
                asked = run.settings.options
                title = f"{Path(asked.data).name}, {asked.width_text}: test samples under {asked.attack}"
                draw_fooled(self._under_attack.model, fooled, run.path / ATTACKED, title)

    def comparing(self, with_what: str) -> None:
        self._status.update(f"beside dense PyTorch: {with_what}")
        self._status.start()

    def compared(self, run: Run) -> None:
        self._stop()
        if run.result is not None:
            print_comparison(self.console, run.result)


def headline(prepared: Prepared) -> str:
    """What will be trained on what, in two lines."""
    trainer, network = prepared.trainer, prepared.trainer.network
    return (
        f"{prepared.dataset.name}: {len(trainer.problem):,} samples, {network.n_features} features (one "
        f"constant), {network.n_outputs} outputs\n"
        f"{prepared.settings.options.width_text}, {thresholds_text(network)}, {trainer.stepper.description}, "
        f"{machine.threads()} threads, {machine.instruction_set()}\n"
    )


def draw_fooled(model: Model, fooled: Fooled, path: Path, title: str) -> bool:
    """Draw samples beside the attacked ones that a model takes for others, if they are pictures and there are
    some, where Matplotlib is there; whether that was done."""
    scaling = model.members[0].preparation.scaling
    if of_a_table(scaling) or len(fooled.samples) == 0 or not can_draw():
        return False
    from fewfire.report.pictures.attacked import can_be_drawn, draw_attacked

    with aside(f"{path.name} could not be drawn", "All else is saved.", say_error):
        if can_be_drawn(fooled.samples.shape[1]):
            draw_attacked(fooled, path, title)
            return True
    return False


def draw_certified(
    found: Certificate,
    curve: Sequence[Margins],
    robust: Sequence[float],
    sizes: NDArray,
    path: Path,
    title: str,
) -> bool:
    """Draw a certificate, where Matplotlib is there; whether that was done."""
    if not can_draw():
        return False
    from fewfire.report.pictures.certified import draw_certified as draw

    with aside(f"{path.name} could not be drawn", "All else is saved.", say_error):
        draw(found, curve, robust, sizes, path, title)
        return True
    return False


def thresholds_text(network: Network) -> str:
    """The threshold of each hidden layer."""
    thresholds = [f"{layer.threshold:.3f}" for layer in network.layers]
    return f"threshold {thresholds[0]}" if len(thresholds) == 1 else f"thresholds {' - '.join(thresholds)}"


def readings_text(readings: Sequence[tuple[str, str]]) -> str:
    """How the columns of a table were read, each in a line."""
    width = max(len(name) for name, _ in readings)
    return "\n".join(["columns", *(f"  {name:{width}}  {how}" for name, how in readings), ""])


def print_result(console: Console, result: Result, folder: Path) -> None:
    """The figures of a run as a short table."""
    of_the_index = []
    of_the_test = [(name, score_text(name, score)) for name, score in result.scores.items()]
    if result.baseline_accuracy is not None:
        of_the_test.append(("largest class", f"{result.baseline_accuracy:.4f} by always naming it"))
    if result.robust_accuracy is not None:
        robust = f"{result.robust_accuracy:.4f} on up to {SAMPLES} test samples, in {STEPS} steps"
        of_the_test.append(("robust accuracy", f"{robust}; fewfire attack tries more"))
    if result.table_bits == 4:
        share = f"{result.tabled_share:.1%}"
        of_the_index = [("table", f"4 bits a pair for {share} of the neurons, by the memory limit")]
    if result.oracle_queries:
        queries = f"{result.oracle_queries:,} of a simulated quantum search: no speed-up"
        of_the_index = [("oracle queries", queries)]
    of_checks = [] if result.exactness is None else [("exactness", str(result.exactness))]
    if result.regime is not None:
        moved, kernel = str(result.regime).split("; ")
        of_checks += [("regime", moved), ("", kernel)]
    _print_rows(
        console,
        *of_the_test,
        ("pairs that fired", f"{result.fire_rate:.2%}"),
        ("multiply-adds", f"{result.work_share:.2%} of dense training's (build and refreshes included)"),
        ("index", f"built in {result.build_seconds:.1f} s, {bytes_text(result.index_bytes)}"),
        *of_the_index,
        ("training", f"{result.training_seconds:.1f} s, {result.steps:,} steps"),
        ("peak memory", bytes_text(result.peak_memory_bytes)),
        *of_checks,
        ("saved in", str(folder)),
    )


def print_comparison(console: Console, result: Result) -> None:
    """The figures of a comparison with dense PyTorch: of each precision the fastest way, and all that ran."""
    figures = result.as_dict()

    def beside(name: str, seconds: str, precision: str) -> list[tuple[str, str]]:
        """The row of a precision, whose figures' names begin with it, if some way of it could run."""
        if (speedup := figures.get(f"{precision}speedup")) is None:
            return []
        whole = figures.get(f"{precision}whole_run_speedup")
        of_run = "" if whole is None else f", {whole:.1f} x the whole run"
        return [(name, f"{1e3 * figures[seconds]:.2f} ms: {speedup:.1f} x a step{of_run}")]

    ran = sorted((seconds, way) for way, seconds in (result.dense_trials or {}).items() if seconds)
    _print_rows(
        console,
        ("a step", f"{1e3 * result.seconds_per_step:.2f} ms"),
        *beside("dense float32", "dense_seconds_per_step", ""),
        *beside("dense bfloat16", "bfloat16_seconds_per_step", "bfloat16_"),
        *beside("pure bfloat16", "pure_bfloat16_seconds_per_step", "pure_bfloat16_"),
        *((("" if number else "ways tried"), f"{1e3 * seconds:.2f} ms {way}")
          for number, (seconds, way) in enumerate(ran)),
        ("weights apart", f"{result.max_weight_difference:.1e} at the most, after {result.compared_steps} "
                          "steps"),
    )  # fmt: skip


def print_drift(console: Console, figures: dict[str, Any], folder: Path) -> None:
    """The figures of a drift study; what limits the run comes last."""
    seconds = dict(figures["seconds"])
    built = seconds.pop("build")
    median, most, nearly_all, largest = figures["last_drift"].values()
    _print_rows(
        console,
        ("drift at the end", f"median {median:.3f}, 90% {most:.3f}, 99% {nearly_all:.3f}, "
                             f"largest {largest:.3f} sigma"),
        ("pairs", f"{figures['near_rate']:.2%} pass the norm bound, {figures['dot_rate']:.2%} need a dot, "
                  f"{figures['fire_rate']:.2%} fire"),
        ("multiply-adds", f"{figures['work_share']:.2%} of dense steps'"),
        ("index", f"built in {built:.1f} s, {figures['refreshed']:,} blocks refreshed"),
        ("steps", f"{sum(seconds.values()):.1f} s, {figures['steps']:,} steps"),
        ("saved in", str(folder)),
    )  # fmt: skip
    console.print(f"\n{figures['limit']}")


def print_depth(console: Console, signals: Sequence[LayerSignals], folder: Path) -> None:
    """What the layers of a deep network do, first and last: 77 characters wide."""
    line = "{:>5}  {:>5}  {:>6}  {:>6}  {:>6}  {:>6}  {:>6}  {:>6}  {:>5}  {:>6}"
    console.print()
    for row in (DEPTH_HEADS, *depth_rows(signals)):
        console.print(line.format(*row))
    console.print("\nTheory: of a wide layer with random weights, on what it takes.")
    _print_rows(console, ("saved in", str(folder)))


def print_scaling(console: Console, rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """The exponents of a scaling study: 79 characters wide."""
    line = "{:<5}  {:<26}  {:>7}  {:>5}  {:>5}  {:>8}  {:>9}"
    console.print(line.format("grows", "index", "finding", "work", "time", "of dense", "ms per step"))
    for axis, index, _, find, work, seconds, _, share, milliseconds in fits_rows(rows):
        console.print(line.format(axis, index, find, work, seconds, share, milliseconds))
    console.print("\nExponents of multiply-adds and time; the last two columns: at the largest size.")
    _print_rows(console, ("saved in", str(folder)))


def _print_rows(console: Console, *rows: tuple[str, str]) -> None:
    for name, text in [("", ""), *rows]:
        console.print(f"{name:<18}{text}".rstrip(), soft_wrap=True)

"""What is drawn of runs by epoch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fewfire.report.page.chart import Chart, Line
from fewfire.runs.folder import Run
from fewfire.training import EpochRecord

Figure = Callable[[EpochRecord], float | None]


@dataclass(frozen=True)
class Curve:
    """What is drawn by epoch.

    With one run its figures share a chart; with several, each has its own with a line for each run.

    Attributes
    ----------
    figures : by name, and the style of each line
    floor, may_be_log : as of `Chart`
    only_changes : left out where it stays the same
    """

    title: str
    figures: dict[str, tuple[Figure, int]]
    floor: float | None = 0.0
    may_be_log: bool = False
    only_changes: bool = False


def _of(name: str, factor: float = 1) -> Figure:
    def figure(record: EpochRecord) -> float | None:
        value = getattr(record, name, None)  # which records of other methods may lack
        return None if value is None else factor * value

    return figure


def _found_mass(record: EpochRecord) -> float | None:
    return None if record.missed_mass is None else 100 * (1 - record.missed_mass)


CURVES = [
    Curve("Loss on rows held back", {"loss": (_of("validation_loss"), 0)}, floor=None, may_be_log=True),
    Curve("Score on rows held back", {"score": (_of("validation_score"), 0)}, floor=None),
    Curve("Training loss", {"loss": (_of("loss"), 0)}, floor=None, may_be_log=True),
    Curve("Training accuracy, %", {"accuracy": (_of("accuracy", 100), 0)}, floor=None),
    Curve(
        "Test accuracy, %",
        {"clean": (_of("clean_accuracy", 100), 0), "robust": (_of("robust_accuracy", 100), 1)},
        floor=None,
    ),
    Curve(
        "Loss of the attacked",
        {"candidates": (_of("attack_loss"), 0), "all neurons": (_of("exact_attack_loss"), 1)},
        floor=None,
    ),
    Curve("Step of the attack, of the first", {"step": (_of("step_share"), 0)}, only_changes=True),
    Curve("Training R²", {"R²": (_of("r2"), 0)}, floor=None),
    Curve("Training RMSE", {"RMSE": (_of("rmse"), 0)}, floor=None, may_be_log=True),
    Curve(
        "Pairs, % of all",
        {
            "need a dot": (_of("dot_rate", 100), 0),
            "pass the first filter": (_of("near_rate", 100), 2),
            "fire": (_of("fire_rate", 100), 1),
        },
    ),
    Curve(
        "Found by the approximate index, %",
        {
            "of the pairs that fire": (_of("recall", 100), 0),
            "of their mass": (_found_mass, 1),
        },
    ),
    Curve("Multiply-adds, % of a dense step's", {"work": (_of("work_share", 100), 0)}),
    Curve(
        "Drift in an epoch",
        {"the farthest": (_of("moved_max"), 1), "the mean": (_of("moved_mean"), 0)},
        may_be_log=True,
    ),
    Curve("Blocks of 64 neurons refreshed", {"blocks": (_of("refreshes"), 0)}, only_changes=True),
    Curve(
        "Milliseconds per step",
        {"time": (lambda record: 1e3 * record.seconds / record.steps, 0)},
        may_be_log=True,
    ),
    Curve("Learning rate", {"rate": (_of("learning_rate"), 0)}, only_changes=True),
]


def charts_of(runs: Mapping[str, Run]) -> list[Chart]:
    """The charts of runs by their names; none of what was not recorded, or does not matter."""
    return [chart for curve in CURVES for chart in _charts(curve, runs) if _matters(curve, chart)]


def _charts(curve: Curve, runs: Mapping[str, Run]) -> list[Chart]:
    if len(runs) == 1:
        (run,) = runs.values()
        lines = [_line(run, figure, name, style) for name, (figure, style) in curve.figures.items()]
        return [Chart(curve.title, lines, curve.floor, curve.may_be_log)]
    charts = []
    for what, (figure, _) in curve.figures.items():
        title = curve.title if len(curve.figures) == 1 else f"{curve.title}: {what}"
        lines = [_line(run, figure, name, style) for style, (name, run) in enumerate(runs.items())]
        charts.append(Chart(title, lines, curve.floor, curve.may_be_log))
    return charts


def _matters(curve: Curve, chart: Chart) -> bool:
    least = 2 if curve.only_changes else 1
    return any(len({value for _, value in line.points}) >= least for line in chart.lines)


def _line(run: Run, figure: Figure, name: str, style: int) -> Line:
    values = [(record.epoch, figure(record)) for record in run.history]
    return Line(name, [(epoch, value) for epoch, value in values if value is not None], style)

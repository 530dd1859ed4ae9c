"""A report: one HTML page of one or several runs, without a script and with nothing to be loaded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import fewfire
from fewfire.memory import written
from fewfire.report.chart import Chart, Line, drawn, swatch, thinned
from fewfire.report.elements import document, element
from fewfire.report.figures import (
    exactness_of,
    figures_of,
    names_of,
    percent,
    seconds_of,
    seconds_written,
    settings_written,
    title_of,
    trouble_of,
    why_not_compared,
)
from fewfire.run_folder import Run
from fewfire.training import EpochRecord

STYLE = Path(__file__).with_name("page.css")
TABLE_EPOCHS = 100  # rows of a table of epochs
PARTS = {  # of the time, with their styles
    "build": ("building the index", 3),
    "find": ("finding who fires", 1),
    "forward": ("outputs, loss, solution", 4),
    "move": ("moving weights, finding", 0),
    "rest": ("the rest of training", 2),
    "around": ("loading, testing, saving", 5),
}

Figure = Callable[[EpochRecord], float | None]


def report(runs: Sequence[Run]) -> str:
    """The page of one run, or of several side by side.

    It says what was asked for, what came of it, and for each epoch loss, accuracy, who fired, the work beside
    dense training's, how far neurons moved and the time; then where time and memory went, and whether the
    index was exact.
    """
    names = names_of(runs)
    one = len(runs) == 1
    title = f"Run {names[0]}" if one else f"{len(runs)} runs compared"
    body = element("body", _header(title, runs, names))
    body.extend([_tiles(runs[0])] if one else [_results(runs, names)])
    body.append(_curves(runs, names))
    body.append(_work(runs, names))
    body.append(_time(runs, names))
    body.append(_memory(runs, names))
    body.append(_exactness(runs, names))
    body.append(_settings(runs, names))
    body.append(_epochs(runs, names))
    body.append(element("footer", f"Made by fewfire report, fewfire {fewfire.__version__}."))
    return document(element("html", _head(title), body, lang="en"))


def _head(title: str) -> Element:
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("link", rel="icon", href="data:,"),
        element("title", f"{title} – fewfire"),
        element("style", STYLE.read_text(encoding="utf-8")),
    )


def _header(title: str, runs: Sequence[Run], names: Sequence[str]) -> Element:
    header = element("header", element("h1", title))
    for run, name in zip(runs, names, strict=True):
        if len(runs) == 1:
            header.append(element("p", title_of(run), class_="soft"))
        trouble = trouble_of(run)
        if trouble is not None:
            header.append(element("p", element("strong", f"{name}: "), trouble, class_="trouble"))
    return header


def _section(title: str, text: str, *content: Element) -> Element:
    return element("section", element("h2", title), element("p", text, class_="soft"), *content)


def _tiles(run: Run) -> Element:
    tiles = [
        element("div", element("dt", label), element("dd", text)) for label, text in figures_of(run).items()
    ]
    return element("dl", *tiles, class_="tiles")


def _results(runs: Sequence[Run], names: Sequence[str]) -> Element:
    return _section("Results", "Loss and accuracy of training are those of the last epoch.",
                    _side_by_side([figures_of(run) for run in runs], names))  # fmt: skip


def _side_by_side(columns: Sequence[dict[str, str]], names: Sequence[str]) -> Element:
    """A table with a row for each label and a column for each run."""
    labels = dict.fromkeys(label for column in columns for label in column)
    heads = [element("th", swatch(style), name, scope="col") for style, name in enumerate(names)]
    rows = [
        element("tr", element("th", label, scope="row"),
                *(element("td", column.get(label, "–")) for column in columns))
        for label in labels
    ]  # fmt: skip
    table = element("table", element("thead", element("tr", element("td"), *heads)), element("tbody", *rows))
    return element("div", table, class_="card scroll", tabindex=0)


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
        value = getattr(record, name)
        return None if value is None else factor * value

    return figure


CURVES = [
    Curve("Training loss", {"loss": (_of("loss"), 0)}, floor=None, may_be_log=True),
    Curve("Training accuracy, %", {"accuracy": (_of("accuracy", 100), 0)}, floor=None),
    Curve(
        "Pairs, % of all",
        {
            "need a dot": (_of("dot_rate", 100), 0),
            "pass the first filter": (_of("near_rate", 100), 5),
            "fire": (_of("fire_rate", 100), 1),
        },
    ),
    Curve("Multiply-adds, % of a dense step's", {"work": (_of("work_share", 100), 0)}),
    Curve(
        "Drift: how far neurons move in an epoch",
        {"the farthest": (_of("moved_max"), 1), "the mean": (_of("moved_mean"), 0)},
        may_be_log=True,
    ),
    Curve("Blocks of 64 neurons refreshed", {"blocks": (_of("refreshes"), 0)}, only_changes=True),
    Curve(
        "Milliseconds a step",
        {"time": (lambda record: 1e3 * record.seconds / record.steps, 0)},
        may_be_log=True,
    ),
    Curve("Learning rate", {"rate": (_of("learning_rate"), 0)}, only_changes=True),
]


def _curves(runs: Sequence[Run], names: Sequence[str]) -> Element:
    if not any(run.history for run in runs):
        return _section("By epoch", "No epoch was finished.")
    charts = [chart for curve in CURVES for chart in _charts(curve, runs, names)]
    text = (
        "Loss and accuracy are means over the batches of an epoch, each before its step; with Gauss-Newton "
        "after it. Point at a mark to read its value; the tables at the end hold all of them."
    )
    return _section("By epoch", text, element("div", *map(drawn, charts), class_="grid"))


def _charts(curve: Curve, runs: Sequence[Run], names: Sequence[str]) -> list[Chart]:
    """The charts of a curve; none where nothing was recorded, or nothing that matters."""
    if len(runs) == 1:
        lines = [_line(runs[0], figure, name, style) for name, (figure, style) in curve.figures.items()]
        charts = [Chart(curve.title, lines, curve.floor, curve.may_be_log)]
    else:
        charts = []
        for what, (figure, _) in curve.figures.items():
            title = curve.title if len(curve.figures) == 1 else f"{curve.title}: {what}"
            lines = [
                _line(run, figure, name, i) for i, (run, name) in enumerate(zip(runs, names, strict=True))
            ]
            charts.append(Chart(title, lines, curve.floor, curve.may_be_log))
    least = 2 if curve.only_changes else 1
    return [
        chart
        for chart in charts
        if any(len({value for _, value in line.points}) >= least for line in chart.lines)
    ]


def _line(run: Run, figure: Figure, name: str, style: int) -> Line:
    values = [(record.epoch, figure(record)) for record in run.history]
    return Line(name, [(epoch, value) for epoch, value in values if value is not None], style)


@dataclass(frozen=True)
class Bar:
    """A bar of parts, each a name, a style and an amount; and what is written beside and below it."""

    label: str
    amount: str
    parts: Sequence[tuple[str, int, float]]
    below: Sequence[Element | str] = ()


def _bars(bars: Sequence[Bar], full: float = 0.0) -> Element:
    """Bars on one scale, whose end is the largest of them, or `full` if that is more."""
    scale = max([full, *(sum(amount for *_, amount in bar.parts) for bar in bars)]) or 1.0
    rows = []
    for bar in bars:
        pieces = [
            element("i", class_=f"colour{style + 1}", title=name, style=f"width:{100 * amount / scale:.2f}%")
            for name, style, amount in bar.parts
            if amount > 0
        ]
        row = element(
            "div",
            element("h3", bar.label, element("span", bar.amount)),
            element("div", *pieces, class_="bar"),
        )
        if bar.below:
            row.append(element("p", *bar.below, class_="legend"))
        rows.append(row)
    return element("div", *rows, class_="card bars")


def _work(runs: Sequence[Run], names: Sequence[str]) -> Element:
    bars = []
    for run, name in zip(runs, names, strict=True):
        share = (run.result or {}).get("work_share")
        if share is not None:
            bars.append(Bar(name, percent(share), [("of dense", 0, share)], _beside_dense(run)))
    if not bars:
        return _section("Work against dense", "Only known of a run that finished.")
    text = (
        "Multiply-adds of finding who fires, the build and all refreshes of the index included, and of moving "
        "what fired. The full bar is dense training, which multiplies each neuron with each sample and moves "
        "it for each. Solutions of Gauss-Newton steps are not counted."
    )
    return _section("Work against dense", text, _bars(bars, full=1.0))


def _beside_dense(run: Run) -> list[Element | str]:
    result = run.result or {}
    if result.get("speedup") is None:
        return []
    return [
        f"By the clock {result['speedup']:.1f} times as fast a step as dense PyTorch "
        f"({result['dense_step']}), {result['whole_run_speedup']:.1f} times the whole run; weights "
        f"{result['max_weight_difference']:.1e} apart after {result['compared_steps']} steps."
    ]


def _time(runs: Sequence[Run], names: Sequence[str]) -> Element:
    bars = []
    for run, name in zip(runs, names, strict=True):
        if not run.history:
            continue
        seconds = seconds_of(run)
        parts = [(PARTS[part][0], PARTS[part][1], spent) for part, spent in seconds.items()]
        below = [
            element(
                "span",
                element("b", class_=f"dot colour{style + 1}"),
                f"{what} ",
                element("span", seconds_written(spent)),
            )
            for what, style, spent in parts
        ]
        bars.append(Bar(name, seconds_written(sum(seconds.values())), parts, below))
    if not bars:
        return _section("Where time went", "No epoch was finished.")
    text = "Seconds by the clock, on one scale. Steps find who fires next while they move the weights."
    return _section("Where time went", text, _bars(bars))


def _memory(runs: Sequence[Run], names: Sequence[str]) -> Element:
    bars = []
    for run, name in zip(runs, names, strict=True):
        if run.history:
            held = {"index": run.history[-1].index_bytes}
            held["weights"] = 4 * run.settings["width"] * run.settings["n_features"]
            if run.result is not None:
                held["the whole process at its peak"] = run.result["peak_memory_bytes"]
            if len(runs) == 1:
                bars = [Bar(what, written(held[what]), [(what, 0, held[what])]) for what in held]
            else:
                index = held.pop("index")
                below = ", ".join(f"{what} {written(size)}" for what, size in held.items())
                bars.append(Bar(name, written(index), [("index", 0, index)], [f"Beside it: {below}."]))
    if not bars:
        return _section("Size of the index", "Not known before the first epoch.")
    return _section("Size of the index", "Bytes that the index holds, beside the weights.", _bars(bars))


def _exactness(runs: Sequence[Run], names: Sequence[str]) -> Element:
    lines = []
    for run, name in zip(runs, names, strict=True):
        exactness = exactness_of(run)
        if exactness is None:
            mark, text = "–", why_not_compared(run)
        else:
            mark, text = "✓" if exactness.equal else "✗", str(exactness)
            text += f", of which {exactness.fired:,} fire"
        lines.append(element("tr", element("th", f"{mark} {name}", scope="row"), element("td", text)))
    text = (
        "After training, the index and exhaustive search were both asked who fires on some of the training "
        "samples: an exact index finds the same pairs with the same pre-activations, to the last bit."
    )
    table = element("div", element("table", element("tbody", *lines)), class_="card scroll", tabindex=0)
    return _section("Exactness", text, table)


def _settings(runs: Sequence[Run], names: Sequence[str]) -> Element:
    columns = [settings_written(run) for run in runs]
    shared = {
        name: text for name, text in columns[0].items() if all(column.get(name) == text for column in columns)
    }
    if len(runs) == 1:
        return _section("Settings", "As resolved: what was left to fewfire is filled in.", _listed(shared))
    differing = [{name: text for name, text in column.items() if name not in shared} for column in columns]
    alike = element("details", element("summary", "Settings that all runs share"), _listed(shared))
    text = "Those that differ between the runs." if any(differing) else "The same in all runs."
    tables = [_side_by_side(differing, names)] if any(differing) else []
    return _section("Settings", text, *tables, alike)


def _listed(texts: dict[str, str]) -> Element:
    pairs = [element("div", element("dt", label), element("dd", text)) for label, text in texts.items()]
    return element("dl", *pairs, class_="card settings")


def _epochs(runs: Sequence[Run], names: Sequence[str]) -> Element:
    """All that the histories hold, for who wants the numbers."""
    section = element("section", element("h2", "Each epoch in numbers"))
    for run, name in zip(runs, names, strict=True):
        if run.history:
            records = [record.as_dict() for record in thinned(run.history, TABLE_EPOCHS)]
            heads = [element("th", head.replace("_", " "), scope="col") for head in records[0]]
            rows = [
                element("tr", *(element("td", _number(value)) for value in record.values()))
                for record in records
            ]
            table = element(
                "table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="numbers"
            )
            some = (
                "" if len(records) == len(run.history) else f", {len(records)} of {len(run.history):,} epochs"
            )
            section.append(
                element("details", element("summary", f"{name}{some}"),
                        element("div", table, class_="card scroll", tabindex=0))
            )  # fmt: skip
    return section


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"

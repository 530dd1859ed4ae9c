"""A report: one HTML page of one or several runs, without a script and with nothing to be loaded."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from fewfire._version import __version__
from fewfire.prepare.columns import Features
from fewfire.report.page.bars import Bar, drawn_bars
from fewfire.report.page.chart import drawn, swatch, thinned
from fewfire.report.page.curves import charts_of
from fewfire.report.page.elements import document, element
from fewfire.report.page.figures import (
    figures_of,
    named,
    percent,
    seconds_of,
    settings_written,
    title_of,
    trouble_of,
    why_not_compared,
)
from fewfire.runs.diagnosis import FILE as DIAGNOSIS
from fewfire.runs.diagnosis import PICTURE
from fewfire.runs.folder import ATTACKED, Run
from fewfire.runs.result import Result
from fewfire.system.words import bytes_text, seconds_text
from fewfire.training import EpochRecord

KERNEL_TEXT = (
    "While a wide network moves little, its training is linear, and one matrix says how: the tangent kernel."
)
PICTURE_SHOWS = "the spectrum, the loss foretold, what a layer does to cosines, and errors by depth"
STYLE = Path(__file__).with_name("page.css")
TABLE_EPOCHS = 100  # rows of a table of epochs
PARTS = {  # of the time, with their styles
    "build": ("building the index", 3),
    "find": ("finding who fires", 1),
    "attack": ("attacking", 6),
    "forward": ("outputs, loss, solution", 4),
    "move": ("moving weights, finding", 0),
    "rest": ("the rest of training", 2),
    "around": ("loading, testing, saving", 5),
}


def report(runs: Sequence[Run]) -> str:
    """The page of one run, or of several side by side.

    It says what was asked for, what came of it, and for each epoch loss, accuracy, who fired, the work beside
    dense training's, how far neurons moved and the time; then where time and memory went, and whether the
    index was exact.

    Parameters
    ----------
    runs : sequence of Run
        At least one, as `train_run` returns it or `RunFolder(path).load_run()` reads it: finished or not.

    Returns
    -------
    str
        The page, without a script and with nothing to be loaded.

    Raises
    ------
    ValueError
        No run is given.

    Examples
    --------
    >>> from fewfire.runs import RunFolder
    >>> Path("report.html").write_text(report([RunFolder(Path("runs/a")).load_run()]))  # doctest: +SKIP
    """
    if not runs:
        raise ValueError("a report must have at least one run. Got none. Pass [train_run(options)].")
    by_name = named(runs)
    one = len(by_name) == 1
    title = f"Run {next(iter(by_name))}" if one else f"{len(by_name)} runs compared"
    parts = [_header, _tiles if one else _results, *SECTIONS]
    sections = [section for part in parts if (section := part(by_name)) is not None]
    body = element("body", element("h1", title), *sections)
    body.append(element("footer", f"Made by fewfire report, fewfire {__version__}."))
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


def _header(runs: Mapping[str, Run]) -> Element:
    header = element("header")
    for name, run in runs.items():
        if len(runs) == 1:
            header.append(element("p", title_of(run), class_="soft"))
            if run.result is not None and run.result.index_reason is not None:
                header.append(element("p", run.result.index_reason, class_="soft"))
        trouble = trouble_of(run)
        if trouble is not None:
            header.append(element("p", element("strong", f"{name}: "), trouble, class_="trouble"))
    return header


def _section(title: str, text: str, *content: Element) -> Element:
    return element("section", element("h2", title), element("p", text, class_="soft"), *content)


def _tiles(runs: Mapping[str, Run]) -> Element:
    (run,) = runs.values()
    tiles = [
        element("div", element("dt", label), element("dd", text)) for label, text in figures_of(run).items()
    ]
    return element("dl", *tiles, class_="tiles", style=f"--columns: {columns_for(len(tiles))}")


def columns_for(count: int) -> int:
    """How many tiles stand in a row on a desk, so that the last row has the fewest gaps."""
    return min(range(8, 4, -1), key=lambda columns: -count % columns)


def _results(runs: Mapping[str, Run]) -> Element:
    return _section("Results", "Figures of training are those of the last epoch.",
                    _side_by_side({name: figures_of(run) for name, run in runs.items()}))  # fmt: skip


def _side_by_side(columns: Mapping[str, dict[str, str]]) -> Element:
    """A table with a row for each label and a column for each run."""
    labels = dict.fromkeys(label for column in columns.values() for label in column)
    heads = [element("th", swatch(style), name, scope="col") for style, name in enumerate(columns)]
    rows = [
        element("tr", element("th", label, scope="row"),
                *(element("td", column.get(label, "–")) for column in columns.values()))
        for label in labels
    ]  # fmt: skip
    table = element("table", element("thead", element("tr", element("td"), *heads)), element("tbody", *rows))
    return _card(table)


def _card(table: Element) -> Element:
    """A table that may be wider than a phone: it is moved sideways, by keys too."""
    return element("div", table, class_="card scroll", tabindex=0)


def _curves(runs: Mapping[str, Run]) -> Element:
    if not any(run.history for run in runs.values()):
        return _section("By epoch", "No epoch was finished.")
    text = (
        "Loss, accuracy, R² and RMSE are those of the batches of an epoch, each before its step; with "
        "Gauss-Newton after it. Point at a mark to read its value; the tables at the end hold all of them."
    )
    return _section("By epoch", text, element("div", *map(drawn, charts_of(runs)), class_="grid"))


def _layers(runs: Mapping[str, Run]) -> Element | None:
    """What the hidden layers of deep networks did."""
    tables = [_card(table) for name, run in runs.items() if (table := _layer_table(name, run)) is not None]
    if not tables:
        return None
    text = (
        "Each hidden layer in the last epoch, with its fire rate in the first: how far its neurons moved, "
        "and on how many samples none of them fired, which teach the layers below nothing."
    )
    return _section("By layer", text, *tables)


def _layer_table(name: str, run: Run) -> Element | None:
    if not run.history or (last := run.history[-1].layers) is None:
        return None
    first, widths = run.history[0].layers or last, run.settings.options.widths
    heads = ["layer", "neurons", "fired at first", "fired", "work, of dense", "moved, mean", "moved, most",
             "dead samples"]  # fmt: skip
    rows = [
        [str(number), f"{width:,}", percent(before["fire_rate"]), percent(now["fire_rate"]),
         percent(now["work_share"]), f"{now['moved_mean']:.3g}", f"{now['moved_max']:.3g}",
         f"{now['dead_samples']:,}"]
        for number, (width, before, now) in enumerate(zip(widths, first, last, strict=True), 1)
    ]  # fmt: skip
    return element(
        "table",
        element("caption", name),
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *(element("tr", *(element("td", text) for text in row)) for row in rows)),
        class_="numbers",
    )


def _columns(runs: Mapping[str, Run]) -> Element | None:
    """How each column of a table was read, for runs on tables that saved a model."""
    by_run = {
        name: dict(Features.from_state(run.settings.features).readings)
        for name, run in runs.items()
        if run.settings.features and "targets" in run.settings.features
    }
    read = {name: readings for name, readings in by_run.items() if readings}
    if not read:
        return None
    text = "How each column of the table was read. A number that is missing was filled with the median."
    return _section("Columns", text, _side_by_side(read))


def _classes(runs: Mapping[str, Run]) -> Element | None:
    """Each class by the test rows, for a single run that knows them."""
    result = next(iter(runs.values())).result
    if len(runs) > 1 or result is None or not result.confusion:
        return None
    names, counts = list(result.confusion), np.array(list(result.confusion.values()))
    right, of_class, of_name = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    others = counts - np.diag(right)
    heads = ["class", "test rows", "found", "right where named", "most often taken for"]
    rows = [
        element(
            "tr",
            element("th", name, scope="row"),
            element("td", f"{of_class[k]:,}"),
            element("td", percent(right[k] / of_class[k]) if of_class[k] else "–"),
            element("td", percent(right[k] / of_name[k]) if of_name[k] else "–"),
            element("td", f"{names[others[k].argmax()]} ({others[k].max():,})" if others[k].any() else "–"),
        )
        for k, name in enumerate(names)
    ]
    head = element("tr", *(element("th", name, scope="col") for name in heads))
    text = (
        "Test rows alone. Found: the share of a class that was recognised (recall). Right where named: the "
        "share of the rows taken for it that belong to it (precision)."
    )
    table = element("table", element("thead", head), element("tbody", *rows))
    return _section("By class", text, _card(table))


def _diagnosis(runs: Mapping[str, Run]) -> Element | None:
    """What `fewfire diagnose` left in the folder of a single run."""
    (run, *others) = runs.values()
    figures, picture = run.path / DIAGNOSIS, run.path / PICTURE
    if others or not figures.exists():
        return None
    return _section("The tangent kernel", KERNEL_TEXT, *diagnosed(json.loads(figures.read_text()), picture))


def diagnosed(figures: Mapping[str, Any], picture: Path) -> list[Element]:
    """What a diagnosis says: its verdicts, its picture where it was drawn, its figures with their meaning."""
    parts = [element("p", verdict) for verdict in figures["verdicts"]]
    if picture.exists():
        parts.append(element("figure", element("img", src=_inline(picture), alt=PICTURE_SHOWS)))
    lines = [
        element("tr", element("th", label, scope="row"), element("td", text))
        for label, text in figures["text"]
    ]
    return [*parts, _card(element("table", element("tbody", *lines)))]


def diagnosis_page(figures: Mapping[str, Any], picture: Path) -> str:
    """A page of a diagnosis alone, as `fewfire diagnose` writes it beside its figures.

    Parameters
    ----------
    figures : mapping
        As `fewfire.runs.diagnosis.Diagnosis.as_dict` gives them.
    picture : Path
        A PNG, which may be missing.
    """
    title = f"The tangent kernel of {figures['name']}"
    section = _section("What it says", KERNEL_TEXT, *diagnosed(figures, picture))
    body = element("body", element("h1", title), section)
    body.append(element("footer", f"Made by fewfire diagnose, fewfire {__version__}."))
    return document(element("html", _head(title), body, lang="en"))


def _attacked(runs: Mapping[str, Run]) -> Element | None:
    """The pictures of attacked samples, of runs that have one."""
    pictures = {name: run.path / ATTACKED for name, run in runs.items()}
    figures = [
        element(
            "figure",
            element("figcaption", name),
            element("img", src=_inline(path), alt="samples, what an attack added to them, and the sums"),
        )
        for name, path in pictures.items()
        if path.exists()
    ]
    text = (
        "Test samples that were named rightly until an attack moved them: as they are, what it added, and "
        "what the sum is taken for."
    )
    return _section("Attacked", text, *figures) if figures else None


def _inline(path: Path) -> str:
    """A picture as an address that holds it."""
    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}"


def _work(runs: Mapping[str, Run]) -> Element:
    bars = []
    for name, run in runs.items():
        if run.result is not None:
            share = run.result.work_share
            bars.append(Bar(name, percent(share), [("of dense", 0, share)], _beside_dense(run.result)))
    if not bars:
        return _section("Work against dense", "Only known of a run that finished.")
    text = (
        "Multiply-adds of finding who fires, the build and all refreshes of the index included, and of "
        "moving what fired. The full bar is dense training, which multiplies each neuron with each sample "
        "and moves it for each. Solutions of Gauss-Newton steps are not counted."
    )
    return _section("Work against dense", text, drawn_bars(bars, full=1.0))


def _beside_dense(result: Result) -> list[Element | str]:
    if result.speedup is None:
        return []
    rounded = ""
    if result.bfloat16_speedup is not None:
        rounded = (
            f" Beside products of bfloat16 ({result.bfloat16_step}) {result.bfloat16_speedup:.1f} and "
            f"{result.bfloat16_whole_run_speedup:.1f} times."
        )
    return [
        f"By the clock {result.speedup:.1f} times as fast a step as dense PyTorch "
        f"({result.dense_step}), {result.whole_run_speedup:.1f} times the whole run; weights "
        f"{result.max_weight_difference:.1e} apart after {result.compared_steps} steps.{rounded}"
    ]


def _time(runs: Mapping[str, Run]) -> Element:
    bars = []
    for name, run in runs.items():
        if not run.history:
            continue
        seconds = seconds_of(run)
        parts = [(PARTS[part][0], PARTS[part][1], spent) for part, spent in seconds.items()]
        below = [
            element(
                "span",
                element("b", class_=f"dot colour{style + 1}"),
                f"{what} ",
                element("span", seconds_text(spent)),
            )
            for what, style, spent in parts
        ]
        bars.append(Bar(name, seconds_text(sum(seconds.values())), parts, below))
    if not bars:
        return _section("Where time went", "No epoch was finished.")
    text = "Seconds by the clock, on one scale. Steps find who fires next while they move the weights."
    return _section("Where time went", text, drawn_bars(bars))


def _memory(runs: Mapping[str, Run]) -> Element:
    bars = []
    for name, run in runs.items():
        if run.history:
            held = {"index": run.history[-1].index_bytes}
            held["weights"] = 4 * run.settings.options.n_weights(run.settings.n_features)
            if run.result is not None:
                held["the whole process at its peak"] = run.result.peak_memory_bytes
            if len(runs) == 1:
                bars = [Bar(what, bytes_text(held[what]), [(what, 0, held[what])]) for what in held]
            else:
                index = held.pop("index")
                below = ", ".join(f"{what} {bytes_text(size)}" for what, size in held.items())
                bars.append(Bar(name, bytes_text(index), [("index", 0, index)], [f"Beside it: {below}."]))
    if not bars:
        return _section("Size of the index", "Not known before the first epoch.")
    return _section("Size of the index", "Bytes that the index holds, beside the weights.", drawn_bars(bars))


def _exactness(runs: Mapping[str, Run]) -> Element:
    lines = []
    for name, run in runs.items():
        exactness = None if run.result is None else run.result.exactness
        if exactness is None:
            mark, text = "–", why_not_compared(run)
        else:
            mark = "≈" if exactness.recall is not None else "✓" if exactness.equal else "✗"
            text = str(exactness)
            text += f", of which {exactness.fired:,} fire"
        lines.append(element("tr", element("th", f"{mark} {name}", scope="row"), element("td", text)))
    text = (
        "After training, the index and exhaustive search were both asked who fires on some of the training "
        "samples: an exact index finds the same pairs with the same pre-activations, to the last bit, an "
        "approximate one some of them."
    )
    return _section("Exactness", text, _card(element("table", element("tbody", *lines))))


def _regime(runs: Mapping[str, Run]) -> Element | None:
    """How far each training went from its start, and what that means of a single one."""
    known = {
        name: run.result.regime for name, run in runs.items() if run.result and run.result.regime is not None
    }
    if not known:
        return None
    text = (
        "A wide network that moves little is a linear model of its first tangent kernel. How far this "
        "training went from there, on some samples and neurons:"
    )
    if len(known) > 1:
        columns = {
            name: {label: value for label, value, _ in regime.explained} for name, regime in known.items()
        }
        return _section("Was that the kernel regime?", text, _side_by_side(columns))
    (regime,) = known.values()
    lines = [
        element("tr", element("th", label, scope="row"), element("td", value), element("td", meaning))
        for label, value, meaning in regime.explained
    ]
    table = element("table", element("tbody", *lines))
    return _section("Was that the kernel regime?", text, _card(table))


def _settings(runs: Mapping[str, Run]) -> Element:
    columns = {name: settings_written(run) for name, run in runs.items()}
    first, *others = columns.values()
    shared = {
        label: text for label, text in first.items() if all(other.get(label) == text for other in others)
    }
    if not others:
        return _section("Settings", "As resolved: what was left to fewfire is filled in.", _listed(shared))
    differing = {
        name: {label: text for label, text in column.items() if label not in shared}
        for name, column in columns.items()
    }
    alike = element("details", element("summary", "Settings that all runs share"), _listed(shared))
    if not any(differing.values()):
        return _section("Settings", "The same in all runs.", alike)
    return _section("Settings", "Those that differ between the runs.", _side_by_side(differing), alike)


def _listed(texts: dict[str, str]) -> Element:
    pairs = [element("div", element("dt", label), element("dd", text)) for label, text in texts.items()]
    return element("dl", *pairs, class_="card settings")


def _epochs(runs: Mapping[str, Run]) -> Element:
    """All that the histories hold, for who wants the numbers."""
    section = element("section", element("h2", "Each epoch in numbers"))
    for name, run in runs.items():
        if run.history:
            records = thinned(run.history, TABLE_EPOCHS)
            all_there = len(records) == len(run.history)
            some = "" if all_there else f", {len(records)} of {len(run.history):,} epochs"
            section.append(element("details", element("summary", name + some), _card(_epoch_table(records))))
    return section


def _epoch_table(records: Sequence[EpochRecord]) -> Element:
    rows_of = [record.as_dict() for record in records]
    names = [
        name for name in rows_of[0] if name != "layers" and any(row[name] is not None for row in rows_of)
    ]
    heads = [element("th", name.replace("_", " "), scope="col") for name in names]
    rows = [element("tr", *(element("td", _number(row[name])) for name in names)) for row in rows_of]
    return element(
        "table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="numbers"
    )


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


SECTIONS = (
    _curves, _layers, _attacked, _classes, _columns, _work, _time, _memory, _exactness, _regime, _diagnosis,
    _settings, _epochs,
)  # fmt: skip

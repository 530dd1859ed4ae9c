"""The report: one page that says what happened in a run, or in several, and loads nothing."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from fewfire.prepare.columns import Features
from fewfire.prepare.gaps import Gaps
from fewfire.report.page.chart import MARKED_POINTS, MOST_POINTS, Chart, Line, drawn, thinned
from fewfire.report.page.page import STYLE, TABLE_EPOCHS, report
from fewfire.runs.folder import Run
from histories import records
from html_pages import COMPARED, RESULT, Page, a_run

CHARTS = [
    "Training loss",
    "Training accuracy, %",
    "Pairs, % of all",
    "Multiply-adds, % of a dense step's",
    "Drift in an epoch",
    "Milliseconds per step",
]
SECTIONS = [
    "By epoch", "Work against dense", "Where time went", "Size of the index", "Exactness", "Settings",
    "Each epoch in numbers",
]  # fmt: skip


def test_a_page_of_one_run_says_all_of_it():
    page = Page.of(report([a_run()]))
    assert "Run a" in page.texts
    assert [title for title in page.texts if title in SECTIONS] == SECTIONS
    assert page.captions == CHARTS
    assert page.lines == [1, 1, 3, 1, 2, 1]
    for label, text in [
        ("test accuracy", "0.9877"),
        ("pairs that fired", "2.34%"),
        ("work, of dense", "12.34%"),
        ("time of a step", "500 ms"),
        ("size of the index", "4.16 MB"),
        ("learning_rate", "1100.25"),
        ("schedule", "step, every 1, gamma 0.1"),
        ("nesterov", "no"),
        ("memory_limit", "–"),
        ("✓ a", "bit for bit as exhaustive search, on 4,096 pairs, of which 77 fire"),
        ("weights", "1.06 MB"),
        # 3 of 4 seconds in parts, 8 in all with 1 of building
        ("building the index", "1 s"),
        ("finding who fires", "750 ms"),
        ("outputs, loss, solution", "750 ms"),
        ("moving weights, finding", "1.5 s"),
        ("the rest of training", "1 s"),
        ("loading, testing, saving", "3 s"),
    ]:
        assert page.rows(label)[0] == text, label
    assert "classes" not in page.texts


def test_a_page_of_one_run_shows_each_class():
    counts = {"cat": [8, 2, 0], "dog": [1, 4, 0], "owl": [0, 0, 0]}
    page = Page.of(report([a_run(result=RESULT | {"confusion": counts})]))
    assert page.rows("cat")[:4] == ["10", "80.00%", "88.89%", "dog (2)"]
    assert page.rows("dog")[:4] == ["5", "80.00%", "66.67%", "cat (1)"]
    assert page.rows("owl")[:4] == ["0", "–", "–", "–"]


def test_a_page_of_a_table_says_how_each_column_was_read():
    table = Features(
        2, ("age", "town"), {3: "plan"}, {1: ("a", "b")}, Gaps(np.zeros(1), np.zeros(1, int)), {0: "id"}
    )
    page = Page.of(report([a_run(features=table.state())]))
    assert page.rows("id")[:1] == ["left out"]
    assert page.rows("age")[:1] == ["number, some missing"]
    assert page.rows("town")[:1] == ["category, 2 values"]
    assert page.rows("plan")[:1] == ["target"]
    assert "Columns" not in Page.of(report([a_run()])).texts


def test_a_page_of_several_runs_sets_them_side_by_side():
    runs = [a_run(), a_run("runs/b", width=8192, epochs=5), a_run("runs/c", result=RESULT | COMPARED)]
    page = Page.of(report(runs))
    assert "3 runs compared" in page.texts
    assert page.rows("test accuracy")[:3] == ["0.9877"] * 3
    assert page.rows("step, than dense PyTorch")[:3] == ["–", "–", "10.0 × faster"]
    assert "10.0 times as fast a step as dense PyTorch (torch.compile), 8.0 times the whole run" in page.text
    assert page.rows("step, than bfloat16")[:3] == ["–", "–", "5.0 × faster"]
    assert "Beside products of bfloat16 (bfloat16) 5.0 and 4.0 times." in page.text
    start = page.texts.index("Settings")
    shared = page.texts.index("Settings that all runs share")
    differing = page.texts[start:shared]
    assert differing[differing.index("width") :][:4] == ["width", "4,096", "8,192", "4,096"]
    assert "loss" not in differing
    assert page.rows("loss")[0] == "squared"
    assert set(page.lines) == {3}
    assert "Pairs, % of all: fire" in page.captions


def test_runs_whose_folders_have_one_name_go_by_their_paths():
    page = Page.of(report([a_run("runs/a"), a_run("old/a")]))
    assert {"runs/a", "old/a"} <= set(page.texts)
    assert "Run runs/a" in Page.of(report([a_run("runs/a")] * 2)).texts


def test_a_report_on_nothing_is_refused():
    with pytest.raises(ValueError, match="a report must have at least one run. Got none"):
        report([])


def test_a_page_loads_nothing_and_runs_nothing():
    page = Page.of(report([a_run(), a_run("runs/b")]))
    assert not set(page.tags) & {"script", "img", "iframe", "object", "embed", "a", "form", "base", "use"}
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.attributes
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "srcset")]
    assert {value for name, value in page.attributes if "href" in name} == {"data:,"}
    assert "url(" not in STYLE.read_text()
    assert "@import" not in STYLE.read_text()


def test_names_and_messages_are_text_and_never_markup():
    nasty = "<script>alert('&amp;')</script>\" onload=\"x"
    runs = [
        a_run(f"runs/{nasty}", data=f"data/{nasty}", failed=nasty, target=nasty, result=None),
        a_run("runs/b", result=RESULT | COMPARED | {"dense_step": nasty}),
    ]
    for text in (report(runs), report(runs[:1])):
        page = Page.of(text)
        assert "script" not in page.tags
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        assert nasty in page.text


def test_a_name_that_is_no_text_does_not_spoil_the_page():
    text = report([a_run("runs/odd\udcff", data="\udcff.csv")])
    assert "Run odd?" in Page.of(text).texts
    text.encode()


def test_a_chosen_index_is_named_with_the_reason():
    reason = "index auto: screened (predicted 2.1 s)"
    run = a_run(index="auto", result=RESULT | {"chosen_index": "screened", "index_reason": reason})
    page = Page.of(report([run]))
    assert reason in page.texts
    assert "screened" in page.texts
    assert "screened" in Page.of(report([a_run("runs/b"), run])).texts


@pytest.mark.parametrize(
    ("run", "trouble"),
    [
        (
            a_run(result=None, failed="the loss is inf"),
            "Training failed after 3 of 3 epochs: the loss is inf",
        ),
        (a_run(result=None, interrupted=True), "Interrupted after 3 of 3 epochs."),
        (
            a_run(result=None, epochs=0),
            "Not finished: there is no result.json, and 0 of 3 epochs were saved.",
        ),
        (
            a_run(result=RESULT | {"exactness": {"pairs": 10, "fired": 1, "equal": False}}),
            "NOT AS EXHAUSTIVE SEARCH, on 10 pairs: the weights may be wrong. This is a bug of fewfire.",
        ),
    ],
)
def test_a_run_in_trouble_says_so_at_the_top(run, trouble):
    for runs in ([run], [a_run("runs/fine"), run]):
        page = Page.of(report(runs))
        assert ("class", "trouble") in page.attributes
        assert trouble in page.text
    assert ("class", "trouble") not in Page.of(report([a_run()])).attributes


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (None, "not compared: the run did not finish"),
        (RESULT | {"exactness": None, "chosen_index": "exhaustive"}, "is exhaustive search itself"),
        ({name: RESULT[name] for name in RESULT if name != "exactness"}, "the run is of an earlier version"),
    ],
)
def test_a_run_that_was_not_compared_says_why(result, why):
    assert why in Page.of(report([a_run(result=result)])).text


def test_a_page_of_an_approximate_run_says_how_much_it_found():
    exactness = {"pairs": 4096, "fired": 77, "equal": False, "recall": 0.25, "recall_low": 0.2,
                 "recall_high": 0.31, "missed_mass": 0.7}  # fmt: skip
    result = RESULT | {"chosen_index": "hashing", "exactness": exactness}
    run = a_run(result=result, approximate={"name": "hashing", "bits": 9})
    run = replace(run, history=records(3, recall=0.25, missed_mass=0.7))
    page = Page.of(report([run]))
    assert "Found by the approximate index, %" in page.captions
    assert page.rows("found, of those")[0] == "25.00%"
    assert page.rows("≈ a")[0].startswith(
        "approximate: finds 25.0% of the pairs that fire (95 %: 20.0% to 31.0%)"
    )
    assert page.rows("approximate")[0] == "hashing, bits 9"
    assert ("class", "trouble") not in page.attributes


def test_the_regime_is_explained_and_those_of_several_runs_stand_side_by_side():
    page = Page.of(report([a_run()]))
    assert "Was that the kernel regime?" in page.text
    assert "noticeably: the first kernel foretells the order of size, and no more" in page.text
    assert "5,210 ± 20" in page.text
    both = Page.of(report([a_run(), a_run("runs/b")])).text
    assert "noticeably" not in both
    assert both.count("5,210 ± 20") == 2
    old = a_run(result={name: RESULT[name] for name in RESULT if name != "regime"})
    assert "Was that the kernel regime?" not in Page.of(report([old])).text


def test_a_run_of_before_drift_was_recorded_has_no_chart_of_it():
    old = Run(a_run().path, a_run().settings, records(3), a_run().result)
    assert Page.of(report([old])).captions == [title for title in CHARTS if "Drift" not in title]
    page = Page.of(report([old, a_run("runs/new")]))
    assert page.lines[page.captions.index("Drift in an epoch: the mean")] == 2


def test_charts_of_what_never_changes_are_left_out():
    assert "Learning rate" not in Page.of(report([a_run()])).captions
    for name, value, title in [
        ("learning_rate", 0.25, "Learning rate"),
        ("refreshes", 7, "Blocks of 64 neurons refreshed"),
    ]:
        history = [*records(2), *records(3, **{name: value})[2:]]
        run = Run(a_run().path, a_run().settings, history, a_run().result)
        assert title in Page.of(report([run])).captions


@pytest.mark.parametrize(
    "changes",
    [
        {"accuracy": None},
        {"loss": math.inf},
        {"loss": math.nan, "moved_mean": math.inf},
        {"loss": 0.0, "fire_rate": 0.0, "near_rate": 0.0, "dot_rate": 0.0, "work_share": 0.0},
        {"seconds_find": 0.0, "seconds_forward": 0.0, "seconds_move": 0.0, "seconds": 0.0},
        {"index_bytes": 0},
    ],
)
@pytest.mark.parametrize("epochs", [1, 2, MARKED_POINTS + 1])
def test_any_history_makes_a_page(changes, epochs):
    run = Run(a_run().path, a_run().settings, records(epochs, **changes), None)
    text = report([run])
    Page.of(text)
    assert not re.search(r'="(nan|inf|-inf)', text)


def test_a_long_run_is_drawn_and_listed_in_part():
    count = 10 * MOST_POINTS
    page = Page.of(report([a_run(epochs=count, result=None)]))
    assert f"a, {TABLE_EPOCHS + 1} of 5,000 epochs" in page.texts
    assert "circle" not in page.tags
    paths = [value for name, value in page.attributes if name == "points"]
    assert all(len(path.split()) <= MOST_POINTS + 1 for path in paths)


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 99, 100])
def test_thinning_keeps_the_ends_and_the_order(count):
    some = thinned(range(count), 10)
    assert len(some) <= 11
    assert list(some) == sorted(set(some))
    assert [*some[:1], *some[-1:]] == [*range(count)][:1] + [*range(count)][-1:]
    if count <= 10:
        assert list(some) == list(range(count))


def places_of(chart: Chart) -> list[list[tuple[float, float]]]:
    """Where the points of each line are drawn."""
    figure = drawn(chart)
    return [
        [tuple(map(float, place.split(","))) for place in line.get("points", "").split()]
        for line in figure.iter("polyline")
    ]  # type: ignore[return-value]


def test_values_are_drawn_to_scale():
    ((low, half, high),) = places_of(Chart("", [Line("", [(1, 0), (2, 5), (3, 10)], 0)]))
    assert low[0] < half[0] < high[0]
    assert half[0] - low[0] == pytest.approx(high[0] - half[0], abs=0.2)
    assert low[1] > half[1] > high[1]  # downwards in SVG
    assert low[1] - half[1] == pytest.approx(half[1] - high[1], abs=0.2)


@pytest.mark.parametrize(("value", "first", "last"), [(100, "90", "100"), (0, "0", "1"), (-2, "-2.2", "-2")])
def test_a_value_that_never_changes_has_an_axis_up_to_it(value, first, last):
    figure = drawn(Chart("", [Line("", [(1, value), (2, value)], 0)], floor=None))
    labels = [text.text for text in figure.iter("text") if text.get("text-anchor") == "end"]
    assert (labels[0], labels[-1]) == (first, last)


def test_values_over_decades_are_drawn_on_a_logarithmic_scale():
    chart = Chart("Loss", [Line("", [(1, 1), (2, 1e-2), (3, 1e-4)], 0)], may_be_log=True)
    ((a, b, c),) = places_of(chart)
    assert b[1] - a[1] == pytest.approx(c[1] - b[1], abs=0.2)
    assert drawn(chart)[0].text == "Loss (log scale)"
    with_zero = Chart("Loss", [Line("", [(1, 1), (2, 1e-2), (3, 0)], 0)], may_be_log=True)
    assert drawn(with_zero)[0].text == "Loss"


def test_epochs_are_logarithmic_beside_a_much_longer_run():
    long = Line("long", [(epoch, 1) for epoch in (1, 10, 100)], 0)
    short = Line("short", [(1, 1), (4, 1)], 1)
    a, b, c = places_of(Chart("", [long, short]))[0]
    assert b[0] - a[0] == pytest.approx(c[0] - b[0], abs=0.2)
    assert "epoch (log scale)" in [text.text for text in drawn(Chart("", [long, short])).iter("text")]


def test_lines_of_one_colour_differ_in_their_dashes():
    lines = [Line(str(style), [(1, 1)], style) for style in range(12)]
    looks = {
        (group.get("class"), group[0].get("stroke-dasharray")) for group in drawn(Chart("", lines)).iter("g")
    }
    assert len(looks) == 12


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG defines it."""
    parts = [int(colour[first : first + 2], 16) / 255 for first in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_lines_and_texts_stand_out_in_light_and_dark():
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.read_text(), flags=re.S)
    for scheme in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#\w{6});", scheme))
        assert len(colours) == 6 + 7
        for name, colour in colours.items():
            ratios = []
            for ground in (colours["card"], colours["page"]):
                bright, dim = sorted((luminance(colour), luminance(ground)), reverse=True)
                ratios.append((bright + 0.05) / (dim + 0.05))
            if name.startswith("colour"):
                assert ratios[0] >= 3, name
            elif name in ("ink", "soft", "bad"):
                assert min(ratios) >= 4.5, name

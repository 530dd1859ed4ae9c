"""The report in headless Chromium: it fits a phone and a desk, and the browser complains of nothing."""

import json
import re
import subprocess
from html import escape, unescape

import pytest

from fewfire.report.page.page import report
from html_pages import CHROMIUM, COMPARED, RESULT, a_run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium, which looks at pages, is not installed")

# The page stands in frames of several widths; the frame around them measures it once all are there.
MEASURE = """
<body>%s<pre id="found"></pre><script>
addEventListener("load", () => {
  found.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, box = e => e.getBoundingClientRect();
    for (const closed of page.querySelectorAll("details")) closed.open = true;
    const outside = [...page.querySelectorAll("body *")].filter(
      e => !e.closest(".scroll, svg") && box(e).right > frame.clientWidth + 0.5);
    const cut = [...page.querySelectorAll("figure > svg")].flatMap(
      svg => [...svg.querySelectorAll("text, circle")].filter(e =>
        box(e).left < box(svg).left - 0.5 || box(e).right > box(svg).right + 0.5 ||
        box(e).top < box(svg).top - 0.5 || box(e).bottom > box(svg).bottom + 0.5));
    return {
      width: frame.clientWidth,
      content: page.documentElement.scrollWidth,
      charts: [...page.querySelectorAll("figure > svg")].map(svg => box(svg).width),
      rows: [".grid", ".tiles"].map(kind => [...page.querySelectorAll(kind + " > *")].reduce(
        (rows, e) => (rows[box(e).top] = (rows[box(e).top] || 0) + 1, rows), {})),
      blank: [...page.querySelectorAll(".card.scroll")].map(
        card => box(card).width - box(card.querySelector("table")).width),
      outside: outside.map(e => e.outerHTML.slice(0, 80)),
      cut: cut.map(e => e.outerHTML.slice(0, 80)),
    };
  }));
});
</script>
"""


def seen_in_chromium(page: str, widths: list[int], folder) -> tuple[list[dict], list[str]]:
    """What was measured at each width, and what the browser logged."""
    frames = [f'<iframe width="{width}" height="800" srcdoc="{escape(page)}"></iframe>' for width in widths]
    path = folder / "measure.html"
    path.write_text(MEASURE % "".join(frames), encoding="utf-8")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom",
               f"--user-data-dir={folder / 'profile'}"]  # fmt: skip
    assert CHROMIUM is not None
    ended = subprocess.run(
        [CHROMIUM, *options, path.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    measured = re.search(r'<pre id="found">(.+?)</pre>', ended.stdout, flags=re.S)
    assert measured is not None, ended.stderr
    logged = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(unescape(measured[1])), logged


def test_the_page_fits_a_phone_and_a_desk_without_complaints(tmp_path):
    long_name = "a-rather-long-name-of-a-run-that-someone-gave-without-a-single-space-in-it" * 2
    runs = [
        a_run(epochs=40),
        a_run(f"runs/{long_name}", epochs=1, failed="x" * 300, result=None),
        a_run("runs/c", epochs=500, data="folder/" * 40, result=RESULT | COMPARED),
    ]
    one = report(runs[2:])
    for page in (report(runs), one):
        measured, logged = seen_in_chromium(page, [390, 768, 1280], tmp_path)
        assert logged == []
        assert [seen["width"] for seen in measured] == [390, 768, 1280]
        for seen in measured:
            assert seen["content"] <= seen["width"]
            assert seen["outside"] == []
            assert seen["cut"] == []
            assert all(260 <= width <= 560 for width in seen["charts"])
            assert len(seen["charts"]) >= 6


@pytest.mark.parametrize("count", [1, 2])
def test_no_chart_or_tile_is_left_alone_and_no_table_in_an_empty_card(count, tmp_path):
    runs = [a_run(f"runs/{number}") for number in range(count)]
    for left_out in range(3):
        page = report(runs)
        for _ in range(left_out):
            page = re.sub(r"<figure>.*?</figure>", "", page, count=1, flags=re.S)
        ((seen,), _) = seen_in_chromium(page, [1280], tmp_path)
        for rows in seen["rows"]:
            assert all(in_row > 1 for in_row in rows.values())
        assert seen["blank"]
        assert max(seen["blank"]) < 60


def test_what_a_browser_complains_of_is_seen(tmp_path):
    bad = report([a_run()]).replace(
        "</body>", '<img src="http://127.0.0.1:9/x.png"><p style="width:900px">wide'
    )
    (measured,), logged = seen_in_chromium(bad, [390], tmp_path)
    assert "Content Security Policy" in "".join(logged)
    assert measured["content"] > measured["width"]
    assert len(measured["outside"]) == 1

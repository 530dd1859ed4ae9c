"""The site is built without a warning, holds what it should, and fetches nothing."""

import json
import re
import shutil
import subprocess
import sys
import zlib
from collections import Counter
from html.parser import HTMLParser
from importlib import import_module
from pkgutil import resolve_name
from types import FunctionType

import pytest

from pages import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


class Fetched(HTMLParser):
    """What a page fetches when it is read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "link" and names.get("rel") not in ("stylesheet", "icon", "preload"):
            return
        self.addresses += [names[name] or "" for name in ("src", "href") if name in names and tag != "a"]


def test_a_page_fetches_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        fetched = Fetched(page.read_text()).addresses
        assert fetched
        assert not [address for address in fetched if re.match(r"(https?:)?//", address)], page
    assert "googleapis" not in "".join(path.read_text() for path in site.rglob("*.css"))


def test_the_readme_is_the_front_page_and_its_links_lead_on(site):
    page = (site / "index.html").read_text()
    assert "fewfire trains very wide neural networks" in page
    assert 'href="theory/drift_index.html"' in page
    assert 'src="images/how_it_works.svg"' in page


def test_an_equation_leads_to_the_line_that_defines_its_function(site):
    page = (site / "theory/rounding.html").read_text()
    line = re.search(r'href="\.\./source/csrc/core/rows\.h\.html#(line-0-\d+)"', page)
    shown = (site / "source/csrc/core/rows.h.html").read_text()
    defined = re.search(rf'<span id="{line[1]}">.*', shown)
    assert "rounding" in re.sub("<[^>]*>", "", defined[0])


def test_angle_brackets_are_text(site):
    assert "&lt;w_r, x_i&gt;" in (site / "theory/correlation_trees.html").read_text()
    assert "max(&lt;w_r, x&gt; - b, 0)" in (site / "api/network.html").read_text()


def public_paths() -> list[str]:
    """Each name of each `__all__` under the shortest path by which it is imported."""
    rooms = [
        ".".join(path.relative_to(ROOT / "src").parent.parts) for path in (ROOT / "src").rglob("__init__.py")
    ]
    paths: dict[int, str] = {}
    for room in sorted(rooms, key=lambda room: (room.count("."), room)):
        module = import_module(room)
        for name in getattr(module, "__all__", ()):
            paths.setdefault(id(getattr(module, name)), f"{room}.{name}")
    return list(paths.values())


def test_every_public_name_is_in_the_reference_once_under_its_short_path(site):
    pages = "".join(path.read_text() for path in (site / "api").glob("*.html"))
    headings = Counter(re.findall(r'<h\d id="([\w.]+)" class="doc doc-heading"', pages))
    paths = public_paths()
    assert {"fewfire.TwoLayerNetwork", "fewfire.indexes.DriftIndex"} <= set(paths)
    assert {path: headings[path] for path in paths if headings[path] != 1} == {}
    head, names = (site / "objects.inv").read_bytes().split(b"zlib.\n")
    linked = {line.split()[0] for line in zlib.decompress(names).decode().splitlines()}
    assert linked >= set(paths)


def test_the_reference_shows_public_names_only(site):
    paths = public_paths()
    shown = [
        name
        for page in (site / "api").glob("*.html")
        for name in re.findall(r'<h\d id="([\w.]+)" class="doc doc-heading"', page.read_text())
    ]
    assert len(shown) > 200
    assert [name for name in shown if name not in paths and name.rpartition(".")[0] not in paths] == []


def test_no_name_is_in_the_reference_under_two_paths(site):
    found: dict[int, set[str]] = {}
    for page in (site / "api").glob("*.html"):
        for path in re.findall(r'<h\d id="([\w.]+)" class="doc doc-heading"', page.read_text()):
            thing = resolve_name(path)
            if isinstance(thing, FunctionType | type) and "." not in thing.__qualname__:
                found.setdefault(id(thing), set()).add(path)
    assert len(found) > 100
    assert [paths for paths in found.values() if len(paths) > 1] == []


def indexed(site) -> list[dict]:
    return json.loads((site / "search/search_index.json").read_text())["docs"]


def test_no_source_is_searched(site):
    sections = indexed(site)
    assert "source/csrc/core/rows.h.html" not in {section["location"].split("#")[0] for section in sections}
    assert not [section["location"] for section in sections if "Source code in" in section["text"]]
    assert "mkdocstrings-source" in (site / "api/training.html").read_text()  # but it is shown


@pytest.mark.skipif(
    shutil.which("node") is None, reason="Node, which runs the script of the search, is not installed"
)
def test_a_word_finds_the_page_that_explains_it_before_all_others(site):
    wanted = {
        "install": "install.html",
        "pip": "install.html",
        "extras": "install.html",
        "callback": "howto/train_in_python.html",
        "ntk": "howto/train_in_python.html",
        "tangent kernel": "howto/train_in_python.html",
        "pickle": "howto/estimators.html",
        "missing values": "howto/estimators.html",
        "probability": "howto/estimators.html",
        "regression": "howto/estimators.html",
        "csv": "howto/own_data.html",
        "report": "report.html",
        "memory": "howto/memory.html",
        "reproducible": "howto/threads.html",
        "resume": "checkpoints.html",
        "fire_set": "api/indexes.html",
    }
    script = ROOT / "tests/docs/search.js"
    asked = subprocess.run(["node", script, site, *wanted], capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in asked.stdout.splitlines()]
    assert {query: pages[:1] for query, pages in zip(wanted, found, strict=True)} == {
        query: [page] for query, page in wanted.items()
    }

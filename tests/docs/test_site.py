"""The site is built without a warning, holds what it should, and fetches nothing."""

import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser

import pytest

import fewfire
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


def test_every_public_name_is_in_the_reference(site):
    head, names = (site / "objects.inv").read_bytes().split(b"zlib.\n")
    documented = {line.split()[0].rpartition(".")[2] for line in zlib.decompress(names).decode().splitlines()}
    assert documented >= set(fewfire.__all__), set(fewfire.__all__) - documented

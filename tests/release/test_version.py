"""One version, in the package, the changelog and the citation."""

import re

import fewfire
from pages import ROOT


def first_heading() -> str:
    heading = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert heading is not None
    return heading[1]


def test_the_changelog_begins_with_this_version():
    """With its date, or unreleased: then the version is one of development."""
    version, _, development = fewfire.__version__.partition(".dev")
    when = r"unreleased" if development else r"20\d\d-\d\d-\d\d"
    assert re.fullmatch(rf"{re.escape(version)} \({when}\)", first_heading())


def test_the_citation_names_the_version_that_was_released_last():
    dated = re.search(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert dated is not None
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.+)$", citation, flags=re.M)[1] == dated[1]
    assert re.search(r"^date-released: (.+)$", citation, flags=re.M)[1] == dated[2]

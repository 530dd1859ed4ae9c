"""What the site needs beside the pages in docs/, which are written to be read on GitHub as well.

README.md is the front page. A link that leaves docs/ leads to a page of the site that shows that file: at the
definition of the name, where the link is a name in code font, as in [`dot`](../csrc/dot.h). What looks like a
tag, as in <w, x>, is text, on pages and in docstrings.
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from markdown import Extension, Markdown
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?:\[`(?P<name>[\w.:]+)`)?\]\((?P<path>(?!\w+:)[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
SOURCE = '<details class="mkdocstrings-source">'  # as mkdocstrings writes it
LANGUAGES = {".py": "python", ".h": "cpp", ".cpp": "cpp"}

# How much a hit counts in the search, by the folder of the page: guides come first. 1 elsewhere.
COUNTS = {"": 8.0, "howto": 8.0, "api": 0.5, "decisions": 0.1, "source": 0.1}
# Words that lead to a page which has others for them.
SYNONYMS = {
    "howto/estimators.md": ["missing values", "pickle", "probability", "regression"],
    "install.md": ["pip"],
    "report.md": ["report"],
}


class NoTags(Extension):
    """Markdown without tags inside a line."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.inlinePatterns.deregister("html")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    config.markdown_extensions.append(NoTags())  # type: ignore[arg-type]
    return config


def definition_line(name: str, text: str) -> int | None:
    """The line, counted from 1, on which a function or class is defined; None where it is not.

    Python's begin with `def` or `class`; those of C++ have a body before any semicolon.
    """
    name = re.escape(re.split(r"\.|::", name)[-1])
    python, cpp = rf" *(?:def|class) {name}\b", rf"[\w:<>,*& ]+\b{name}\([^;{{]*\{{"
    found = re.search(rf"^(?:{python}|{cpp})", text, flags=re.M)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the front page, and a page for each file outside docs/ that a page leads to."""
    pages = ["README.md", *(join("docs", file.src_uri) for file in files.documentation_pages())]
    for page in pages:  # which grows: a file that is shown may lead to others
        text = (ROOT / page).read_text()
        for path in (_target(page, link) for link in LINK.finditer(text)):
            if not path.startswith("docs/") and path not in pages and (ROOT / path).is_file():
                pages.append(path)
        if not page.startswith("docs/"):
            file = File.generated(config, _uri(page), content=_shown(page, text))
            if page != "README.md":
                file.inclusion = InclusionLevel.NOT_IN_NAV
            files.append(file)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links lead to pages of the site, and say how much a hit on the page counts in the search."""
    here = page.file.src_uri
    page.meta.setdefault("search", {"boost": COUNTS.get(here.rpartition("/")[0].split("/")[0], 1.0)})
    page.meta["tags"] = SYNONYMS.get(here, [])

    def led_on(link: re.Match[str]) -> str:
        target = _target(_path(here), link)
        if not (ROOT / target).is_file():
            return link[0]  # MkDocs says what is wrong
        line = link["name"] and definition_line(link["name"], (ROOT / target).read_text())
        anchor = f"#line-0-{line}" if line else link["anchor"] or ""
        old = link["path"] + (link["anchor"] or "")
        return link[0].replace(f"]({old})", f"]({relpath(_uri(target), dirname(here))}{anchor})")

    return LINK.sub(led_on, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Tell MkDocs of the lines that may be led to; the source below a docstring is not searched."""
    if page.file.src_uri.startswith("source/") and page.present_anchor_ids is not None:
        page.present_anchor_ids.update(re.findall(r'id="(line-\d+-\d+)"', html))
    return html.replace(SOURCE, SOURCE[:-1] + ' data-search-exclude="true">')


def _target(page: str, link: re.Match[str]) -> str:
    """The path in the repository that a link on a page leads to."""
    return normpath(join(dirname(page), link["path"]))


def _uri(path: str) -> str:
    """Where the site has the page of a file of the repository."""
    if path == "README.md":
        return "index.md"
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"source/{path}" if path.endswith(".md") else f"source/{path}.md"


def _path(uri: str) -> str:
    """The file of the repository that a page of the site is made from."""
    if uri == "index.md":
        return "README.md"
    if not uri.startswith("source/"):
        return f"docs/{uri}"
    path = uri.removeprefix("source/")
    return path if (ROOT / path).is_file() else path.removesuffix(".md")


def _shown(path: str, text: str) -> str:
    """The text of the page that shows a file: Markdown as it is, anything else as code."""
    if path.endswith(".md"):
        return text
    language = LANGUAGES.get(Path(path).suffix, "text")
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n"
    return f'{head}\n~~~~ {{.{language} linenums="1"}}\n{text}\n~~~~\n'

"""The pages that people read, and the code on them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md", *ROOT.glob("docs/**/*.md")]
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@dataclass(frozen=True)
class Block:
    """A displayed block: fenced, in a language, or indented, in none."""

    language: str
    text: str
    line: int  # of the page, counted from 1, on which the text begins


def blocks(page: Path) -> list[Block]:
    """In the order of the page."""
    text = page.read_text()
    fenced = r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$"
    indented = r"(?<=\n\n)(?P<indented>(?: {4}[^\n]*\n|\n(?= {4}))+)"
    found = []
    for match in re.finditer(rf"{fenced}|{indented}", text, flags=re.S | re.M):
        body = match["text"] if match["indented"] is None else match["indented"]
        start = match.start("text" if match["indented"] is None else "indented")
        found.append(Block(match["language"] or "", body, text.count("\n", 0, start) + 1))
    return found


def commands(page: Path) -> list[list[str]]:
    """The `fewfire` commands on a page, as lists of arguments: those in code font, and those in blocks that
    are not Python's. Two spaces, a pipe or a redirection end a command."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.S | re.M)
    lines = re.findall(r"`([^`\n]+)`", prose)
    for block in blocks(page):
        if block.language != "python":
            shown = block.text.replace("\\\n", " ").split("\n")
            lines += [line.strip().removeprefix("$ ") for line in shown]
    found = [re.split(r" {2,}| [|>] ", line)[0] for line in lines if re.match(r"fewfire( |$)", line)]
    return [shlex.split(line)[1:] for line in found]

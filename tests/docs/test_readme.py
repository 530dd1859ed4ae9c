"""What README.md and docs say is so: the example runs, the tables are those of the results, links lead on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md", *ROOT.glob("docs/**/*.md")]
)


def python_examples(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.S)


def test_the_python_example_of_the_readme_runs_and_learns(capsys):
    (example,) = python_examples(ROOT / "README.md")
    exec(compile(example, "README.md", "exec"), {})
    running, work_share, accuracy = map(float, capsys.readouterr().out.split())
    assert running > 0.95
    assert accuracy > 0.98
    assert work_share < 0.25


def test_the_python_example_of_the_readme_has_ten_lines():
    (example,) = python_examples(ROOT / "README.md")
    assert len(example.strip().splitlines()) <= 11


def test_the_tables_are_those_of_the_results():
    check = [sys.executable, ROOT / "benchmarks" / "tables.py", "--check"]
    run = subprocess.run(check, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_in_code_font_exists(page):
    names = re.findall(r"`((?:src|csrc|docs|benchmarks|tests)/[\w./-]+)`", page.read_text())
    missing = [name for name in names if not (ROOT / name).exists()]
    assert not missing


def test_every_command_of_the_readme_is_a_target_or_a_subcommand():
    text = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", text, flags=re.M):
        assert re.search(rf"^{target}:", makefile, flags=re.M), target
    commands = set(re.findall(r"fewfire (\w+)", "\n".join(re.findall(r"`[^`]+`|^    .+$", text, flags=re.M))))
    shown = subprocess.run(
        [Path(sys.executable).with_name("fewfire"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert commands >= {"train", "predict", "info"}
    assert all(re.search(rf"\b{command}\b", shown) for command in commands - {"import"})

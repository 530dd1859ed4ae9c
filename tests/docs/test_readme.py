"""What README.md and docs say is so: the example runs, the tables are those of the results, links lead on."""

import pkgutil
import re
import subprocess
import sys

import pytest

from pages import PAGES, ROOT, blocks, name_of

README = ROOT / "README.md"


def python_example() -> str:
    (example,) = (block.text for block in blocks(README) if block.language in ("python", "console", "text"))
    return example


def test_the_python_example_of_the_readme_runs_and_learns(capsys):
    exec(compile(python_example(), "README.md", "exec"), {})
    work_share, test_accuracy = map(float, capsys.readouterr().out.split())
    assert work_share < 0.1
    assert test_accuracy > 0.97
    (said,) = re.findall(r"This prints ([\d.]+) and ([\d.]+)", README.read_text())
    assert work_share == pytest.approx(float(said[0]), abs=0.005)
    assert test_accuracy == pytest.approx(float(said[1]), abs=0.01)  # another machine's last bits differ


def test_the_python_example_of_the_readme_has_ten_lines():
    assert len(python_example().strip().splitlines()) <= 10


def test_no_line_of_code_in_the_readme_is_cut_on_a_page_1280_pixels_wide():
    code = [line for block in blocks(README) for line in block.text.splitlines()]
    code += re.findall(r"^    (.*)$", README.read_text(), flags=re.M)
    assert len(code) > 10
    assert [line for line in code if len(line) > 88] == []


def test_the_readme_is_read_in_a_minute():
    assert len(README.read_text().splitlines()) <= 90


def test_the_tables_are_those_of_the_results():
    check = [sys.executable, ROOT / "benchmarks" / "tables.py", "--check"]
    run = subprocess.run(check, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_in_code_font_exists(page):
    names = re.findall(r"`((?:src|csrc|docs|benchmarks|tests)/[\w./-]+)`", page.read_text())
    missing = [name for name in names if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_of_the_package_in_code_font_is_there(page):
    for name in re.findall(r"`(?!fewfire\.NAME)(fewfire(?:\.\w+)+)[`(]", page.read_text()):
        assert pkgutil.resolve_name(name) is not None, name


def test_every_target_of_make_that_is_named_is_there():
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"(?:^    |`)make (\w+)", page.read_text(), flags=re.M):
            assert re.search(rf"^{target}:", makefile, flags=re.M), f"{target} in {name_of(page)}"

"""The code on the pages runs, and prints what they say; their commands are those that there are."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fewfire.cli.app import app
from pages import PAGES, ROOT, blocks, commands, name_of

NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.(?P<decimals>\d*))?(?:e(?P<power>[-+]?\d+))?")
RUN = ("python", "console")
ATTACKS = {"art", "foolbox", "pyautoattack", "torchattacks"}  # packages of the extra attacks
README = ROOT / "README.md"  # whose one example test_readme.py runs, and judges by its figures
PAGES_THAT_RUN = [
    page for page in PAGES if page != README and any(block.language in RUN for block in blocks(page))
]


def require_same(printed: str, shown: str) -> None:
    """The same words, and numbers as near as another BLAS may bring them: by 2 % or in the last digit."""
    assert NUMBER.sub("0", printed).split() == NUMBER.sub("0", shown).split()
    for ours, theirs in zip(NUMBER.finditer(printed), NUMBER.finditer(shown), strict=True):
        digit = 10.0 ** (int(theirs["power"] or 0) - len(theirs["decimals"] or ""))
        found, expected = (float(number[0].replace(",", "")) for number in (ours, theirs))
        assert found == pytest.approx(expected, rel=0.02, abs=1.001 * digit), f"{ours[0]} for {theirs[0]}"


def type_in(command: str) -> None:
    """Run a command, which must succeed, in a process of its own: a memory limit is on all of a process."""
    program, *arguments = shlex.split(command)
    path = Path(sys.executable).with_name(program)
    ended = subprocess.run([path, *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, f"{command}\n{ended.stderr}"


@pytest.mark.parametrize("page", PAGES_THAT_RUN, ids=name_of)
def test_a_page_runs_from_top_to_bottom_and_prints_what_it_says(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    printed = ""
    for block in blocks(page):
        if block.language == "python":
            code = "\n" * (block.line - 1) + block.text  # a failure names the line of the page
            try:
                exec(compile(code, str(page), "exec"), names)
            except ModuleNotFoundError as error:
                if error.name not in ATTACKS:
                    raise
                pytest.skip(f"the extra attacks is not installed: no {error.name}, line {block.line} on")
            printed = capsys.readouterr().out
        elif block.language == "text":
            require_same(printed, block.text)
        elif block.language == "console":
            for command in re.findall(r"^\$ (.+)$", block.text, flags=re.M):
                type_in(command)
            capsys.readouterr()


@pytest.mark.parametrize("shown", ["rate 0.98 of 16,384", "loss 0.95 of 16,384", "loss 0.98"])
def test_other_words_and_numbers_than_are_printed_are_found(shown):
    require_same("loss 0.981 of 16,384, 2e-07\n", "loss  0.98 of 16,384, 1e-07")
    with pytest.raises(AssertionError):
        require_same("loss 0.981 of 16,384\n", shown)


def require_known(arguments: list[str]) -> None:
    """That there is such a command, with such options."""
    command = typer.main.get_command(app)
    while arguments and hasattr(command, "commands") and not arguments[0].startswith("-"):
        assert arguments[0] in command.commands, arguments[0]
        command, arguments = command.commands[arguments[0]], arguments[1:]
    context = command.context_class(command, info_name="fewfire")
    command.make_parser(context).parse_args(args=list(arguments))  # raises for an unknown option


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_there_and_has_the_options(page):
    for arguments in commands(page):
        require_known(arguments)


@pytest.mark.parametrize("command", ["tarin digits", "train digits --width", "study drift --quick"])
def test_commands_and_options_that_are_not_there_are_found(command):
    with pytest.raises(Exception, match="tarin|--width|--quick"):
        require_known(command.split())

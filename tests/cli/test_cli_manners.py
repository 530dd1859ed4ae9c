"""How the command behaves among others: help, completion, exit codes, --quiet, pipes, colours."""

import inspect
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fewfire.cli.study as study_module
import fewfire.diagnose.scaling as scaling_study
import fewfire.runs.prepare as prepare_module
from command import SCRIPT, Ended, fewfire, fewfire_process, train_digits
from commands import COMMANDS, CONFIGURED, kinds
from fewfire._version import __version__
from fewfire.cli.main import run
from fewfire.cli.streams import PatientStream, prepare_streams
from fewfire.indexes import INDEXES
from fewfire.networks.losses import LOSSES

PAGE = Path(__file__).parents[2] / "docs" / "command.md"
SMALL = ("--width", "64", "--epochs", "2", "--threads", "2")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS", "NO_COLOR", "TERMINAL_WIDTH"):
        monkeypatch.delenv(name, raising=False)


# Help


def examples(text: str) -> list[str]:
    """Lines that are a command: of a docstring or of a page."""
    return [line.strip() for line in text.splitlines() if re.match(r"\s+([A-Z_]+=\w+ )*fewfire ", line)]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_each_on_a_line_of_its_own(command):
    ended = fewfire(*command.split(), "--help")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.strip() for line in ended.out.splitlines()]
    written = examples(inspect.unwrap(COMMANDS[command].callback).__doc__)
    assert written
    assert all(f"fewfire {command}" in example for example in written)
    first = lines.index(written[0])
    assert lines[first : first + len(written)] == written
    assert lines[first - 2 : first] in (["Examples:", ""], ["Example:", ""])
    assert max(map(len, lines)) <= 80


def test_the_commands_have_descriptions_of_one_line():
    for group, names in (
        ((), ["train", "resume", "predict", "report", "info", "study", "plan"]),
        (("study",), ["drift", "scaling"]),
        (("plan",), ["rate", "law", "rank"]),
    ):
        shown = fewfire(*group, "--help").out
        for name in names:
            assert re.search(rf"│ {name} +[A-Z][^│]+\. +│\n", shown), name


@pytest.mark.parametrize("text", [*(c.callback.__doc__ for c in COMMANDS.values()), PAGE.read_text()])
def test_every_example_is_a_command(tmp_path, monkeypatch, text):
    """In order: an example reads the file that one before it has written."""
    monkeypatch.chdir(tmp_path)
    assert examples(text)
    for example in examples(text):
        line, _, file = example.partition(" > ")
        words = line[line.index("fewfire ") :].split("  ")[0].split()[1:]
        if "--print-config" in words:
            ended = fewfire(*words)
            assert ended.code == 0, ended.err
            if file:
                Path(file).write_text(ended.out)
        elif not words[0].startswith("-"):
            name = " ".join(words[: 2 if words[0] in ("study", "plan") else 1])
            COMMANDS[name].make_context(name, words[len(name.split()) :])


def test_without_a_command_the_help_is_shown():
    for group in ((), ("study",), ("plan",)):
        ended = fewfire(*group)
        assert ended.code == 2
        assert "Usage: fewfire" in ended.out + ended.err
        assert "fewfire: " not in ended.err


# Completion


@pytest.fixture
def completed(monkeypatch):
    def complete(line: str) -> list[str]:
        monkeypatch.setenv("_FEWFIRE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        return fewfire().out.split()

    return complete


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fewfire stu", ["study"]),
        ("fewfire study ", ["drift", "depth", "scaling", "lazy", "hierarchical", "tensors"]),
        ("fewfire train dig", ["digits"]),
        ("fewfire train digits --index ", [*INDEXES, "auto"]),
        ("fewfire train --index dr", ["drift"]),
        ("fewfire train --loss ", [*LOSSES, "auto"]),
        ("fewfire train --optimizer g", ["gauss-newton"]),
        ("fewfire study drift --schedule ", ["constant", "cosine", "step"]),
        ("fewfire train --init s", ["structured"]),
        ("fewfire train --print", ["--print-config"]),
        ("fewfire predict --qu", ["--quiet"]),
        ("fewfire train --config absent.toml --loss so", ["softmax"]),
    ],
)
def test_names_are_completed(completed, line, words):
    assert completed(line) == words


def test_bash_completes_with_the_script_that_typer_installs():
    script = """
        eval "$(_FEWFIRE_COMPLETE=source_bash fewfire)"
        COMP_WORDS=(fewfire train --index dri) COMP_CWORD=3
        $(complete -p fewfire | sed 's/.*-F \\([^ ]*\\).*/\\1/') fewfire 2>/dev/null
        echo "${COMPREPLY[@]}"
    """
    path = f"{SCRIPT.parent}:{os.environ['PATH']}"
    bash = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=os.environ | {"PATH": path}, timeout=60
    )
    assert (bash.stdout, bash.stderr) == ("drift\n", "")


# Exit codes


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_exit_codes_are_those_that_help_and_docs_name(tmp_path, monkeypatch):
    assert fewfire("info").code == 0
    assert train_digits(tmp_path / "failed", "--learning-rate", 1e30).code == 1
    assert train_digits(tmp_path / "run", "--width", "wide").code == 2
    monkeypatch.setattr(prepare_module, "load_dataset", interrupt)
    interrupted = train_digits(tmp_path / "run")
    assert (interrupted.code, interrupted.out, interrupted.err) == (130, "", "")

    (epilog,) = re.findall(r"Exit codes: .*", " ".join(fewfire("--help").out.split()))
    assert re.findall(r"\d+", epilog) == ["0", "1", "2", "130"]
    assert re.findall(r"^\| (\d+) \|", PAGE.read_text(), flags=re.M) == ["0", "1", "2", "130"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "train digits --epochs many",
            r"Invalid value for '--epochs': .*valid int.*\. See fewfire train --help\.",
        ),
        ("train digits --colour 1", r"No such option: --colour.*\. See fewfire train --help\."),
        ("train digits more", r"Got unexpected extra argument.*more.*\. See fewfire train --help\."),
        ("train", r"Missing argument 'DATA'\. See fewfire train --help\."),
        ("trian digits", r"No such command 'trian'\. Did you mean 'train'\? See fewfire --help\."),
        ("study digits", r"No such command 'digits'\. See fewfire study --help\."),
        (
            "train digits --out=",
            r"--out must not be empty\. Is .* not set\? See fewfire train --help\.",
        ),
        ("train digits --width", r"Option '--width' requires an argument\. See fewfire( train)? --help\."),
    ],
)
def test_what_the_command_line_itself_rejects_is_one_line(words, message):
    ended = fewfire(*words.split())
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(rf"fewfire: a command must be as its help says\. Got: {message}\n", ended.err), (
        ended.err
    )


@pytest.mark.parametrize("words", [("predict", ""), ("train", "digits", "--out", "")])
def test_an_empty_text_is_refused_before_it_becomes_the_current_folder(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    ended = fewfire(*words)
    assert ended.code == 2
    assert "must not be empty. Is a variable not set?" in ended.err
    assert not list(tmp_path.iterdir())


def test_the_version_and_a_short_help():
    assert fewfire("--version").out == f"fewfire {__version__}\n"
    assert fewfire("train", "-h").out == fewfire("train", "--help").out


def test_standard_output_may_be_closed(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        prepare_streams()
        print("nowhere")
        sys.stdout.close()


def test_a_full_disk_behind_standard_output_ends_in_one_line_or_in_silence(capfd, monkeypatch):
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["fewfire", "info"])
        patch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            run()
        assert ended.value.code == 1
    assert capfd.readouterr().err.startswith("fewfire: standard output must take what is printed. Got: No sp")
    with open("/dev/full", "w") as full:
        stream = PatientStream(full)
        for _ in range(3):
            stream.write("a line\n")
            stream.flush()
    said = "fewfire: nothing more can be printed: No space left on device. The command goes on in silence.\n"
    assert capfd.readouterr().err == said


# Quiet


@pytest.mark.parametrize("command", ["train", "study drift", "study scaling"])
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_a_quiet_run_prints_what_is_asked_for(tmp_path, monkeypatch, command, json):
    monkeypatch.setattr(study_module, "QUICK_SWEEPS", {"m": [256]})
    monkeypatch.setattr(scaling_study, "BASE", {"m": 256, "n": 16, "d": 4})
    options = ("--quick",) if command == "study scaling" else ("digits", *SMALL)
    ended = fewfire(*command.split(), *options, "--out", tmp_path / "run", *json, "-q")
    assert (ended.code, ended.err) == (0, "")
    assert bool(json) == bool(ended.out)
    if json:
        assert ended.figures["fewfire"]


def test_a_quiet_prediction_is_written_and_not_told(digits_run, tmp_path):
    run, _ = digits_run
    ended = fewfire("predict", run.path, "digits", "--out", tmp_path / "labels.csv", "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert (tmp_path / "labels.csv").read_text().startswith("prediction\n")


def test_errors_are_told_quietly_or_not():
    ended = fewfire("train", "absent.csv", "--quiet")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("fewfire: A source must exist.")


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "info"])
def test_every_command_that_tells_something_can_be_quiet(command):
    assert kinds(command)["quiet"] is bool


def test_every_command_of_many_options_reads_a_file():
    assert set(CONFIGURED) == {name for name in COMMANDS if len(kinds(name)) > 6}


# Pipes and colours


def in_a_terminal(*arguments: object, **environment: str) -> str:
    """What a terminal of 80 columns gets, with its codes."""
    main, terminal = pty.openpty()
    variables = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80"} | environment
    command = [str(SCRIPT), *map(str, arguments)]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=variables)
    os.close(terminal)
    written = b""
    try:
        while chunk := os.read(main, 4096):
            written += chunk
    except OSError:  # Linux says so where the other end has closed
        pass
    os.close(main)
    assert process.wait(60) == 0, written
    return written.decode()


COLOUR = r"\x1b\[(\d+;)*[349]\d"


def test_a_terminal_gets_colours_unless_they_are_not_wanted(digits_file, tmp_path):
    shown = in_a_terminal("train", digits_file, *SMALL, "--out", tmp_path / "a")
    assert re.search(COLOUR, shown)
    plain = in_a_terminal("train", digits_file, *SMALL, "--out", tmp_path / "b", NO_COLOR="1")
    assert "epoch" in plain
    assert not re.search(COLOUR, plain)
    assert in_a_terminal("train", digits_file, *SMALL, "--out", tmp_path / "c", "--quiet") == ""


def test_a_pipe_gets_lines_and_nothing_else(digits_file, tmp_path):
    for ended in (
        fewfire_process("train", digits_file, *SMALL, "--out", tmp_path / "run"),
        fewfire_process("train", "--help"),
    ):
        assert (ended.code, ended.err) == (0, "")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", ended.out)


def test_an_output_without_letters_of_other_alphabets_gets_their_numbers(digits_file, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ended = fewfire_process("train", digits_file, *SMALL, "--out", tmp_path / "blå")
    assert (ended.code, ended.err) == (0, "")
    assert r"bl\xe5" in ended.out
    assert (tmp_path / "blå" / "model.safetensors").exists()


def into_a_closed_pipe(*arguments: object) -> Ended:
    """With a buffer, as people have it: without one the first word meets the pipe inside Typer."""
    command = [str(SCRIPT), *map(str, arguments)]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    return Ended(process.wait(60), "", err)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of Windows close in another way")
def test_a_closed_pipe_costs_no_run_and_makes_no_traceback(digits_file, tmp_path):
    assert into_a_closed_pipe("info") == Ended(1, "", "")
    assert into_a_closed_pipe("train", "--help") == Ended(1, "", "")
    train = ("train", digits_file, *SMALL)
    assert into_a_closed_pipe(*train, "--out", tmp_path / "a") == Ended(0, "", "")
    assert into_a_closed_pipe(*train, "--out", tmp_path / "b", "--json", "--quiet") == Ended(1, "", "")
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in "ab"]
    assert models[0] == models[1]

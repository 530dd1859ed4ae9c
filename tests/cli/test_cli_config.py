"""`--config` and `--print-config`: what is printed is what is read; mistakes are explained."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from command import fewfire
from commands import CONFIGURED, kinds
from fewfire.cli.config import tomllib


def setting_kinds(command: str) -> dict[str, type]:
    return {name: kind for name, kind in kinds(command).items() if name not in ("config", "print_config")}


def printed(command: str, *options: object) -> str:
    ended = fewfire(*command.split(), *options, "--print-config")
    assert (ended.code, ended.err) == (0, "")
    return ended.out


def config_file(tmp_path, text: str):
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


ANY = {
    int: st.integers(),
    float: st.floats(),
    str: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),  # as of argv
    bool: st.booleans(),
}


PLACES = ("run_folder", "data")  # of arguments, in their order


@st.composite
def given_settings(draw, command: str) -> dict[str, object]:
    """Some of the settings of a command, with any values of their kind."""
    options = {name: ANY.get(kind, ANY[str]) for name, kind in setting_kinds(command).items()}
    chosen = draw(st.fixed_dictionaries({}, optional=options))
    if PLACES[0] in options and PLACES[0] not in chosen:
        chosen.pop(PLACES[1], None)  # on the command line it would be the first argument
    return chosen


def arguments(chosen: dict[str, object]) -> list[str]:
    options = [(f"--{name.replace('_', '-')}", value) for name, value in chosen.items() if name not in PLACES]
    words = [name if value is True else f"{name}={value}" for name, value in options if value is not False]
    return words + ["--", *(str(chosen[name]) for name in PLACES if name in chosen)]


@pytest.mark.parametrize("command", CONFIGURED)
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_printed_is_what_is_read(tmp_path_factory, command, data):
    chosen = data.draw(given_settings(command))
    ended = fewfire(*command.split(), "--print-config", *arguments(chosen))
    assert (ended.code, ended.err) == (0, "")
    read = tomllib.loads(ended.out)
    for name, value in chosen.items():
        expected = str(value) if kinds(command)[name] not in ANY else value
        if kinds(command)[name] is not Path:  # of which ./a is a
            assert repr(read[name.replace("_", "-")]) == repr(expected)
    path = config_file(tmp_path_factory.mktemp("config"), ended.out)
    assert printed(command, "--config", path) == ended.out


@pytest.mark.parametrize("command", CONFIGURED)
def test_all_settings_are_printed_and_those_left_open_are_explained(command):
    lines = printed(command).splitlines()
    keys = [re.match(r"# ([a-z-]+): [A-Z'].+|([a-z-]+) = .+", line) for line in lines]
    assert {(key[1] or key[2]).replace("-", "_") for key in keys if key} == setting_kinds(command).keys()
    assert None not in keys


def test_the_settings_are_those_of_the_run_and_the_command_line_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config_file(
        tmp_path,
        'data = "digits"\nwidth = 64\nepochs = 1\nlearning_rate = 0.5\nmemory-limit = "4GB"\n'
        'momentum = 0.5\nnesterov = true\njson = true\nquiet = true\nthreads = 1\nout = "run"\n',
    )
    ended = fewfire("train", "--config", "settings.toml", "--width", 32, "--momentum", 0.25)
    assert (ended.code, ended.err) == (0, "")
    names = ("width", "epochs", "learning_rate", "memory_limit", "momentum", "nesterov", "threads")
    assert [ended.figures[name] for name in names] == [32, 1, 0.5, 4_000_000_000, 0.25, True, 1]
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_printing_needs_no_data_and_does_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "# data: 'digits', 'openml:NAME', a folder of" in printed(
        "train", "--width", 1, "--out", tmp_path / "run"
    )
    assert 'data = "absent.csv"' in printed("study drift", "absent.csv", "--quiet")
    assert list(tmp_path.iterdir()) == []
    assert "Got: Missing argument 'DATA'" in fewfire("train").message


def test_an_option_given_wins_wherever_it_stands(tmp_path):
    path = config_file(tmp_path, 'width = 64\ndata = "a"')
    for options in (("--config", path, "--width", 8, "b"), ("b", "--width", 8, "--config", path)):
        read = tomllib.loads(printed("train", *options))
        assert (read["width"], read["data"]) == ("8", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("widht = 3", r"a key of FILE must name an option of fewfire train\. Got 'widht'\. "
                      r"Did you mean width\? fewfire train --print-config prints all of them\."),
        ("colour = 3", r"a key of FILE must name .*\. Got 'colour'\. fewfire train --print-config"),
        ("config = 'a'", r"a key of FILE must name .* Got 'config'\."),
        ("[train]\nwidth = 3", r"a key of FILE must name .* Got 'train'\."),
        ("decay_every = 1\ndecay-every = 1", r"FILE must set each option once\. Got decay-every "
                                             r"with a dash and with an underscore\. Leave one out\."),
        ("epochs = 'long'", r"epochs in FILE must be a value that its option takes\. Got 'long': .*valid "
                           r"int.*\. See fewfire train --help\."),
        ("epochs = 1.5", r"epochs in FILE must be .* Got 1\.5: .*valid int"),
        ("width = true", r"width in FILE must be .* Got True: a number or a text in quotes is needed\. See"),
        ("width = [3]", r"width in FILE must be .* Got \[3\]: a number or a text in quotes is needed\."),
        ("width = {a = 3}", r"width in FILE must be .* Got \{'a': 3\}: a number or a text"),
        ("seed = 2026-11-24", r"seed in FILE must be .* Got datetime\.date\(2026, 11, 24\): a number or"),
        ("nesterov = 1", r"nesterov in FILE must be .* Got 1: true or false is needed\. See"),
        ("nesterov = 'true'", r"nesterov in FILE must be .* Got 'true': true or false is needed\."),
        ("momentum = 'much'", r"momentum in FILE must be .* Got 'much': .*valid (number|float)"),
        ("width = 64\nepochs == 1", r"FILE must be TOML\. Got: .*line 2, column 9\)\. Write lines such as "
                                    r"width = 65536 or loss = \"softmax\"\."),
        ("width = 1\nwidth = 2", r"FILE must be TOML\. Got: Cannot overwrite a value \(at .*\)\. Write"),
        ("width = " + "[" * 5000, r"FILE must be TOML\. Got: .*\. Write lines"),
        ("seed = " + "9" * 5000, r"FILE must be TOML\. Got: .*\. Write lines"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_explained(tmp_path, text, message):
    path = config_file(tmp_path, text)
    ended = fewfire("train", "digits", "--config", path)
    assert (ended.code, ended.out) == (2, "")
    assert re.match("fewfire: " + message.replace("FILE", re.escape(str(path))), ended.err), ended.err


def test_a_file_that_cannot_be_read_is_explained(tmp_path):
    for path, why in ((tmp_path / "absent.toml", "No such file or directory"), (tmp_path, "Is a directory")):
        ended = fewfire("train", "digits", "--config", path)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == (
            f"fewfire: --config must name a file that can be read. Got {path}: {why}. Check its name.\n"
        )
    (tmp_path / "latin1.toml").write_bytes('data = "B\u00fccher.csv"'.encode("latin-1"))
    ended = fewfire("train", "--config", tmp_path / "latin1.toml")
    assert ended.code == 2
    assert re.match(r"fewfire: .*latin1\.toml must be TOML\. Got: 'utf-8' codec .*\. Write", ended.err)


@settings(max_examples=200)
@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode(errors="replace")))
@example(b"width = 0x10\n")
def test_no_file_makes_a_traceback(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    ended = fewfire("study", "scaling", "--config", path, "--print-config")
    if ended.code:
        assert ended.code == 2
        assert re.match(r"fewfire: .*Got.*\. ", ended.err, flags=re.DOTALL), ended.err


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfwidth = 77\n")
    ended = fewfire("train", "digits", "--config", tmp_path / "a.toml", "--print-config")
    assert 'width = "77"\n' in ended.out

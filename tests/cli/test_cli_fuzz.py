"""Some hundred command lines that nobody should write: one message of three parts each, never a traceback."""

import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import fewfire.cli.study as study_module
import fewfire.diagnose.sample_complexity as hierarchical_module
import fewfire.lab.tensor_study as tensors_module
import fewfire.runs.prepare as prepare_module
from command import fewfire
from commands import COMMANDS, kinds
from fewfire import Trainer
from fewfire.data import load_dataset

# No number among them makes a network that is large and yet fits.
NUMBERS = [
    "0",
    "-1",
    "1",
    "3",
    "0.5",
    "-0.0",
    "nan",
    "inf",
    "1e999",
    "1e-320",
    "1_0",
    "\u0663",
    "9" * 14,
    "9" * 5000,
]
WORDS = [
    "",
    " ",
    "0x10",
    "\u00bd",
    "1,5",
    "--",
    "-",
    "[red]",
    "{}",
    "\x1b[31m",
    "\udcff",
    "absent.csv",
    "1TB",
]
NAMES = ["auto", "paper", "drift", "gauss-newton", "step", "logistic", "structured", "digits"]
TEXTS = st.text(st.characters(exclude_categories=["Nd"], exclude_characters="\0"), max_size=6)
ANY = st.sampled_from(NUMBERS + WORDS + NAMES) | TEXTS
OF_KIND = {int: st.sampled_from(NUMBERS), float: st.sampled_from(NUMBERS)}


def stop(*_, **__):
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _only_what_comes_before_a_run(tmp_path, monkeypatch):
    """Everything is checked, nothing trained."""
    data = load_dataset("digits", test_fraction=0.2, seed=0)
    known = lambda source, **how: data if source == "digits" else load_dataset(source, **how)  # noqa: E731
    monkeypatch.setattr(prepare_module, "load_dataset", known)
    monkeypatch.setattr(Trainer, "build", stop)
    monkeypatch.setattr(study_module, "all_points", stop)
    monkeypatch.setattr(tensors_module, "random_tensor", stop)
    monkeypatch.setattr(hierarchical_module, "_sphere", stop)
    monkeypatch.chdir(tmp_path)


@st.composite
def nonsense(draw) -> list[str]:
    """Words in any order."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    options = [name for param in COMMANDS[command].params for name in param.opts]
    return [
        *command.split(),
        *draw(st.lists(st.sampled_from([*options, "--help", "--colour"]) | ANY, max_size=5)),
    ]


@st.composite
def near_sense(draw) -> list[str]:
    """A few options of a command with values that it can read."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    words = command.split()
    for param in COMMANDS[command].params:
        kind = kinds(command)[param.name]
        if param.param_type_name == "argument":
            words.append("digits" if draw(st.integers(0, 9)) else draw(TEXTS))
        elif not param.is_eager and not draw(st.integers(0, 5)):
            value = "" if kind is bool else f"={draw(OF_KIND.get(kind, ANY))}"
            words.append(param.opts[0] + value)
    return words


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nonsense() | near_sense() | near_sense())
@example(["train", "digits", "--threads", "9" * 25])
@example(["train", "digits", "--batch-size", "9" * 25, "--width", "3"])
@example(["train", "digits", "--out", "\udcff", "--width", "3"])
@example(["predict", "\udcff", "\udcff"])
def test_no_command_line_makes_a_traceback(words):
    ended = fewfire(*words)
    assert ended.code in (0, 2, 130), ended
    assert "Traceback" not in ended.out + ended.err
    if ended.code == 2:
        message = ended.err[ended.err.index("fewfire: ") :]
        assert re.fullmatch(r"fewfire: .+Got.+\. \S.+\.\n", message, flags=re.DOTALL), message

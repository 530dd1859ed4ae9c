"""Settings and fixtures of all tests: Hypothesis without a clock, and the machine left as it was found."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import fewfire
from command import Ended, train_digits
from fewfire.data import load_dataset
from fewfire.runs.folder import RunFolder
from fewfire.system import machine
from html_pages import CHROMIUM
from index_factories import APPROXIMATE, EXACT, Factory

# The same examples each time, so that a change is to blame for a failure; `--hypothesis-profile=nightly`
# looks further.
settings.register_profile("fast", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("fast")


def pytest_report_header() -> str | None:
    if CHROMIUM is None:
        return "Chromium is not installed, so the tests of the report in a browser are skipped."


@pytest.fixture(autouse=True)
def _machine_as_it_was():
    threads, instruction_set = fewfire.threads(), machine.instruction_set()
    yield
    fewfire.set_threads(threads)
    machine.use_instruction_set(instruction_set)


@pytest.fixture(params=EXACT.values(), ids=EXACT.keys())
def make_exact_index(request) -> Factory:
    return request.param


ALL = EXACT | APPROXIMATE


@pytest.fixture(params=ALL.values(), ids=ALL.keys())
def make_index(request) -> Factory:
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request) -> type:
    return request.param


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory) -> Path:
    """The digits as an NPZ file: a process that reads it has no scikit-learn to import, most of a second."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    dataset = load_dataset("digits")
    inputs = np.concatenate([dataset.inputs, dataset.test_inputs])
    np.savez(path, X=inputs, y=np.concatenate([dataset.labels, dataset.test_labels]))
    return path


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory) -> tuple[RunFolder, Ended]:
    """A run on the digits, not to be changed, and how its command ended."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    ended = train_digits(folder)
    assert ended.code == 0, ended.err
    return RunFolder(folder), ended

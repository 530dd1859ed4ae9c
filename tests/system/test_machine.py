"""How many threads the kernels use, and which instruction set: asked for in Python or the environment."""

import os

import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

import fewfire
from fewfire.system import machine
from fewfire.system.machine import one_blas_thread, using_threads
from processes import printed, run_python


def test_the_number_of_threads_is_what_was_set():
    fewfire.set_threads(3)
    assert fewfire.threads() == 3


def blas_threads():
    return {library.num_threads for library in ThreadpoolController().select(user_api="blas").lib_controllers}


def test_numpy_multiplies_on_one_thread_for_a_while():
    before = blas_threads()
    with one_blas_thread():
        assert blas_threads() == {1}
    assert blas_threads() == before


def overlap(first, second):
    """The second begins while the first is open, and ends after it."""
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    between = fewfire.threads(), blas_threads()
    second.__exit__(None, None, None)
    return between


def test_calls_that_overlap_leave_the_threads_that_there_were_before_the_first():
    fewfire.set_threads(5)
    assert overlap(using_threads(2), using_threads(3))[0] == 3
    assert fewfire.threads() == 5
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()  # {2}, and 1 once qiskit-aer is imported: its BLAS has no threads
        assert 2 in before
        assert overlap(one_blas_thread(), one_blas_thread())[1] == {1}
        assert blas_threads() == before


def test_a_number_of_threads_that_is_refused_changes_nothing():
    fewfire.set_threads(5)
    with pytest.raises(ValueError, match="must be a whole number from 1 to 1024"):
        using_threads(0).__enter__()
    with using_threads(2):
        assert fewfire.threads() == 2
    assert fewfire.threads() == 5


@pytest.mark.parametrize("count", [0, -1, 1025, 10**10, 1.5, "2", None])
def test_the_number_of_threads_must_be_a_whole_number_within_reason(count):
    message = rf"must be a whole number from 1 to 1024. Got {count!r}. Use the number of cores, or 1."
    with pytest.raises(ValueError, match=message):
        fewfire.set_threads(count)


def test_every_available_instruction_set_can_be_used():
    for name in machine.available_instruction_sets():
        machine.use_instruction_set(name)
        assert machine.instruction_set() == name


def test_the_plain_instruction_set_is_always_available_and_the_last_choice():
    assert machine.available_instruction_sets()[-1] == "base"


@pytest.mark.parametrize("name", ["sse9", "", "AVX2"])
def test_an_unknown_instruction_set_is_an_error_that_names_the_choices(name):
    choices = ", ".join(machine.available_instruction_sets())
    with pytest.raises(ValueError, match=rf"must be one that this machine has \({choices}\). Got '{name}'."):
        machine.use_instruction_set(name)


def test_by_default_all_usable_cores_and_the_best_instruction_set_are_used(monkeypatch):
    monkeypatch.delenv("FEWFIRE_NUM_THREADS", raising=False)
    monkeypatch.delenv("FEWFIRE_SIMD", raising=False)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    default = printed(
        "from fewfire.system import machine; print(machine.threads(), machine.instruction_set())"
    )
    assert default == f"{usable} {machine.available_instruction_sets()[0]}"


def test_the_environment_sets_the_number_of_threads():
    assert printed("import fewfire; print(fewfire.threads())", FEWFIRE_NUM_THREADS="3") == "3"


@pytest.mark.parametrize("text", ["0", "-2", "1025", "two", "", "1.5", "²"], ids=ascii)
def test_a_wrong_number_of_threads_in_the_environment_is_an_error(text):
    error = run_python("from fewfire import train", FEWFIRE_NUM_THREADS=text, PYTHONIOENCODING="utf-8").stderr
    assert f"FEWFIRE_NUM_THREADS must be a whole number from 1 to 1024. Got {text!r}. Set it to" in error


@pytest.mark.parametrize(
    "code",
    [
        "import fewfire; fewfire.train",
        "import fewfire; fewfire.WideClassifier",
        "import fewfire.indexes",
        "from fewfire.halfspace import HalfspaceReporter",
        "from fewfire import *",
    ],
)
def test_whatever_is_used_of_fewfire_raises_what_is_wrong_in_the_environment(code):
    error = run_python(code, FEWFIRE_NUM_THREADS="0").stderr.splitlines()[-1]
    assert error.startswith("ValueError: FEWFIRE_NUM_THREADS must be a whole number from 1 to 1024. Got '0'.")


@pytest.mark.parametrize("name", machine.available_instruction_sets())
def test_the_environment_sets_the_instruction_set(name):
    assert (
        printed("from fewfire.system import machine; print(machine.instruction_set())", FEWFIRE_SIMD=name)
        == name
    )


@pytest.mark.parametrize("text", ["sse9", ""])
def test_a_wrong_instruction_set_in_the_environment_is_an_error(text):
    error = run_python("from fewfire import train", FEWFIRE_SIMD=text).stderr
    choices = ", ".join(machine.available_instruction_sets())
    assert f"FEWFIRE_SIMD must be one of {choices}. Got {text!r}. Choose one of them." in error

"""The pool of threads: safe after fork, and asked by several Python threads at once."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fewfire
from fewfire.indexes import DriftIndex, ExhaustiveIndex
from problems import clustered_problem
from processes import printed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_finds_the_same_fire_set():
    """The pool has started in the parent; its threads do not exist in the child."""
    code = """
        import os, signal, warnings
        import numpy as np
        import fewfire

        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point
        fewfire.set_threads(4)
        random = np.random.default_rng(0)
        network = fewfire.TwoLayerNetwork.initialize(1000, 20, 1, threshold=0.5)
        inputs = fewfire.Inputs.of(random.standard_normal((100, 20)))
        index = fewfire.indexes.DriftIndex()
        index.build(network.layer, inputs)
        before = index.fire_set(inputs)
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # a child that hangs must not outlive the test
            same = index.fire_set(inputs).identical(before)
            fewfire.set_threads(2)
            same = same and index.fire_set(inputs).identical(before)
            os._exit(0 if same else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, index.fire_set(inputs).identical(before))
    """
    assert printed(code) == "0 True"


@pytest.mark.parametrize("make", [ExhaustiveIndex, DriftIndex])
def test_several_python_threads_get_the_same_answers_at_once(make):
    fewfire.set_threads(3)
    problem = clustered_problem(width=2000, n_samples=100)
    index = make()
    index.build(problem.network.layer, problem.inputs)
    batches = [problem.inputs.batch(np.arange(first, 100, 7)) for first in range(40)]
    expected = [index.fire_set(batch) for batch in batches]
    with ThreadPoolExecutor(4) as executor:
        for found, alone in zip(executor.map(index.fire_set, batches), expected, strict=True):
            assert found.identical(alone)


def test_the_number_of_threads_may_change_between_any_two_answers():
    problem = clustered_problem(width=2000, n_samples=100)
    index = ExhaustiveIndex()
    index.build(problem.network.layer, problem.inputs)
    expected = index.fire_set(problem.everything)
    for threads in (1, 4, 2, 8, 1, 3, 3):
        fewfire.set_threads(threads)
        assert index.fire_set(problem.everything).identical(expected)


def test_more_threads_than_blocks_of_neurons_are_no_harm():
    fewfire.set_threads(16)
    problem = clustered_problem(width=3)
    index = DriftIndex()
    index.build(problem.network.layer, problem.inputs)
    fewfire.set_threads(1)
    alone = index.fire_set(problem.everything)
    fewfire.set_threads(16)
    assert index.fire_set(problem.everything).identical(alone)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits a process as Linux does")
def test_threads_that_the_machine_refuses_are_an_error_that_can_be_caught():
    code = """
        import resource
        import numpy as np
        import fewfire

        network = fewfire.TwoLayerNetwork.initialize(1000, 5, 1)
        inputs = fewfire.Inputs.of(np.ones((10, 5)))
        index = fewfire.indexes.ExhaustiveIndex()
        index.build(network.layer)
        expected = index.fire_set(inputs)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 10**9,) * 2)  # enough for about a hundred stacks
        fewfire.set_threads(1000)
        try:
            index.fire_set(inputs)
        except Exception as error:
            print(type(error).__name__)
        fewfire.set_threads(2)
        print(index.fire_set(inputs).identical(expected))
    """
    assert printed(code).split() == ["RuntimeError", "True"]

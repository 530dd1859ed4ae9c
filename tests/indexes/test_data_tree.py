"""The data tree: who fires on what, kept both ways, and asked again only of what moved."""

import re

import numpy as np
import pytest

import fewfire
from checks import assert_right, exhaustive_fire_set, mask_of
from fewfire import MemoryLimitError, _core
from fewfire.halfspace.tree import NOTHING_DONE
from fewfire.indexes import DataTreeIndex, data_tree
from fewfire.networks.momentum import Momentum
from problems import clustered_problem, let_coast, random_step


def built(problem, **settings):
    index = DataTreeIndex(**settings)
    index.build(problem.network.layer, problem.inputs)
    return index


def lists_of(mask):
    """(begins, samples) by neuron of a mask (neurons, samples)."""
    neurons, samples = np.nonzero(mask)
    return np.searchsorted(neurons, np.arange(len(mask) + 1)).astype(np.int64), samples.astype(np.int32)


def test_lists_kept_both_ways_hold_what_they_were_last_given():
    random = np.random.default_rng(0)
    lists, mask = _core.FireLists(150, 70), np.zeros((150, 70), bool)
    for share in (0.1, 0.9, 0.0, 1.0, 0.3):
        neurons = np.flatnonzero(random.random(150) < 0.7).astype(np.int32)
        mask[neurons] = random.random((len(neurons), 70)) < share
        lists.replace(neurons, *lists_of(mask[neurons]))
        assert [lists.of_neuron(r) for r in range(150)] == [np.flatnonzero(row).tolist() for row in mask]
        assert [lists.of_sample(i) for i in range(70)] == [np.flatnonzero(row).tolist() for row in mask.T]


@pytest.mark.parametrize("n_features", [1, 2, 3, 17])
@pytest.mark.parametrize(("width", "n_samples"), [(1, 1), (1, 70), (65, 1), (300, 100)])
def test_what_it_lists_is_what_fires(dtype, n_features, width, n_samples):
    problem = clustered_problem(width, n_features, n_samples, dtype=dtype)
    index = built(problem)
    random = np.random.default_rng(0)
    batch = problem.inputs.batch(random.integers(0, n_samples, n_samples + 3))  # in disorder, some twice
    for _ in range(5):
        fires = index.fire_set(batch)
        assert_right(fires, problem.network, batch)
        index.moved(random_step(problem, batch, fires, 3.0, random))
        index.check_invariants()


def test_only_neurons_that_moved_are_asked_again(monkeypatch):
    problem = clustered_problem(n_features=3)
    index = built(problem)
    asked, report = [], index._tree.report

    class Spy:
        work = NOTHING_DONE

        def report(self, normals, thresholds, propose):
            asked.append(len(normals))
            return report(normals, thresholds, propose)

    monkeypatch.setattr(index, "_tree", Spy())
    index._counted = NOTHING_DONE
    batch = problem.inputs.batch(np.array([7]))
    fires = index.fire_set(batch)
    index.moved(random_step(problem, batch, fires, 1.0, np.random.default_rng(0)))
    assert asked == [np.count_nonzero(np.diff(fires.begins))]
    assert 0 < asked[0] < 100


def test_only_pairs_within_rounding_of_firing_are_decided_beside_those_that_fire():
    problem = clustered_problem(1000, 3, 400)
    index = built(problem)
    fires = index.fire_set(problem.everything)
    assert len(fires) <= index.work.dots <= len(fires) + 5


def test_in_few_dimensions_a_small_part_of_the_pairs_is_looked_at():
    problem = clustered_problem(500, 2, 5000, threshold=1.5)
    index = built(problem)
    assert index.work.multiplied + 2 * index.work.nodes < 0.1 * 500 * 5000


@pytest.mark.parametrize("optimizer", [Momentum(0.9), Momentum(weight_decay=0.01)], ids=["momentum", "decay"])
def test_all_are_asked_again_while_weights_coast(optimizer):
    problem = clustered_problem(n_features=3)
    let_coast(problem.network, optimizer)
    index = built(problem)
    random, batch = np.random.default_rng(0), problem.everything
    for _ in range(4):
        fires = index.fire_set(batch)
        assert fires.identical(exhaustive_fire_set(problem.network, batch))
        index.moved(random_step(problem, batch, fires, 3.0, random))
        index.check_invariants()


def test_any_number_of_threads_keeps_the_same_lists():
    found = []
    for threads in (1, 2, 3):
        fewfire.set_threads(threads)
        problem = clustered_problem(300, 3, 200)
        index = built(problem)
        for seed in range(3):
            fires = index.fire_set(problem.everything)
            index.moved(random_step(problem, problem.everything, fires, 3.0, np.random.default_rng(seed)))
        found.append(([index._lists.of_sample(i) for i in range(200)], index.work))
    assert found[0] == found[1] == found[2]


def test_moves_that_it_is_not_told_are_found_by_its_invariants():
    problem = clustered_problem()
    index = built(problem)
    index.check_invariants()
    problem.network.weights[:] += 1
    with pytest.raises(AssertionError, match="a pair that fires is not listed"):
        index.check_invariants()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_left_to_the_dot_kernel(dtype, value):
    problem = clustered_problem(width=100, n_features=3, dtype=dtype)
    problem.network.weights[::7, 1] = value
    with np.errstate(invalid="ignore"):
        fires = built(problem).fire_set(problem.everything)
        assert fires.identical(exhaustive_fire_set(problem.network, problem.everything))


def test_a_limit_that_cannot_be_kept_is_an_error_that_names_what_is_needed():
    problem = clustered_problem()
    needed = built(problem).nbytes
    assert built(problem, memory_limit=needed).nbytes == needed
    index = DataTreeIndex(memory_limit=needed - 1)
    message = (
        f"the data_tree index must fit in the memory limit of {needed - 1:,} bytes. "
        f"Got a need of {needed:,} bytes. Raise the limit, or"
    )
    with pytest.raises(MemoryLimitError, match=re.escape(message)):
        index.build(problem.network.layer, problem.inputs)
    assert index.nbytes == 0


def test_what_it_needs_is_known_before_any_list_is_made(monkeypatch):
    problem = clustered_problem()
    monkeypatch.setattr(data_tree, "CHUNK", 64)  # counted in parts, as it is listed
    needed = built(problem).nbytes
    monkeypatch.setattr(DataTreeIndex, "_ask", lambda *_: pytest.fail("asked for the lists"))
    with pytest.raises(MemoryLimitError, match=re.escape(f"a need of {needed:,} bytes")):
        built(problem, memory_limit=needed - 1)


def test_its_lists_are_those_of_the_fire_set():
    problem = clustered_problem(n_features=3)
    index = built(problem)
    mask = mask_of(exhaustive_fire_set(problem.network, problem.everything))
    listed = np.zeros_like(mask)
    for neuron in range(len(mask)):
        listed[neuron, index._lists.of_neuron(neuron)] = True
    assert not (mask & ~listed).any()
    assert np.count_nonzero(listed & ~mask) <= 2

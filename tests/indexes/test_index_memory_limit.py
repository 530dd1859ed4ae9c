"""The memory limit of the drift index is kept: in half bytes, and by searching some neurons exhaustively."""

import re
import weakref

import numpy as np
import pytest

from fewfire import MemoryLimitError
from fewfire.core.rows import BLOCK, aligned_empty
from fewfire.indexes import DriftIndex, drift
from fewfire.networks.momentum import Momentum
from problems import clustered_problem, let_coast, random_step


def bytes_of(blocks, *, of, bits=4, optimizer=Momentum(), **settings):  # noqa: B008  frozen
    """What an index holds with tables for this many of the blocks of neurons."""
    problem = clustered_problem(width=blocks * BLOCK, **settings)
    let_coast(problem.network, optimizer)
    index = DriftIndex()
    index.build(problem.network.layer, problem.inputs)
    saved = blocks * BLOCK * len(problem.inputs) * (8 - bits) // 8
    place_in_order = np.dtype(np.int32).itemsize  # kept for every neuron, with or without a table
    return index.nbytes - saved + (of - blocks) * BLOCK * place_in_order


def test_an_index_that_is_not_built_holds_nothing(make_index):
    problem = clustered_problem()
    assert make_index(problem.network, problem.inputs).nbytes == 0


@pytest.mark.parametrize("n_features", [20, 70, 130])
@pytest.mark.parametrize("tabled", [1, 2, 4, 5])
@pytest.mark.parametrize(
    "optimizer",
    [Momentum(), Momentum(0.9), Momentum(weight_decay=1e-5)],
    ids=["plain", "momentum", "decay"],
)
def test_the_limit_is_kept_and_used(dtype, n_features, tabled, optimizer):
    settings = {"n_features": n_features, "n_samples": 101, "dtype": dtype}
    problem = clustered_problem(width=5 * BLOCK, **settings)
    let_coast(problem.network, optimizer)
    exact = bytes_of(tabled, of=5, optimizer=optimizer, **settings)
    index = DriftIndex(memory_limit=exact + 10)
    index.build(problem.network.layer, problem.inputs)
    assert index.nbytes == exact
    assert index.table_bits == 4
    assert index.tabled_share == tabled / 5
    random, batch = np.random.default_rng(0), problem.everything
    for _ in range(5):
        index.moved(random_step(problem, batch, index.fire_set(batch), 1e3, random))
        assert index.nbytes == exact


def test_a_limit_beyond_the_need_changes_nothing():
    problem = clustered_problem(width=3 * BLOCK)
    index = DriftIndex(memory_limit=10**15)
    index.build(problem.network.layer, problem.inputs)
    assert index.nbytes == bytes_of(3, of=3, bits=8)
    assert index.table_bits == 8


def test_bytes_are_taken_where_they_fit_and_half_bytes_where_they_do_not():
    problem = clustered_problem(width=3 * BLOCK)
    enough = bytes_of(3, of=3, bits=8)
    for limit, bits in [(enough, 8), (enough - 1, 4)]:
        index = DriftIndex(memory_limit=limit)
        index.build(problem.network.layer, problem.inputs)
        assert (index.table_bits, index.tabled_share) == (bits, 1)
        assert index.nbytes == bytes_of(3, of=3, bits=bits)


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_limit_that_cannot_be_kept_is_an_error_that_names_what_is_needed(limit):
    problem = clustered_problem(width=5 * BLOCK)
    with pytest.raises(MemoryLimitError, match="the drift index .* must fit in") as error:
        DriftIndex(memory_limit=limit).build(problem.network.layer, problem.inputs)
    message = str(error.value)
    assert "Raise the limit, or use the exhaustive index." in message
    most, least, half_bytes, whole = (
        int(text.replace(",", "")) for text in re.findall(r"([\d,]+) bytes", message)
    )
    assert most == limit
    assert least == bytes_of(1, of=5)
    assert half_bytes == bytes_of(5, of=5)
    assert whole == bytes_of(5, of=5, bits=8)


def test_the_bytes_that_an_error_names_are_enough():
    problem = clustered_problem(width=5 * BLOCK)
    DriftIndex(memory_limit=bytes_of(1, of=5)).build(problem.network.layer, problem.inputs)
    with pytest.raises(MemoryLimitError):
        DriftIndex(memory_limit=bytes_of(1, of=5) - 1).build(problem.network.layer, problem.inputs)


def test_building_again_first_frees_what_was_built_before(monkeypatch):
    problem = clustered_problem()
    index = DriftIndex()
    index.build(problem.network.layer, problem.inputs)
    old = weakref.ref(index._table.base)
    alive = []

    def spy(shape, dtype):
        alive.append((shape[0] > 0, old() is not None))
        return aligned_empty(shape, dtype)

    monkeypatch.setattr(drift, "aligned_empty", spy)
    index.build(problem.network.layer, problem.inputs)
    assert (True, False) in alive
    assert (True, True) not in alive

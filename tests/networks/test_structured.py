"""Structured initial weights: what they are, and the table that is built of them by a fast transform."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fewfire
from checks import assert_right, exhaustive_fire_set
from fewfire import Inputs, TwoLayerNetwork
from fewfire.core.rows import BLOCK
from fewfire.indexes import DriftIndex, arrange
from fewfire.system import machine
from problems import Problem, clustered_samples, random_step
from strategies import seeds
from trainers import descent_trainer

# Widths and features below, at and beyond one block; not and just powers of two.
SHAPES = pytest.mark.parametrize(
    ("width", "n_features"), [(1, 1), (300, 20), (64, 64), (130, 65), (257, 128), (1000, 200)]
)


def structured(width, n_features, *, dtype=np.float32, seed=0, threshold: float | str = 0.8):
    return TwoLayerNetwork.initialize(
        width, n_features, 3, init="structured", threshold=threshold, seed=seed, dtype=dtype
    )


def structured_problem(width, n_features, n_samples=50, *, dtype=np.float32):
    samples, nearest = clustered_samples(n_samples, n_features)
    network = structured(width, n_features, dtype=dtype)
    return Problem(network, Inputs.of(samples, dtype), np.eye(3, dtype=dtype)[nearest % 3])


def hadamard_matrix(size):
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


@SHAPES
def test_the_weights_are_those_of_the_formula(dtype, width, n_features):
    network = structured(width, n_features, dtype=dtype)
    structure = network.layer.structure
    hadamard = hadamard_matrix(structure.block_size)
    assert structure.block_size >= n_features
    blocks = [hadamard @ (d1[:, None] * hadamard) @ (d2[:, None] * hadamard) * d3
              for d1, d2, d3 in structure.signs.astype(np.float64)]  # fmt: skip
    expected = np.concatenate(blocks)[:width] * structure.scales[:, None].astype(np.float64)
    np.testing.assert_array_equal(network.weights, expected[:, :n_features].astype(dtype))
    assert not network.layer.weight_rows[:, n_features:].any()


@pytest.mark.parametrize("n_features", [1, 50, 128, 785])
def test_rows_are_as_long_as_normal_ones(n_features):
    network = structured(8192, n_features)
    squares = np.square(network.weights, dtype=np.float64).sum(axis=1)
    assert squares.mean() == pytest.approx(n_features, rel=0.06)
    assert squares.var() == pytest.approx(2 * n_features, rel=0.15)


def test_single_weights_are_nearly_normal():
    weights = structured(4096, 50).weights
    assert weights.mean() == pytest.approx(0, abs=0.01)
    assert weights.std() == pytest.approx(1, abs=0.01)
    assert np.mean(weights**4) == pytest.approx(3, abs=0.1)


def test_rows_of_a_block_are_orthogonal_where_no_column_is_left_out(dtype):
    weights = structured(256, 128, dtype=dtype).weights.astype(np.float64)
    for block in (weights[:128], weights[128:]):
        gram = block @ block.T
        apart = gram - np.diag(np.diag(gram))
        assert np.abs(apart).max() < 1e3 * np.finfo(dtype).eps
    assert np.abs(weights[:128] @ weights[128:].T).max() > 1  # but not those of two


def test_the_seed_decides_the_weights_in_every_way_to_compute_them(dtype):
    expected = structured(1000, 200, dtype=dtype).layer.weight_rows.tobytes()
    for instruction_set in machine.available_instruction_sets():
        machine.use_instruction_set(instruction_set)
        for threads in (1, 2, 3):
            fewfire.set_threads(threads)
            assert structured(1000, 200, dtype=dtype).layer.weight_rows.tobytes() == expected
    assert structured(1000, 200, dtype=dtype, seed=1).layer.weight_rows.tobytes() != expected


def test_gaussian_weights_have_no_structure_and_are_the_default():
    given_, default = (TwoLayerNetwork.initialize(10, 3, 1, **way) for way in ({"init": "gaussian"}, {}))
    assert default.layer.structure is None
    assert given_.layer.weight_rows.tobytes() == default.layer.weight_rows.tobytes()


@pytest.mark.parametrize("init", ["orthogonal", None, ""])
def test_the_initial_weights_must_be_of_a_kind_that_there_is(init):
    with pytest.raises(ValueError, match="init must be one of gaussian, structured. Got .* Choose one"):
        TwoLayerNetwork.initialize(1, 1, 1, init=init)


def test_a_copy_and_a_file_hold_the_weights_alone(tmp_path):
    network = structured(100, 20)
    network.save(tmp_path / "model.safetensors")
    for twin in (network.copy(), TwoLayerNetwork.load(tmp_path / "model.safetensors")):
        assert twin.layer.structure is None
        assert twin.layer.weight_rows.tobytes() == network.layer.weight_rows.tobytes()


@SHAPES
def test_one_changed_bit_is_found(dtype, width, n_features):
    network = structured(width, n_features, dtype=dtype)
    assert network.layer.structure.made(network.layer.weight_rows)
    network.weights[-1, -1] = np.nextafter(network.weights[-1, -1], dtype(9))
    assert not network.layer.structure.made(network.layer.weight_rows)


@given(
    width=st.integers(1, 400), n_features=st.integers(1, 300), n_samples=st.integers(1, 20),
    dtype=st.sampled_from([np.float32, np.float64]), size=st.integers(-10, 10), seed=seeds,
)  # fmt: skip
def test_fast_products_are_within_the_proven_error(width, n_features, n_samples, dtype, size, seed):
    network = structured(width, n_features, dtype=dtype, seed=seed)
    structure = network.layer.structure
    samples = 10.0**size * np.random.default_rng(seed).standard_normal((n_samples, n_features))
    inputs = Inputs.of(samples, dtype)
    exact = inputs.samples.astype(np.longdouble) @ network.weights.T.astype(np.longdouble)
    whole_norms = structure.scales.astype(np.float64) * structure.block_size**1.5
    relative = 2 * (structure.additions + 8) * np.finfo(dtype).eps / 2
    norms = np.linalg.norm(inputs.samples.astype(np.float64), axis=1)
    assert np.all(np.abs(structure.products(inputs) - exact) <= relative * np.outer(norms, whole_norms))


@SHAPES
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("in_half_bytes", [False, True], ids=["bytes", "half-bytes"])
def test_the_index_is_right_after_a_fast_build_and_while_neurons_move(
    dtype, width, n_features, threads, in_half_bytes
):
    fewfire.set_threads(threads)
    problem = structured_problem(width, n_features, dtype=dtype)
    index, random = DriftIndex(), np.random.default_rng(1)
    index.build(problem.network.layer, problem.inputs)
    if in_half_bytes:
        index.memory_limit = index.nbytes - 1
        index.build(problem.network.layer, problem.inputs)
        assert index.table_bits == 4
    index.check_invariants()
    for rate in (0.1, 30.0, 3000.0):
        batch = problem.inputs.batch(np.sort(random.choice(50, 16, replace=False)))
        fires = index.fire_set(batch)
        assert_right(fires, problem.network, batch)
        index.moved(random_step(problem, batch, fires, rate, random))
        index.check_invariants()
    assert_right(index.fire_set(problem.everything), problem.network, problem.everything)


@pytest.mark.parametrize("tabled", [1, 3])
def test_a_memory_limit_is_kept_in_a_fast_build(tabled):
    problem = structured_problem(5 * BLOCK, 70)
    whole = DriftIndex()
    whole.build(problem.network.layer, problem.inputs)
    in_half_bytes = whole.nbytes - whole._table.nbytes // 2
    limit = int(in_half_bytes * (tabled + 0.5) / 5)
    fast, slow = DriftIndex(memory_limit=limit), DriftIndex(memory_limit=limit)
    fast.build(problem.network.layer, problem.inputs)
    fast.check_invariants()
    assert_right(fast.fire_set(problem.everything), problem.network, problem.everything)
    problem.network.layer.structure = None
    slow.build(problem.network.layer, problem.inputs)
    assert fast.nbytes == slow.nbytes <= limit
    assert len(fast._table) == tabled


def test_a_network_may_be_arranged_before_a_fast_build(dtype):
    problem = structured_problem(300, 70, dtype=dtype)
    before = problem.network.weights.copy()
    for _ in range(2):  # the second time, equal counts have found other neighbours
        arrange(problem.network, problem.inputs)
    problem.network.layer.weight_rows[:] = problem.network.layer.weight_rows[::-1].copy()
    problem.network.layer.structure = problem.network.layer.structure.arranged(np.arange(300)[::-1])
    np.testing.assert_array_equal(problem.network.weights, before[problem.network.layer.structure.places])
    index = DriftIndex()
    index.build(problem.network.layer, problem.inputs)
    assert index.work.multiplied < 300 * 100  # the ordering's 50 samples a neuron, and additions
    index.check_invariants()
    assert_right(index.fire_set(problem.everything), problem.network, problem.everything)


def test_a_fast_build_writes_the_table_of_a_slow_one_within_a_code(dtype):
    problem = structured_problem(1000, 200, dtype=dtype)
    fast, slow = DriftIndex(), DriftIndex()
    fast.build(problem.network.layer, problem.inputs)
    problem.network.layer.structure = None
    slow.build(problem.network.layer, problem.inputs)
    lanes = np.arange(len(fast._table) * BLOCK).reshape(-1, 1, BLOCK) < 1000
    apart = np.where(lanes, fast._table.astype(int) - slow._table, 0)
    assert np.abs(apart).max() <= 1
    assert np.mean(apart != 0) < 0.3  # words of 2^-11 lose up to a quarter of a code; a transform a twentieth
    np.testing.assert_array_equal(fast._reference, slow._reference)
    np.testing.assert_array_equal(fast._drift, slow._drift)
    np.testing.assert_array_equal(fast._reach, slow._reach)
    np.testing.assert_array_equal(fast._perps, slow._perps)
    np.testing.assert_array_equal(fast._slacks, slow._slacks)


def test_the_table_has_the_same_bytes_in_every_way_to_compute_it(dtype):
    problem = structured_problem(300, 100, dtype=dtype)
    found = set()
    for instruction_set in machine.available_instruction_sets():
        machine.use_instruction_set(instruction_set)
        for threads in (1, 3):
            fewfire.set_threads(threads)
            index = DriftIndex()
            index.build(problem.network.layer, problem.inputs)
            found.add((index._order.tobytes(), index._table.tobytes()))
    assert len(found) == 1


def test_a_fast_build_costs_additions_in_place_of_products():
    problem = structured_problem(1024, 200, n_samples=1000)
    ordering, table = 512 * 1024, 1000 * 1024
    fast, slow = DriftIndex(), DriftIndex()
    fast.build(problem.network.layer, problem.inputs)
    problem.network.layer.structure = None
    slow.build(problem.network.layer, problem.inputs)
    assert slow.work.multiplied == ordering + table
    assert fast.work.multiplied == ordering + table * 3 * 8 // 200  # log2 of 256


def test_weights_that_have_moved_are_not_taken_for_those_of_their_structure():
    problem = structured_problem(300, 70)
    trainer = descent_trainer(problem.network, problem.inputs, problem.targets)
    trainer.build()
    for _ in range(3):
        trainer.epoch()
    trainer.build()
    trainer.index.check_invariants()
    fires = trainer.index.fire_set(problem.everything)
    assert fires.identical(exhaustive_fire_set(problem.network, problem.everything))


def test_progress_of_a_fast_build_is_told_up_to_the_whole():
    network, told = structured(100, 3), []
    inputs = Inputs.of(np.random.default_rng(0).standard_normal((10_000, 3)))
    DriftIndex().build(network.layer, inputs, told.append)
    assert told == sorted(told)
    assert told[0] == 0 < told[1] < told[-1] == 1


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-14, 1e14, 1e30, 1e37])
def test_samples_at_the_edges_of_precision_are_decided_rightly(dtype, size):
    random = np.random.default_rng(0)
    network = structured(300, 70, dtype=dtype)
    inputs = Inputs.of(size * random.standard_normal((40, 70)), dtype)
    index = DriftIndex()
    index.build(network.layer, inputs)
    with np.errstate(over="ignore", invalid="ignore"):
        index.check_invariants()
    batch = inputs.batch(np.arange(40))
    assert index.fire_set(batch).identical(exhaustive_fire_set(network, batch))

"""The screened index: its bounds hold, they are close, and it says what memory it needs."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import exhaustive_fire_set
from fewfire import Inputs, MemoryLimitError, TwoLayerNetwork, _core, predict
from fewfire.indexes import (
    ExhaustiveIndex,
    ScreenedIndex,
    index_for_new_inputs,
)
from fewfire.indexes.rules import SCREENED_FEATURES, SCREENED_SAMPLES
from fewfire.indexes.screened import SLACK
from fewfire.prepare import InputScaling
from fewfire.system import machine
from problems import clustered_problem, clustered_samples, random_step
from strategies import seeds
from trainers import descent_trainer


def screened(network: TwoLayerNetwork, inputs: Inputs) -> ScreenedIndex:
    index = ScreenedIndex()
    index.build(network.layer, inputs)
    return index


def network_of(weights, dtype=np.float32, threshold=0.5) -> TwoLayerNetwork:
    return TwoLayerNetwork(weights, np.ones((len(weights), 1)), threshold, dtype)


def exact_products(network, inputs):
    return network.weights.astype(np.longdouble) @ inputs.samples.astype(np.longdouble).T


@given(
    seed=seeds,
    width=st.integers(1, 70),
    n_features=st.sampled_from([1, 2, 4, 5, 7, 33, 300]),
    n_samples=st.integers(1, 20),
    spread=st.sampled_from([0, 1, 5, 20]),  # powers of ten between the sizes of rows and of columns
    sparse=st.sampled_from([0.0, 0.9]),
    dtype=st.sampled_from([np.float32, np.float64]),
    instruction_set=st.sampled_from(machine.available_instruction_sets()),
)
def test_every_product_lies_below_its_bound(
    seed, width, n_features, n_samples, spread, sparse, dtype, instruction_set
):
    random = np.random.default_rng(seed)

    def ugly(count):
        rows = random.standard_normal((count, n_features)) * (random.random((count, n_features)) >= sparse)
        sizes = (
            random.uniform(-spread, spread, (count, 1)) / 2,
            random.uniform(-spread, spread, n_features) / 2,
        )
        return rows * 10.0 ** sizes[0] * 10.0 ** sizes[1]

    machine.use_instruction_set(instruction_set)
    network, inputs = network_of(ugly(width), dtype), Inputs.of(ugly(n_samples), dtype)
    bounds = screened(network, inputs).bounds(inputs)
    assert not np.any(bounds < exact_products(network, inputs) - 1e-37)


@given(seed=seeds, dtype=st.sampled_from([np.float32, np.float64]))
def test_bounds_hold_where_the_error_is_as_large_as_it_can_be(seed, dtype):
    """Each entry lies just beside the middle of two bytes, and all errors point the same way."""
    random, levels = np.random.default_rng(seed), _core.byte_levels()
    weights, samples = (random.integers(1 - levels, levels - 1, (20, 64)) + 0.499 for _ in range(2))
    weights[:, :6] = samples[:, :6] = levels
    network, inputs = network_of(weights, dtype), Inputs.of(samples, dtype)
    assert not np.any(screened(network, inputs).bounds(inputs) < exact_products(network, inputs))


def test_products_of_bytes_are_added_up_without_overflow():
    network, inputs = network_of(np.ones((3, 70_000))), Inputs.of(np.ones((2, 70_000)))
    bounds = screened(network, inputs).bounds(inputs)
    assert np.all(bounds >= 70_000)
    assert np.all(bounds < 71_000)


@pytest.mark.parametrize("n_features", [8, 9, 200])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("instruction_set", machine.available_instruction_sets())
def test_the_largest_bytes_are_multiplied_exactly(n_features, sign, instruction_set):
    machine.use_instruction_set(instruction_set)
    weights = np.ones((70, n_features + 5))
    weights[:, :5] = 2  # in float32
    network, inputs = network_of(sign * weights), Inputs.of(np.abs(weights[:9]))
    bounds = screened(network, inputs).bounds(inputs)
    np.testing.assert_allclose(bounds, sign * (n_features + 20), atol=1e-3 * n_features)


def test_bounds_are_as_close_as_the_bytes_are_fine(dtype):
    """A product lies within the error of its bytes, and its bound above it by that error again."""
    problem = clustered_problem(n_features=100, dtype=dtype)
    network, inputs = problem.network, problem.inputs

    def sizes(rows):
        steps = np.abs(rows).max(axis=1) / _core.byte_levels()
        return np.linalg.norm(rows, axis=1), steps / 2 * np.sqrt(100)

    (norms, lost), (x_norms, x_lost) = sizes(network.weights), sizes(inputs.samples)
    error = np.outer(lost, x_norms) + np.outer(norms + lost, x_lost)
    assert np.all(screened(network, inputs).bounds(inputs) - exact_products(network, inputs) < 2 * error)


def test_a_large_constant_feature_does_not_make_the_bytes_coarse():
    rows, _ = clustered_samples(400, 100)
    samples = InputScaling.fit(rows, standardize=True).transform(rows)
    network = TwoLayerNetwork.initialize(2048, samples.shape[1], 1)
    inputs = Inputs.of(samples)
    index = screened(network, inputs)
    fires = index.fire_set(inputs)
    assert index.work.dots < (1 + 0.25 * 127 / _core.byte_levels()) * len(fires)
    assert index.work.multiplied == network.width * len(inputs)


def test_bounds_are_the_same_through_every_fused_instruction_set_of_as_many_levels():
    problem = clustered_problem(width=70, n_features=37)
    found = defaultdict(set)
    for name in machine.available_instruction_sets():
        machine.use_instruction_set(name)
        if name != "base":
            bounds = screened(problem.network, problem.inputs).bounds(problem.inputs)
            found[_core.byte_levels()].add(bounds.tobytes())
    assert all(len(bounds) == 1 for bounds in found.values())


def test_rows_are_rounded_anew_where_the_instruction_set_has_changed(dtype):
    problem = clustered_problem(width=100, dtype=dtype)
    index = screened(problem.network, problem.inputs)
    for name in reversed(machine.available_instruction_sets()):
        machine.use_instruction_set(name)
        bounds = index.bounds(problem.inputs)
        assert np.all(bounds >= exact_products(problem.network, problem.inputs) - 1e-37)
        assert bounds.tobytes() == screened(problem.network, problem.inputs).bounds(problem.inputs).tobytes()


def test_moves_that_it_is_not_told_are_found_by_its_invariants():
    problem = clustered_problem()
    index = screened(problem.network, problem.inputs)
    index.check_invariants()
    problem.network.weights[:] += 1
    with pytest.raises(AssertionError, match="a pre-activation lies above its bound"):
        index.check_invariants()


def test_after_a_step_it_is_as_if_it_were_built_anew():
    problem = clustered_problem(width=100)
    network, batch = problem.network, problem.inputs.batch(np.array([3]))
    index = screened(network, problem.inputs)
    index.moved(random_step(problem, batch, index.fire_set(batch), 100.0, np.random.default_rng(0)))
    new = screened(network, problem.inputs)
    assert index.bounds(problem.inputs).tobytes() == new.bounds(problem.inputs).tobytes()


def test_rows_are_rounded_anew_only_once_they_have_moved_far(dtype):
    problem = clustered_problem(width=100, dtype=dtype)
    network, random = problem.network, np.random.default_rng(0)
    index = screened(network, problem.inputs)
    slack = SLACK * np.sqrt(np.mean(np.square(network.weights, dtype=np.float64)))
    expected, moves, rounded_anew = np.zeros(network.width), 0, 0
    for _ in range(60):
        batch = problem.inputs.batch(random.integers(0, len(problem.inputs), 5))
        step = random_step(problem, batch, index.fire_set(batch), 0.3, random)
        index.moved(step)
        expected += step.lengths
        moves += int(np.count_nonzero(step.lengths))
        too_far = expected > slack
        rounded_anew += int(too_far.sum())
        expected[too_far] = 0
        np.testing.assert_allclose(index.drifts, expected, rtol=1e-12)
        index.check_invariants()
        assert index.fire_set(problem.everything).identical(exhaustive_fire_set(network, problem.everything))
    assert 0 < rounded_anew < moves / 2
    assert (expected > 0).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_left_to_the_dot_kernel(dtype, value):
    problem = clustered_problem(width=100, dtype=dtype)
    network, batch = problem.network, problem.everything
    network.weights[::7, 3] = value
    index = screened(network, problem.inputs)
    assert not np.isfinite(index.bounds(batch)[::7]).any()
    with np.errstate(invalid="ignore"):
        assert index.fire_set(batch).identical(exhaustive_fire_set(network, batch))


def test_training_through_it_moves_the_weights_as_through_the_exhaustive_index():
    weights = []
    for name in ("exhaustive", "screened"):
        problem = clustered_problem(n_features=70)
        trainer = descent_trainer(problem.network, problem.inputs, problem.targets, index=name, batch_size=16)
        trainer.build()
        trainer.epoch()
        weights.append(problem.network.weights.tobytes())
    assert weights[0] == weights[1]


def test_a_limit_that_cannot_be_kept_is_an_error_that_names_what_is_needed():
    problem = clustered_problem()
    needed = screened(problem.network, problem.inputs).nbytes
    ScreenedIndex(memory_limit=needed).build(problem.network.layer, problem.inputs)
    with pytest.raises(
        MemoryLimitError,
        match=f"of {needed - 1:,} bytes. Got a need of {needed:,} bytes. Raise the limit, or use",
    ):
        ScreenedIndex(memory_limit=needed - 1).build(problem.network.layer, problem.inputs)


@pytest.mark.parametrize(
    ("n_samples", "n_features", "expected"),
    [
        (SCREENED_SAMPLES, 3, ScreenedIndex),
        (SCREENED_SAMPLES - 1, 3, ExhaustiveIndex),
        (SCREENED_SAMPLES, SCREENED_FEATURES + 1, ExhaustiveIndex),
    ],
)
def test_new_inputs_are_screened_where_that_pays(n_samples, n_features, expected):
    network = TwoLayerNetwork.initialize(2, n_features, 1)
    assert type(index_for_new_inputs(network.layer, Inputs.of(np.ones((n_samples, n_features))))) is expected


def test_predictions_are_the_same_screened_or_not():
    problem = clustered_problem(n_samples=SCREENED_SAMPLES + 50)
    few = SCREENED_SAMPLES - 1
    many = predict(problem.network, problem.inputs)
    np.testing.assert_array_equal(many[:few], predict(problem.network, problem.inputs.samples[:few]))

"""What every index does: it finds the fire sets of the exhaustive one, or a part of them, after all moves."""

import numpy as np
import pytest

from checks import assert_answers, mask_of
from fewfire import reference
from fewfire.networks.descent import Descent
from problems import clustered_problem, exact_problem, random_step

N_FEATURES = pytest.mark.parametrize("n_features", [20, 70])  # without and with a sketch by default


def built(make_index, problem):
    index = make_index(problem.network, problem.inputs)
    index.build(problem.network.layer, problem.inputs)
    return index


def assert_pairs(index, fires, expected):
    """The fire set holds these pairs (m, n), or some of them."""
    mask = mask_of(fires)
    assert mask.any()
    np.testing.assert_array_equal(mask, expected if index.is_exact else expected & mask)


@N_FEATURES
def test_after_build_the_fire_set_is_right(make_index, dtype, n_features):
    problem = clustered_problem(n_features=n_features, dtype=dtype)
    index = built(make_index, problem)
    index.check_invariants()
    assert_answers(index, index.fire_set(problem.everything), problem.network, problem.everything)


@N_FEATURES
@pytest.mark.parametrize("rate", [0.1, 30.0, 3000.0], ids="rate={}".format)
def test_fire_sets_stay_right_while_neurons_move(make_index, dtype, n_features, rate):
    problem = clustered_problem(n_features=n_features, dtype=dtype)
    index = built(make_index, problem)
    random = np.random.default_rng(1)
    for _ in range(20):
        batch = problem.inputs.batch(np.sort(random.choice(len(problem.inputs), 16, replace=False)))
        fires = index.fire_set(batch)
        assert_answers(index, fires, problem.network, batch)
        index.moved(random_step(problem, batch, fires, rate, random))
        index.check_invariants()
    assert_answers(index, index.fire_set(problem.everything), problem.network, problem.everything)


def test_a_pair_exactly_at_the_threshold_is_silent(make_index, dtype):
    problem = exact_problem(dtype)
    network, batch = problem.network, problem.everything
    pre_activations = reference.pre_activations(network.weights, batch.samples)
    assert np.count_nonzero(pre_activations == network.threshold) > 100
    index = built(make_index, problem)
    assert_pairs(index, index.fire_set(batch), pre_activations > network.threshold)


def test_ties_are_decided_exactly_after_exact_steps(make_index, dtype):
    problem = exact_problem(dtype)
    network, batch = problem.network, problem.everything
    index = built(make_index, problem)
    for _ in range(4):
        fires = index.fire_set(batch)
        expected = reference.fires(network.weights, batch.samples, network.threshold)
        assert_pairs(index, fires, expected)
        index.moved(Descent(network, batch, fires, problem.targets, 16.0 * len(batch)).take())
        index.check_invariants()


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param(np.arange(50)[::-1], id="descending"),
        pytest.param(np.random.default_rng(0).permutation(50), id="shuffled"),
        pytest.param(np.array([17]), id="single"),
        pytest.param(np.array([3, 3, 41, 3]), id="repeated"),
        pytest.param(np.tile(np.arange(50), 3), id="larger-than-the-training-set"),
    ],
)
def test_a_batch_may_hold_any_samples_in_any_order(make_index, ids):
    problem = clustered_problem(n_features=70)
    index = built(make_index, problem)
    batch, random = problem.inputs.batch(ids), np.random.default_rng(0)
    for _ in range(3):
        fires = index.fire_set(batch)
        assert_answers(index, fires, problem.network, batch)
        index.moved(random_step(problem, batch, fires, 30.0, random))
        index.check_invariants()


def test_an_empty_batch_has_an_empty_fire_set(make_index):
    problem = clustered_problem()
    fires = built(make_index, problem).fire_set(problem.inputs.batch(np.array([], np.int64)))
    assert len(fires) == 0
    assert fires.n_samples == 0
    assert fires.width == problem.network.width


def test_asking_again_gives_the_same_answer(make_index):
    problem = clustered_problem()
    index = built(make_index, problem)
    first = index.fire_set(problem.everything)
    assert index.fire_set(problem.everything).identical(first)


def test_building_again_forgets_the_old(make_index, dtype):
    random = np.random.default_rng(0)
    old = clustered_problem(width=200, n_features=70, n_samples=80, dtype=dtype)
    new = clustered_problem(width=130, n_features=9, n_samples=30, dtype=dtype, seed=5)
    index = built(make_index, old)
    for problem in (old, new, old):
        index.build(problem.network.layer, problem.inputs)
        batch = problem.everything
        fires = index.fire_set(batch)
        assert_answers(index, fires, problem.network, batch)
        index.moved(random_step(problem, batch, fires, 300.0, random))
        index.check_invariants()


def test_an_index_must_be_built_before_it_is_asked(make_index):
    problem = clustered_problem()
    index = make_index(problem.network, problem.inputs)
    with pytest.raises(RuntimeError, match=rf"the {index.name} index must be built before it is asked"):
        index.fire_set(problem.everything)


def test_inputs_that_do_not_fit_leave_an_index_as_it_was(make_index):
    problem = clustered_problem()
    index = built(make_index, problem)
    with pytest.raises(ValueError, match="inputs must fit the network"):
        index.build(problem.network.layer, clustered_problem(n_features=3).inputs)
    assert_answers(index, index.fire_set(problem.everything), problem.network, problem.everything)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"n_features": 19}, id="features"),
        pytest.param({"dtype": np.float64}, id="dtype"),
    ],
)
def test_a_batch_must_fit_the_network(make_index, other):
    problem = clustered_problem(n_features=20, dtype=np.float32)
    index = built(make_index, problem)
    with pytest.raises(
        ValueError, match="must fit the network: 20 features of float32. Got .* Make them with"
    ):
        index.fire_set(clustered_problem(**other).everything)


def test_arrays_are_taken_as_inputs(make_index, dtype):
    problem = clustered_problem(dtype=dtype)
    samples = problem.inputs.samples
    index = make_index(problem.network, problem.inputs)
    index.build(problem.network.layer, samples.tolist())
    assert_answers(index, index.fire_set(problem.everything), problem.network, problem.everything)
    if index.is_open:
        assert index.fire_set(samples.tolist()).identical(index.fire_set(problem.everything))
    else:
        with pytest.raises(ValueError, match="answers for samples of the training set"):
            index.fire_set(samples)


def test_progress_is_told_up_to_the_whole(make_index):
    problem = clustered_problem(width=5000, n_features=3, n_samples=4)
    told = []
    make_index(problem.network, problem.inputs).build(problem.network.layer, problem.inputs, told.append)
    assert told == sorted(told)
    assert set(told[-1:]) <= {1.0}
    assert all(0 <= share <= 1 for share in told)

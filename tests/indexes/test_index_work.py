"""What an answer costs, in counted operations: consistent, bounded, and the same on every machine."""

import numpy as np
import pytest

import fewfire
from checks import mask_of, rounding_band
from fewfire import Inputs, TwoLayerNetwork, reference
from fewfire.core.rows import BLOCK
from fewfire.core.work import Work
from fewfire.indexes import DriftIndex, ExhaustiveIndex
from fewfire.indexes.drift import PRODUCT_COST
from fewfire.indexes.sketch import PAIR_OVERHEAD
from problems import clustered_problem, clustered_samples, random_step
from trainers import descent_trainer


def work_of_training(index, problem, steps=10, rate=1.0, batch_size=16):
    """Build, train, and count what the fire sets cost."""
    index.build(problem.network.layer, problem.inputs)
    random = np.random.default_rng(0)
    for _ in range(steps):
        ids = np.sort(random.choice(len(problem.inputs), batch_size, replace=False))
        batch = problem.inputs.batch(ids)
        index.moved(random_step(problem, batch, index.fire_set(batch), rate, random))
    return index.work


@pytest.mark.parametrize("rate", [0.1, 1e4])
def test_each_filter_passes_on_what_fires_and_no_more_than_it_got(make_index, rate):
    problem = clustered_problem(n_features=70)
    index = make_index(problem.network, problem.inputs)
    work = work_of_training(index, problem, rate=rate)
    assert work.asked == 300 * 16 * 10
    assert work.asked >= work.near >= work.dots >= work.fired > 0
    if index.is_exact and work.compared == work.nodes == 0:
        # Trees pass over most pairs, and approximate indexes; others look at each in one way or the other.
        assert work.checked + work.multiplied >= work.asked


def test_what_fired_is_counted_as_it_was_found(make_index):
    problem = clustered_problem()
    index = make_index(problem.network, problem.inputs)
    index.build(problem.network.layer, problem.inputs)
    fires = index.fire_set(problem.everything)
    assert index.work.fired == len(fires) == mask_of(fires).sum()


def test_the_exhaustive_index_decides_only_what_rounding_leaves_open(dtype):
    problem = clustered_problem(dtype=dtype)
    network, batch = problem.network, problem.everything
    index = ExhaustiveIndex()
    index.build(network.layer, problem.inputs)
    fires = index.fire_set(batch)
    silence = network.threshold - reference.pre_activations(network.weights, batch.samples)
    assert index.work.dots <= np.count_nonzero(silence < 4 * rounding_band(network, batch.samples))
    assert index.work.dots - len(fires) <= 2
    assert index.work.multiplied == network.width * len(batch)


def test_the_drift_index_decides_little_more_than_what_fires_while_steps_are_small():
    problem = clustered_problem(width=2048, n_features=70, n_samples=100, threshold="paper")
    work = work_of_training(DriftIndex(), problem, steps=30)
    assert work.dots <= 1.2 * work.fired
    assert work.near <= 1.5 * work.fired
    assert work.refreshed == 0


def test_the_sketch_saves_dots_once_neurons_have_drifted():
    def dots(sketch_size):
        problem = clustered_problem(width=512, n_features=100, n_samples=400, threshold=1.5)
        work = work_of_training(DriftIndex(sketch_size=sketch_size), problem, steps=20, rate=300.0)
        return work.dots / work.fired

    assert dots(32) < 0.8 * dots(0)


@pytest.mark.parametrize("sketch_size", [0, 32])
@pytest.mark.parametrize(("threshold", "rate"), [(1.5, 3000.0), (0.0, 1e-6)], ids=["fast", "half-firing"])
def test_no_more_is_spent_on_refreshes_than_was_wasted_on_silent_pairs(sketch_size, threshold, rate):
    problem = clustered_problem(width=256, n_features=70, n_samples=64, threshold=threshold)
    work = work_of_training(DriftIndex(sketch_size=sketch_size), problem, 100, rate, batch_size=64)
    wasted = (work.dots - work.fired) * (70 + PAIR_OVERHEAD)
    if sketch_size > 0:
        wasted += (work.near - work.fired) * (sketch_size + PAIR_OVERHEAD)
    assert 0 < work.refreshed * PRODUCT_COST * BLOCK * 64 * 70 <= wasted


def test_counts_do_not_depend_on_the_number_of_threads(make_index):
    counts = []
    for threads in (1, 2, 3):
        fewfire.set_threads(threads)
        problem = clustered_problem(n_features=70)
        counts.append(work_of_training(make_index(problem.network, problem.inputs), problem, rate=100.0))
    assert counts[0] == counts[1] == counts[2]


def test_the_share_of_dense_work_falls_with_the_width():
    samples, nearest = clustered_samples(200, 70)
    shares = []
    for width in (64, 512, 4096, 32768):
        network = TwoLayerNetwork.initialize(width, 70, 10)
        trainer = descent_trainer(network, Inputs.of(samples), np.eye(10)[nearest], batch_size=50)
        trainer.build()
        built = trainer.index.work.copy()
        for _ in range(2):
            trainer.epoch()
        shares.append((trainer.index.work - built).share_of_dense(70))  # refreshes included
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.1


def test_work_subtracts_field_by_field():
    assert Work(asked=5, dots=3) - Work(asked=2, dots=1) == Work(asked=3, dots=2)


def test_a_copy_of_work_does_not_follow_the_original():
    work = Work(asked=5)
    before = work.copy()
    work.asked += 1
    assert before == Work(asked=5)


def test_multiply_adds_weigh_each_operation_by_its_length():
    work = Work(multiplied=1, dots=10, measured=100, sketch_products=7, nodes=1000, gram_products=20)
    assert work.multiply_adds(n_features=3) == 2111 * 3 + 27


def test_the_share_of_dense_counts_finding_and_moving():
    work = Work(asked=100, dots=12, fired=8)
    assert work.share_of_dense(n_features=5) == pytest.approx((12 + 8) / 200)
    assert Work().share_of_dense(n_features=5) == 0

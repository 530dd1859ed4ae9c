"""Inputs and weights at the edges of what floating-point numbers can hold."""

import numpy as np
import pytest

from checks import assert_answers
from fewfire import Inputs, TwoLayerNetwork
from problems import Problem, random_step

random = np.random.default_rng(0)


def normal(*shape):
    return random.standard_normal(shape)


def powers_of_ten(count, low, high):
    return 10.0 ** random.uniform(low, high, (count, 1))


# name: (weights, samples, threshold), the same in both precisions
CASES = {
    "ties": (random.integers(-2, 3, (100, 6)), random.integers(-1, 2, (40, 6)), 1.0),
    "duplicate-rows": (np.repeat(normal(3, 8), 40, axis=0), np.repeat(normal(4, 8), 10, axis=0), 0.5),
    "some-rows-of-zero": (normal(100, 8) * (np.arange(100) % 3 > 0)[:, None],
                          normal(40, 8) * (np.arange(40) % 3 > 0)[:, None], 0.5),
    "some-rows-of-zero-threshold-zero": (normal(100, 8) * (np.arange(100) % 3 > 0)[:, None],
                                         normal(40, 8) * (np.arange(40) % 3 > 0)[:, None], 0.0),
    "all-weights-zero": (np.zeros((100, 8)), normal(40, 8), 0.0),
    "all-samples-zero": (normal(100, 70), np.zeros((40, 70)), 0.0),
    "nothing-fires": (normal(100, 8), normal(40, 8), 100.0),
    "everything-fires": (np.abs(normal(100, 8)), np.abs(normal(40, 8)), 0.0),
    "one-feature": (normal(100, 1), normal(40, 1), 0.5),
    "one-neuron": (normal(1, 70), normal(40, 70), 0.5),
    "one-sample": (normal(100, 70), normal(1, 70), 0.5),
    "one-of-each": (np.ones((1, 1)), np.ones((1, 1)), 0.5),
    "fewer-samples-than-sketch-directions": (normal(100, 100), normal(5, 100), 0.5),
    "samples-in-one-direction": (normal(100, 70), normal(40, 1) * normal(1, 70), 0.5),
    "width-63": (normal(63, 8), normal(40, 8), 0.5),
    "width-64": (normal(64, 8), normal(40, 8), 0.5),
    "width-65": (normal(65, 8), normal(40, 8), 0.5),
    "whole-vectors-of-features": (normal(100, 16), normal(64, 16), 0.5),
    "huge-samples": (normal(100, 70), 1e30 * normal(40, 70), 0.5),
    "huge-weights": (1e30 * normal(100, 70), normal(40, 70), 0.5),
    "both-huge": (1e30 * normal(100, 70), 1e30 * normal(40, 70), 0.5),
    "tiny-samples": (normal(100, 70), 1e-30 * normal(40, 70), 0.0),
    "tiny-weights": (1e-30 * normal(100, 70), normal(40, 70), 0.0),
    "both-tiny": (1e-30 * normal(100, 70), 1e-30 * normal(40, 70), 0.0),
    "tiny-with-a-tiny-threshold": (normal(100, 70), 1e-30 * normal(40, 70), 1e-30),
    "huge-against-tiny": (1e30 * normal(100, 70), 1e-30 * normal(40, 70), 0.5),
    "samples-of-mixed-norms": (normal(100, 70), powers_of_ten(40, -30, 30) * normal(40, 70), 0.5),
    "weights-of-mixed-norms": (powers_of_ten(100, -30, 30) * normal(100, 70), normal(40, 70), 0.5),
    "features-of-mixed-size": (normal(100, 70), normal(40, 70) * powers_of_ten(70, -30, 30).T, 0.5),
}  # fmt: skip

WEIGHTS, SAMPLES = normal(100, 70), normal(40, 70)
SMALL_WEIGHTS, SMALL_SAMPLES = random.integers(-9, 10, (100, 70)), random.integers(-9, 10, (40, 70))

# The same with the limits of each precision.
LIMIT_CASES = {
    "subnormal-samples": lambda limits: (WEIGHTS, limits.smallest_subnormal * SMALL_SAMPLES, 0.0),
    "subnormal-weights": lambda limits: (limits.smallest_subnormal * SMALL_WEIGHTS, SAMPLES, 0.0),
    "samples-near-the-largest-number": lambda limits: (WEIGHTS, limits.max / 100 * SMALL_SAMPLES, 0.5),
    "weights-near-the-largest-number": lambda limits: (limits.max / 100 * SMALL_WEIGHTS, SAMPLES, 0.5),
}


def check_case(make_index, dtype, weights, samples, threshold):
    output_weights = np.ones((len(weights), 1))
    network = TwoLayerNetwork(weights, output_weights, threshold, dtype)
    problem = Problem(network, Inputs.of(samples, dtype), np.zeros((len(samples), 1)))
    index = make_index(network, problem.inputs)
    index.build(network.layer, problem.inputs)
    index.check_invariants()
    batch = problem.everything
    # A step of about the size of the weights, or as near to it as the coefficients can be held.
    of_weights, of_samples = (float(np.abs(rows).max()) or 1.0 for rows in (network.weights, samples))
    rate = float(np.clip(of_weights / of_samples, 1e-30, 1e30))
    for factor in (0.01, 0.1, 1.0, 30.0, 0.1):
        fires = index.fire_set(batch)
        assert_answers(index, fires, network, batch)
        index.moved(random_step(problem, batch, fires, factor * rate, np.random.default_rng(0)))
        index.check_invariants()
    assert_answers(index, index.fire_set(batch), network, batch)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_ugly_cases_have_the_right_fire_sets(make_index, dtype, case):
    check_case(make_index, dtype, *case)


@pytest.mark.parametrize("case", LIMIT_CASES.values(), ids=LIMIT_CASES.keys())
def test_numbers_at_the_limits_have_the_right_fire_sets(make_index, dtype, case):
    check_case(make_index, dtype, *case(np.finfo(dtype)))

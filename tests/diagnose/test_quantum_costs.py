"""What a quantum linear solver would have to pay, as it is counted."""

import numpy as np
import pytest

from fewfire import DataError
from fewfire.diagnose import quantum_costs
from fewfire.diagnose.quantum import _erf_kernel, _pattern
from problems import clustered_samples


@pytest.fixture(scope="module")
def problem():
    samples, nearest = clustered_samples(128, 16)
    return samples, np.where(nearest % 2, 1.0, -1.0)


def test_deep_kernels_are_multiples_of_the_identity(problem):
    samples, labels = problem
    (cost,) = quantum_costs(samples[:64], labels[:64], samples[64:], labels[64:], sizes=[64, 10_000])
    assert cost.samples == 64
    assert cost.condition < 1.5
    assert cost.agree_from <= cost.depth
    assert cost.exact == cost.diagonal
    assert cost.post_selection <= cost.post_selection_alone
    assert 1 <= cost.longest_row <= 64
    assert cost.iterations < 10


def test_the_condition_of_erf_kernels_falls_to_one_with_depth(problem):
    samples, _ = problem
    products = samples @ samples.T
    conditions = []
    for depth in (1, 8, 32, 128):
        values = np.linalg.eigvalsh(_erf_kernel(products, products, 1, depth)[0])
        conditions.append(values[-1] / values[0])
    assert conditions == sorted(conditions, reverse=True)
    assert conditions[-1] < 1.01


def test_the_sparse_pattern_is_symmetric_within_classes(problem):
    _, labels = problem
    pattern = _pattern(128, labels, np.random.default_rng(0))
    np.testing.assert_array_equal(pattern, pattern.T)
    assert not pattern[np.ix_(labels > 0, labels < 0)].any()
    assert pattern.diagonal().all()
    assert pattern.sum() / 128 < 12


def test_what_is_no_pair_of_classes_is_refused(problem):
    samples, labels = problem
    with pytest.raises(DataError, match="quantum costs must be of two classes, labelled -1 and 1"):
        quantum_costs(samples, labels * 2, samples, labels)
    with pytest.raises(DataError, match="rows must not be 0"):
        quantum_costs(samples * 0, labels, samples, labels)

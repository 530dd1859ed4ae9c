"""What is chosen for a data set, and the coding of categories."""

import tracemalloc

import numpy as np
import pytest

from fewfire.plan.preparation import select
from fewfire.prepare.categories import OneHot, perhaps_categories
from fewfire.prepare.preparation import Preparation


def test_one_hot():
    inputs = np.array([[0.5, 3, 1], [1.5, 1, 2], [2.5, 3, 1]])
    coding = OneHot.of(inputs, [1, 2])
    expected = [[0.5, 0, 1, 1, 0], [1.5, 1, 0, 0, 1], [2.5, 0, 1, 1, 0]]
    np.testing.assert_array_equal(coding.transform(inputs), expected)
    np.testing.assert_array_equal(coding.transform(np.array([[9.0, 7, 2]])), [[9, 0, 0, 0, 1]])


def test_no_categories():
    inputs = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(OneHot.of(inputs, []).transform(inputs), inputs)


def test_columns_that_may_hold_categories():
    random = np.random.default_rng(0)
    columns = [random.standard_normal(200), random.integers(0, 2, 200), random.integers(-1, 4, 200),
               random.integers(0, 12, 200), random.integers(0, 50, 200), random.integers(0, 5, 200) / 2,
               np.ones(200)]  # fmt: skip
    assert perhaps_categories(np.column_stack(columns)) == [2, 3]


def test_categories_are_found_where_they_matter():
    """The parity of a code is nothing that a plane through its values tells."""
    random = np.random.default_rng(0)
    inputs = random.integers(0, 6, (300, 4)).astype(float)
    targets = ((inputs[:, 0] + inputs[:, 1]) % 2)[:, None] - 0.5
    chosen = select(inputs, targets, categories=((), (0, 1, 2, 3)))
    assert set(chosen.members[0].preparation.one_hot.categories) == {0, 1, 2, 3}
    assert chosen.error < 0.5 * select(inputs, targets, categories=((),)).error


def test_noise_wants_a_large_ridge():
    random = np.random.default_rng(0)
    inputs = random.standard_normal((200, 3))
    signal = inputs[:, :1]
    clean = select(inputs, signal, thresholds=[1.0], constants=[1.0])
    noisy = select(inputs, random.standard_normal((200, 1)), thresholds=[1.0], constants=[1.0])
    assert noisy.members[0].ridge > 100 * clean.members[0].ridge
    assert noisy.error > 10 * clean.error


def test_what_is_given_is_kept():
    inputs = np.random.default_rng(0).standard_normal((50, 3))
    given = {"thresholds": [0.7], "constants": [2.0], "ridges": np.array([0.25])}
    chosen = select(inputs, inputs[:, :1], features="none", **given)
    (member,) = chosen.members
    assert member.threshold == 0.7
    assert member.ridge == pytest.approx(0.25 * 0.24196, rel=1e-3)
    assert member.importances.tolist() == [1 / 3] * 3
    norms = np.sqrt(np.mean(np.sum(((inputs - inputs.mean(0)) / inputs.std(0)) ** 2, axis=1)))
    assert member.preparation.scaling.constant == pytest.approx(2 * norms)


def test_preparation_leads_to_the_unit_sphere():
    inputs = np.random.default_rng(0).integers(0, 4, (40, 3)).astype(float)
    rows = Preparation.fit(inputs, [1], constant=0.5).transform(inputs)
    assert rows.shape == (40, 2 + 4 + 1)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_preparing_holds_one_copy_of_the_samples_at_the_most():
    """In the precision of the network, half of what they are given in."""
    inputs = np.random.default_rng(0).standard_normal((100_000, 40))
    tracemalloc.start()
    try:
        preparation = Preparation.fit(inputs)
        preparation.transform(inputs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.8 * inputs.nbytes

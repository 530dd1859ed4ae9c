"""Directions learned from gradients: found where they are, not believed where they are not."""

import numpy as np
import pytest

from fewfire.plan import preparation
from fewfire.plan.features import (
    FEW,
    HALVES,
    Fold,
    Samples,
    Setting,
    importances,
    next_directions,
    pruned,
    rounds,
)
from fewfire.plan.preparation import FEATURES, select
from fewfire.prepare.preparation import Preparation
from fewfire.system.machine import using_threads

SHAPES = [(0.5, 0.0), (2.0, 1.0)]
RIDGES = 10.0 ** np.arange(-4.0, 1.1)


def samples(rows, targets, weights=None, tied=None):
    tied = np.arange(rows.shape[1]) if tied is None else tied
    return Samples(rows, targets.reshape(len(rows), -1), weights, tied)


def product(n, d, seed=0):
    """Two of d columns matter, and neither of them alone."""
    rows = np.random.default_rng(seed).standard_normal((n, d))
    return rows, np.tanh(rows[:, 0] * rows[:, 1])


def best(data, folds, start):
    return min(rounds(data, folds, start, shapes=SHAPES, ridges=RIDGES), key=lambda one: one.error)


def test_rounds_find_the_columns_of_a_product():
    rows, targets = product(1000, 12)
    found = best(samples(rows, targets), Fold.of(1000), np.ones(12))
    assert found.error < 0.2 * targets.var()
    assert importances(found.directions[0])[:2].sum() > 0.9


def test_full_directions_find_a_sum_of_columns():
    rows = np.random.default_rng(0).standard_normal((1000, 8))
    targets = np.sin(3 * rows.sum(axis=1) / np.sqrt(8))
    data, folds = samples(rows, targets), Fold.of(1000)
    full = best(data, folds, np.eye(8))
    assert full.error < 0.3 * best(data, folds, np.ones(8)).error
    direction = full.directions[0][np.square(full.directions[0]).sum(axis=1).argmax()]
    np.testing.assert_allclose(np.abs(direction) / np.linalg.norm(direction), 8**-0.5, atol=0.05)


@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("start", [np.ones(10), np.eye(10)], ids=["diagonal", "full"])
def test_the_error_of_noise_stays_near_its_variance(n, start):
    random = np.random.default_rng(0)
    data = samples(random.standard_normal((n, 10)), random.standard_normal(n))
    for one in rounds(data, Fold.of(n), start, shapes=SHAPES, ridges=RIDGES):
        assert one.error > 0.9 * data.targets.var()


def test_a_rotation_of_the_rows_turns_full_directions_with_it():
    rows, targets = product(150, 4)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    setting = Setting(0.5, 0.0, 0.1)
    plain = next_directions(samples(rows, targets), np.eye(4), setting)
    turned = next_directions(samples(rows @ turn.T, targets), np.eye(4), setting)
    np.testing.assert_allclose(turned.T @ turned, turn @ plain.T @ plain @ turn.T, atol=1e-8)


def test_a_weight_stands_for_copies():
    rows, targets = product(60, 3)
    copies = np.random.default_rng(0).integers(1, 4, 60)
    setting = Setting(0.5, 0.0, 0.1)
    weighted = next_directions(samples(rows, targets, copies.astype(float)), np.ones(3), setting)
    repeated = samples(np.repeat(rows, copies, axis=0), np.repeat(targets, copies))
    np.testing.assert_allclose(weighted, next_directions(repeated, np.ones(3), setting), rtol=1e-6)


def test_columns_of_one_source_share_their_weight():
    rows, targets = product(100, 5)
    tied = samples(rows, targets, tied=np.array([0, 9, 9, 9, 1]))
    weights = next_directions(tied, np.ones(5), Setting(0.5, 0.0, 0.1))
    assert weights[1] == weights[2] == weights[3]
    assert len(np.unique(weights)) == 3


def test_targets_that_nothing_explains_leave_the_directions():
    rows = np.random.default_rng(0).standard_normal((50, 3))
    flat = samples(rows, np.zeros(50))
    for start in (np.array([1.0, 2.0, 3.0]), np.eye(3), np.array([[1.0, 2.0, 0.0]])):
        np.testing.assert_array_equal(next_directions(flat, start, Setting(0.5, 0.0, 0.1)), start)


@pytest.mark.parametrize("n", [1, 2, FEW - 1, FEW, HALVES - 1, HALVES, 1500])
def test_folds_judge_by_rows_that_they_do_not_learn_from(n):
    folds = Fold.of(n)
    assert all(len(np.intersect1d(fold.learned, fold.judged)) == 0 for fold in folds)
    assert len(folds[0].judged) >= min(n, 20)
    if n >= FEW:
        assert len(np.union1d(folds[0].learned, folds[0].judged)) == n


def test_directions_that_hardly_count_are_dropped():
    np.testing.assert_array_equal(pruned(np.array([1.0, 1e-3, 0.5])), [1.0, 0.0, 0.5])
    np.testing.assert_array_equal(pruned(np.array([[1.0, 1.0], [1e-3, 0.0]])), [[1.0, 1.0]])


@pytest.mark.parametrize("features", FEATURES)
def test_what_is_learned_is_what_was_asked_for(features):
    rows, targets = product(500, 6)
    chosen = select(rows, targets[:, None] - targets.mean(), features=features, width=1024)
    (member,) = chosen.members
    directions = member.preparation.scaling.directions
    assert directions.ndim in {"none": [1], "diagonal": [1], "full": [2], "auto": [1, 2]}[features]
    assert member.importances.shape == (6,)
    assert member.importances.sum() == pytest.approx(1)
    if features == "none":
        np.testing.assert_allclose(member.importances, 1 / 6)
        assert member.preparation.curves is None
    else:
        assert member.importances[:2].sum() > 0.9
        assert chosen.error < 0.3 * targets.var()


def test_the_predictions_of_judged_samples_are_honest():
    """Of noise they explain nothing, however the directions fit those they were learned from."""
    random = np.random.default_rng(0)
    inputs, targets = random.standard_normal((300, 20)), random.standard_normal((300, 1))
    chosen = select(inputs, targets - targets.mean(), width=1024)
    assert len(np.unique(chosen.judged)) == 300
    missed = targets[chosen.judged] - targets.mean() - chosen.outputs
    assert np.square(missed).mean() == pytest.approx(chosen.error)
    assert chosen.error > 0.95 * targets.var()


def test_the_ridge_is_that_of_all_samples(monkeypatch):
    """Fifty samples do not tell that a tenth of the targets' size is noise; a thousand do."""
    for name, count in {"LOOKED_AT": 50, "JUDGED": 100}.items():
        monkeypatch.setattr(preparation, name, count)
    random = np.random.default_rng(0)
    inputs = random.standard_normal((1000, 3))
    targets = np.sin(2 * inputs).sum(axis=1, keepdims=True) + 0.1 * random.standard_normal((1000, 1))
    given = {"features": "none", "thresholds": [0.0], "constants": [1.0], "width": 1024}
    few, many = (select(inputs[:n], targets[:n] - targets[:n].mean(), **given) for n in (149, 1000))
    assert many.members[0].ridge > 100 * few.members[0].ridge


def test_the_mean_of_several_errs_less_than_the_best():
    rows, targets = product(600, 6)
    targets = targets[:, None] - targets.mean()
    one, two, three = (select(rows, targets, n_members=count, width=1024) for count in (1, 2, 3))
    assert [len(chosen.members) for chosen in (one, two, three)] == [1, 2, 3]
    assert three.error < two.error < one.error
    np.testing.assert_array_equal(one.members[0].importances, three.members[0].importances)
    missed = targets[two.judged] - two.outputs
    assert np.square(missed).mean() == pytest.approx(two.error)


def test_any_number_of_threads_chooses_alike():
    rows, targets = product(300, 4)
    chosen = []
    for count in (1, 2, 3):
        with using_threads(count):
            chosen.append(select(rows, targets[:, None] - targets.mean(), n_members=2, width=512))
    for other in chosen[1:]:
        assert other.error == chosen[0].error
        np.testing.assert_array_equal(other.outputs, chosen[0].outputs)


def test_what_is_tried_are_all_codings_as_far_as_their_columns_are_few(monkeypatch):
    rows, targets = product(200, 4)
    data = preparation.Data(rows, targets[:, None], None)

    def tried(features, count=200):
        ways = preparation._ways_to_learn(data, Preparation.fit(rows), features, count)
        return [(len(way.sources), start.ndim) for way, start in ways]

    assert tried("none") == []
    assert tried("diagonal") == [(4, 1), (4, 1), (32, 1)]
    assert tried("full") == [(4, 2)]
    assert tried("auto") == [(4, 1), (4, 1), (32, 1), (4, 2)]
    assert tried("auto", count=39) == [(4, 1), (4, 1), (32, 1)]  # too few rows for sums of columns
    monkeypatch.setattr(preparation, "MOST_RAMPS", 31)
    monkeypatch.setattr(preparation, "MOST_DIRECTIONS", 3)
    assert tried("auto") == [(4, 1), (4, 1)]


@pytest.mark.parametrize("count", [300, 1200])
def test_the_ridge_is_judged_on_rows_that_taught_no_directions(monkeypatch, count):
    for name, limit in {"LOOKED_AT": 100, "JUDGED": 50, "MOST_ROWS": 400, "REPLAYED": 1000}.items():
        monkeypatch.setattr(preparation, name, limit)
    learned, judged = [], []
    replay, look = preparation.replayed, preparation._last_look

    def replayed(samples, *given):
        learned.append(samples.targets[:, 0])
        return replay(samples, *given)

    def last_look(candidate, setting, folds, *given):
        judged.append(candidate.samples.targets[folds[-1].judged, 0])
        return look(candidate, setting, folds, *given)

    monkeypatch.setattr(preparation, "replayed", replayed)
    monkeypatch.setattr(preparation, "_last_look", last_look)
    random = np.random.default_rng(0)
    select(random.standard_normal((count, 3)), random.standard_normal((count, 1)), width=128)
    assert len(judged[-1]) == 50
    assert len(learned[-1]) == min(count, 1000) - 50
    assert not np.isin(judged[-1], learned[-1]).any()

"""What the half-space reporter does is counted, and bounded: questions, and any sequence of updates."""

from math import log2

import numpy as np
import pytest

from fewfire import HalfspaceReporter
from fewfire.networks.threshold import paper_threshold

GROUP = 16
LEAF = 16 * GROUP
N = 4096


def unit_rows(n, d, seed=0):
    rows = np.random.default_rng(seed).standard_normal((n, d))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def share_tested(reporter, normals, offset):
    """Points tested beyond those reported, and boxes met, a question, as shares of the points."""
    before = reporter.work
    reporter.report_batch(normals, offset)
    asked = len(normals) * len(reporter)
    work = reporter.work
    return (work.tested - before.tested) / asked, (work.nodes - before.nodes) / asked


@pytest.mark.parametrize(("d", "most"), [(2, 0.015), (3, 0.04), (4, 0.09)])
def test_few_gaussian_points_are_tested_at_the_threshold_of_the_paper(d, most):
    m = 2**17
    reporter = HalfspaceReporter(np.random.default_rng(0).standard_normal((m, d)))
    tested, nodes = share_tested(reporter, unit_rows(100, d), paper_threshold(m))
    assert tested < most
    assert nodes < most / 4


def test_in_one_dimension_a_question_meets_two_boxes_a_level_and_those_of_a_leaf():
    reporter = HalfspaceReporter(np.random.default_rng(0).standard_normal((2**17, 1)))
    reporter.report_batch([[1.0], [-1.0]], [0.1, 2.0])
    assert reporter.work.tested <= 2 * GROUP
    assert reporter.work.nodes <= 2 * (2 * (1 + 17 - log2(LEAF)) + GROUP)


def test_a_build_places_each_point_once_a_level():
    reporter = HalfspaceReporter(np.random.default_rng(0).standard_normal((2**17, 3)))
    assert reporter.work.placed == 2**17 * (1 + 17 - log2(GROUP))


def most_placed(n_updates):
    """The bound of docs/theory/halfspace.md, a point: what each of its ancestors may cost."""
    return 4 * log2(n_updates / GROUP) ** 2


SORTED, RANDOM = np.linspace(0, 1, N)[:, None] * [1, 2], np.random.default_rng(1).standard_normal((N, 2))


@pytest.mark.parametrize(
    "points",
    [SORTED, SORTED[::-1], RANDOM, np.zeros((N, 2))],
    ids=["ascending", "descending", "random", "equal"],
)
def test_points_may_come_one_by_one_in_any_order(points):
    reporter = HalfspaceReporter(points[:1])
    for point in points[1:]:
        reporter.insert(point[None])
    reporter.check_invariants()  # no child has more than two thirds of the points
    assert reporter.work.placed <= N * most_placed(N)


@pytest.mark.parametrize(
    "order",
    [np.arange(N), np.argsort(RANDOM[:, 0]), np.random.default_rng(2).permutation(N)],
    ids=["by-id", "one-side-first", "random"],
)
def test_points_may_go_one_by_one_in_any_order(order):
    reporter = HalfspaceReporter(RANDOM)
    built = reporter.work.placed
    for place in order:
        reporter.delete([place])
    assert len(reporter) == 0
    assert reporter.work.placed - built <= N * most_placed(N)


def test_insertions_and_deletions_may_alternate_at_the_worst_place():
    reporter = HalfspaceReporter(RANDOM)  # all leaves are full
    built = reporter.work.placed
    for _ in range(N):
        reporter.delete(reporter.insert([[0.5, 0.5]]))
    reporter.check_invariants()
    assert reporter.work.placed - built <= 2 * N * most_placed(N)


def test_a_full_leaf_is_halved_once_in_as_many_insertions_as_half_of_it_holds():
    reporter = HalfspaceReporter(RANDOM[:LEAF])
    built = reporter.work.placed
    reporter.insert(RANDOM[LEAF:][:1])
    halved = reporter.work.placed - built
    assert halved == (LEAF + 1) * 6  # a node, a leaf, and four halvings down to its groups
    for point in RANDOM[LEAF + 1 :][: LEAF // 2 - 1]:
        reporter.insert(point[None])
    assert reporter.work.placed - built == halved + LEAF // 2 - 1
    reporter.check_invariants()


def test_a_move_places_nothing():
    reporter = HalfspaceReporter(RANDOM)
    built = reporter.work.placed
    reporter.move(np.arange(N), RANDOM[::-1])
    reporter.move(np.arange(N), np.zeros((N, 2)))
    reporter.check_invariants()
    assert reporter.work.placed == built


def test_points_that_all_move_alike_cost_no_more_to_ask():
    reporter, normals = HalfspaceReporter(RANDOM), unit_rows(100, 2)
    before = share_tested(reporter, normals, 0.0)
    reporter.move(np.arange(N), 2 * RANDOM)
    assert share_tested(reporter, normals, 0.0) == before


def test_a_tree_that_moves_made_loose_is_built_anew_once_questions_have_paid_for_it():
    reporter, normals = HalfspaceReporter(RANDOM), unit_rows(10, 2)
    built, (fresh, _) = reporter.work.placed, share_tested(reporter, normals, 1.0)
    reporter.move(np.arange(N), np.random.default_rng(3).permutation(RANDOM))
    shares = [share_tested(reporter, normals, 1.0)[0] for _ in range(30)]
    assert shares[0] > 5 * fresh
    assert shares[-1] < 1.1 * fresh
    assert reporter.work.placed == 2 * built
    lost = sum(share for share in shares if share > 2 * fresh) * N * len(normals)
    assert lost <= 8 * N * log2(N) + N * len(normals)  # the price of a build, and the last batch


def test_questions_to_a_tree_that_nothing_moved_never_build():
    reporter, normals = HalfspaceReporter(RANDOM), unit_rows(100, 2)
    built = reporter.work.placed
    for _ in range(50):
        reporter.report_batch(normals, 1.0)
    assert reporter.work.placed == built

"""Any sequence of what can happen to a reporter leaves it exact and balanced."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import fewfire
from fewfire import HalfspaceReporter, reference
from strategies import seeds


class HalfspaceMachine(RuleBasedStateMachine):
    """Points are small whole numbers, often the same, or these and a little."""

    @initialize(
        n=st.integers(0, 200),
        d=st.integers(1, 5),
        dtype=st.sampled_from([np.float32, np.float64]),
        seed=seeds,
    )
    def start(self, n, d, dtype, seed):
        self.random = np.random.default_rng(seed)
        self.d = d
        points = self.some_points(n, 3)
        self.points = dict(enumerate(points))
        self.reporter = HalfspaceReporter(points, dtype)

    def some_points(self, count, size):
        return self.random.integers(-size, size + 1, (count, self.d)).astype(np.float64)

    def some_ids(self, share):
        held = np.array(sorted(self.points), np.int64)
        return held[self.random.random(len(held)) < share]

    @rule(count=st.sampled_from([1, 2, 5, 40, 300]), size=st.sampled_from([0, 1, 3, 100]))
    def insert(self, count, size):
        points = self.some_points(count, size)
        ids = self.reporter.insert(points).tolist()
        assert not set(ids) & set(self.points)
        self.points.update(zip(ids, points, strict=True))

    @rule(share=st.sampled_from([0.01, 0.1, 0.5, 1.0]))
    def delete(self, share):
        ids = self.some_ids(share)
        self.reporter.delete(ids)
        for place in ids:
            del self.points[place]

    @rule(column=st.integers(0, 4))
    def delete_one_side(self, column):
        ids = np.array([place for place, point in self.points.items() if point[column % self.d] > 0])
        self.reporter.delete(ids)
        for place in ids:
            del self.points[place]

    @rule(share=st.sampled_from([0.01, 0.3, 1.0]), size=st.sampled_from([1, 3, 50]))
    def move(self, share, size):
        ids = self.some_ids(share)
        points = np.array([self.points[place] for place in ids]).reshape(-1, self.d)
        points += self.some_points(len(ids), size)
        self.reporter.move(ids, points)
        self.points.update(zip(ids.tolist(), points, strict=True))

    @rule(share=st.sampled_from([0.5, 1.0]))
    def move_to_one_place(self, share):
        ids = self.some_ids(share)
        points = np.repeat(self.some_points(1, 3), len(ids), axis=0)
        self.reporter.move(ids, points)
        self.points.update(zip(ids.tolist(), points, strict=True))

    @rule()
    def repair(self):
        """Questions until what they lost by moves has paid for a new tree."""
        for _ in range(20):
            self.reporter.report_batch(self.some_points(200, 2), 0.0)

    @rule()
    def save_and_load(self):
        with tempfile.TemporaryDirectory() as folder:
            self.reporter.save(Path(folder) / "points")
            self.reporter = HalfspaceReporter.load(Path(folder) / "points")

    @rule(count=st.integers(1, 3))
    def change_threads(self, count):
        fewfire.set_threads(count)

    @invariant()
    def answers_are_those_of_a_scan(self):
        ids = np.array(sorted(self.points), np.int64)
        points = np.array([self.points[place] for place in ids]).reshape(-1, self.d)
        np.testing.assert_array_equal(self.reporter.ids, ids)
        np.testing.assert_array_equal(self.reporter.points(ids), points)
        normals, offsets = self.some_points(4, 2), self.random.integers(-6, 7, 4)
        begins, found = self.reporter.report_batch(normals, offsets)
        for i, (normal, offset) in enumerate(zip(normals, offsets, strict=True)):
            expected = ids[reference.fires(points, normal[None], offset)[:, 0]]
            np.testing.assert_array_equal(found[begins[i] : begins[i + 1]], expected)
            assert self.reporter.count(normal, offset) == len(expected)

    @invariant()
    def the_tree_is_balanced_and_its_boxes_fit(self):
        self.reporter.check_invariants()


TestHalfspaceMachine = HalfspaceMachine.TestCase
TestHalfspaceMachine.settings = settings(stateful_step_count=20)

"""The half-space reporter: what a scan finds, after whatever happened to the points."""

import numpy as np
import pytest

import fewfire
from checks import exhaustive_fire_set
from fewfire import DataError, HalfspaceReporter, Inputs, TwoLayerNetwork, reference
from fewfire.system import machine

random = np.random.default_rng(0)


def normal(*shape):
    return random.standard_normal(shape)


def whole(*shape):
    """Small whole numbers: every product is exact, and many lie exactly at an offset."""
    return random.integers(-3, 4, shape)


# name: points and normals
EXACT_CASES = {
    "one-column": (whole(200, 1), whole(20, 1)),
    "two-columns": (whole(1000, 2), whole(20, 2)),
    "three-columns": (whole(1000, 3), whole(20, 3)),
    "five-columns": (whole(500, 5), whole(20, 5)),
    "many-columns": (whole(200, 70), whole(20, 70)),
    "one-point": (whole(1, 4), whole(20, 4)),
    "sixteen-points": (whole(16, 4), whole(20, 4)),
    "seventeen-points": (whole(17, 4), whole(20, 4)),
    "a-full-leaf": (whole(256, 4), whole(20, 4)),
    "a-point-more-than-a-leaf": (whole(257, 4), whole(20, 4)),
    "duplicates": (np.repeat(whole(3, 4), 100, axis=0), whole(20, 4)),
    "all-zero": (np.zeros((100, 3)), whole(20, 3)),
    "rows-of-zero": (whole(300, 3) * (np.arange(300) % 3 > 0)[:, None], whole(20, 3)),
    "normals-of-zero": (whole(100, 3), np.zeros((2, 3))),
    "on-a-line": (np.outer(whole(300), [1, 2, -1]), whole(20, 3)),
    "no-points": (np.empty((0, 3)), whole(20, 3)),
    "no-normals": (whole(100, 3), np.empty((0, 3))),
}


def beyond(points, row, offset):
    """Places of the points with <row, point> > offset, in float64."""
    return np.flatnonzero(reference.fires(points, row[None], offset))


def scanned(points, normals, offsets):
    return [beyond(points, row, offset).tolist() for row, offset in zip(normals, offsets, strict=True)]


def reported(reporter, normals, offsets):
    begins, ids = reporter.report_batch(normals, offsets)
    assert begins[0] == 0
    assert begins[-1] == len(ids)
    return [ids[first:end].tolist() for first, end in zip(begins[:-1], begins[1:], strict=True)]


@pytest.mark.parametrize("case", EXACT_CASES.values(), ids=EXACT_CASES.keys())
@pytest.mark.parametrize("offset", [-2.0, 0.0, 1.0, 5.0, 1e6])
def test_what_is_reported_is_what_a_scan_finds(case, offset, dtype):
    points, normals = case
    reporter = HalfspaceReporter(points, dtype)
    reporter.check_invariants()
    offsets = np.full(len(normals), offset)
    assert reported(reporter, normals, offset) == scanned(points, normals, offsets)


@pytest.mark.parametrize("instruction_set", machine.available_instruction_sets())
@pytest.mark.parametrize("d", [1, 2, 3, 4, 6, 20])
def test_gaussian_points_with_an_offset_for_each_normal(d, instruction_set):
    machine.use_instruction_set(instruction_set)
    points, normals = normal(3000, d), normal(50, d)
    offsets = np.linalg.norm(normals, axis=1) * random.uniform(-1, 3, 50)
    reporter = HalfspaceReporter(points, np.float64)
    assert reported(reporter, normals, offsets) == scanned(points, normals, offsets)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e18, 1e30, 1e37])
@pytest.mark.parametrize("normals_scale", [1e-30, 1.0, 1e30])
def test_numbers_at_the_edges_are_decided_as_the_shared_dot_does(scale, normals_scale, dtype):
    points, normals = scale * normal(200, 3), normals_scale * normal(10, 3)
    fires = exhaustive_fire_set(
        TwoLayerNetwork(points, np.ones((200, 1)), 0.0, dtype), Inputs.of(normals, dtype)
    )
    begins, neurons, _ = fires.by_sample()
    begins_found, ids = HalfspaceReporter(points, dtype).report_batch(normals, 0.0)
    np.testing.assert_array_equal(begins_found, begins)
    np.testing.assert_array_equal(ids, neurons)


def test_points_within_rounding_of_the_offset_are_left_to_the_shared_dot(dtype):
    points, row = normal(2000, 3).astype(dtype), normal(3).astype(dtype)
    reporter = HalfspaceReporter(points, dtype)
    products = np.sort(points.astype(np.float64) @ row.astype(np.float64))
    for offset in products[::100].astype(dtype):
        ids = reporter.report(row, offset)
        surely = beyond(points, row, offset + 1e-5)
        maybe = beyond(points, row, offset - 1e-5)
        assert set(surely) <= set(ids) <= set(maybe)
        assert reporter.count(row, offset) == len(ids)
    assert reporter.work.decided > 0


def test_a_count_lists_nothing_and_agrees():
    reporter = HalfspaceReporter(normal(5000, 2))
    for offset in (-3.0, 0.0, 0.5, 2.0, 9.0):
        assert reporter.count([0.6, 0.8], offset) == len(reporter.report([0.6, 0.8], offset))


@pytest.mark.parametrize("d", [1, 3, 9])
def test_any_number_of_threads_gives_the_same_answers_and_work(d):
    points, normals, moved = normal(30_000, d), normal(100, d), normal(30_000, d)
    seen = []
    for threads in (1, 2, 3):
        fewfire.set_threads(threads)
        reporter = HalfspaceReporter(points)
        first = reporter.report_batch(normals, 1.0)
        reporter.move(np.arange(0, 30_000, 2), moved[::2])
        second = reporter.report_batch(normals, 1.0)
        seen.append([array.tobytes() for array in (*first, *second)] + [reporter.work])
    assert seen[0] == seen[1] == seen[2]


def test_ids_are_the_smallest_that_are_free():
    reporter = HalfspaceReporter(whole(5, 2))
    assert reporter.ids.tolist() == [0, 1, 2, 3, 4]
    reporter.delete([3, 1])
    assert reporter.ids.tolist() == [0, 2, 4]
    assert reporter.insert(whole(3, 2)).tolist() == [1, 3, 5]
    assert len(reporter) == 6
    assert reporter.insert(np.empty((0, 2))).tolist() == []


def test_points_are_given_back_by_their_ids():
    points = normal(100, 3).astype(np.float32)
    reporter = HalfspaceReporter(points)
    reporter.move([7], [[1, 2, 3]])
    np.testing.assert_array_equal(reporter.points([99, 7, 0]), [points[99], [1, 2, 3], points[0]])


def test_all_points_may_go_and_others_come():
    reporter = HalfspaceReporter(whole(100, 2))
    reporter.delete(np.arange(100))
    reporter.check_invariants()
    assert len(reporter) == 0
    assert reporter.report([1, 1], -100).tolist() == []
    points = whole(40, 2)
    for point in points:
        reporter.insert(point[None])
        reporter.check_invariants()
    assert reporter.report([1, 1], 0).tolist() == beyond(points, np.array([1, 1]), 0).tolist()


@pytest.mark.parametrize("n", [0, 1, 100])
def test_a_saved_reporter_is_read_back(tmp_path, n, dtype):
    reporter = HalfspaceReporter(normal(n, 3), dtype)
    reporter.delete(np.arange(0, n, 3))
    reporter.save(tmp_path / "points.safetensors")
    loaded = HalfspaceReporter.load(tmp_path / "points.safetensors")
    loaded.check_invariants()
    assert loaded.dtype == dtype
    np.testing.assert_array_equal(loaded.ids, reporter.ids)
    np.testing.assert_array_equal(loaded.points(loaded.ids), reporter.points(reporter.ids))
    assert loaded.report([1, 2, 3], 0.5).tolist() == reporter.report([1, 2, 3], 0.5).tolist()
    assert loaded.insert(normal(5, 3)).tolist() == reporter.insert(normal(5, 3)).tolist()


@pytest.mark.parametrize(
    "tensors",
    [
        {"points": np.zeros((2, 3), np.float32)},
        {"points": np.zeros((2, 3), np.float32), "ids": np.zeros(3, np.int32)},
        {"points": np.zeros((2, 3), np.float32), "ids": np.zeros(2, np.int32)},
        {"points": np.zeros((2, 3), np.float32), "ids": np.array([-1, 2], np.int32)},
        {"points": np.full((2, 3), np.nan, np.float32), "ids": np.array([0, 1], np.int32)},
        {"points": np.zeros((2, 3), np.int32), "ids": np.array([0, 1], np.int32)},
        {"points": np.zeros(2, np.float32), "ids": np.array([0, 1], np.int32)},
    ],
    ids=["no-ids", "too-many-ids", "equal-ids", "negative-ids", "nan", "dtype", "shape"],
)
def test_a_file_that_holds_something_else_is_an_error(tmp_path, tensors):
    from safetensors.numpy import save_file

    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(
        ValueError, match=r"must be a safetensors file with points and their ids\. Got: .*Give"
    ):
        HalfspaceReporter.load(tmp_path / "other.safetensors")


def test_a_file_that_is_no_safetensors_file_is_an_error(tmp_path):
    (tmp_path / "text").write_text("nothing of the kind")
    with pytest.raises(ValueError, match="must be a safetensors file with points"):
        HalfspaceReporter.load(tmp_path / "text")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: HalfspaceReporter([1.0, 2.0]), "points must be two-dimensional with at least one column"),
        (lambda r: HalfspaceReporter(np.empty((3, 0))), "Got shape \\(3, 0\\). Pass an array"),
        (lambda r: HalfspaceReporter([[1, 2]], np.int32), "dtype must be float32 or float64"),
        (lambda r: HalfspaceReporter([[np.inf, 0]]), "points must be finite in float32"),
        (lambda r: HalfspaceReporter([[1e300, 0]]), "points must be finite in float32"),
        (lambda r: r.insert([[1, 2, 3]]), "points must have 2 columns. Got shape \\(1, 3\\)"),
        (lambda r: r.insert([[np.nan, 2]]), "points must be finite in float32"),
        (lambda r: r.report([[1, 2]], 0), "a normal must be one row of 2 numbers. Got shape \\(1, 2\\)"),
        (lambda r: r.report([1, 2, 3], 0), "a normal must be one row of 2 numbers"),
        (lambda r: r.report([1, 2], np.inf), "offsets must be finite in float32"),
        (lambda r: r.report([1, 2], 1e300), "offsets must be finite in float32"),
        (lambda r: r.report_batch([[1, 2]], [0, 1]), "one for each of the 1 normals. Got shape \\(2,\\)"),
        (lambda r: r.report_batch([1, 2], 0), "normals must have 2 columns. Got shape \\(2,\\)"),
        (lambda r: r.delete([3]), "ids must be those of points that are held, each once"),
        (lambda r: r.delete([-1]), "ids must be those of points that are held"),
        (lambda r: r.delete([2**40]), "ids must be those of points that are held"),
        (lambda r: r.delete([1, 1]), "ids must be those of points that are held"),
        (lambda r: r.delete([0.5]), "ids must be a one-dimensional array of whole numbers. Got float64"),
        (lambda r: r.delete(1), "ids must be a one-dimensional array of whole numbers. Got int64 of shape"),
        (lambda r: r.move([0, 1], [[1, 2]]), "each id must have one new point. Got 2 ids and 1 points"),
        (lambda r: r.move([0], [[1, np.inf]]), "new_points must be finite"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_an_error_and_changes_nothing(call, message):
    reporter = HalfspaceReporter([[1, 2], [3, 4], [5, 6]])
    with pytest.raises((ValueError, DataError), match=message):
        call(reporter)
    reporter.check_invariants()
    assert reporter.report([1, 0], 0).tolist() == [0, 1, 2]


def test_more_points_than_ids_is_an_error(monkeypatch):
    monkeypatch.setattr(fewfire.halfspace.reporter, "MOST_POINTS", 4)
    reporter = HalfspaceReporter(whole(3, 2))
    with pytest.raises(DataError, match="a reporter holds at most 4 points. Got 5. Divide them"):
        reporter.insert(whole(2, 2))
    assert reporter.insert(whole(1, 2)).tolist() == [3]  # the last that there is room for

"""A reporter in a service: threads, copies, and questions of every kind."""

import copy
import multiprocessing
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fewfire
from fewfire import DataError, HalfspaceReporter, MemoryLimitError
from fewfire.halfspace import files
from fewfire.system.tensors import write_tensors
from processes import run_python
from strategies import seeds

random = np.random.default_rng(0)


def together(*calls):
    """What the calls return, each made by a thread of its own; the first exception is raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def state(reporter):
    ids = reporter.ids
    return reporter.n_features, reporter.dtype, ids.tolist(), reporter.points(ids).tobytes()


@pytest.fixture
def used():
    """A reporter some of whose points are gone, and others moved."""
    reporter = HalfspaceReporter(random.standard_normal((2000, 3)), np.float64)
    reporter.delete(np.arange(0, 2000, 7))
    reporter.move(reporter.ids[:500], random.standard_normal((500, 3)))
    return reporter


def test_threads_ask_and_change_one_reporter():
    points = random.standard_normal((5000, 3))
    reporter, normals = HalfspaceReporter(points), random.standard_normal((20, 3))
    least = reporter.count_batch(normals, 1.0)

    def ask():
        for _ in range(30):
            begins, ids = reporter.report_batch(normals, 1.0)
            assert (np.diff(begins) >= least).all()
            assert begins[-1] == len(ids)
            assert len(reporter) >= 5000
            assert 0 in reporter
            assert reporter.work.nodes > 0

    def change():
        for _ in range(30):
            ids = reporter.insert(3 * points[:200])
            reporter.move(ids, -points[:200])
            np.testing.assert_array_equal(reporter.points(ids), -points[:200].astype(np.float32))
            reporter.delete(ids)

    together(ask, ask, change, change)
    reporter.check_invariants()
    np.testing.assert_array_equal(reporter.ids, np.arange(5000))
    np.testing.assert_array_equal(reporter.count_batch(normals, 1.0), least)


def test_threads_that_only_ask_after_a_move_share_the_repair():
    points = random.standard_normal((20_000, 2))
    reporter, normals = HalfspaceReporter(points), random.standard_normal((50, 2))
    reporter.move(np.arange(20_000), random.permutation(points))
    placed, expected = reporter.work.placed, reporter.count_batch(normals, 1.0).tolist()

    def ask():
        return [reporter.count_batch(normals, 1.0).tolist() for _ in range(40)]

    assert all(answer == expected for answers in together(ask, ask, ask) for answer in answers)
    assert reporter.work.placed > placed
    reporter.check_invariants()


def test_two_threads_that_delete_the_same_points_delete_them_once():
    reporter = HalfspaceReporter(random.standard_normal((4000, 2)))

    def delete(deleted):
        for first in range(0, 4000, 100):
            try:
                reporter.delete(np.arange(first, first + 100))
                deleted.append(first)
            except ValueError:
                pass

    one, other = [], []
    together(lambda: delete(one), lambda: delete(other))
    assert sorted(one + other) == list(range(0, 4000, 100))
    assert len(reporter) == 0
    reporter.check_invariants()


@contextmanager
def meanwhile(spoil):
    """Another thread calls `spoil` again and again."""
    stop = threading.Event()

    def go_on():
        while not stop.is_set():
            spoil()

    spoiler = threading.Thread(target=go_on)
    spoiler.start()
    try:
        yield
    finally:
        stop.set()
        spoiler.join()


def test_points_that_another_thread_changes_meanwhile_are_taken_as_they_were():
    points = np.zeros((20_000, 2), np.float32)

    def spoil():
        points[:] = np.nan
        points[:] = 1

    with meanwhile(spoil):
        for _ in range(20):
            try:
                reporter = HalfspaceReporter(points)
            except DataError:
                continue
            assert np.isfinite(reporter.points(reporter.ids)).all()
            reporter.check_invariants()


def test_ids_that_another_thread_changes_meanwhile_are_refused_or_taken_as_they_were():
    n, far = 1_000_000, 2**31 - 100  # many: a look at all of them takes long enough to meet a change
    points = np.zeros((n, 1), np.float32)
    reporter, ids = HalfspaceReporter(points), np.arange(n)

    def spoil():
        ids[0] = far
        ids[0] = 0

    with meanwhile(spoil):
        for _ in range(20):
            with suppress(ValueError):
                assert not reporter.points(ids).any()


def test_what_becomes_an_array_may_use_the_reporter_that_it_is_given_to():
    normals = random.standard_normal((5, 3))
    reporter = HalfspaceReporter(random.standard_normal((2000, 3)))

    class Late:
        def __array__(self, dtype=None, copy=None):
            reporter.delete(reporter.insert(normals))
            return normals

    expected = reporter.count_batch(normals, 0.5).tolist()
    assert reporter.count_batch(Late(), 0.5).tolist() == expected
    ids = reporter.insert(Late())
    reporter.move(ids, Late())
    np.testing.assert_array_equal(reporter.points(ids), normals.astype(np.float32))
    assert ids.tolist() == list(range(2000, 2005))


def test_an_interrupt_leaves_the_reporter_whole():
    reporter, points = HalfspaceReporter(random.standard_normal((3000, 3))), random.standard_normal((500, 3))

    def interrupt(*_):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    interrupts = 0
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
        while interrupts < 40:
            try:
                ids = reporter.insert(points)
                reporter.move(ids, points[::-1])
                reporter.delete(ids)
            except InterruptedError:
                interrupts += 1
                if len(reporter) > 20_000:
                    reporter.delete(reporter.ids[3000:])
    except InterruptedError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    reporter.check_invariants()
    assert set(range(3000)) <= set(reporter.ids.tolist())


COPIES = {
    "pickle": lambda reporter: pickle.loads(pickle.dumps(reporter)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES.keys())
def test_a_copy_gives_the_same_answers_and_ids_and_stands_alone(used, duplicate):
    other = duplicate(used)
    other.check_invariants()
    assert state(other) == state(used)
    normals = random.standard_normal((30, 3))
    for mine, its in zip(
        used.report_batch(normals, 0.3, return_values=True),
        other.report_batch(normals, 0.3, return_values=True),
        strict=True,
    ):
        assert mine.tobytes() == its.tobytes()
    before = state(used)
    assert other.insert(normals).tolist() == COPIES["pickle"](used).insert(normals).tolist()
    assert state(used) == before


def test_joblib_writes_and_reads_a_reporter(used, tmp_path):
    joblib.dump(used, tmp_path / "reporter")
    assert state(joblib.load(tmp_path / "reporter")) == state(used)


@pytest.mark.slow
def test_a_spawned_process_gets_a_reporter(used):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(HalfspaceReporter.count, (used, [1.0, 0, 0], 0.5)) == used.count([1.0, 0, 0], 0.5)


@pytest.mark.parametrize("n_points", [2, 300_000], ids=["between calls", "while the core counts"])
def test_a_daemon_thread_that_holds_a_reporter_at_exit_is_no_leak(n_points):
    code = f"""
        import threading, time
        import numpy as np
        from fewfire import HalfspaceReporter
        started = threading.Event()
        def hold(reporter):
            started.set()
            while True:
                reporter.count(np.ones(8), 0.5)
        points = np.random.default_rng(0).normal(size=({n_points}, 8))
        threading.Thread(target=hold, args=(HalfspaceReporter(points),), daemon=True).start()
        started.wait()
        time.sleep(0.05)
    """
    done = run_python(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_reporter_says_of_itself():
    reporter = HalfspaceReporter(np.ones((1200, 2)), np.float64)
    assert repr(reporter) == "HalfspaceReporter(1,200 points, 2 dimensions, float64)"
    assert repr(HalfspaceReporter([[1.0]])) == "HalfspaceReporter(1 point, 1 dimension, float32)"
    reporter.delete([5])
    assert 4 in reporter
    assert np.int64(1199) in reporter
    assert not any(id in reporter for id in (5, -1, 1200, 2**31, 2**70, 1.0, "1", None))


UGLY = st.sampled_from(["whole", "duplicates", "zero", "continuous"])


@given(seeds, st.integers(1, 300), st.integers(1, 5), UGLY, st.sampled_from([np.float32, np.float64]))
def test_ties_values_and_counts_are_those_of_a_scan(seed, n, d, kind, dtype):
    random = np.random.default_rng(seed)
    points = {
        "whole": lambda: random.integers(-2, 3, (n, d)),
        "duplicates": lambda: np.repeat(random.integers(-2, 3, (1, d)), n, axis=0),
        "zero": lambda: np.zeros((n, d)),
        "continuous": lambda: random.integers(-8, 9, (n, d)) / 8,
    }[kind]().astype(dtype)
    normals = random.integers(-2, 3, (6, d)).astype(dtype)
    products = normals @ points.T  # exact: small whole numbers and eighths
    offsets = np.append(random.choice(products.ravel(), 4), [1e6, -1e6]).astype(dtype)  # ties, none, all
    reporter = HalfspaceReporter(points, dtype)
    for strict, inside in ((True, np.greater), (False, np.greater_equal)):
        begins, ids, values = reporter.report_batch(normals, offsets, strict=strict, return_values=True)
        counts = reporter.count_batch(normals, offsets, strict=strict)
        assert values.dtype == dtype
        for i in range(6):
            expected = np.flatnonzero(inside(products[i], offsets[i]))
            part = slice(begins[i], begins[i + 1])
            np.testing.assert_array_equal(ids[part], expected)
            np.testing.assert_array_equal(values[part], products[i][expected])
            one, its_values = reporter.report(normals[i], offsets[i], strict=strict, return_values=True)
            np.testing.assert_array_equal(one, expected)
            np.testing.assert_array_equal(its_values, products[i][expected])
            assert counts[i] == reporter.count(normals[i], offsets[i], strict=strict) == len(expected)


@pytest.mark.parametrize(
    "questions",
    [
        [[1, 2], [3, 4]],
        np.array([[1, 2], [3, 4]], np.int8),
        np.array([[1.0, 2], [3, 4]], np.float16),
        np.array([[1.0, 3], [2, 4]]).T,
        np.array([[1.0, 9, 2, 9], [3, 9, 4, 9]])[:, ::2],
        np.array([[1.0, 2], [3, 4]], ">f8"),
        np.ma.array([[1.0, 2], [3, 4]]),
    ],
    ids=["list", "int8", "float16", "transposed", "strided", "big-endian", "nothing-masked"],
)
def test_questions_of_every_form_are_the_same_question(questions):
    points = random.integers(-3, 4, (100, 2))
    reporter = HalfspaceReporter(points)
    expected = [np.flatnonzero(points @ row > 2).tolist() for row in np.array([[1, 2], [3, 4]])]
    begins, ids = reporter.report_batch(questions, 2)
    assert [ids[: begins[1]].tolist(), ids[begins[1] :].tolist()] == expected
    assert [reporter.report(row, 2).tolist() for row in questions] == expected


NO_NUMBERS = {
    "complex": np.array([[1 + 2j, 0]]),
    "times": np.array([["2020-01-01", "2020-01-02"]], "datetime64[D]"),
    "texts": np.array([["1", "2"]]),
    "objects": np.array([[1 + 2j, None]]),
    "masked": np.ma.array([[1.0, 2.0]], mask=[[True, False]]),
    "nan": np.array([[np.nan, 1.0]]),
    "infinite": np.array([[np.inf, 1.0]], np.float32),
    "beyond": np.array([[1e300, 1.0]]),
}


@pytest.mark.parametrize("numbers", NO_NUMBERS.values(), ids=NO_NUMBERS.keys())
@pytest.mark.parametrize(
    "call",
    [
        lambda reporter, numbers: HalfspaceReporter(numbers),
        lambda reporter, numbers: reporter.insert(numbers),
        lambda reporter, numbers: reporter.move([0], numbers),
        lambda reporter, numbers: reporter.report(numbers[0], 0.0),
        lambda reporter, numbers: reporter.count(numbers[0], 0.0),
        lambda reporter, numbers: reporter.report_batch(numbers, 0.0),
        lambda reporter, numbers: reporter.count_batch(numbers, 0.0),
        lambda reporter, numbers: reporter.report([1, 2], numbers[0, 0]),
        lambda reporter, numbers: reporter.count_batch([[1, 2]], numbers[0, :1]),
    ],
    ids=["points", "insert", "move", "normal", "count", "normals", "counts", "offset", "offsets"],
)  # fmt: skip
def test_what_is_no_finite_real_number_is_refused_and_changes_nothing(call, numbers):
    reporter = HalfspaceReporter([[1, 2], [3, 4]])
    before = state(reporter)
    with pytest.raises(DataError, match=r"must be (real numbers|finite in float32)"):
        call(reporter, numbers)
    assert state(reporter) == before


def test_a_file_with_few_points_and_a_far_id_is_held_to_the_memory_there_is(tmp_path, monkeypatch):
    path = tmp_path / "points"
    points, ids = np.ones((1, 2), np.float32), np.array([2_000_000_000], np.int32)
    write_tensors(path, files.KIND, {"points": points, "ids": ids})
    monkeypatch.setattr(files, "available_bytes", lambda: 8 * 2_000_000_001 - 1)
    with pytest.raises(MemoryLimitError, match=r"Got 1 points in .* ids up to 2,000,000,000: 16,000,000,008"):
        HalfspaceReporter.load(path)


def test_a_far_id_that_fits_is_read(tmp_path):
    points, ids = np.ones((1, 2), np.float32), np.array([70_000], np.int32)
    write_tensors(tmp_path / "points", files.KIND, {"points": points, "ids": ids})
    reporter = HalfspaceReporter.load(tmp_path / "points")
    assert reporter.report([1, 1], 1.5).tolist() == [70_000]
    assert reporter.insert([[0, 0], [0, 0]]).tolist() == [0, 1]
    reporter.check_invariants()


def test_threads_of_fewfire_do_not_change_what_threads_of_python_are_told(used):
    normals = random.standard_normal((40, 3))
    expected = [array.tobytes() for array in used.report_batch(normals, 0.2)]
    fewfire.set_threads(2)

    def ask():
        return [array.tobytes() for array in used.report_batch(normals, 0.2)]

    assert together(ask, ask, ask, ask) == [expected] * 4

"""Half-space reporting and the weight tree beside scans and other libraries, on one thread.

    python benchmarks/halfspace.py [FOLDER]      about three minutes

2^17 Gaussian points in d dimensions and the paper's threshold, asked with unit-norm normals: the fastest of
some turns. FOLDER holds the data sets that networks of that width are trained on. Needs scikit-learn and
faiss-cpu.
"""

import sys
from collections.abc import Callable
from itertools import chain, count, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import faiss
import numpy as np
from sklearn.neighbors import BallTree, KDTree

import fewfire
from common import DATA, save, unit_rows
from fewfire import HalfspaceReporter, Inputs, TwoLayerNetwork
from fewfire.indexes import ExhaustiveIndex, WeightTreeIndex
from fewfire.networks.threshold import paper_threshold
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling

WIDTH, QUESTIONS, DIMENSIONS, TREE_DIMENSIONS = 2**17, 256, (1, 2, 3, 4, 6, 8, 16), (2, 3, 4)
STEPS, BATCH, MOVED = 40, 128, 2048
THRESHOLD = float(np.float32(paper_threshold(WIDTH)))
SETS = {  # the last column is learned
    "banana": ("pmlb_classification/banana.tsv.gz", "\t", 1),
    "banknote": ("banknote/banknote_authentication.csv", ",", 0),
    "servo": ("uci_regression/servo/data.csv.gz", ",", 0),
    "airfoil": ("uci_regression/airfoil/data.csv.gz", ",", 0),
}


def seconds_of(call: Callable[[], Any], turns: int = 5) -> float:
    times = []
    for _ in range(turns):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)


def numpy_scan(points: np.ndarray, normals: np.ndarray) -> list[np.ndarray]:
    """Ids for each normal, from products in blocks of 16 normals."""
    found = []
    for first in range(0, len(normals), 16):
        found += [np.flatnonzero(row > THRESHOLD) for row in normals[first : first + 16] @ points.T]
    return found


def questions(d: int) -> dict[str, Any]:
    """Microseconds a question."""
    network = TwoLayerNetwork.initialize(WIDTH, d, 1)
    points, inputs = np.ascontiguousarray(network.weights), Inputs.of(unit_rows(QUESTIONS, d))
    build = seconds_of(lambda: HalfspaceReporter(points), 3)
    reporter, exhaustive, tree = HalfspaceReporter(points), ExhaustiveIndex(), WeightTreeIndex()
    exhaustive.build(network.layer)
    tree.build(network.layer)
    assert tree.fire_set(inputs).identical(exhaustive.fire_set(inputs))
    before = reporter.work
    begins, _ = reporter.report_batch(inputs.samples, THRESHOLD)
    pairs, work = WIDTH * QUESTIONS, reporter.work
    flat = faiss.IndexFlatIP(d)
    flat.add(points)
    calls = {
        "report": lambda: reporter.report_batch(inputs.samples, THRESHOLD),
        "weight_tree": lambda: tree.fire_set(inputs),
        "exhaustive": lambda: exhaustive.fire_set(inputs),
        "numpy": lambda: numpy_scan(points, inputs.samples),
        "faiss": lambda: flat.range_search(inputs.samples, THRESHOLD),
    }
    row: dict[str, Any] = {name: 1e6 * seconds_of(call, 3) / QUESTIONS for name, call in calls.items()}
    return row | {
        "d": d,
        "build_seconds": build,
        "reported": int(begins[-1]) / pairs,
        "tested": (work.tested - before.tested) / pairs,
        "nodes": (work.nodes - before.nodes) / pairs,
    }


def libraries(d: int) -> dict[str, Any]:
    """A build and 1,000 questions; trees of balls and boxes are asked for a radius.

    With one coordinate more, all points have the length L of the longest; those with <w, x> > b are then
    those nearer to (L x, 0) than (2 L^2 - 2 L b)^(1/2).
    """
    points, normals = np.random.default_rng(0).standard_normal((WIDTH, d)), unit_rows(1000, d)
    squares = np.sum(points**2, axis=1)
    longest = float(np.sqrt(squares.max()))
    lifted = np.c_[points, np.sqrt(longest**2 - squares)]
    centres = np.c_[longest * normals, np.zeros(len(normals))]
    radius = (2 * longest**2 - 2 * longest * THRESHOLD) ** 0.5
    single = points.astype(np.float32)

    def in_tree(kind: type) -> None:
        kind(lifted).query_radius(centres, radius)

    def in_faiss() -> None:
        flat = faiss.IndexFlatIP(d)
        flat.add(single)
        flat.range_search(normals, THRESHOLD)

    return {
        "d": d,
        "fewfire": seconds_of(lambda: HalfspaceReporter(single).report_batch(normals, THRESHOLD), 3),
        "kd_tree": seconds_of(lambda: in_tree(KDTree), 1),
        "ball_tree": seconds_of(lambda: in_tree(BallTree), 1),
        "faiss": seconds_of(in_faiss, 1),
    }


def updates(d: int) -> dict[str, Any]:
    """Microseconds a point."""
    random = np.random.default_rng(0)
    points, others = random.standard_normal((WIDTH, d)), random.standard_normal((MOVED, d))
    reporter, ids = HalfspaceReporter(points), random.permutation(WIDTH)[:MOVED]
    insert = seconds_of(lambda: reporter.insert(others), 1)
    delete = seconds_of(lambda: reporter.delete(np.arange(WIDTH, WIDTH + MOVED)), 1)
    move = seconds_of(lambda: reporter.move(ids, points[ids] + 1e-3))
    move_all = seconds_of(lambda: reporter.move(np.arange(WIDTH), points))
    return {"d": d, "insert": 1e6 * insert / MOVED, "delete": 1e6 * delete / MOVED,
            "move": 1e6 * move / MOVED, "move_all": 1e6 * move_all / WIDTH}  # fmt: skip


def training(name: str, folder: Path) -> dict[str, Any]:
    """Milliseconds a step through either index, from the same weights and to the same."""
    path, delimiter, header = SETS[name]
    table = np.loadtxt(folder / path, delimiter=delimiter, skiprows=header)
    inputs = InputScaling.fit(table[:, :-1], standardize=True).transform(table[:, :-1])
    targets = (table[:, -1:] - table[:, -1].mean()) / table[:, -1].std()
    row: dict[str, Any] = {"name": name, "n_samples": len(inputs), "n_features": inputs.shape[1]}
    weights = []
    for index in ("exhaustive", "weight_tree"):
        network = TwoLayerNetwork.initialize(WIDTH, inputs.shape[1], 1)
        trainer = plan_trainer(network, inputs, targets, index=index, batch_size=BATCH)
        trainer.build()
        batches = islice(chain.from_iterable(trainer.problem.batches(epoch) for epoch in count(1)), STEPS)
        start = perf_counter()
        for ids in batches:
            trainer.step(ids)
        row[index] = 1e3 * (perf_counter() - start) / STEPS
        weights.append(network.weights.tobytes())
    work = trainer.index.work
    row["fire_rate"], row["tested"] = work.fired / work.asked, work.multiplied / work.asked
    return row | {"equal": weights[0] == weights[1]}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    fewfire.set_threads(1)
    faiss.omp_set_num_threads(1)
    figures: dict[str, list[dict[str, Any]]] = {
        "questions": [questions(d) for d in DIMENSIONS],
        "libraries": [libraries(d) for d in TREE_DIMENSIONS],
        "updates": [updates(d) for d in TREE_DIMENSIONS],
        "training": [training(name, folder) for name in SETS],
    }
    for part, rows in figures.items():
        print(part, *rows, sep="\n")
    save("halfspace", "python benchmarks/halfspace.py", figures)

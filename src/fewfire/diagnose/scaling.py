"""How the cost of a step grows with the width, the samples and the features, through each index."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from statistics import median
from time import perf_counter

import numpy as np

from fewfire.core.inputs import Inputs
from fewfire.indexes import INDEXES
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.plan import plan_trainer

STEPS = 3  # that are counted and timed at each point, after one that is not
BASE = {"m": 8192, "n": 256, "d": 8}  # what stays as it is while another grows
SWEEPS = {
    "m": [1 << power for power in range(9, 17)],
    "n": [1 << power for power in range(6, 12)],
    "d": [2, 4, 8, 16, 32, 64],
}
QUICK_SWEEPS = {axis: sizes[:3] for axis, sizes in SWEEPS.items()}
BUDGET = 240.0  # seconds of all points together; a sweep through one index gets an equal part

EXACT = [name for name, index in INDEXES.items() if index.is_exact]  # others answer less than what is asked

# Exponents that papers claim of a step, as docs/theory/scaling.md says; for the features that stay.
CLAIMS = {
    ("exhaustive", "m"): "1",
    ("exhaustive", "n"): "1",
    ("exhaustive", "d"): "1",
    ("weight_tree", "m"): "max(1 - 1/floor(d/2), 4/5)",
    ("weight_tree", "n"): "1",
    ("data_tree", "m"): "4/5",
    ("data_tree", "n"): "1",
    ("correlation_tree_by_sample", "m"): "4/5",
    ("correlation_tree_by_sample", "n"): "2",
    ("correlation_tree_by_neuron", "m"): "4/5",
    ("correlation_tree_by_neuron", "n"): "2",
    ("grover", "m"): "9/10",
    ("grover", "n"): "1",
}


@dataclass(frozen=True)
class Point:
    """Figures of a step of full-batch gradient descent, the mean of a few; times are medians.

    Attributes
    ----------
    index : name
    axis : which of m, n, d grows in the sweep that this is of
    m, n, d : neurons, samples, features
    fired : pairs that fire
    dots : pairs that the shared kernel decided
    find_multiply_adds : spent on finding who fires; of a simulated quantum search its queries, d each
    multiply_adds : of the whole step
    work_share : of those, beside the 2 m n d of a dense step
    step_seconds, build_seconds : float
    index_bytes : int
    """

    index: str
    axis: str
    m: int
    n: int
    d: int
    fired: float
    dots: float
    find_multiply_adds: float
    multiply_adds: float
    work_share: float
    step_seconds: float
    build_seconds: float
    index_bytes: int

    @property
    def size(self) -> int:
        return getattr(self, self.axis)


def problem(m: int, n: int, d: int, seed: int) -> tuple[TwoLayerNetwork, Inputs, np.ndarray]:
    """The paper's network and threshold; samples on the unit sphere with labels +1 and -1, at random."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((n, d))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = random.integers(0, 2, (n, 1)) * 2.0 - 1
    return TwoLayerNetwork.initialize(m, d, 1, seed=seed), Inputs.of(rows), labels


def measure(index: str, axis: str, sizes: dict[str, int], seed: int) -> Point:
    """Build an index, take a few steps, and count."""
    trainer = plan_trainer(*problem(**sizes, seed=seed), index=index)
    start = perf_counter()
    trainer.build()
    build_seconds = perf_counter() - start
    (ids,) = trainer.problem.batches(1)
    trainer.step(ids, ids)
    before, seconds = trainer.index.work.copy(), []
    for _ in range(STEPS):
        start = perf_counter()
        trainer.step(ids, ids)
        seconds.append(perf_counter() - start)
    work, d = trainer.index.work - before, sizes["d"]
    found = work.oracle_queries * d if work.oracle_queries else work.multiply_adds(d)
    spent = found + work.fired * d
    return Point(
        index=index,
        axis=axis,
        **sizes,
        fired=work.fired / STEPS,
        dots=work.dots / STEPS,
        find_multiply_adds=found / STEPS,
        multiply_adds=spent / STEPS,
        work_share=spent / (2 * work.asked * d),
        step_seconds=median(seconds),
        build_seconds=build_seconds,
        index_bytes=trainer.index.nbytes,
    )


def sweep(index: str, axis: str, sizes: Sequence[int], seed: int, budget: float) -> Iterator[Point]:
    """Points of growing size, until the next, at twice the time of the last, would exceed the budget."""
    spent = last = 0.0
    for size in sizes:
        if spent + 2 * last > budget:
            return
        start = perf_counter()
        yield measure(index, axis, BASE | {axis: size}, seed)
        last = perf_counter() - start
        spent += last


def all_points(sweeps: dict[str, list[int]], seed: int, budget: float = BUDGET) -> Iterator[Point]:
    """The points of every exact index and every sweep."""
    part = budget / (len(EXACT) * len(sweeps))
    for axis, sizes in sweeps.items():
        for index in EXACT:
            yield from sweep(index, axis, sizes, seed, part)


def exponent(points: Sequence[Point], figure: str) -> float | None:
    """The slope of a figure over the size that grows, in logarithms; None where there are not two to fit."""
    known = [(point.size, getattr(point, figure)) for point in points]
    known = [(size, value) for size, value in known if value > 0]
    if len(known) < 2:
        return None
    sizes, values = np.log(np.array(known, float)).T
    return float(np.polyfit(sizes, values, 1)[0])


def fits(points: Sequence[Point]) -> list[dict[str, object]]:
    """For each index and sweep: the exponents of work, time and firing pairs, and what is claimed."""
    rows = []
    for axis, index in dict.fromkeys((point.axis, point.index) for point in points):
        own = [point for point in points if (point.axis, point.index) == (axis, index)]
        rows.append(
            {
                "axis": axis,
                "index": index,
                "sizes": [point.size for point in own],
                "find": exponent(own, "find_multiply_adds"),
                "work": exponent(own, "multiply_adds"),
                "seconds": exponent(own, "step_seconds"),
                "fired": exponent(own, "fired"),
                "claimed": CLAIMS.get((index, axis)),
                "largest": asdict(own[-1]),
            }
        )
    return rows


def points_table(points: Sequence[Point]) -> str:
    """The points as CSV."""
    text = StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Point)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(point) for point in points)
    return text.getvalue()


HEADER = (
    "grows", "index", "sizes", "finding", "work", "time", "claimed", "of dense at the largest", "ms per step"
)  # fmt: skip


def fits_rows(rows: Sequence[dict]) -> list[tuple[str, ...]]:
    """The fitted exponents as a person reads them, under HEADER."""

    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    return [
        (
            row["axis"],
            row["index"],
            f"{row['sizes'][0]:,} .. {row['sizes'][-1]:,}",
            shown(row["find"]),
            shown(row["work"]),
            shown(row["seconds"]),
            row["claimed"] or "",
            f"{row['largest']['work_share']:.1%}",
            f"{1e3 * row['largest']['step_seconds']:.2f}",
        )
        for row in rows
    ]


def markdown_table(rows: Sequence[dict]) -> str:
    lines = [HEADER, ("---",) * len(HEADER), *fits_rows(rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"

"""How many samples does second order save, and is the advice on representations the best?

    python benchmarks/representations.py [PART ...]      eight minutes on two cores; parts: samples sets known

- Targets of one direction on the sphere, by the tangent kernel of both layers (at its best ridge on the test
  samples, which no user knows) and by a quadratic head: He2 on rows, He4 on features of degree two.
- Two directions of 200 columns from 1,600 rows: error and seconds of the head.
- The report on 12 regression sets: what it advises from up to 1,500 rows, and what each representation,
  learned from those rows, makes of up to 1,500 others.
- Seconds of the report on 1,500 rows of 60 columns.
- The report on known targets of 150 rows of 20 columns between -1 and 1, ten seeds each: sin(3 x_1), He2 of
  one direction, noise.
"""

import gzip
import sys
from math import sqrt
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from common import DATA, save
from fewfire.diagnose import representation_report
from fewfire.diagnose.representations import WAYS, Learned
from fewfire.diagnose.sample_complexity import hermite
from fewfire.models import QuadraticHead, Representation
from fewfire.tangent import Layers

RIDGES = 10.0 ** np.arange(-6, 1.01, 0.5)
SETS = {  # folder of the shared data, and name in it
    "airfoil": "uci_regression",
    "elevators": "uci_regression",
    "parkinsons": "uci_regression",
    "pol": "uci_regression",
    "pumadyn32nm": "uci_regression",
    "skillcraft": "uci_regression",
    "sml": "uci_regression",
    "concrete": "uci_regression_gal",
    "energy": "uci_regression_gal",
    "kin8nm": "uci_regression_gal",
    "wine-quality-red": "uci_regression_gal",
    "225_puma8NH": "pmlb_regression",
}
ROWS = 1500


def sphere(count: int, dim: int, random: np.random.Generator) -> np.ndarray:
    rows = random.standard_normal((count, dim))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def kernel_error(rows: np.ndarray, targets: np.ndarray, new: np.ndarray, new_targets: np.ndarray) -> float:
    layers, mean = Layers(1, 0.0, trained="all"), targets.mean()
    values, vectors = np.linalg.eigh(layers.kernel(rows @ rows.T))
    across, along = layers.kernel(new @ rows.T) @ vectors, vectors.T @ (targets - mean)
    return min(
        float(np.mean(np.square(across @ (along / (values + ridge)) + mean - new_targets)))
        for ridge in RIDGES
    ) / float(np.var(new_targets))


def one_direction() -> list[dict[str, Any]]:
    found = []
    for degree, dim, counts, seeds in ((2, 20, (60, 120, 300), 5), (2, 50, (250,), 5),
                                       (4, 20, (1500, 2500), 2)):  # fmt: skip
        for count in counts:
            errors, kernel, cosines, ranks, seconds = [], [], [], [], []
            for seed in range(seeds):
                random = np.random.default_rng(seed)
                rows, new = sphere(count, dim, random), sphere(1000, dim, random)
                direction = sphere(1, dim, random)[0]
                targets, new_targets = (
                    hermite(degree, sqrt(dim) * (some @ direction)) for some in (rows, new)
                )
                kernel.append(kernel_error(rows, targets, new, new_targets))
                begin = perf_counter()
                made = Representation("degree2", whiten=0.0).fit(rows)
                seen, new_seen = (made.transform(some) if degree == 4 else some for some in (rows, new))
                head = QuadraticHead(n_components=2 if degree == 4 else 8, random_state=seed)
                outputs = head.fit(seen, targets).predict(new_seen)
                seconds.append(perf_counter() - begin)
                errors.append(float(np.mean(np.square(outputs - new_targets)) / np.var(new_targets)))
                ranks.append(head.rank_)
                if degree == 2:
                    cosines.append(float(abs(head.directions_[0] @ direction)))
            found.append(
                {"degree": degree, "dim": dim, "samples": count, "head": errors, "kernel": kernel,
                 "cosines": cosines, "ranks": ranks, "seconds": float(np.median(seconds))}
            )  # fmt: skip
            print(found[-1])
    return found


def two_directions() -> dict[str, Any]:
    random = np.random.default_rng(0)
    rows, new = random.standard_normal((1600, 200)), random.standard_normal((1000, 200))
    begin = perf_counter()
    head = QuadraticHead(random_state=0).fit(rows, rows[:, 0] * rows[:, 1])
    seconds = perf_counter() - begin
    return {"error": 1 - head.score(new, new[:, 0] * new[:, 1]), "rank": head.rank_, "seconds": seconds}


def table_of(folder: Path, name: str) -> np.ndarray:
    """The rows of a set, the target last."""
    if SETS[name] == "uci_regression":
        return np.loadtxt(gzip.open(folder / SETS[name] / name / "data.csv.gz", "rt"), delimiter=",")
    if SETS[name] == "pmlb_regression":
        path = folder / SETS[name] / f"{name}.tsv.gz"
        return np.loadtxt(gzip.open(path, "rt"), delimiter="\t", skiprows=1)
    place = folder / SETS[name] / name
    rows = np.loadtxt(place / "data.txt")
    columns = np.loadtxt(place / "index_features.txt").astype(int)
    return np.column_stack([rows[:, columns], rows[:, int(np.loadtxt(place / "index_target.txt"))]])


def one_set(folder: Path, name: str) -> dict[str, Any]:
    rows = np.random.default_rng(0).permutation(table_of(folder, name))
    count = min(ROWS, int(0.7 * len(rows)))
    known, new = rows[:count], rows[count : count + ROWS]
    begin = perf_counter()
    report = representation_report(known[:, :-1], known[:, -1])
    seconds = perf_counter() - begin
    learned = Learned.of(known[:, :-1], known[:, -1:])
    tested = {
        way: float(learned.missed(learn(learned, 0)[0], new[:, :-1], new[:, -1:]).mean() / new[:, -1].var())
        for way, learn in WAYS.items()
    }
    found = {
        "set": name, "rows": count, "columns": rows.shape[1] - 1, "tested": tested,
        "held out": {one.name: [one.error, one.standard_error] for one in report.table},
        "advised": report.advised, "ratio to the best": tested[report.advised] / min(tested.values()),
        "seconds": seconds,
    }  # fmt: skip
    print(found, flush=True)
    return found


def sixty_columns() -> dict[str, Any]:
    inputs = np.random.default_rng(0).standard_normal((ROWS, 60))
    begin = perf_counter()
    report = representation_report(inputs, np.sin(inputs[:, 0]) + inputs[:, 1] * inputs[:, 2])
    return {"seconds": perf_counter() - begin, "ways": len(report.table)}


def known_targets() -> dict[str, dict[str, int]]:
    direction = sphere(1, 20, np.random.default_rng(1))[0]
    kinds = {
        "sin(3 x_1)": lambda x, random: np.sin(3 * x[:, 0]),
        "He2 of one direction": lambda x, random: hermite(2, sqrt(3) * (x @ direction)),
        "noise": lambda x, random: random.standard_normal(len(x)),
    }
    found: dict[str, dict[str, int]] = {}
    for kind, target in kinds.items():
        found[kind] = {}
        for seed in range(10):
            random = np.random.default_rng(seed)
            inputs = random.uniform(-1, 1, (150, 20))
            advised = representation_report(inputs, target(inputs, random), seed=seed).advised
            found[kind][advised] = found[kind].get(advised, 0) + 1
    print(found)
    return found


PARTS = {
    "samples": lambda folder: {"one direction": one_direction(), "two directions": two_directions()},
    "sets": lambda folder: [one_set(folder, name) for name in SETS],
    "known": lambda folder: {"sixty columns": sixty_columns(), "known targets": known_targets()},
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        command = f"python benchmarks/representations.py {part}"
        save(f"representations_{part}", command, PARTS[part](DATA))

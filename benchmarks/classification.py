"""The default Gauss-Newton classifier beside scikit-learn's, on tabular sets.

    python benchmarks/classification.py [FOLDER]      about forty minutes on two cores

FOLDER holds sets of PMLB (tab-separated, gzip, a column `target`). Four random splits of each, a quarter for
testing, at most 2,000 rows for training and 3,000 for testing. Sets that are done already are kept: delete
benchmarks/results/classification.json to begin anew.

The rivals get standardized columns; the support vector machine, the network and the regression also a column
for each small whole number where an inner split finds that better, as fewfire chooses for itself. The support
vector machine is tuned over C and gamma on the same inner split, as fewfire is by leaving one out.
"""

import gzip
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from common import DATA, RESULTS, save
from fewfire.estimators import WideClassifier
from fewfire.prepare.categories import OneHot, perhaps_categories

SPLITS, MOST_TRAINED, MOST_TESTED = 4, 2_000, 3_000
COSTS, GAMMAS = (0.1, 1.0, 10.0, 100.0), (0.1, 0.3, 1.0, 3.0)  # gammas over the number of columns


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with gzip.open(path, "rt") as file:
        names = file.readline().rstrip("\n").split("\t")
        table = np.loadtxt(file, delimiter="\t")
    target = names.index("target")
    left_out = [target, *([0, 1] if path.name.startswith("clean") else [])]  # which name the molecules
    return np.delete(table, left_out, axis=1), np.unique(table[:, target], return_inverse=True)[1]


def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for testing, a quarter of each class."""
    random, train, test = np.random.default_rng(seed), [], []
    for code in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == code))
        count = max(1, round(len(rows) / 4)) if len(rows) > 1 else 0
        test.append(rows[:count])
        train.append(rows[count:])
    parts = [random.permutation(np.concatenate(part)) for part in (train, test)]
    return parts[0][:MOST_TRAINED], parts[1][:MOST_TESTED]


def codings(inputs: np.ndarray, train: np.ndarray) -> list[np.ndarray]:
    """All rows, standardized: as they are, and with categories as columns where there may be some."""
    ways = [inputs]
    if found := perhaps_categories(inputs[train]):
        ways.append(OneHot.of(inputs[train], found).transform(inputs))
    coded = []
    for rows in ways:
        spread = rows[train].std(axis=0)
        coded.append((rows - rows[train].mean(axis=0)) / np.where(spread > 1e-12, spread, 1))
    return coded


def tuned(make: Callable[..., Any], grid: list[dict[str, Any]], ways: list[np.ndarray], labels: np.ndarray,
          train: np.ndarray) -> tuple[Any, np.ndarray]:  # fmt: skip
    """The best of a grid and of the codings on an inner split, fitted to all training rows."""
    choices = [(way, settings) for way in ways for settings in grid]
    if len(choices) > 1:
        inner, outer = next(ShuffleSplit(1, test_size=0.25, random_state=0).split(train))
        scores = []
        for way, settings in choices:
            try:
                model = make(way, **settings).fit(way[train[inner]], labels[train[inner]])
                scores.append(model.score(way[train[outer]], labels[train[outer]]))
            except ValueError:  # one class alone in the inner part
                scores.append(0.0)
        choices = [choices[int(np.argmax(scores))]]
    way, settings = choices[0]
    return make(way, **settings).fit(way[train], labels[train]), way


def svc(way: np.ndarray, *, cost: float, gamma: float) -> SVC:
    return SVC(C=cost, gamma=gamma / way.shape[1])


def measure(inputs: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, tuple[float, float]]:
    """Test accuracy and seconds of each method."""
    train, test = split(labels, seed)
    ways = codings(inputs, train)
    svm_grid = [{"cost": cost, "gamma": gamma} for cost in COSTS for gamma in GAMMAS]
    methods: dict[str, Callable[[], tuple[Any, np.ndarray]]] = {
        "fewfire": lambda: (WideClassifier(random_state=seed).fit(inputs[train], labels[train]), inputs),
        "random forest": lambda: (
            RandomForestClassifier(random_state=seed, n_jobs=2).fit(inputs[train], labels[train]), inputs,
        ),
        "SVC, tuned": lambda: tuned(svc, svm_grid, ways, labels, train),
        "MLP": lambda: tuned(lambda _: MLPClassifier(random_state=seed), [{}], ways, labels, train),
        "logistic regression": lambda: tuned(lambda _: LogisticRegression(max_iter=1000), [{}], ways, labels,
                                             train),
    }  # fmt: skip
    results = {}
    for name, fit in methods.items():
        start = perf_counter()
        model, rows = fit()
        results[name] = float(model.score(rows[test], labels[test])), perf_counter() - start
    return results


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")  # rivals that did not converge in their default number of steps
    path = RESULTS / "classification.json"
    sets = json.loads(path.read_text())["figures"]["sets"] if path.exists() else []
    done = {row["name"] for row in sets}
    for file in sorted(folder.glob("*.tsv.gz"), key=lambda file: file.stat().st_size):
        name = file.name.removesuffix(".tsv.gz")
        if name in done:
            continue
        inputs, labels = load(file)
        runs = [measure(inputs, labels, seed) for seed in range(SPLITS)]
        row = {"name": name, "samples": len(labels), "features": inputs.shape[1],
               "classes": int(labels.max()) + 1}  # fmt: skip
        for place, figure in enumerate(("accuracy", "seconds")):
            row[figure] = {method: float(np.mean([run[method][place] for run in runs])) for method in runs[0]}
        sets.append(row)
        save("classification", "python benchmarks/classification.py", {"sets": sets})
        print(name, {method: round(value, 4) for method, value in row["accuracy"].items()},
              f"{row['seconds']['fewfire']:.1f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "pmlb_classification")

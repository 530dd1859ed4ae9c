"""The default Gauss-Newton regressor beside scikit-learn's, on tabular sets.

    python benchmarks/regression.py [FOLDER]      about half an hour on two cores

FOLDER holds the sets of UCI (folders uci_regression and uci_regression_gal) and PMLB (pmlb_regression). Two
random splits of each, a quarter for testing, at most 5,000 rows for training and for testing. Sets that are
done already are kept: delete benchmarks/results/regression.json to begin anew.

The rivals, at their defaults, get standardized columns and targets: without them the MLP would do far worse.
"""

import gzip
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common import DATA, RESULTS, save
from fewfire.estimators import WideRegressor

SPLITS, MOST_ROWS = 2, 5_000
TWICE = {"537_houses", "201_pol"}  # of PMLB: as california_housing and UCI's pol


def tables(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, inputs and target of each set."""
    for path in sorted((folder / "uci_regression").glob("*/data.csv.gz")):
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",")
        yield path.parent.name, table[:, :-1], table[:, -1]
    for path in sorted((folder / "uci_regression_gal").glob("*/data.txt")):
        table = np.loadtxt(path)
        features = np.loadtxt(path.with_name("index_features.txt"), dtype=int)
        target = int(np.loadtxt(path.with_name("index_target.txt")))
        yield f"{path.parent.name} (raw)", table[:, features], table[:, target]
    for path in sorted((folder / "pmlb_regression").glob("*.tsv.gz")):
        name = path.name.removesuffix(".tsv.gz")
        if name in TWICE:
            continue
        with gzip.open(path, "rt") as file:
            names = file.readline().rstrip("\n").split("\t")
            table = np.loadtxt(file, delimiter="\t")
        target = names.index("target")
        yield name, np.delete(table, target, axis=1), table[:, target]


def standardized(model: Any) -> Any:
    return TransformedTargetRegressor(make_pipeline(StandardScaler(), model), transformer=StandardScaler())


def measure(inputs: np.ndarray, target: np.ndarray, seed: int) -> dict[str, tuple[float, float]]:
    """R^2 on the test rows, and seconds, of each method."""
    order = np.random.default_rng(seed).permutation(len(target))
    count = len(order) // 4
    test, train = order[:count][:MOST_ROWS], order[count:][:MOST_ROWS]
    methods = {
        "fewfire": WideRegressor(random_state=seed),
        "MLP": standardized(MLPRegressor(random_state=seed)),
        "random forest": RandomForestRegressor(random_state=seed, n_jobs=2),
    }
    results = {}
    for name, model in methods.items():
        start = perf_counter()
        model.fit(inputs[train], target[train])
        results[name] = float(model.score(inputs[test], target[test])), perf_counter() - start
    return results


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")  # the MLP that did not converge in its default number of steps
    path = RESULTS / "regression.json"
    sets = json.loads(path.read_text())["figures"]["sets"] if path.exists() else []
    done = {row["name"] for row in sets}
    for name, inputs, target in tables(folder):
        if name in done:
            continue
        runs = [measure(inputs, target, seed) for seed in range(SPLITS)]
        row = {"name": name, "samples": len(target), "features": inputs.shape[1]}
        for place, figure in enumerate(("r2", "seconds")):
            row[figure] = {method: float(np.mean([run[method][place] for run in runs])) for method in runs[0]}
        sets.append(row)
        save("regression", "python benchmarks/regression.py", {"sets": sets})
        print(name, inputs.shape, {method: round(value, 4) for method, value in row["r2"].items()},
              f"{row['seconds']['fewfire']:.1f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)

"""`WideClassifier` and `WideRegressor` on large tables, beside histogram boosting.

    python benchmarks/large_tables.py      half an hour on two cores

The sets: covertype with 40,000 and 80,000 rows for training and 20,000 for testing; a table of up to 500,000
rows and 30 columns made here; a smooth function of eight columns with 10,000 rows, beside a support vector
machine; the sign of a product with eight columns of noise; five sets for regression that nothing was chosen
by, three quarters for training. Real sets are those of ../shared/data.
"""

import gzip
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from common import DATA, save
from fewfire.estimators import WideClassifier, WideRegressor

NAME = "large_tables"
UNSEEN = {  # by those who chose the size of parts and their constant; all but the first line of each file
    "california housing": "california_housing/cal_housing.data",
    "house_16H": "pmlb_regression/574_house_16H.tsv.gz",
    "fried": "pmlb_regression/564_fried.tsv.gz",
    "elevators": "uci_regression/elevators/data.csv.gz",
    "keggdirected": "uci_regression/keggdirected/data.csv.gz",
}
Case = tuple[str, np.ndarray, np.ndarray, int, dict[str, Callable[[], Any]]]
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "fewfire": lambda: WideClassifier(random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "fewfire": lambda: WideRegressor(random_state=0),
    "boosting": lambda: HistGradientBoostingRegressor(random_state=0),
}


def cases() -> Iterator[Case]:
    """Name, inputs, targets, rows for training (up to 20,000 of the others are for testing), and models."""
    random = np.random.default_rng(0)
    rows = random.uniform(-1, 1, (30_000, 8))
    smooth = (
        np.sin(2 * rows[:, 0] + rows[:, 1]) * np.cos(rows[:, 2] - 2 * rows[:, 3]) + rows[:, 4] * rows[:, 5]
    )
    noise = 0.1 * random.standard_normal(len(rows))
    machine = {"svr": lambda: make_pipeline(StandardScaler(), SVR(C=10, epsilon=0.05, gamma=0.1))}
    yield "smooth in eight columns", rows, smooth + noise, 10_000, REGRESSORS | machine

    normal = random.standard_normal((40_000, 10))
    product = (normal[:, 0] * normal[:, 1] > 0).astype(int)
    for count in (2_000, 5_000, 10_000, 20_000):
        yield "sign of a product", normal, product, count, CLASSIFIERS

    file = DATA / "covertype_100k" / "covertype_100k.csv.gz"
    table = np.loadtxt(file, delimiter=",", skiprows=1)
    table = table[random.permutation(len(table))]
    for count in (40_000, 80_000):
        yield "covertype", table[:, :-1], table[:, -1].astype(int), count, CLASSIFIERS

    for name, file in UNSEEN.items():
        text = gzip.open(DATA / file, "rt") if file.endswith("gz") else open(DATA / file)
        with text as lines:
            table = np.loadtxt(lines, delimiter="," if "," in lines.readline() else "\t")
        table = table[random.permutation(len(table))]
        yield name, table[:, :-1], table[:, -1], len(table) * 3 // 4, REGRESSORS

    large = random.standard_normal((520_000, 30))
    score = large[:, 0] * large[:, 1] + np.sin(2 * large[:, 2]) + large[:, 3]
    labels = (score + 0.3 * random.standard_normal(len(large)) > 0).astype(int)
    for count in (125_000, 250_000, 500_000):
        yield "made, 30 columns", large, labels, count, CLASSIFIERS


def main() -> None:
    results = []
    for name, inputs, targets, count, models in cases():
        for model_name, make in models.items():
            start = perf_counter()
            model = make().fit(inputs[:count], targets[:count])
            seconds = perf_counter() - start
            test = slice(max(count, len(inputs) - 20_000), None)
            score = float(model.score(inputs[test], targets[test]))
            results.append(
                {"set": name, "rows": count, "model": model_name, "score": score, "seconds": seconds}
            )
            print(f"{name:24} {count:8,} {model_name:9} {score:.4f} {seconds:7.1f} s", flush=True)
        save(NAME, "python benchmarks/large_tables.py", results)


if __name__ == "__main__":
    main()

"""The estimators at their defaults beside boosted trees, kernel machines and networks at theirs, on tables.

    pip install -e '.[rivals]'
    python benchmarks/tables_rivals.py [METHOD ...]      some hours on two cores for all methods

The sets are those of ../shared/data: 63 of PMLB for classification, 38 of UCI and PMLB for regression; a
quarter is for testing, at most 2,000 rows (classification) or 3,000 (regression) for training and 3,000 for
testing. All methods get the same splits. What is done already is kept: give the names of methods to measure
those anew.

Half of the sets, by a hash of their names, are those on which rules were chosen; the others only report.
Kernel machines, networks and xRFM get standardized columns; xRFM also a fifth of the training rows to choose
by, as its authors do. Regression targets are standardized for all of these.
"""

import gzip
import json
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from common import DATA, RESULTS, save
from fewfire.estimators import WideClassifier, WideRegressor

NAME = "tables_rivals"
SPLITS = 1
MOST_TRAINED = {"classification": 2_000, "regression": 3_000}
MOST_TESTED = 3_000
TWICE = {"537_houses", "201_pol"}  # of PMLB: as california_housing and UCI's pol
BINS = 15  # of the calibration error
LEAST = 1e-15  # probability that a logarithm is taken of


class XRFM(BaseEstimator):
    """xRFM at its defaults, with a fifth of the rows to choose by."""

    def __init__(self, metric: str, seed: int) -> None:
        self.metric, self.seed = metric, seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> "XRFM":
        from xrfm import xRFM

        self.classes_ = np.unique(y)
        try:
            parts = train_test_split(X, y, test_size=0.2, random_state=self.seed,
                                     stratify=y if self.metric != "mse" else None)  # fmt: skip
        except ValueError:  # a class of one row
            parts = train_test_split(X, y, test_size=0.2, random_state=self.seed)
        rows, held, targets, held_targets = parts
        model = xRFM(tuning_metric=self.metric, random_state=self.seed, verbose=False)
        kind = np.float32 if self.metric == "mse" else np.int64
        self.model_ = model.fit(
            rows.astype(np.float32), targets.astype(kind), held.astype(np.float32), held_targets.astype(kind)
        )
        return self


class XRFMClassifier(ClassifierMixin, XRFM):
    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.model_.predict_proba(X.astype(np.float32)))


class XRFMRegressor(RegressorMixin, XRFM):
    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.model_.predict(X.astype(np.float32))).ravel()


def rival(module: str, name: str) -> Any:
    """A class of a package that is only needed where it runs."""
    return getattr(import_module(module), name)


def classifiers(seed: int) -> dict[str, Callable[[], Any]]:
    return {
        "fewfire": lambda: WideClassifier(random_state=seed),
        "CatBoost": lambda: rival("catboost", "CatBoostClassifier")(
            random_seed=seed, verbose=0, allow_writing_files=False
        ),
        "LightGBM": lambda: rival("lightgbm", "LGBMClassifier")(random_state=seed, verbose=-1),
        "XGBoost": lambda: rival("xgboost", "XGBClassifier")(random_state=seed),
        "HistGradientBoosting": lambda: HistGradientBoostingClassifier(random_state=seed),
        "random forest": lambda: RandomForestClassifier(random_state=seed, n_jobs=2),
        "SVC": lambda: make_pipeline(StandardScaler(), SVC()),
        "MLP": lambda: make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
        "xRFM": lambda: make_pipeline(StandardScaler(), XRFMClassifier("accuracy", seed)),
        "RealMLP": lambda: rival("pytabkit", "RealMLP_TD_Classifier")(random_state=seed, device="cpu"),
    }


def regressors(seed: int) -> dict[str, Callable[[], Any]]:
    def scaled(model: Any) -> Any:
        pipeline = make_pipeline(StandardScaler(), model)
        return TransformedTargetRegressor(pipeline, transformer=StandardScaler())

    return {
        "fewfire": lambda: WideRegressor(random_state=seed),
        "CatBoost": lambda: rival("catboost", "CatBoostRegressor")(
            random_seed=seed, verbose=0, allow_writing_files=False
        ),
        "LightGBM": lambda: rival("lightgbm", "LGBMRegressor")(random_state=seed, verbose=-1),
        "XGBoost": lambda: rival("xgboost", "XGBRegressor")(random_state=seed),
        "HistGradientBoosting": lambda: HistGradientBoostingRegressor(random_state=seed),
        "random forest": lambda: RandomForestRegressor(random_state=seed, n_jobs=2),
        "SVR": lambda: scaled(SVR()),
        "MLP": lambda: scaled(MLPRegressor(random_state=seed)),
        "xRFM": lambda: scaled(XRFMRegressor("mse", seed)),
        "RealMLP": lambda: rival("pytabkit", "RealMLP_TD_Regressor")(random_state=seed, device="cpu"),
    }


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and classes of a set of PMLB."""
    with gzip.open(path, "rt") as file:
        names = file.readline().rstrip("\n").split("\t")
        table = np.loadtxt(file, delimiter="\t")
    target = names.index("target")
    left_out = [target, *([0, 1] if path.name.startswith("clean") else [])]  # which name the molecules
    return np.delete(table, left_out, axis=1), np.unique(table[:, target], return_inverse=True)[1]


def split_classes(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for testing, a quarter of each class."""
    random, train, test = np.random.default_rng(seed), [], []
    for code in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == code))
        count = max(1, round(len(rows) / 4)) if len(rows) > 1 else 0
        test.append(rows[:count])
        train.append(rows[count:])
    parts = [random.permutation(np.concatenate(part)) for part in (train, test)]
    return parts[0][: MOST_TRAINED["classification"]], parts[1][:MOST_TESTED]


def regression_tables() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, inputs and target of each set for regression."""
    for path in sorted((DATA / "uci_regression").glob("*/data.csv.gz")):
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",")
        yield path.parent.name, table[:, :-1], table[:, -1]
    for path in sorted((DATA / "uci_regression_gal").glob("*/data.txt")):
        table = np.loadtxt(path)
        features = np.loadtxt(path.with_name("index_features.txt"), dtype=int)
        target = int(np.loadtxt(path.with_name("index_target.txt")))
        yield f"{path.parent.name} (raw)", table[:, features], table[:, target]
    for path in sorted((DATA / "pmlb_regression").glob("*.tsv.gz")):
        name = path.name.removesuffix(".tsv.gz")
        if name in TWICE:
            continue
        with gzip.open(path, "rt") as file:
            names = file.readline().rstrip("\n").split("\t")
            table = np.loadtxt(file, delimiter="\t")
        target = names.index("target")
        yield name, np.delete(table, target, axis=1), table[:, target]


def tables() -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name, task, inputs and target of each set."""
    files = (DATA / "pmlb_classification").glob("*.tsv.gz")
    for file in sorted(files, key=lambda file: file.stat().st_size):
        yield file.name.removesuffix(".tsv.gz"), "classification", *read(file)
    for name, inputs, target in sorted(regression_tables(), key=lambda table: table[1].size):
        yield name, "regression", inputs, target


def half(name: str) -> str:
    return "chosen on" if zlib.crc32(name.encode()) % 2 else "reported"


def split(task: str, target: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for testing."""
    if task == "classification":
        return split_classes(target, seed)
    order = np.random.default_rng(seed).permutation(len(target))
    count = len(order) // 4
    return order[count:][: MOST_TRAINED[task]], order[:count][:MOST_TESTED]


def calibration_error(shares: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error: how far confidence and accuracy lie apart, in bins of confidence."""
    bins = np.minimum((shares * BINS).astype(int), BINS - 1)
    gaps = np.abs(np.bincount(bins, right - shares, BINS))
    return float(gaps.sum() / len(right))


def measure(make: Callable[[], Any], inputs: np.ndarray, target: np.ndarray, task: str, seed: int) -> dict:
    """R^2 or accuracy on the test rows, seconds to fit, and how good probabilities are."""
    train, test = split(task, target, seed)
    classes, targets = np.unique(target[train], return_inverse=True)
    targets = targets if task == "classification" else target[train]
    start = perf_counter()
    model = make().fit(inputs[train], targets)
    fitted = perf_counter()
    figures = {"seconds": fitted - start}
    if task == "regression":
        figures["score"] = float(1 - np.mean((np.ravel(model.predict(inputs[test])) - target[test]) ** 2)
                                 / np.var(target[test]))  # fmt: skip
        return figures
    known = np.isin(target[test], classes)
    codes = np.searchsorted(classes, target[test][known])
    found = np.ravel(model.predict(inputs[test])).astype(int)[known]
    figures["score"] = float(np.sum(found == codes) / len(test))
    if hasattr(model, "predict_proba"):
        shares = np.asarray(model.predict_proba(inputs[test]), np.float64)[known]
        shares /= shares.sum(axis=1, keepdims=True)
        figures["log_loss"] = float(
            log_loss(codes, np.clip(shares, LEAST, 1), labels=np.arange(len(classes)))
        )
        figures["calibration_error"] = calibration_error(shares.max(axis=1), shares.argmax(axis=1) == codes)
        figures["least_probability"] = float(shares.min())
    return figures


def main(wanted: list[str]) -> None:
    warnings.simplefilter("ignore")  # of rivals that did not converge in their default number of steps
    path = RESULTS / f"{NAME}.json"
    sets = json.loads(path.read_text())["figures"]["sets"] if path.exists() else {}
    for name, task, inputs, target in tables():
        row = sets.setdefault(
            name, {"task": task, "half": half(name), "samples": len(target), "features": inputs.shape[1],
                   "methods": {}}
        )  # fmt: skip
        makers = [(classifiers if task == "classification" else regressors)(seed) for seed in range(SPLITS)]
        for method in makers[0]:
            if method in wanted if wanted else method not in row["methods"]:
                runs = [measure(makers[seed][method], inputs, target, task, seed) for seed in range(SPLITS)]
                row["methods"][method] = {figure: [run[figure] for run in runs] for figure in runs[0]}
        save(NAME, f"python benchmarks/{NAME}.py", {"sets": sets})
        shown = {method: round(float(np.mean(found["score"])), 4) for method, found in row["methods"].items()}
        print(name, inputs.shape, shown, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

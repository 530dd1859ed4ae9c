"""Tables with gaps: `WideClassifier` beside histogram boosting and pipelines that impute.

    python benchmarks/gaps.py      some four minutes on two cores

Ten sets of PMLB, in each of which 5 to 30 % of the cells are missing at random, and three in which what is
missing tells: the larger a value the likelier its gap, or the gap follows the class. All at their defaults,
the rows of `tables_rivals.py`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from common import save
from fewfire.estimators import WideClassifier
from tables_rivals import split, tables

NAME = "gaps"
RANDOM = (
    "ecoli",
    "vowel",
    "segmentation",
    "phoneme",
    "wdbc",
    "pima",
    "heart_statlog",
    "waveform_21",
    "yeast",
    "letter",
)
TELLING = ("glass", "australian", "pendigits")


def imputed(*steps: Any) -> Any:
    return make_pipeline(SimpleImputer(strategy="median", add_indicator=True), *steps)


MODELS: dict[str, Callable[[], Any]] = {
    "fewfire": lambda: WideClassifier(random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(random_state=0),
    "imputer, forest": lambda: imputed(RandomForestClassifier(random_state=0)),
    "imputer, SVC": lambda: imputed(StandardScaler(), SVC()),
}


def cases() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    random, found = np.random.default_rng(0), {}
    for name, task, inputs, target in tables():
        if task == "classification" and name in RANDOM + TELLING:
            found[name] = inputs.astype(float), np.unique(target, return_inverse=True)[1]
    for place, name in enumerate(RANDOM):
        inputs, target = found[name]
        share = np.linspace(0.05, 0.3, len(RANDOM))[place]
        yield (
            f"{name}, {share:.0%} at random",
            np.where(random.random(inputs.shape) < share, np.nan, inputs),
            target,
        )
    for name, by_class in zip(TELLING, (False, True, False), strict=True):
        inputs, target = found[name]
        ranks = rankdata(inputs, axis=0) / len(inputs)
        likely = 0.5 * (target % 2)[:, None] if by_class else ranks**2
        gaps = (random.random(inputs.shape) < likely) & (np.arange(inputs.shape[1]) % 2 == 0)
        yield f"{name}, gaps tell", np.where(gaps, np.nan, inputs), target


def main() -> None:
    results = []
    for name, inputs, target in cases():
        train, test = split("classification", target, 0)
        scores = {
            model: float(make().fit(inputs[train], target[train]).score(inputs[test], target[test]))
            for model, make in MODELS.items()
        }
        results.append({"set": name, "rows": len(train), **scores})
        print(f"{name:32}" + "".join(f" {model} {score:.4f}" for model, score in scores.items()), flush=True)
    table = np.array([[row[model] for model in MODELS] for row in results])
    ranks = {
        model: float(rank) for model, rank in zip(MODELS, rankdata(-table, axis=1).mean(axis=0), strict=True)
    }
    means = dict(zip(MODELS, table.mean(axis=0).tolist(), strict=True))
    print("mean rank", ranks, "\nmean accuracy", means)
    save(NAME, "python benchmarks/gaps.py", {"sets": results, "mean_rank": ranks, "mean_accuracy": means})


if __name__ == "__main__":
    main()

"""What the estimators cost beside the bare trainer, and what choosing costs.

    python benchmarks/estimator.py      about two minutes on two cores

Two ways in turn, twelve times: the trainer alone, its inputs prepared, and `WideClassifier` told everything
that the trainer was told. Then with its defaults, which choose preparation, threshold and ridge.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from common import save
from fewfire import GaussNewton, GradientDescent, Trainer, TwoLayerNetwork
from fewfire.estimators import MOMENTUM, WideClassifier
from fewfire.networks.near_kernel import near_kernel_network, near_kernel_ridge
from fewfire.networks.threshold import fire_rate_at
from fewfire.plan import plan_trainer
from fewfire.prepare.preparation import Preparation

SAMPLES, FEATURES, WIDTH, CLASSES, TURNS = 3_000, 30, 8_192, 5, 12
THRESHOLD, RIDGE, SEED = 1.0, 0.01, 0


def problem() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(SEED)
    X = random.standard_normal((SAMPLES, FEATURES))
    return X, (X @ random.standard_normal((FEATURES, CLASSES)) + random.standard_normal(CLASSES)).argmax(
        axis=1
    )


def bare(X: np.ndarray, y: np.ndarray, optimizer: str, epochs: int) -> None:
    samples = Preparation.fit(X).transform(X)
    targets = np.eye(CLASSES)[y]
    targets -= targets.mean(axis=0)
    size = (WIDTH, samples.shape[1], CLASSES)
    if optimizer == "sgd":
        network = TwoLayerNetwork.initialize(*size, threshold=THRESHOLD, mirrored=True, seed=SEED)
        trainer: Trainer = plan_trainer(
            network, samples, targets, index="exhaustive", batch_size=256,
            method=GradientDescent(momentum=MOMENTUM, nesterov=True),
        )  # fmt: skip
    else:
        network = near_kernel_network(*size, threshold=THRESHOLD, seed=SEED)
        method = GaussNewton(ridge=near_kernel_ridge(RIDGE))
        trainer = plan_trainer(network, samples, targets, index="exhaustive", method=method)
    trainer.build()
    for _ in range(epochs):
        trainer.epoch()


def measure(optimizer: str, epochs: int) -> dict[str, Any]:
    X, y = problem()
    given = {"threshold": THRESHOLD, "constant": 1.0, "categories": (), "index": "exhaustive"}
    if optimizer == "gauss-newton":
        given["ridge"] = RIDGE / fire_rate_at(THRESHOLD)
    alike = {"width": WIDTH, "optimizer": optimizer, "max_epochs": epochs, "tol": 0.0, "random_state": SEED,
             "n_iter_no_change": epochs}  # fmt: skip
    ways: dict[str, Callable[[], Any]] = {
        "bare": lambda: bare(X, y, optimizer, epochs),
        "told": lambda: WideClassifier(**alike, **given).fit(X, y),
        "default": lambda: WideClassifier(**alike, index="exhaustive").fit(X, y),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    pair = ["bare", "told"]
    for turn in [pair, pair[::-1]] * (TURNS // 2) + [["default"]] * 3:  # each as often first: NumPy's threads
        for name in turn:  # spin on for a while, and slow what comes next
            start = perf_counter()
            ways[name]()
            seconds[name].append(perf_counter() - start)
    medians = {name: median(times) for name, times in seconds.items()}
    overhead = median(told / alone for told, alone in zip(seconds["told"], seconds["bare"], strict=True)) - 1
    return {"optimizer": optimizer, "epochs": epochs, "seconds": medians, "overhead": overhead}


def main() -> None:
    rows = [measure("gauss-newton", 3), measure("sgd", 10)]
    print(*rows, sep="\n")
    save("estimator", "python benchmarks/estimator.py", {"rows": rows})


if __name__ == "__main__":
    main()

"""Correlation trees beside other indexes and a dense step: where do their updates cost more than they save?

    python benchmarks/correlation.py      a few minutes on two cores

Full-batch steps on random inputs on the unit sphere, the paper's threshold, all ways in turn; medians. Both
kinds of trees, with the Gram matrix, and with a byte too little memory for it.
"""

from itertools import product
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

import fewfire
from common import one_hot, save, timed_step, unit_rows
from fewfire import GradientDescent, Trainer, TwoLayerNetwork
from fewfire.indexes import CorrelationTreeByNeuron, CorrelationTreeBySample, Index
from fewfire.plan import plan_trainer
from fewfire.torch.rivals import HandWritten, HandWrittenTransposed

SAMPLES, WIDTHS, FEATURES = (64, 128, 256, 512), (1 << 13, 1 << 14, 1 << 15, 1 << 16), (32, 784)
TURNS, STEPS, RATE = 3, 2, 30.0  # of the steps of a turn the last counts
DENSE_SECONDS = 0.06  # of a turn at the least: then the other's threads do not spin any more


def trainer_of(network: TwoLayerNetwork, n: int, index: Index | str) -> Trainer:
    trainer = plan_trainer(network.copy(), unit_rows(n, network.n_features), one_hot(n), index=index,
                           method=GradientDescent(learning_rate=RATE))  # fmt: skip
    trainer.build()
    return trainer


def measure(n: int, width: int, n_features: int) -> dict[str, Any]:
    network = TwoLayerNetwork.initialize(width, n_features, 10, threshold="paper")
    trainers = {name: trainer_of(network, n, name) for name in ("exhaustive", "drift")}
    for make in (CorrelationTreeBySample, CorrelationTreeByNeuron):
        trainers[f"{make.name}, Gram"] = trainer_of(network, n, make())
        limit = trainers[f"{make.name}, Gram"].index.nbytes - 1
        trainers[f"{make.name}, recomputed"] = trainer_of(network, n, make(memory_limit=limit))
    dense = [way(trainers["drift"].stepper, RATE) for way in (HandWritten, HandWrittenTransposed)]
    built = {name: trainer.index.work.copy() for name, trainer in trainers.items()}
    ids, samples = np.arange(n), torch.from_numpy(unit_rows(n, n_features))
    targets = torch.from_numpy(one_hot(n))

    seconds: dict[str, list[dict[str, float]]] = {name: [] for name in trainers}
    dense_seconds: list[list[float]] = [[] for _ in dense]
    for _ in range(TURNS):
        for name, trainer in trainers.items():
            seconds[name].append([timed_step(trainer, ids) for _ in range(STEPS)][-1])
        for way, times in zip(dense, dense_seconds, strict=True):
            begin, took = perf_counter(), []
            while perf_counter() - begin < DENSE_SECONDS or len(took) < STEPS:
                start = perf_counter()
                way(samples, targets)
                took.append(perf_counter() - start)
            times.append(took[-1])

    indexes = {}
    for name, trainer in trainers.items():
        assert trainer.network.weights.tobytes() == trainers["exhaustive"].network.weights.tobytes()
        work = trainer.index.work - built[name]
        parts = {part: median(turn[part] for turn in seconds[name]) for part in seconds[name][0]}
        indexes[name] = parts | {
            "update_multiply_adds": (work.multiplied * n_features + work.gram_products) / (TURNS * STEPS),
            "compared": work.compared / (TURNS * STEPS),
            "maxima": work.maxima / (TURNS * STEPS),
            "dots": work.dots / (TURNS * STEPS),
            "bytes": trainer.index.nbytes,
        }
    fires = trainers["exhaustive"].index.fire_set(trainers["exhaustive"].inputs)
    return {
        "n_samples": n,
        "width": width,
        "n_features": n_features,
        "fire_rate": fires.fire_rate,
        "moved_share": float(np.mean(np.diff(fires.begins) > 0)),
        "dense_step": min(median(times) for times in dense_seconds),
        "indexes": indexes,
    }


torch.set_num_threads(fewfire.threads())
figures = []
for n_features, width, n in product(FEATURES, WIDTHS, SAMPLES):
    row = measure(n, width, n_features)
    figures.append(row)
    steps = ", ".join(f"{name} {1e3 * index['step']:.1f}" for name, index in row["indexes"].items())
    print(
        f"d {n_features}, width {width:,}, n {n}: fires {row['fire_rate']:.2%}, moved "
        f"{row['moved_share']:.0%}; ms: dense {1e3 * row['dense_step']:.1f}, {steps}",
        flush=True,
    )
save("correlation", "python benchmarks/correlation.py", figures)

"""The data tree beside other indexes in few dimensions: full-batch steps, as its algorithm takes them.

    python benchmarks/data_tree.py      about a minute on two cores

Random inputs on the unit sphere, width 2^16, the paper's threshold; all indexes in turn, medians.
"""

from itertools import product
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from common import one_hot, save, timed_step, unit_rows
from fewfire import Inputs, TwoLayerNetwork
from fewfire.plan import plan_trainer

WIDTH, DIMENSIONS, SAMPLES = 1 << 16, (2, 3, 4, 8), (256, 1024, 4096)
INDEXES = ("exhaustive", "drift", "weight_tree", "data_tree")
STEPS = 7  # of which the first counts for nothing


def measure(d: int, n: int) -> dict[str, Any]:
    network = TwoLayerNetwork.initialize(WIDTH, d, 10)
    inputs, targets, ids = Inputs.of(unit_rows(n, d)), one_hot(n), np.arange(n)
    trainers = {name: plan_trainer(network.copy(), inputs, targets, index=name) for name in INDEXES}
    builds = {}
    for name, trainer in trainers.items():
        start = perf_counter()
        trainer.build()
        builds[name] = perf_counter() - start
    fires = trainers["exhaustive"].index.fire_set(inputs.batch(ids))
    tree = trainers["data_tree"].index.work
    before = tree.copy()
    turns = [{name: timed_step(one, ids) for name, one in trainers.items()} for _ in range(STEPS)][1:]
    weights = {trainer.network.weights.tobytes() for trainer in trainers.values()}
    assert len(weights) == 1, "the indexes must lead to the same weights"
    moved = float(np.mean(np.diff(fires.begins) > 0))
    return {
        "d": d,
        "n_samples": n,
        "fire_rate": fires.fire_rate,
        "moved_share": moved,
        "tested": (tree - before).multiplied / (STEPS * moved * WIDTH * n),
        "build": builds,
        "step": {name: median(turn[name]["step"] for turn in turns) for name in INDEXES},
        "bytes": {name: trainer.index.nbytes for name, trainer in trainers.items()},
    }


figures = []
for d, n in product(DIMENSIONS, SAMPLES):
    figures.append(measure(d, n))
    print(figures[-1], flush=True)
save("data_tree", "python benchmarks/data_tree.py", figures)

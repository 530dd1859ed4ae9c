"""Does the thread pool get along with those of PyTorch and NumPy in one process?

    python benchmarks/pool.py      about a minute on two cores

One fire set, one PyTorch product and one NumPy product of about the same length: each alone, and each right
after one of the others. A ratio above 1 is what the neighbour costs.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
import torch

from common import save, unit_rows
from fewfire import Inputs, TwoLayerNetwork, threads
from fewfire.indexes import ExhaustiveIndex

ROUNDS = 60

torch.set_num_threads(threads())
network = TwoLayerNetwork.initialize(16_384, 784, 10)
inputs = Inputs.of(unit_rows(256, 784))
index = ExhaustiveIndex()
index.build(network.layer)
w, x = torch.from_numpy(network.weights.copy()), torch.from_numpy(inputs.samples.copy())
out = torch.empty(len(w), len(x))
tasks: dict[str, Callable[[], object]] = {
    "fewfire": lambda: index.fire_set(inputs),
    "PyTorch": lambda: torch.mm(w, x.T, out=out),
    "NumPy": lambda: np.matmul(network.weights, inputs.samples.T),
}


def seconds(task: Callable[[], object]) -> float:
    start = perf_counter()
    task()
    return perf_counter() - start


alone: dict[str, list[float]] = {name: [] for name in tasks}
after: dict[tuple[str, str], list[float]] = {(a, b): [] for a in tasks for b in tasks if a != b}
for _ in range(ROUNDS):  # interleaved: all see the same machine
    for name, task in tasks.items():
        task()
        alone[name].append(seconds(task))  # after itself
    for first, second in after:
        tasks[first]()
        after[first, second].append(seconds(tasks[second]))
figures = {
    "alone_seconds": {name: median(times) for name, times in alone.items()},
    "slowdown": [
        {"task": second, "after": first, "ratio": median(times) / median(alone[second])}
        for (first, second), times in after.items()
    ],
}
for row in figures["slowdown"]:
    print(f"{row['task']} right after {row['after']}: {row['ratio']:.2f} times its time alone")
save("pool", "python benchmarks/pool.py", figures)

"""Predictions from all pairs beside those through an index, by features and threshold.

`python benchmarks/all_pairs.py` prints microseconds per row in batches of 1,000 at width 8,192; a minute.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

from fewfire import Inputs, TwoLayerNetwork
from fewfire.indexes import index_named

WIDTH, ROWS, TIMES = 8_192, 1_000, 9


def microseconds(ways: list[Callable[[], object]]) -> list[float]:
    """Median per row of each way, taken in turn."""
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(TIMES):
        for way, taken in zip(ways, seconds, strict=True):
            start = perf_counter()
            way()
            taken.append(perf_counter() - start)
    return [1e6 * median(taken) / ROWS for taken in seconds]


def ways(n_features: int, threshold: float) -> list[Callable[[], object]]:
    """All pairs, then a search by the screened and by the exhaustive index."""
    rows = np.random.default_rng(0).standard_normal((ROWS, n_features))
    inputs = Inputs.of(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    network = TwoLayerNetwork.initialize(WIDTH, n_features, 1, threshold=threshold)

    def search(name: str) -> Callable[[], object]:
        index = index_named(name)
        index.build(network.layer, inputs)
        return lambda: network.outputs(index.fire_set(inputs))

    return [lambda: network.outputs_of_all(inputs), search("screened"), search("exhaustive")]


def main() -> None:
    print(f"{'features':>8} {'threshold':>9} {'all pairs':>9} {'screened':>9} {'exhaustive':>10}")
    for n_features in (10, 30, 60, 120, 250, 784):
        for threshold in (0, 0.5, 1, 1.5, 2):
            everything, screened, exhaustive = microseconds(ways(n_features, threshold))
            print(f"{n_features:8} {threshold:9} {everything:9.1f} {screened:9.1f} {exhaustive:10.1f}")


if __name__ == "__main__":
    main()

"""How often does descent find the components of a tensor, and was it lazy?

    python benchmarks/tensors.py      about two minutes on two cores

- Orthogonal tensors of order 4 in 10 dimensions and of rank 5: starts of 20 that reach a relative loss of
  0.001, by the number of components, and with the smallest drawn anew every 600 steps.
- More components than dimensions: rank 15 in 10, and 9 in 6.
- How far components turned from a small start and from a large one.
- Power iteration with deflation on the same tensors, best of 10 starts per component: what users have.
- The components of a mixture of five directions in 30 dimensions, from 100,000 samples, by the third moment.
"""

from time import perf_counter
from typing import Any

import numpy as np

from common import save
from fewfire.lab import OverparameterizedCP, SymmetricTensor, study_tensors
from fewfire.lab.symmetric_tensor import power
from fewfire.lab.tensor_study import random_tensor

SEEDS, RESTARTS, ITERATIONS = 20, 10, 200


def studies() -> list[dict[str, Any]]:
    found = []
    for dim, rank, components, seeds in ((10, 5, (5, 6, 8, 10, 15, 20), SEEDS), (10, 15, (15, 30, 60), 6),
                                         (6, 9, (9, 18), SEEDS)):  # fmt: skip
        begin = perf_counter()
        study = study_tensors(dim=dim, rank=rank, components=components, starts=(0.1,), seeds=seeds)
        found.append(study.as_dict() | {"seconds": perf_counter() - begin})
        print(found[-1])
    return found


def deflation(dim: int, rank: int, seeds: int) -> dict[str, Any]:
    """Power iteration v <- T v^(l-1), the best of some starts taken off, once per component."""
    begin, successes, missed = perf_counter(), 0, []
    for seed in range(seeds):
        tensor, random = random_tensor(4, dim, rank, seed), np.random.default_rng(seed)
        vectors, weights = tensor.vectors, tensor.weights
        for _ in range(rank):
            left = SymmetricTensor.from_factors(vectors, weights, order=4)
            units = random.standard_normal((RESTARTS, dim))
            for _ in range(ITERATIONS):
                units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-300)
                units = left.contracted(units)
            units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-300)
            values = power(units @ vectors.T, 4) @ weights
            best = int(np.argmax(values))
            vectors = np.vstack([vectors, units[best]])
            weights = np.append(weights, -values[best])
        left = SymmetricTensor.from_factors(vectors, weights, order=4)
        missed.append(left.squared_norm / tensor.squared_norm)
        successes += missed[-1] < 1e-3
    return {"dim": dim, "rank": rank, "successes": successes, "starts": seeds,
            "median loss": float(np.median(missed)), "seconds": perf_counter() - begin}  # fmt: skip


def mixture() -> dict[str, Any]:
    """x = a direction drawn at random, its size about 1, and noise in all dimensions."""
    random = np.random.default_rng(0)
    directions = np.linalg.qr(random.standard_normal((30, 5)))[0].T
    which, sizes = random.integers(0, 5, 100_000), 1 + 0.2 * random.standard_normal(100_000)
    samples = sizes[:, None] * directions[which] + 0.05 * random.standard_normal((100_000, 30))
    begin = perf_counter()
    tensor = SymmetricTensor.from_samples(samples, order=3)
    model = OverparameterizedCP(15, tolerance=1e-4).fit(tensor)
    seconds = perf_counter() - begin
    cosines = np.abs(model.components_ @ directions.T).max(axis=0)
    return {"samples": 100_000, "cosine of the worst": float(cosines.min()), "rank": model.rank_,
            "loss": model.loss_, "seconds": seconds}  # fmt: skip


if __name__ == "__main__":
    save(
        "tensors",
        "python benchmarks/tensors.py",
        {
            "studies": studies(),
            "deflation": [deflation(10, 5, SEEDS), deflation(10, 15, 6)],
            "mixture": mixture(),
        },
    )

"""Does index="auto" choose well? Whole runs through each index, and through auto with its probe.

    python benchmarks/auto.py      about five minutes on two cores

Inputs on the unit sphere and random labels; a run is the probe, the build and all steps. Runs are repeated
in turn while they are short, and the fastest counts.
"""

import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from common import one_hot, save, unit_rows
from fewfire import Trainer, TwoLayerNetwork
from fewfire.core.inputs import Inputs
from fewfire.indexes import arrange
from fewfire.plan import plan_trainer


class Case(NamedTuple):
    """`rank`: of the samples, but for a little noise, where they are not random."""

    width: int
    n_features: int
    n_samples: int
    batch_size: int  # 0: all
    fire_rate: float
    epochs: int
    rank: int | None = None


CASES = [
    Case(1_024, 2, 500, 32, 0.1, 10),
    Case(1_024, 8, 5_000, 256, 0.02, 10),
    Case(1_024, 64, 500, 0, 0.02, 50),
    Case(1_024, 784, 5_000, 256, 0.02, 5),
    Case(1_024, 784, 500, 32, 0.5, 5),
    Case(8_192, 2, 5_000, 256, 0.02, 5),
    Case(8_192, 8, 5_000, 256, 0.1, 5),
    Case(8_192, 8, 500, 32, 0.5, 10),
    Case(8_192, 64, 5_000, 32, 0.02, 2),
    Case(8_192, 64, 5_000, 256, 0.02, 10),
    Case(8_192, 64, 500, 0, 0.1, 30),
    Case(8_192, 64, 20_000, 256, 0.5, 1),
    Case(8_192, 784, 5_000, 256, 0.02, 5),
    Case(8_192, 784, 500, 32, 0.1, 10),
    Case(8_192, 784, 500, 0, 0.5, 5),
    Case(65_536, 2, 500, 0, 0.02, 20),
    Case(65_536, 2, 5_000, 256, 0.1, 1),
    Case(65_536, 8, 500, 32, 0.02, 10),
    Case(65_536, 8, 5_000, 256, 0.02, 2),
    Case(65_536, 8, 500, 256, 0.5, 10),
    Case(65_536, 64, 500, 32, 0.02, 4),
    Case(65_536, 64, 5_000, 256, 0.02, 2),
    Case(65_536, 64, 500, 0, 0.1, 10),
    Case(65_536, 784, 500, 256, 0.02, 5),
    Case(65_536, 784, 500, 32, 0.1, 1),
    Case(65_536, 784, 500, 0, 0.02, 5),
    Case(65_536, 2, 2_000, 0, 0.02, 10),
    Case(131_072, 2, 2_000, 128, 0.02, 5),
    Case(131_072, 3, 2_000, 128, 0.02, 5),
    Case(8_192, 784, 2_000, 128, 0.02, 12, rank=16),
    Case(16_384, 784, 2_000, 256, 0.02, 10, rank=32),
    Case(65_536, 784, 1_000, 128, 0.02, 6, rank=16),
]
NOISE = 0.1  # norm of it beside that of a sample
TREE_FEATURES = 8  # at most: in more, the weight tree is not tried
SHORT = 1.0  # seconds: runs that together take less are taken again
TURNS = 5  # at most, and two at least


def samples_of(case: Case) -> np.ndarray:
    n, d, rank = case.n_samples, case.n_features, case.rank
    if rank is None:
        return unit_rows(n, d)
    directions = np.linalg.qr(unit_rows(rank, d, seed=1).T)[0]
    rows = unit_rows(n, rank) @ directions.T + NOISE * unit_rows(n, d, seed=2)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def run(make: Callable[[], Trainer], epochs: int) -> tuple[Trainer, float]:
    """A trainer after a whole run, and the seconds of it, the choice of the index included."""
    begin = perf_counter()
    trainer = make()
    trainer.build()
    for _ in range(epochs):
        trainer.epoch()
    return trainer, perf_counter() - begin


def measured(case: Case) -> dict[str, Any]:
    inputs, targets = Inputs.of(samples_of(case)), one_hot(case.n_samples)
    network = TwoLayerNetwork.initialize(case.width, case.n_features, 10, fire_rate=case.fire_rate)
    arrange(network, inputs)
    settings: dict[str, Any] = {"batch_size": case.batch_size or None, "epochs": case.epochs}
    settings["method"] = plan_trainer(network, inputs, targets, **settings).method
    tree = ("weight_tree",) if case.n_features <= TREE_FEATURES else ()
    seconds = {name: [] for name in ("exhaustive", "screened", "drift", *tree, "auto")}
    choices, probes = [], []
    for turn in range(TURNS):
        for name in [name for name, taken in seconds.items() if turn < 2 or sum(taken) < SHORT]:
            make = partial(plan_trainer, network.copy(), inputs, targets, index=name, **settings)
            trainer, taken = run(make, case.epochs)
            seconds[name].append(taken)
            if trainer.choice is not None:
                choices.append(trainer.choice.name)
                probes.append(trainer.choice.probe_seconds / seconds[name][-1])
                print("   ", trainer.choice)
    best = {name: min(taken) for name, taken in seconds.items()}
    auto = best.pop("auto")
    fastest = min(best, key=lambda name: best[name])
    ratio = auto / best[fastest]
    print(f"{tuple(case)}: " + ", ".join(f"{name} {taken:.3f}" for name, taken in best.items())
          + f", auto {auto:.3f} s ({choices[-1]}): {ratio:.2f}", flush=True)  # fmt: skip
    return case._asdict() | {
        "batch_size": case.batch_size or case.n_samples, "seconds": best, "auto_seconds": auto,
        "chosen": sorted(set(choices)), "probe_share": float(np.median(probes)), "best": fastest,
        "ratio": ratio,
    }  # fmt: skip


if __name__ == "__main__":
    chosen = [CASES[int(number)] for number in sys.argv[1:]] or CASES
    figures = [measured(case) for case in chosen]
    print(f"largest ratio {max(row['ratio'] for row in figures):.2f}")
    if not sys.argv[1:]:
        save("auto", "python benchmarks/auto.py", figures)

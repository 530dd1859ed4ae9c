"""Does index="auto" choose well? Whole runs through each index, and through auto with its probe.

    python benchmarks/auto.py      about five minutes on two cores

Random inputs on the unit sphere and random labels; a run is the probe, the build and all steps. Runs are
repeated in turn while they are short, and the fastest counts.
"""

import sys
from time import perf_counter

import numpy as np

from common import one_hot, save, unit_rows
from fewfire import Trainer, TwoLayerNetwork, arrange
from fewfire.indexes import INDEXES
from fewfire.inputs import Inputs
from fewfire.training.choose import WORTH_A_PROBE

# width, features, samples, batch size (0: all), share that fires, epochs
CASES = [
    (1_024, 2, 500, 32, 0.1, 10),
    (1_024, 8, 5_000, 256, 0.02, 10),
    (1_024, 64, 500, 0, 0.02, 50),
    (1_024, 784, 5_000, 256, 0.02, 5),
    (1_024, 784, 500, 32, 0.5, 5),
    (8_192, 2, 5_000, 256, 0.02, 5),
    (8_192, 8, 5_000, 256, 0.1, 5),
    (8_192, 8, 500, 32, 0.5, 10),
    (8_192, 64, 5_000, 32, 0.02, 2),
    (8_192, 64, 5_000, 256, 0.02, 10),
    (8_192, 64, 500, 0, 0.1, 30),
    (8_192, 64, 20_000, 256, 0.5, 1),
    (8_192, 784, 5_000, 256, 0.02, 5),
    (8_192, 784, 500, 32, 0.1, 10),
    (8_192, 784, 500, 0, 0.5, 5),
    (65_536, 2, 500, 0, 0.02, 20),
    (65_536, 2, 5_000, 256, 0.1, 1),
    (65_536, 8, 500, 32, 0.02, 10),
    (65_536, 8, 5_000, 256, 0.02, 2),
    (65_536, 8, 500, 256, 0.5, 10),
    (65_536, 64, 500, 32, 0.02, 4),
    (65_536, 64, 5_000, 256, 0.02, 2),
    (65_536, 64, 500, 0, 0.1, 10),
    (65_536, 784, 500, 256, 0.02, 5),
    (65_536, 784, 500, 32, 0.1, 1),
    (65_536, 784, 500, 0, 0.02, 5),
]
SHORT = 1.5  # seconds: runs that together take less are taken again
TURNS = 5


def run(case: tuple, inputs: Inputs, targets: np.ndarray, index: str) -> tuple[float, Trainer]:
    """Seconds of a whole run from a fresh network."""
    width, n_features, _, batch, fire_rate, epochs = case
    network = TwoLayerNetwork.initialise(width, n_features, 10, fire_rate=fire_rate)
    arrange(network, inputs)
    trainer = Trainer(network, inputs, targets, index=index, batch_size=batch or None, epochs=epochs)
    begin = perf_counter()
    trainer.build()
    for _ in range(epochs):
        trainer.epoch()
    return perf_counter() - begin, trainer


def measured(case: tuple) -> dict:
    width, n_features, n, batch, fire_rate, epochs = case
    inputs, targets = Inputs.of(unit_rows(n, n_features)), one_hot(n)
    names = [
        name for name, worth in WORTH_A_PROBE.items()
        if name in INDEXES and worth(TwoLayerNetwork.initialise(width, n_features, 1), inputs)
    ]  # fmt: skip
    seconds = {name: [] for name in (*names, "auto")}
    choices, probes = [], []
    for _ in range(TURNS):
        for name in [name for name, taken in seconds.items() if sum(taken) < SHORT]:
            taken, trainer = run(case, inputs, targets, name)
            seconds[name].append(taken)
            if trainer.choice is not None:
                choices.append(trainer.choice.name)
                probes.append(trainer.choice.probe_seconds / taken)
                print("   ", trainer.choice)
    best = {name: min(taken) for name, taken in seconds.items()}
    auto = best.pop("auto")
    fastest = min(best, key=lambda name: best[name])
    ratio = auto / best[fastest]
    print(f"{case}: " + ", ".join(f"{name} {taken:.3f}" for name, taken in best.items())
          + f", auto {auto:.3f} s ({choices[-1]}): {ratio:.2f}", flush=True)  # fmt: skip
    return {
        "width": width, "n_features": n_features, "n_samples": n, "batch_size": batch or n,
        "fire_rate": fire_rate, "epochs": epochs, "seconds": best, "auto_seconds": auto,
        "chosen": sorted(set(choices)), "probe_share": float(np.median(probes)), "best": fastest,
        "ratio": ratio,
    }  # fmt: skip


if __name__ == "__main__":
    chosen = [CASES[int(number)] for number in sys.argv[1:]] or CASES
    figures = [measured(case) for case in chosen]
    print(f"largest ratio {max(row['ratio'] for row in figures):.2f}")
    if not sys.argv[1:]:
        save("auto", "python benchmarks/auto.py", figures)

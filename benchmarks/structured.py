"""Structured beside Gaussian initial weights: is training the same, and how long does the drift index build?

    python benchmarks/structured.py [FOLDER]      about ten minutes on two cores, 5 GB

Fashion-MNIST (3 epochs) and the built-in digits (20), batch 256, the paper's threshold, automatic learning
rate, 3 seeds each. Kernels are the firing kernels on 256 samples before training.
"""

import sys
from itertools import combinations, product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from common import DATA, save
from fewfire import Inputs, TwoLayerNetwork, predict
from fewfire.data import Dataset, load_dataset
from fewfire.indexes import DriftIndex
from fewfire.networks.initial import INITS
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling
from fewfire.tangent.empirical import firing_kernel

SEEDS, KERNEL_SAMPLES, BUILD_WIDTH, BUILD_TURNS = range(3), 256, 65_536, 2
CASES = [("fashion_mnist", 4096, 3), ("fashion_mnist", 16_384, 3), ("digits", 4096, 20)]


class Data:
    """Samples as the command prepares them."""

    def __init__(self, dataset: Dataset) -> None:
        scaling, self.classes = (
            InputScaling.fit(dataset.inputs, standardize=False),
            Classes.of(dataset.labels),
        )
        self.inputs = Inputs.of(scaling.transform(dataset.inputs))
        self.targets = self.classes.one_hot(self.classes.encode(dataset.labels))
        self.test_inputs = Inputs.of(scaling.transform(dataset.test_inputs))
        self.test_codes = self.classes.encode(dataset.test_labels)
        self.few = self.inputs.batch(np.linspace(0, len(self.inputs) - 1, KERNEL_SAMPLES).astype(int))

    def network(self, width: int, init: str, seed: int) -> TwoLayerNetwork:
        return TwoLayerNetwork.initialize(width, self.inputs.n_features, 10, init=init, seed=seed)


def fire_rate(network: TwoLayerNetwork, inputs: Inputs) -> float:
    return float(np.mean(inputs.samples @ network.weights.T > network.threshold))


def run(data: Data, width: int, epochs: int, init: str, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Train once: its figures, and the kernel before."""
    network = data.network(width, init, seed)
    kernel = firing_kernel(network, data.few)
    start_rate = fire_rate(network, data.few)
    trainer = plan_trainer(network, data.inputs, data.targets, batch_size=256, seed=seed)
    trainer.build()
    for _ in range(epochs):
        record = trainer.epoch()
    figures = {
        "init": init,
        "seed": seed,
        "learning_rate": trainer.stepper.learning_rate,
        "fire_rate_at_start": start_rate,
        "fire_rate_at_end": fire_rate(network, data.few),
        "train_loss": record.loss,
        "train_accuracy": record.accuracy,
        "test_accuracy": float(np.mean(predict(network, data.test_inputs).argmax(1) == data.test_codes)),
    }
    print(width, figures, flush=True)
    return figures, kernel


def kernel_differences(kernels: dict[tuple[str, int], np.ndarray]) -> dict[str, float]:
    """Mean relative Frobenius difference of two kernels of different seeds, by how the weights began."""
    found: dict[str, list[float]] = {}
    for first, second in combinations(kernels, 2):
        if first[1] == second[1]:
            continue
        a, b = kernels[first], kernels[second]
        difference = float(np.linalg.norm(a - b) / np.sqrt(np.linalg.norm(a) * np.linalg.norm(b)))
        found.setdefault(" and ".join(sorted((first[0], second[0]))), []).append(difference)
    return {pair: float(np.mean(values)) for pair, values in found.items()}


def build_seconds(data: Data, init: str) -> float:
    network, index = data.network(BUILD_WIDTH, init, 0), DriftIndex()
    start = perf_counter()
    index.build(network.layer, data.inputs)
    return perf_counter() - start


def builds(data: Data) -> dict[str, list[float]]:
    """Seconds to build the index, in turn, once the system has found the memory for it."""
    build_seconds(data, "structured")
    turns = [{init: build_seconds(data, init) for init in INITS} for _ in range(BUILD_TURNS)]
    return {init: [turn[init] for turn in turns] for init in INITS}


def main(folder: Path) -> None:
    sets = {"fashion_mnist": Data(load_dataset(folder)), "digits": Data(load_dataset("digits"))}
    comparisons = []
    for name, width, epochs in CASES:
        done = {way: run(sets[name], width, epochs, *way) for way in product(INITS, SEEDS)}
        comparisons.append(
            {
                "data": name,
                "width": width,
                "epochs": epochs,
                "runs": [figures for figures, _ in done.values()],
                "kernel_differences": kernel_differences({way: kernel for way, (_, kernel) in done.items()}),
            }
        )
        print(comparisons[-1]["kernel_differences"], flush=True)
    seconds = builds(sets["fashion_mnist"])
    figures = {"comparisons": comparisons, "build_width": BUILD_WIDTH, "build_seconds": seconds}
    save("structured", "python benchmarks/structured.py", figures)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist")

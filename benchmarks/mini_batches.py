"""Gauss-Newton steps over mini-batches of all of Fashion-MNIST, beside gradient descent.

    python benchmarks/mini_batches.py [FOLDER]      about ten minutes on two cores

The same network, near its kernel, trained by passes of steps over 4,000 samples each, and by epochs of
gradient descent with momentum at the largest safe rate, for about as long.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from common import DATA, save
from fewfire import GaussNewton, GradientDescent, Inputs, Trainer, TwoLayerNetwork, predict
from fewfire.data import Dataset, load_dataset
from fewfire.indexes import arrange
from fewfire.networks.near_kernel import near_kernel_network, near_kernel_ridge
from fewfire.networks.threshold import fire_rate_at, paper_threshold
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling

WIDTH, BATCH, PASSES, EPOCHS, RIDGE = 16_384, 4_000, 3, 40, 0.05  # ridge over the fire rate


def network_of(inputs: Inputs) -> TwoLayerNetwork:
    threshold = paper_threshold(WIDTH, second_order=True)
    network = near_kernel_network(WIDTH, inputs.n_features, 10, threshold=threshold)
    arrange(network, inputs)
    return network


def measure(trainer: Trainer, passes: int, dataset: Dataset, test: np.ndarray, mean: np.ndarray,
            classes: Classes) -> list[dict[str, Any]]:  # fmt: skip
    """Test accuracy and seconds after each pass, and of the build."""
    trainer.build()
    rows, seconds = [], 0.0
    for number in range(1, passes + 1):
        record = trainer.epoch()
        seconds += record.seconds
        codes = (predict(trainer.network, test) + mean).argmax(axis=1)
        accuracy = float(np.mean(codes == classes.encode(dataset.test_labels)))
        rows.append({"passes": number, "seconds": seconds, "loss": record.loss, "accuracy": accuracy})
        print(rows[-1], flush=True)
    return rows


def main(folder: Path) -> None:
    dataset = load_dataset(folder)
    scaling, classes = InputScaling.fit(dataset.inputs, standardize=False), Classes.of(dataset.labels)
    inputs, test = Inputs.of(scaling.transform(dataset.inputs)), scaling.transform(dataset.test_inputs)
    targets = classes.one_hot(classes.encode(dataset.labels), np.float32)
    mean = targets.mean(axis=0)
    network = network_of(inputs)
    ridge = near_kernel_ridge(RIDGE * fire_rate_at(network.threshold))
    steps = plan_trainer(network, inputs, targets - mean, batch_size=BATCH, method=GaussNewton(ridge=ridge))
    gauss_newton = measure(steps, PASSES, dataset, test, mean, classes)
    descent = plan_trainer(
        network_of(inputs), inputs, targets - mean, batch_size=256,
        method=GradientDescent(momentum=0.9, nesterov=True),
    )  # fmt: skip
    figures = {
        "width": WIDTH,
        "batch": BATCH,
        "gauss_newton": gauss_newton,
        "descent": measure(descent, EPOCHS, dataset, test, mean, classes),
    }
    save("mini_batches", "python benchmarks/mini_batches.py", figures)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist")

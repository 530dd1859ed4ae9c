"""Gauss-Newton steps: random labels to rounding, and Fashion-MNIST beside dense gradient descent.

    python benchmarks/gauss_newton.py [FOLDER]      about twenty minutes on two cores

FOLDER holds Fashion-MNIST, of which 5,000 samples are fitted in three steps. Dense PyTorch then descends,
from the initial weights and at the constant rate that suit it best, until its training loss is as small or 25
times the time has passed.
"""

import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from common import DATA, save, unit_rows
from fewfire import GaussNewton, GradientDescent, Inputs, TwoLayerNetwork
from fewfire.data import load_dataset
from fewfire.indexes import ExhaustiveIndex, arrange
from fewfire.networks.losses import loss_named
from fewfire.networks.near_kernel import near_kernel_network
from fewfire.networks.threshold import paper_threshold
from fewfire.plan import plan_trainer
from fewfire.plan.learning_rate import stable_learning_rate
from fewfire.prepare import Classes, InputScaling
from fewfire.tangent.gram import FiringGram
from fewfire.torch.rivals import HandWritten

WIDTH, SAMPLES, STEPS, BATCH = 65_536, 5_000, 3, 256
RATES, TUNING_EPOCHS, PATIENCE = (1.0, 2.0, 4.0), 3, 25  # rates over the one that is taken for stable


def network_of(n_features: int, n_outputs: int, dtype: type = np.float32, *,
               near_kernel: bool = False) -> TwoLayerNetwork:  # fmt: skip
    make = near_kernel_network if near_kernel else TwoLayerNetwork.initialize
    threshold = paper_threshold(WIDTH, second_order=True)
    return make(WIDTH, n_features, n_outputs, threshold=threshold, dtype=dtype)


def random_labels(dtype: type) -> dict[str, Any]:
    """Squared residuals after each step: 256 samples of 32 features, labels of random signs."""
    samples, labels = unit_rows(256, 32), np.random.default_rng(1).choice([-1.0, 1.0], (256, 1))
    network = network_of(32, 1, dtype)
    trainer = plan_trainer(network, samples, labels, method=GaussNewton())
    start = perf_counter()
    trainer.build()
    squares = [float(np.sum((network.forward(samples) - labels) ** 2, dtype=np.float64))]
    while len(squares) <= 10 and not trainer.finished:
        squares.append(2 * len(labels) * trainer.epoch().loss)
    return {"dtype": np.dtype(dtype).name, "squares": squares, "seconds": perf_counter() - start}


def fitted(
    inputs: Inputs, targets: np.ndarray, preconditioner: str, steps: int, *, near_kernel: bool
) -> dict[str, Any]:
    """So many steps, everything counted."""
    start = perf_counter()
    network = network_of(inputs.n_features, targets.shape[1], near_kernel=near_kernel)
    arrange(network, inputs)
    trainer = plan_trainer(network, inputs, targets, method=GaussNewton(preconditioner=preconditioner))
    trainer.build()
    taken = []
    for _ in range(steps):
        record = trainer.epoch()
        taken.append({"loss": record.loss, "error": 1 - (record.accuracy or 0), "seconds": record.seconds,
                      "products": record.products, "damping": record.damping, "fire_rate": record.fire_rate,
                      "find": record.seconds_find, "solve": record.seconds_forward})  # fmt: skip
        print(f"  {preconditioner}: {taken[-1]}", flush=True)
    return {"preconditioner": preconditioner, "near_kernel": near_kernel, "steps": taken,
            "seconds": perf_counter() - start, "method": trainer.stepper.description}  # fmt: skip


def descend(
    inputs: Inputs, targets: np.ndarray, rate: float, until: float, seconds: float, *, near_kernel: bool
) -> dict[str, Any]:
    """Dense gradient descent by batches, until the mean loss before the steps of an epoch is that small."""
    network = network_of(inputs.n_features, targets.shape[1], near_kernel=near_kernel)
    method = GradientDescent(learning_rate=rate)
    stepper = plan_trainer(network, inputs, targets, method=method, index="exhaustive").stepper
    dense = HandWritten(stepper, rate)
    x, y = torch.from_numpy(inputs.samples.copy()), torch.from_numpy(targets)
    random, spent, losses = np.random.default_rng(0), 0.0, []
    while spent < seconds:
        start = perf_counter()
        order = random.permutation(len(x))
        for ids in np.array_split(order, -(-len(x) // BATCH)):
            dense(x[ids], y[ids])
        spent += perf_counter() - start
        losses.append(loss_of(dense, x, y))  # not counted: a look at all samples
        print(f"  rate {rate:g}: {spent:.0f} s, loss {losses[-1]:.3e}", flush=True)
        if not losses[-1] > until or not np.isfinite(losses[-1]):
            break
    return {
        "rate": rate,
        "near_kernel": near_kernel,
        "epochs": len(losses),
        "seconds": spent,
        "loss": losses[-1],
        "losses": losses,
    }


def loss_of(dense: HandWritten, x: torch.Tensor, y: torch.Tensor) -> float:
    total = 0.0
    for part, target in zip(x.split(1000), y.split(1000), strict=True):
        hidden = torch.relu(part @ dense.weights.T - dense.threshold)
        total += float(((dense.scale * (hidden @ dense.output_weights) - target) ** 2).sum())
    return 0.5 * total / len(x)


def gram_costs(inputs: Inputs) -> dict[str, float]:
    """Seconds for the exact counts, and for the sketch of the paper."""
    network = network_of(inputs.n_features, 10)
    index = ExhaustiveIndex()
    index.build(network.layer, inputs)
    gram = FiringGram(network, inputs, index.fire_set(inputs))
    seconds = {}
    start = perf_counter()
    inputs.inner_products  # noqa: B018  is kept
    seconds["inner products"] = perf_counter() - start
    for name, form in {"shared": gram.shared, "sketch": lambda: gram.sketched(4 * len(inputs), 0)}.items():
        start = perf_counter()
        form()
        seconds[name] = perf_counter() - start
    start = perf_counter()
    gram.times(np.ones((len(inputs), 10)))
    seconds["a product"] = perf_counter() - start
    return seconds


def main(folder: Path) -> None:
    figures: dict[str, Any] = {"random_labels": [random_labels(np.float64), random_labels(np.float32)]}
    print(*figures["random_labels"], sep="\n", flush=True)
    dataset = load_dataset(folder)
    chosen = np.sort(np.random.default_rng(0).permutation(len(dataset.inputs))[:SAMPLES])
    scaling = InputScaling.fit(dataset.inputs[chosen], standardize=False)
    inputs = Inputs.of(scaling.transform(dataset.inputs[chosen]))
    classes = Classes.of(dataset.labels)
    targets = classes.one_hot(classes.encode(dataset.labels[chosen]), np.float32)
    figures["costs"] = gram_costs(inputs)
    print(figures["costs"], flush=True)
    ours = figures["fitted"] = fitted(inputs, targets, "shared", STEPS, near_kernel=True)
    figures["by_sketch"] = fitted(inputs, targets, "sketch", 1, near_kernel=True)
    figures["unit_weights"] = fitted(inputs, targets, "shared", 5, near_kernel=False)
    tuned = figures["tuned"] = []
    for near_kernel in (False, True):
        network = network_of(inputs.n_features, 10, near_kernel=near_kernel)
        stable = stable_learning_rate(network, inputs, loss_named("squared"), BATCH)
        for share in RATES:
            tuned.append(descend(inputs, targets, share * stable, 0.0, TUNING_EPOCHS * 8.0,
                                 near_kernel=near_kernel))  # fmt: skip
    finite = [row for row in tuned if len(row["losses"]) >= TUNING_EPOCHS]
    best = min(finite, key=lambda row: row["losses"][TUNING_EPOCHS - 1])
    figures["dense"] = descend(inputs, targets, best["rate"], ours["steps"][-1]["loss"],
                               PATIENCE * ours["seconds"], near_kernel=best["near_kernel"])  # fmt: skip
    save("gauss_newton", "python benchmarks/gauss_newton.py", figures)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist")

"""What Fashion-MNIST networks can promise: certificate, attack and intervals, by width and threshold; cost.

    python benchmarks/certify.py [FOLDER]      about five minutes on two cores

Networks of one hidden layer learn Fashion-MNIST for a few epochs of plain descent on the softmax loss. Radii
are l2, in units of the inputs on the unit sphere. Certificate, intervals and an attack of 20 steps see the
same test samples. The work of dense intervals is 2 m (d + c) multiply-adds per sample: centre and radius of
every pre-activation, then of every output.
"""

import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from common import DATA, save
from fewfire import GradientDescent, Inputs, TwoLayerNetwork
from fewfire.adversarial import Attack, Ball, robust_accuracy
from fewfire.certify.prover import Prover
from fewfire.data import load_dataset
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling

NETWORKS = ((1024, 1.0), (16_384, 1.0), (16_384, 2.0), (16_384, 2.8), (65_536, 2.36))  # width, threshold
RADII, EPOCHS, STEPS, FEW, MANY = (0.01, 0.02, 0.03), 3, 20, 200, 1000
WIDE = (65_536, 2.36)

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
dataset = load_dataset(folder)
labels, test_labels = dataset.labels.astype(int), dataset.test_labels.astype(int)
scaling = InputScaling.fit(dataset.inputs, standardize=False)
inputs = Inputs.of(scaling.transform(dataset.inputs))
test = scaling.transform(dataset.test_inputs[:MANY])


def trained(width: int, threshold: float) -> TwoLayerNetwork:
    network = TwoLayerNetwork.initialize(
        width, inputs.n_features, 10, threshold=threshold, init="structured", seed=1
    )
    trainer = plan_trainer(
        network, inputs, np.eye(10, dtype=np.float32)[labels], method=GradientDescent(), index="screened",
        batch_size=256, loss="softmax",
    )  # fmt: skip
    trainer.build()
    for _ in range(EPOCHS):
        trainer.epoch()
    trainer.settle()
    return network


def margins(network: TwoLayerNetwork, ball: Ball, method: str) -> tuple[np.ndarray, np.ndarray, Prover]:
    """The least margin of each label over the ball, the share of undecided pairs, and what proved them."""
    prover = Prover(network, None, method=method, index="auto")
    least, undecided = np.empty(len(ball.samples)), np.empty(len(ball.samples))
    for sample, layers in prover.layers(ball):
        others = np.delete(np.arange(10), test_labels[sample])
        questions = -np.eye(10)[others]
        questions[:, test_labels[sample]] = 1
        least[sample] = prover.lower(layers, questions, np.zeros(9), 0.0).min()
        undecided[sample] = np.count_nonzero(layers[-1].undecided) / network.width
    return least, undecided, prover


rows: list[dict[str, Any]] = []
cost: dict[str, Any] = {}
for width, threshold in NETWORKS:
    begin = perf_counter()
    network = trained(width, threshold)
    spent = perf_counter() - begin
    for radius in RADII:
        ball = Ball(test[:FEW], "l2", radius)
        linear, undecided, _ = margins(network, ball, "linear")
        interval, _, _ = margins(network, ball, "interval")
        attack = Attack(norm="l2", radius=radius, steps=STEPS)
        found = robust_accuracy(network, test[:FEW], test_labels[:FEW], attack)
        rows.append(
            {
                "width": width,
                "threshold": threshold,
                "radius": radius,
                "clean": found.clean,
                "attacked": found.robust,
                "certified": float((linear > 0).mean()),
                "interval": float((interval > 0).mean()),
                "undecided": float(undecided.mean()),
                "training_seconds": spent,
            }
        )
        assert not (found.broken & (linear > 0)).any()
        print(rows[-1], flush=True)
    if (width, threshold) == WIDE:
        begin = perf_counter()
        least, undecided, prover = margins(network, Ball(test, "l2", RADII[0]), "linear")
        seconds = perf_counter() - begin
        dense = 2 * width * (inputs.n_features + 10) * MANY
        begin = perf_counter()
        _ = test @ network.weights.T, test @ np.abs(network.weights).T
        dense_seconds = perf_counter() - begin
        cost = {
            "samples": MANY,
            "certified": float((least > 0).mean()),
            "seconds": seconds,
            "dense_interval_seconds": dense_seconds,
            "work_share": (prover.work.dots * prover.search_features + prover.products) / dense,
            "byte_share": prover.work.multiplied * prover.search_features / dense,
            "undecided": float(undecided.mean()),
        }
        print(cost, flush=True)
save("certify", "python benchmarks/certify.py", {"rows": rows, "cost": cost})

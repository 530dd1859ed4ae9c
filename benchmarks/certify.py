"""What Fashion-MNIST networks can promise: certificate, attack and intervals, by width and threshold; cost.

    python benchmarks/certify.py [FOLDER]      about five minutes on two cores

Networks of one hidden layer learn 20,000 pictures for three epochs of descent on the softmax loss. Radii are
l2, in units of the inputs on the unit sphere. Certificate, intervals and an attack of 20 steps see the same
test pictures. The work of dense intervals is 2 m (d + c) multiply-adds per sample: centre and radius of every
pre-activation, then of every output. Last, a small network learns 3,000 pictures plainly, and by certified
training within 0.05.
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
from fewfire.system.machine import one_blas_thread
from fewfire.training import Adversarial, Method, Robust

NETWORKS = ((4096, 1.0), (16_384, 2.0), (16_384, 2.8), (65_536, 2.36))  # width, threshold
WIDE = (65_536, 2.36)
RADII, EPOCHS, STEPS, LEARNED, FEW, MANY = (0.01, 0.02, 0.03), 3, 20, 20_000, 100, 1000

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
dataset = load_dataset(folder)
labels, test_labels = dataset.labels[:LEARNED].astype(int), dataset.test_labels.astype(int)
scaling = InputScaling.fit(dataset.inputs[:LEARNED], standardize=False)
learned = scaling.transform(dataset.inputs[:LEARNED])
test = scaling.transform(dataset.test_inputs[:MANY])


def trained(
    width: int, threshold: float, method: Method, n_samples: int = LEARNED, epochs: int = EPOCHS
) -> TwoLayerNetwork:
    network = TwoLayerNetwork.initialize(width, learned.shape[1], 10, threshold=threshold, seed=1)
    targets = np.eye(10, dtype=np.float32)[labels[:n_samples]]
    trainer = plan_trainer(
        network, Inputs.of(learned[:n_samples]), targets, method=method, index="screened", batch_size=256,
        loss="softmax",
    )  # fmt: skip
    trainer.build()
    for _ in range(epochs):
        trainer.epoch()
    return network


def margins(network: TwoLayerNetwork, ball: Ball) -> tuple[np.ndarray, np.ndarray, Prover]:
    """The least margin of each label over the ball by lines and by intervals, (2, n); the share of undecided
    pairs; and what proved them."""
    prover, plain = (Prover(network, None, method=name, index="auto") for name in ("linear", "interval"))
    least, undecided = np.empty((2, len(ball.samples))), np.empty(len(ball.samples))
    with one_blas_thread():
        for sample, layers in prover.layers(ball):
            others = np.delete(np.arange(10), test_labels[sample])
            questions = -np.eye(10)[others]
            questions[:, test_labels[sample]] = 1
            for number, one in enumerate((prover, plain)):
                least[number, sample] = one.lower(layers, questions, np.zeros(9), 0.0).min()
            undecided[sample] = np.count_nonzero(layers[-1].undecided) / network.width
    return least, undecided, prover


def row(network: TwoLayerNetwork, radius: float) -> dict[str, Any]:
    """Certificate, intervals and attack on the same samples."""
    ball, attack = Ball(test[:FEW], "l2", radius), Attack(norm="l2", radius=radius, steps=STEPS)
    (linear, interval), undecided, _ = margins(network, ball)
    found = robust_accuracy(network, test[:FEW], test_labels[:FEW], attack)
    assert not (found.broken & (linear > 0)).any()
    return {
        "width": network.width,
        "threshold": round(network.threshold, 2),
        "radius": radius,
        "clean": found.clean,
        "attacked": found.robust,
        "certified": float((linear > 0).mean()),
        "interval": float((interval > 0).mean()),
        "undecided": float(undecided.mean()),
    }


def cost_of(network: TwoLayerNetwork) -> dict[str, Any]:
    """Time and work of certifying many samples at the least radius."""
    begin = perf_counter()
    (least, _), undecided, prover = margins(network, Ball(test, "l2", RADII[0]))
    seconds = perf_counter() - begin
    dense = 2 * network.width * (network.n_features + 10) * MANY
    sizes = np.abs(network.weights)
    begin = perf_counter()
    _ = test @ network.weights.T, test @ sizes.T
    return {
        "samples": MANY,
        "certified": float((least > 0).mean()),
        "undecided": float(undecided.mean()),
        "seconds": seconds,
        "dense_interval_seconds": perf_counter() - begin,
        "work_share": (prover.work.dots * prover.search_features + prover.products) / dense,
        "byte_share": prover.work.multiplied * prover.search_features / dense,
    }


rows: list[dict[str, Any]] = []
cost: dict[str, Any] = {}
for width, threshold in NETWORKS:
    network = trained(width, threshold, GradientDescent())
    rows += [row(network, radius) for radius in RADII]
    print(*rows[-len(RADII) :], sep="\n", flush=True)
    if (width, threshold) == WIDE:
        cost = cost_of(network)
        print(cost, flush=True)
attack = Attack(norm="l2", radius=0.05, steps=1)
certified = Adversarial(attack=attack, scheme="certified", robust=Robust(ramp=(1.5, 4.5)))
training = []
for name, method in (("plain", GradientDescent()), ("certified", certified)):
    begin = perf_counter()
    network = trained(512, 1.0, method, 3000, 6)
    seconds = perf_counter() - begin
    training += [row(network, radius) | {"training": name, "seconds": seconds} for radius in (0.025, 0.05)]
    print(*training[-2:], sep="\n", flush=True)
save("certify", "python benchmarks/certify.py", {"rows": rows, "cost": cost, "training": training})

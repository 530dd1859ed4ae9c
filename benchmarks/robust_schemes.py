"""Four ways to train against attacks, at equal time: pgd, fast, free, trades, and plain training beside them.

    python benchmarks/robust_schemes.py [FOLDER]      about seven minutes on two cores

Fashion-MNIST, width 16,384, softmax loss, linf 8/255, the learning rate that PGD had on other runs (20,000),
and half of it for trades, whose loss counts twice. Each trains for whole epochs until a minute is over.
The first 1,000 test images are then attacked in 50 steps from 2 starts. One seed: differences of a point say
nothing.
"""

import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from common import DATA, save
from fewfire import GradientDescent, Inputs, TwoLayerNetwork
from fewfire.adversarial import robust_accuracy
from fewfire.data import load_dataset
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.runs.attacks import attack_on
from fewfire.training import Adversarial, Method

WIDTH, SECONDS, RATE = 16_384, 60.0, 20_000.0

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
dataset = load_dataset(folder)
samples, labels = dataset.inputs.astype(np.float32), dataset.labels.astype(int)
scaling = InputScaling.fit(dataset.inputs, standardize=False)
inputs, targets = Inputs.of(scaling.transform(samples)), np.eye(10, dtype=np.float32)[labels]
test, test_labels = dataset.test_inputs[:1000].astype(np.float32), dataset.test_labels[:1000].astype(int)


def method_of(scheme: str) -> Method:
    if scheme == "plain":
        return GradientDescent(learning_rate=RATE)
    steps = {"pgd": 5, "pgd, candidates": 5, "fast": 1, "free": 8, "trades": 5}[scheme]
    attack = attack_on("linf:8/255", dataset.inputs, scaling, steps=steps)
    name, _, search = scheme.partition(", ")
    return Adversarial(
        learning_rate=RATE / 2 if name == "trades" else RATE,
        attack=attack,
        samples=samples,
        scaling=scaling,
        scheme=name,
        search=search or "exact",
    )


rows = []
for scheme in ("plain", "pgd", "pgd, candidates", "fast", "free", "trades"):
    network = TwoLayerNetwork.initialize(WIDTH, inputs.n_features, 10, threshold="auto", init="structured")
    trainer = plan_trainer(
        network, inputs, targets, method=method_of(scheme), index="screened", batch_size=256, loss="softmax"
    )
    trainer.build()
    begin = perf_counter()
    while perf_counter() - begin < SECONDS:
        record = trainer.epoch()
    spent = perf_counter() - begin
    evaluation = attack_on("linf:8/255", dataset.inputs, scaling, steps=50, restarts=2)
    found = robust_accuracy(network, test, test_labels, evaluation, scaling=scaling)
    rows.append(
        {
            "scheme": scheme,
            "epochs": record.epoch,
            "steps": sum(one.steps for one in trainer.history),
            "seconds": spent,
            "fire_rate": record.fire_rate,
            "clean": found.clean,
            "robust": found.robust,
        }
    )
    print(f"{scheme}: {record.epoch} epochs in {spent:.0f} s, fires {record.fire_rate:.2%}, clean "
          f"{found.clean:.3f}, robust {found.robust:.3f}", flush=True)  # fmt: skip
save("robust_schemes", "python benchmarks/robust_schemes.py", rows)

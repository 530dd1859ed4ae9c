"""Adversarial training in miniature: pictures in [0, 1], and trainers on them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire import Inputs, TwoLayerNetwork
from fewfire.adversarial import Attack, Box
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.training import Adversarial, Trainer
from problems import clustered_samples

SCHEMES = {  # with an attack that goes with each
    "pgd": {"attack": Attack(radius=0.06, steps=3, box=Box(0, 1))},
    "pgd, candidates": {"attack": Attack(radius=0.06, steps=3, box=Box(0, 1)), "search": "candidates"},
    "pgd, l2": {"attack": Attack(norm="l2", radius=0.1, steps=2, box=Box(0, 1))},
    "fast": {"attack": Attack(radius=0.06, steps=1, box=Box(0, 1))},
    "free": {"attack": Attack(radius=0.06, steps=3, box=Box(0, 1))},
    "free, l2": {"attack": Attack(norm="l2", radius=0.1, steps=2, box=Box(0, 1))},
    "trades": {"attack": Attack(radius=0.06, steps=3, box=Box(0, 1))},
    "trades, candidates": {"attack": Attack(radius=0.06, steps=3, box=Box(0, 1)), "search": "candidates"},
}


@dataclass(frozen=True)
class Pictures:
    """Samples in [0, 1], one-hot targets of three classes, and the scaling of the samples."""

    samples: NDArray
    targets: NDArray
    scaling: InputScaling

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.targets.argmax(axis=1)

    @property
    def inputs(self) -> Inputs:
        return Inputs.of(self.scaling.transform(self.samples))


def pictures(n_samples: int = 150, n_features: int = 12, seed: int = 0) -> Pictures:
    rows, nearest = clustered_samples(n_samples, n_features, seed)
    samples = np.clip(rows - rows.min(), 0, 1).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[nearest % 3]
    return Pictures(samples, targets, InputScaling.fit(samples, standardize=False))


def robust_trainer(
    data: Pictures, scheme: str, *, width=600, threshold=1.0, index="exhaustive", batch_size=30,
    loss="softmax", seed=0, learning_rate=4.0, **settings,
) -> Trainer:  # fmt: skip
    """A trainer by one of SCHEMES, whose settings others may replace, or by another with its own."""
    network = TwoLayerNetwork.initialize(width, data.samples.shape[1] + 1, 3, threshold=threshold)
    method = Adversarial(
        learning_rate=learning_rate, samples=data.samples, scaling=data.scaling,
        scheme=scheme.split(",")[0], **(SCHEMES.get(scheme, {}) | settings),
    )  # fmt: skip
    return plan_trainer(
        network, data.inputs, data.targets, method=method, index=index, batch_size=batch_size, loss=loss,
        seed=seed,
    )  # fmt: skip


def robustly_trained(data: Pictures, scheme: str, epochs: int = 3, **settings) -> Trainer:
    trainer = robust_trainer(data, scheme, **settings)
    trainer.build()
    for _ in range(epochs):
        trainer.epoch()
    return trainer

"""Our own attack beside AutoAttack's four, on a network that was trained against attacks.

    python benchmarks/autoattack.py       about ten minutes on two cores, 2 GB; needs the extra `attacks`

Fashion-MNIST, width 16,384, two epochs against linf 8/255 in five steps; then the first 500 test samples are
attacked, by ours in 50 steps from 10 starts, and by AutoAttack in its standard version: APGD on the cross
entropy, targeted APGD, targeted FAB, and Square, each on what the ones before have left. FAB also looks for
the nearest wrong point of 60 samples, on our module and on the same network in dense PyTorch, whose inputs
are not rounded to multiples of 2^-15.
"""

from time import perf_counter

import numpy as np
import torch
from pyautoattack import AutoAttack
from pyautoattack.fab_pt import FABAttack_PT
from torch import Tensor, nn

import fewfire
from common import DATA, save
from fewfire import Inputs, TwoLayerNetwork
from fewfire.adversarial import Attack, Box, robust_accuracy
from fewfire.data import load_dataset
from fewfire.indexes import arrange
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.torch import as_module
from fewfire.training import Adversarial

WIDTH, EPOCHS, RATE, RADIUS = 16_384, 2, 20_000.0, 8 / 255
SAMPLES, NEAREST = 500, 60
PIXELS, SHAPE = Box(0, 255), (1, 28, 28)


class Dense(nn.Module):
    """The same network in float32 products, without the rounding of inputs."""

    def __init__(self, network: TwoLayerNetwork, scaling: InputScaling) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(network.weights.copy()))
        self.output_weights = torch.from_numpy(network.output_weights.copy())
        self.mean = torch.from_numpy(scaling.mean).float()
        self.threshold, self.scale, self.constant = network.threshold, network.scale, scaling.constant

    def forward(self, x: Tensor) -> Tensor:
        centred = 255 * x.reshape(len(x), -1) - self.mean
        rows = torch.cat([centred, torch.full((len(x), 1), self.constant)], dim=1)
        rows = rows / rows.norm(dim=1, keepdim=True)
        return self.scale * torch.relu(rows @ self.weights.T - self.threshold) @ self.output_weights


def trained(dataset, scaling: InputScaling) -> TwoLayerNetwork:
    samples = dataset.inputs.astype(np.float32)
    targets = np.eye(10, dtype=np.float32)[dataset.labels.astype(int)]
    inputs = Inputs.of(scaling.transform(samples))
    network = TwoLayerNetwork.initialize(WIDTH, inputs.n_features, 10, threshold="auto", init="structured")
    arrange(network, inputs)
    attack = Attack(radius=255 * RADIUS, steps=5, box=PIXELS)
    method = Adversarial(learning_rate=RATE, attack=attack, samples=samples, scaling=scaling)
    trainer = plan_trainer(
        network, inputs, targets, method=method, index="screened", batch_size=256, loss="softmax"
    )
    trainer.build()
    for _ in range(EPOCHS):
        record = trainer.epoch()
        print(f"epoch {record.epoch}: {record.seconds:.0f} s, loss {record.loss:.3f}", flush=True)
    return network


def autoattack(module: nn.Module, x: Tensor, y: Tensor) -> tuple[list[dict[str, object]], Tensor]:
    """What each attack leaves, and takes, and where the samples were led to."""
    attack = AutoAttack(module, norm="Linf", eps=RADIUS, seed=0)
    names, attack.version, rows = attack.attacks_to_run, "custom", []
    points, right = x.clone(), module(x).argmax(dim=1) == y
    for name in names:
        attack.attacks_to_run, ids, start = [name], right.nonzero()[:, 0], perf_counter()
        points[ids] = attack.run_standard_evaluation(x[ids], y[ids], batch_size=SAMPLES)[0]
        right = module(points).argmax(dim=1) == y
        rows.append({"attack": name, "robust": float(right.double().mean()),
                     "seconds": perf_counter() - start})  # fmt: skip
        print(f"{name}: {rows[-1]['robust']:.3f} robust, {rows[-1]['seconds']:.0f} s", flush=True)
    return rows, points


def least_moves(module: nn.Module, x: Tensor, y: Tensor) -> float:
    """The median over the samples of the least change of a pixel by which FAB finds a wrong point."""
    attack = FABAttack_PT(module, norm="Linf", n_restarts=1, n_iter=100, eps=0.3, seed=0, device="cpu")
    points = attack.perturb(x, y)
    wrong = module(points).argmax(dim=1) != y
    return float((points - x).abs().flatten(1).amax(dim=1)[wrong].median())


def measure() -> dict[str, object]:
    dataset = load_dataset(str(DATA / "fashion_mnist"))
    scaling = InputScaling.fit(dataset.inputs, standardize=False)
    network = trained(dataset, scaling)
    samples = dataset.test_inputs[:SAMPLES].astype(np.float32)
    labels = dataset.test_labels[:SAMPLES].astype(int)
    torch.set_num_threads(fewfire.threads())
    module = as_module(network, scaling, input_shape=SHAPE, unit=255).eval()
    x, y = torch.from_numpy(samples.reshape(-1, *SHAPE) / 255), torch.from_numpy(labels)

    ours = []
    for objective in ("loss", "margin", "dlr"):
        attack = Attack(radius=255 * RADIUS, steps=50, restarts=10, objective=objective, box=PIXELS)
        found = robust_accuracy(network, samples, labels, attack, scaling=scaling)
        ours.append({"objective": objective, "robust": found.robust, "per_restart": found.per_restart,
                     "seconds": found.seconds, "no_gradient": found.no_gradient})  # fmt: skip
        print(f"ours, {objective}: clean {found.clean:.3f}, robust {found.robust:.3f}, {found.seconds:.0f} s",
              flush=True)  # fmt: skip
    theirs, points = autoattack(module, x, y)
    assert float((points - x).abs().max()) <= RADIUS + 1e-6
    right = module(x).argmax(dim=1) == y
    nearest = x[right][:NEAREST], y[right][:NEAREST]
    fab = {"module": least_moves(module, *nearest), "dense": least_moves(Dense(network, scaling), *nearest)}
    gap = ours[0]["robust"] - theirs[-1]["robust"]
    print(f"AutoAttack leaves {100 * gap:.1f} points less; FAB's least moves {fab}", flush=True)
    return {"width": WIDTH, "samples": SAMPLES, "radius": RADIUS, "clean": found.clean,
            "fire_rate": found.work.fired / found.work.asked, "ours": ours, "autoattack": theirs, "gap": gap,
            "median_least_move": fab}  # fmt: skip


if __name__ == "__main__":
    save("autoattack", "python benchmarks/autoattack.py", measure())

"""A step of an attack, and one of adversarial training, beside dense PyTorch in all ways that may be fastest.

    python benchmarks/adversarial.py      about four minutes on two cores, 6 GB

Fashion-MNIST, batches of 256, linf 8/255, the threshold "auto", after an epoch of training on 8,192 samples.
An attack step finds who fires on new points, computes outputs, and the gradient by the inputs. The dense ways
do the same with products of BLAS, of oneDNN, or of bfloat16 (weights rounded once per attack, as no weight
moves in between); all steps are taken in turn, and medians count.
"""

from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

import fewfire
from common import DATA, save
from fewfire import Inputs, TwoLayerNetwork
from fewfire.adversarial import Objective, Surface
from fewfire.data import load_dataset
from fewfire.indexes import arrange, index_named
from fewfire.networks.losses import SoftmaxLoss
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.runs.attacks import attack_on
from fewfire.training import Adversarial

BATCH, SAMPLES, STEPS, ROUNDS = 256, 8192, 7, 9


def linear(left: Tensor, right: Tensor) -> Tensor:
    """left @ right.T by oneDNN."""
    return torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")


def dense_ways(network: TwoLayerNetwork) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Gradients (B, d) by the inputs of the softmax loss, for inputs (B, d) and targets (B, c)."""
    w, a = torch.from_numpy(network.weights.copy()), torch.from_numpy(network.output_weights.copy())
    scale, threshold = network.scale, network.threshold
    w_back = w.T.contiguous()
    w16, a16 = w.bfloat16(), a.bfloat16()

    def by_blas(x: Tensor, y: Tensor) -> Tensor:
        hidden = (x @ w.T).sub_(threshold).relu_()
        residual = (scale * (hidden @ a)).softmax(dim=1) - y
        return (residual @ a.T).mul_(hidden > 0) @ w * scale

    def by_onednn(x: Tensor, y: Tensor) -> Tensor:
        hidden = linear(x, w).sub_(threshold).relu_()
        residual = (scale * (hidden @ a)).softmax(dim=1) - y
        return linear(linear(residual, a).mul_(hidden > 0), w_back) * scale

    def by_autograd(x: Tensor, y: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        outputs = scale * (torch.relu(x @ w.T - threshold) @ a)
        loss = torch.nn.functional.cross_entropy(outputs, y, reduction="sum")
        return torch.autograd.grad(loss, x)[0]

    compiled = torch.compile(by_blas)

    def by_bfloat16(x: Tensor, y: Tensor) -> Tensor:
        hidden = torch.mm(x.bfloat16(), w16.T).sub_(threshold).relu_()
        residual = (scale * (hidden @ a16).float()).softmax(dim=1) - y
        return (torch.mm(torch.mm(residual.bfloat16(), a16.T).mul_(hidden > 0), w16) * scale).float()

    return {"BLAS": by_blas, "oneDNN": by_onednn, "autograd": by_autograd, "torch.compile": compiled,
            "bfloat16": by_bfloat16}  # fmt: skip


def seconds(do: Callable[[], object]) -> float:
    start = perf_counter()
    do()
    return perf_counter() - start


def measure(width: int) -> dict[str, object]:
    dataset = load_dataset(str(DATA / "fashion_mnist"))
    samples = dataset.inputs[:SAMPLES].astype(np.float32)
    targets = np.eye(10, dtype=np.float32)[dataset.labels[:SAMPLES].astype(int)]
    scaling = InputScaling.fit(dataset.inputs, standardize=False)
    inputs = Inputs.of(scaling.transform(samples))
    network = TwoLayerNetwork.initialize(width, inputs.n_features, 10, threshold="auto", init="structured")
    arrange(network, inputs)
    fewfire.train(network, inputs, targets, epochs=1, batch_size=BATCH, loss="softmax")
    attack = attack_on("linf:8/255", dataset.inputs, scaling, steps=STEPS)
    surface = Surface(network, scaling, index_named("screened"))
    surface.index.build(network.layer, inputs)
    points, batch_targets = samples[:BATCH], targets[:BATCH]
    objective = Objective("loss", SoftmaxLoss(), batch_targets)
    x, y = torch.from_numpy(inputs.samples[:BATCH].copy()), torch.from_numpy(batch_targets)
    torch.set_num_threads(fewfire.threads())

    def ours() -> np.ndarray:
        seen = surface.at(points)
        return surface.gradients(seen, objective.directions(seen.outputs))

    method = Adversarial(learning_rate=1e-3, attack=attack, samples=samples, scaling=scaling)
    trainer = plan_trainer(
        network, inputs, targets, method=method, index="screened", batch_size=BATCH, loss="softmax"
    )
    trainer.build()
    batches = trainer.problem.batches(1)
    ways = {name: (lambda way=way: way(x, y)) for name, way in dense_ways(network).items()}
    ways["ours"] = ours
    steps = iter(batches * ROUNDS)
    ways["ours, training step"] = lambda: trainer.step(next(steps))
    for way in ways.values():
        way()  # compiles, and makes buffers
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            taken[name].append(seconds(way))
    median = {name: float(np.median(each)) for name, each in taken.items()}
    float32 = {name: median[name] for name in ("BLAS", "oneDNN", "autograd", "torch.compile")}
    fastest = min(float32, key=lambda name: float32[name])
    fires = surface.at(points).fires
    row = {
        "width": width, "fire_rate": fires.fire_rate, "seconds": median, "fastest": fastest,
        "speedup": float32[fastest] / median["ours"], "bfloat16_speedup": median["bfloat16"] / median["ours"],
    }  # fmt: skip
    each = "  ".join(f"{name} {1e3 * one:.1f}" for name, one in median.items())
    print(f"width {width:,}, fires {fires.fire_rate:.2%}, ms: {each}\n  attack step {row['speedup']:.1f} x "
          f"{fastest}, {row['bfloat16_speedup']:.1f} x bfloat16", flush=True)  # fmt: skip
    return row


if __name__ == "__main__":
    save("adversarial", "python benchmarks/adversarial.py", [measure(width) for width in (16_384, 65_536)])

"""A training step of a `SparseHidden` module in PyTorch, beside the fastest dense steps.

    python benchmarks/torch_module.py [FOLDER]      about five minutes on two cores, 6 GB

Fashion-MNIST, width 65,536, batches of 256, the paper's threshold. A forward and a backward pass and a step:
with torch.optim.SGD, which takes dense gradients, and with fewfire.torch.SGD through the index for new
inputs and through that for samples with ids. All take their steps in turn with the dense ones, on weights of
their own. Where the processor has no instructions for bfloat16, only float32 is measured, into a file of its
own.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch

import fewfire
from common import DATA, multiplies_bfloat16, save
from fewfire import GradientDescent, Inputs, TwoLayerNetwork
from fewfire.data import load_dataset
from fewfire.indexes import arrange
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.torch import DENSE_STEPS, SGD, SparseHidden
from fewfire.torch.rivals import BFLOAT16, FLOAT32, PRECISIONS

WIDTH, BATCH, RATE, WARM, TRIALS, ROUNDS = 65_536, 256, 300.0, 20, 3, 15

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "fashion_mnist"
dataset = load_dataset(folder)
scaling = InputScaling.fit(dataset.inputs, standardize=False)
inputs = Inputs.of(scaling.transform(dataset.inputs))
targets = np.eye(10, dtype=np.float32)[dataset.labels.astype(int)]
network = TwoLayerNetwork.initialize(WIDTH, inputs.n_features, 10, init="structured")
arrange(network, inputs)
torch.set_num_threads(fewfire.threads())
samples, aims = torch.from_numpy(np.ascontiguousarray(inputs.samples)), torch.from_numpy(targets)


def stepping(
    layer: SparseHidden, optimizer: torch.optim.Optimizer, *, by_ids: bool
) -> Callable[[torch.Tensor], None]:
    """What takes a step on the samples with some ids."""

    def step(ids: torch.Tensor) -> None:
        optimizer.zero_grad()
        outputs = layer(samples[ids], ids if by_ids else None)
        (0.5 * (outputs - aims[ids]).square().sum() / len(ids)).backward()
        optimizer.step()

    return step


def seconds(way: Callable[..., object], *arguments: object) -> float:
    start = perf_counter()
    way(*arguments)
    return perf_counter() - start


unfused, screened, drift = (SparseHidden.from_network(network, index="screened") for _ in range(3))
drift.state.network.layer.structure = network.layer.structure  # the index is built from it, four times faster
print(f"index built in {seconds(drift.bind, inputs):.1f} s", flush=True)
ways = {
    "unfused, new inputs": stepping(unfused, torch.optim.SGD([unfused.weight], lr=RATE), by_ids=False),
    "fused, new inputs": stepping(screened, SGD([screened], lr=RATE), by_ids=False),
    "fused, samples with ids": stepping(drift, SGD([drift], lr=RATE), by_ids=True),
}
trainer = plan_trainer(
    network, inputs, targets, method=GradientDescent(learning_rate=RATE), index="exhaustive", batch_size=BATCH
)
batches = [torch.from_numpy(ids) for ids in trainer.problem.batches(1)[: WARM + ROUNDS]]
for name in list(ways):
    for ids in batches[:WARM]:
        ways[name](ids)
    print(f"{name}: {1e3 * seconds(ways[name], batches[0]):.1f} ms", flush=True)

fastest: dict[str, tuple[str, float]] = {}
for name, dense in DENSE_STEPS.items():
    if dense.precision != FLOAT32 and not multiplies_bfloat16():
        continue
    step = dense(trainer.stepper, RATE)
    tried = median([seconds(step, samples[ids], aims[ids]) for ids in batches[: TRIALS + 1]][1:])
    print(f"{name} ({dense.precision}): {1e3 * tried:.0f} ms", flush=True)
    if tried < fastest.get(dense.precision, ("", np.inf))[1]:
        fastest[dense.precision] = name, tried
        ways[dense.precision] = lambda ids, step=step: step(samples[ids], aims[ids])

taken: dict[str, list[float]] = {name: [] for name in ways}
for ids in batches[WARM:]:
    for name, way in ways.items():
        taken[name].append(seconds(way, ids))
medians = {name: median(each) for name, each in taken.items()}
rows = [
    {
        "way": name,
        "seconds": medians[name],
        "speedup": medians[FLOAT32] / medians[name],
        "bfloat16_speedup": medians[BFLOAT16] / medians[name] if multiplies_bfloat16() else None,
    }
    for name in ways
    if name not in PRECISIONS
]
for row in rows:
    beside = {FLOAT32: row["speedup"], BFLOAT16: row["bfloat16_speedup"]}
    ratios = [f"{ratio:.1f} x {fastest[name][0]}" for name, ratio in beside.items() if ratio]
    print(f"{row['way']}: {1e3 * row['seconds']:.1f} ms, {', '.join(ratios)}")
figures = {"rows": rows, "dense": {name: medians[name] for name in fastest},
           "fastest": {name: way for name, (way, _) in fastest.items()}}  # fmt: skip
file = "torch_module" if multiplies_bfloat16() else "torch_module_float32"
save(file, "python benchmarks/torch_module.py", figures)

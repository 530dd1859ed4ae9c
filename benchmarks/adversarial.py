"""A step of an attack, and one of adversarial training, beside dense PyTorch in all ways that may be fastest.

    python benchmarks/adversarial.py      about five minutes on two cores, 8 GB

Fashion-MNIST, batches of 256, linf 8/255, the threshold "auto", after an epoch of training against the attack
on 8,192 samples. An attack step finds who fires on new points, computes outputs, and the gradient by the
inputs. The dense ways do the same with products of BLAS, of oneDNN, or of bfloat16 (weights rounded once per
attack, as no weight moves in between). A training step of ours attacks a batch in 7 steps and learns from
where it was led to; that of dense PyTorch counts as 7 of its fastest attack steps and the fastest of its
training steps (`fewfire.torch.rivals`), with the scaling, the projections and the last look at the points for
nothing. "Candidates" are attacks that look only at neurons near firing on the samples as they are: a step
finds which of them fire, and the search for them, once per attack, is part of the training step alone. All
steps are taken in turn, two at a time, of which the second counts; the figures are medians.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

import fewfire
from common import DATA, save
from fewfire import Inputs, Trainer, TwoLayerNetwork
from fewfire.adversarial import Objective, Surface
from fewfire.adversarial.candidates import candidate_slack
from fewfire.data import load_dataset
from fewfire.indexes import arrange, index_named
from fewfire.networks.losses import SoftmaxLoss
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.runs.attacks import attack_on
from fewfire.torch.rivals import BFLOAT16, DENSE_STEPS, FLOAT32, PURE_BFLOAT16
from fewfire.training import Adversarial

BATCH, SAMPLES, STEPS, ROUNDS = 256, 8192, 7, 9
OURS = ("ours", "candidates")

ATTACKS = {
    FLOAT32: ("BLAS", "BLAS transposed", "oneDNN", "oneDNN forward", "autograd", "torch.compile"),
    BFLOAT16: ("bfloat16", "bfloat16 autocast"),
}


def linear(left: Tensor, right: Tensor) -> Tensor:
    """left @ right.T by oneDNN."""
    return torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")


def dense_ways(network: TwoLayerNetwork) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Gradients (B, d) by the inputs of the softmax loss, for inputs (B, d) and targets (B, c)."""
    w, a = torch.from_numpy(network.weights.copy()), torch.from_numpy(network.output_weights.copy())
    scale, threshold = network.scale, network.threshold
    w_back = w.T.contiguous()
    w16, a16 = w.bfloat16(), a.bfloat16()
    # Made once: fresh memory would cost more than the sums.
    by_row, by_column = (
        [torch.empty(shape) for _ in range(2)] for shape in ((BATCH, len(w)), (len(w), BATCH))
    )
    rounded = [torch.empty(BATCH, len(w), dtype=torch.bfloat16) for _ in range(2)]

    def residual_of(outputs: Tensor, y: Tensor) -> Tensor:
        return scale * ((scale * outputs).softmax(dim=1) - y)

    def by_blas(x: Tensor, y: Tensor) -> Tensor:
        hidden = torch.mm(x, w.T, out=by_row[0]).sub_(threshold).relu_()
        pull = torch.mm(residual_of(hidden @ a, y), a.T, out=by_row[1])
        return torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull) @ w

    def transposed(hidden: Tensor, y: Tensor) -> Tensor:
        hidden.sub_(threshold).relu_()
        pull = torch.mm(a, residual_of((a.T @ hidden).T, y).T, out=by_column[1])
        return torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull).T @ w

    def by_onednn(x: Tensor, y: Tensor) -> Tensor:
        hidden = linear(x, w).sub_(threshold).relu_()
        pull = torch.mm(residual_of(hidden @ a, y), a.T, out=by_row[1])
        return linear(torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull), w_back)

    def by_autograd(x: Tensor, y: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        outputs = scale * (torch.relu(x @ w.T - threshold) @ a)
        loss = torch.nn.functional.cross_entropy(outputs, y, reduction="sum")
        return torch.autograd.grad(loss, x)[0]

    def plain(x: Tensor, y: Tensor) -> Tensor:
        hidden = torch.relu(x @ w.T - threshold)
        return (residual_of(hidden @ a, y) @ a.T) * (hidden > 0) @ w

    def by_bfloat16(x: Tensor, y: Tensor) -> Tensor:
        hidden = torch.mm(x.bfloat16(), w16.T, out=rounded[0]).sub_(threshold).relu_()
        pull = torch.mm(residual_of((hidden @ a16).float(), y).bfloat16(), a16.T, out=rounded[1])
        return (torch.ops.aten.threshold_backward(pull, hidden, 0, grad_input=pull) @ w16).float()

    def by_autocast(x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return by_autograd(x, y)

    return {
        "BLAS": by_blas,
        "BLAS transposed": lambda x, y: transposed(torch.mm(w, x.T, out=by_column[0]), y),
        "oneDNN": by_onednn,
        "oneDNN forward": lambda x, y: transposed(linear(w, x), y),
        "autograd": by_autograd,
        "torch.compile": torch.compile(plain),
        "bfloat16": by_bfloat16,
        "bfloat16 autocast": by_autocast,
    }


def fastest(median: dict[str, float], names: Iterable[str]) -> str:
    return min(names, key=lambda name: median[name])


def seconds(do: Callable[[], object]) -> float:
    start = perf_counter()
    do()
    return perf_counter() - start


def _next_step(trainer: Trainer, batches: Iterator[np.ndarray]) -> None:
    trainer.step(next(batches))


def measure(width: int) -> dict[str, object]:
    dataset = load_dataset(str(DATA / "fashion_mnist"))
    samples = dataset.inputs[:SAMPLES].astype(np.float32)
    targets = np.eye(10, dtype=np.float32)[dataset.labels[:SAMPLES].astype(int)]
    scaling = InputScaling.fit(dataset.inputs, standardize=False)
    inputs = Inputs.of(scaling.transform(samples))
    network = TwoLayerNetwork.initialize(width, inputs.n_features, 10, threshold="auto", init="structured")
    arrange(network, inputs)
    attack = attack_on("linf:8/255", dataset.inputs, scaling, steps=STEPS)

    def trainer_of(network: TwoLayerNetwork, search: str) -> Trainer:
        method = Adversarial(attack=attack, samples=samples, scaling=scaling, search=search)
        trainer = plan_trainer(
            network, inputs, targets, method=method, index="screened", batch_size=BATCH, loss="softmax"
        )
        trainer.build()
        return trainer

    trainer = trainer_of(network, "exact")
    trainer.epoch()
    attacked = network.copy()  # training steps move the other
    restricted = trainer_of(network.copy(), "candidates")
    surface = Surface(attacked, scaling, index_named("screened"))
    surface.index.build(attacked.layer, inputs)
    points, batch_targets = samples[:BATCH], targets[:BATCH]
    objective = Objective("loss", SoftmaxLoss(), batch_targets)
    x, y = torch.from_numpy(inputs.samples[:BATCH].copy()), torch.from_numpy(batch_targets)
    torch.set_num_threads(fewfire.threads())

    def step_of(surface: Surface) -> np.ndarray:
        seen = surface.at(points)
        return surface.gradients(seen, objective.directions(seen.outputs))

    near = surface.near(points, candidate_slack(attacked, attack, samples, scaling))
    batches = trainer.problem.batches(2)
    dense = dense_ways(attacked)
    exact = dense["BLAS"](x, y)
    for name, way in dense.items():
        apart = float((way(x, y) - exact).norm() / exact.norm())
        assert apart < (1e-3 if name in ATTACKS[FLOAT32] else 0.1), f"{name} is {apart:.1e} apart"
    ways = {f"attack: {name}": partial(way, x, y) for name, way in dense.items()}
    for name, kind in DENSE_STEPS.items():
        if kind.precision != PURE_BFLOAT16:
            ways[f"training: {name}"] = partial(
                kind(trainer.stepper, trainer.stepper.rate_of(trainer.steps_taken)), x, y
            )
    ways["attack: ours"], ways["attack: candidates"] = partial(step_of, surface), partial(step_of, near)
    for name, each in zip(OURS, (trainer, restricted), strict=True):
        ways[f"training: {name}"] = partial(_next_step, each, iter(batches * ROUNDS))
    for way in ways.values():
        way()  # compiles, and makes buffers
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            way()
            taken[name].append(seconds(way))
    median = {name: float(np.median(each)) for name, each in taken.items()}
    fires = surface.at(points).fires
    row: dict[str, object] = {"width": width, "fire_rate": fires.fire_rate, "seconds": median}
    print(f"width {width:,}, fires {fires.fire_rate:.2%}, ms:")
    for name, one in median.items():
        print(f"  {name} {1e3 * one:.1f}")
    for precision, attacks in ATTACKS.items():
        attack_way = fastest(median, [f"attack: {name}" for name in attacks])
        trainings = [f"training: {name}" for name, kind in DENSE_STEPS.items() if kind.precision == precision]
        training_way = fastest(median, trainings)
        whole = STEPS * median[attack_way] + median[training_way]
        row[precision] = {
            "attack_way": attack_way.split(": ")[1],
            "training_way": training_way.split(": ")[1],
            "attack_seconds": median[attack_way],
            "training_seconds": whole,
        }
        print(f"  {precision}: {row[precision]}", flush=True)
    return row


if __name__ == "__main__":
    save("adversarial", "python benchmarks/adversarial.py", [measure(width) for width in (16_384, 65_536)])

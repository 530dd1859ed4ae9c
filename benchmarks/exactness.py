"""Are the weights the same? Between indexes bit for bit; beside float64 and PyTorch, up to what is explained.

    python benchmarks/exactness.py      about three minutes on two cores

Digits, 200 steps. First: the bytes of the weights through the drift index are those through the exhaustive
one, with 1, 2 and 3 threads and every instruction set that has fused multiply-add.

Then fewfire in float32 beside dense NumPy in float64 and dense PyTorch in float32, each on its own way from
the same start. At each step all pairs that the two decide differently are found. The two pre-activations of a
pair differ by at most |W_1 - W_2| |x| plus the rounding band of both sums, so a pair decided differently must
lie within that distance of the threshold: the count of those that do not is shown, and must be 0. So is the
count of pairs inside the rounding band alone, whose decision no float32 implementation can be sure of.
"""

import hashlib

import numpy as np
import torch

import fewfire
from common import save
from fewfire import GradientDescent, Trainer, TwoLayerNetwork
from fewfire.data import load_dataset
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling
from fewfire.system import machine
from fewfire.torch.rivals import HandWritten
from fewfire.training.methods.gradient_descent import DescentStepper

STEPS, BATCH, WIDTHS = 200, 64, (1, 1_000, 16_384)

dataset = load_dataset("digits")
inputs = InputScaling.fit(dataset.inputs, standardize=False).transform(dataset.inputs)
classes = Classes.of(dataset.labels)
targets = classes.one_hot(classes.encode(dataset.labels))


def start(width: int, index: str) -> tuple[Trainer, list[np.ndarray]]:
    trainer = plan_trainer(
        TwoLayerNetwork.initialize(width, inputs.shape[1], 10),
        inputs,
        targets,
        index=index,
        batch_size=BATCH,
        method=GradientDescent(learning_rate=200.0),
    )
    trainer.build()
    batches = [ids for epoch in range(1, 20) for ids in trainer.problem.batches(epoch)][:STEPS]
    return trainer, batches


def fingerprint(width: int, index: str) -> str:
    trainer, batches = start(width, index)
    for ids in batches:
        trainer.step(ids)
    return hashlib.sha256(np.ascontiguousarray(trainer.network.weights).tobytes()).hexdigest()[:16]


def bit_equality() -> list[dict]:
    rows = []
    best = machine.instruction_set()
    for width in WIDTHS:
        machine.use_instruction_set(best)
        expected = fingerprint(width, "exhaustive")
        for name in [s for s in machine.available_instruction_sets() if s != "base"]:
            machine.use_instruction_set(name)
            for threads in (1, 2, 3):
                fewfire.set_threads(threads)
                found = fingerprint(width, "drift")
                rows.append(
                    {"width": width, "instruction_set": name, "threads": threads, "weights": found,
                     "equal_to_exhaustive": found == expected}
                )  # fmt: skip
                print(rows[-1], flush=True)
        fewfire.set_threads(2)
    machine.use_instruction_set(best)
    return rows


class NumPy64:
    """The plain formulas in float64."""

    def __init__(self, stepper: DescentStepper, rate: float) -> None:
        network = stepper.problem.network
        self.weights = network.weights.astype(np.float64)
        self.a, self.b, self.scale = (
            network.output_weights.astype(np.float64),
            network.threshold,
            network.scale,
        )
        self.rate = rate

    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        hidden = x @ self.weights.T - self.b
        fires = hidden > 0
        residual = self.scale * (np.where(fires, hidden, 0) @ self.a) - y
        self.weights -= self.rate * self.scale / len(x) * ((residual @ self.a.T) * fires).T @ x


class PyTorch32(HandWritten):
    def step(self, x: np.ndarray, y: np.ndarray) -> None:
        self(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.astype(np.float32)))


def beside(rival_class: type, width: int) -> dict:
    trainer, batches = start(width, "drift")
    network = trainer.network
    rival = rival_class(trainer.stepper, trainer.stepper.learning_rate)
    decided_differently = unexplained = in_rounding_band = pairs = 0
    largest = []
    for ids in batches:
        x, y = inputs[ids].astype(np.float64), targets[ids].astype(np.float64)
        ours = network.weights.astype(np.float64)
        theirs = np.asarray(rival.weights, dtype=np.float64)
        fires = trainer.index.fire_set(trainer.problem.inputs.batch(ids))
        mine = np.zeros((width, len(ids)), bool)
        mine[fires.neurons(), fires.samples] = True
        their_pre_activations = theirs @ x.T
        if rival_class is NumPy64:
            other = their_pre_activations > network.threshold
        else:
            other = (rival.weights @ torch.from_numpy(inputs[ids]).T > network.threshold).numpy()
        # Worst case of any order of summation: n u |w| |x|, n products.
        norms = np.linalg.norm(ours, axis=1)[:, None] * np.linalg.norm(x, axis=1)[None]
        band = (x.shape[1] + 2) * (np.finfo(np.float32).eps / 2) * norms
        apart = np.linalg.norm(ours - theirs, axis=1)[:, None] * np.linalg.norm(x, axis=1)[None]
        differ = mine != other
        distance = np.abs(ours @ x.T - network.threshold)
        decided_differently += int(differ.sum())
        unexplained += int((differ & (distance > 2 * band + apart)).sum())
        in_rounding_band += int((distance <= band).sum())
        pairs += mine.size
        trainer.step(ids)
        rival.step(x, y)
        largest.append(float(np.abs(network.weights - np.asarray(rival.weights)).max()))
    row = {
        "rival": rival_class.__name__, "width": width, "steps": STEPS, "pairs": pairs,
        "pairs_in_rounding_band": in_rounding_band, "pairs_decided_differently": decided_differently,
        "of_those_not_explained": unexplained, "max_weight_difference_step_1": largest[0],
        "max_weight_difference_step_200": largest[-1],
    }  # fmt: skip
    print(row, flush=True)
    return row


if __name__ == "__main__":
    equal = bit_equality()
    rivals = [beside(rival, width) for rival in (NumPy64, PyTorch32) for width in WIDTHS]
    save("exactness", "python benchmarks/exactness.py", {"bit_equality": equal, "beside_dense": rivals})
    assert all(row["equal_to_exhaustive"] for row in equal)
    assert all(row["of_those_not_explained"] == 0 for row in rivals)

"""Deep networks: the time of a step beside dense PyTorch, how work grows, and what depth does to accuracy.

    python benchmarks/deep.py steps [SHAPE ...]       about two minutes per shape on two cores, up to 8 GB
    python benchmarks/deep.py growth                  one minute, 3 GB
    python benchmarks/deep.py random-labels           two minutes: Gauss-Newton steps for several layers
    python benchmarks/deep.py moves                   half a minute: why no bound helps above the first layer
    python benchmarks/deep.py fashion [SAMPLES]       with all 60,000 samples half an hour
    python benchmarks/deep.py tables                  ten minutes: where two layers win, and where one does

Shapes of `steps`: see SHAPES. Fashion-MNIST, 2.5 % of all pairs firing at first in each layer, the squared
loss. All ways of dense PyTorch are tried once; the fastest of each precision take steps in turn with ours.
"""

import os
import sys
from statistics import median
from time import perf_counter

import numpy as np
import torch

import fewfire
from common import DATA, save
from deep_rivals import WAYS, bare_products
from fewfire import DeepNetwork, GaussNewton, GradientDescent, Inputs
from fewfire.data import load_dataset
from fewfire.indexes import arrange
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling, TargetScaling
from fewfire.torch.rivals import BFLOAT16, FLOAT32

SHAPES = {  # widths, batch
    "8192-8192": ((8_192, 8_192), 256),
    "8192-8192-large-batch": ((8_192, 8_192), 1_024),
    "65536-4096": ((65_536, 4_096), 256),
    "2048-2048": ((2_048, 2_048), 256),
}
FIRE_RATE, WARM, ROUNDS = 0.025, 4, 9


def fashion(n_samples: int | None = None):
    """Scaled inputs and one-hot targets of both parts."""
    dataset = load_dataset(DATA / "fashion_mnist")
    scaling = InputScaling.fit(dataset.inputs, standardize=False)
    parts = (
        (dataset.inputs[:n_samples], dataset.labels[:n_samples]),
        (dataset.test_inputs, dataset.test_labels),
    )
    return [(Inputs.of(scaling.transform(x)), np.eye(10, dtype=np.float32)[y.astype(int)]) for x, y in parts]


def seconds(call, *arguments) -> float:
    start = perf_counter()
    call(*arguments)
    return perf_counter() - start


def step_row(name: str, inputs: Inputs, targets: np.ndarray) -> dict:
    """A step of ours and the fastest dense ones, in turn."""
    widths, batch = SHAPES[name]
    network = DeepNetwork.initialize(widths, inputs.n_features, 10, fire_rate=FIRE_RATE, init="structured")
    arrange(network, inputs)
    method = GradientDescent()  # at the stable rate, which is that of the rivals too
    trainer = plan_trainer(network, inputs, targets, index="drift", method=method, batch_size=batch)
    rate, build = float(trainer.method.learning_rate), seconds(trainer.build)
    batches = trainer.problem.batches(1)[: 3 + WARM + ROUNDS]
    for ids, following in zip(batches[:WARM], batches[1:], strict=False):
        trainer.step(ids, following)
    torch.set_num_threads(fewfire.threads())
    torch.compiler.reset()
    tried, fastest = {}, {}

    def given(ids):
        return torch.from_numpy(inputs.samples[ids]), torch.from_numpy(targets[ids])

    for way, make in WAYS.items():
        dense = make(network, rate)
        tried[way] = median([seconds(dense, *given(ids)) for ids in batches[:3]][1:])
        print(f"{name}: {way} {1e3 * tried[way]:.0f} ms", flush=True)
        if tried[way] < fastest.get(make.precision, (np.inf,))[0]:
            fastest[make.precision] = tried[way], way, dense
    begun = [(work.asked, work.fired) for work in trainer.stepper.works]
    taken: dict[str, list[float]] = {"ours": [], FLOAT32: [], BFLOAT16: []}
    following = iter(batches[WARM:])
    ids = next(following)
    for after in following:
        taken["ours"].append(seconds(trainer.step, ids, after))
        for precision, (_, _, dense) in fastest.items():
            taken[precision].append(seconds(dense, *given(ids)))
        ids = after
    ours, full, rounded = (median(taken[one][1:]) for one in ("ours", FLOAT32, BFLOAT16))
    fire_rates = [
        (work.fired - fired) / (work.asked - asked)
        for work, (asked, fired) in zip(trainer.stepper.works, begun, strict=True)
    ]  # of the steps that are timed: less than asked for would flatter us
    floors = {precision: bare_products(network, batch, precision) for precision in (FLOAT32, BFLOAT16)}
    row = {
        "bare_products": floors,
        "fire_rates": fire_rates, "learning_rate": rate, "load": os.getloadavg(),
        "shape": name, "widths": widths, "batch": batch, "build_seconds": build, "seconds": ours,
        "dense_seconds": full, "dense_way": fastest[FLOAT32][1], "speedup": full / ours,
        "hand_written_speedup": tried["hand-written"] / ours,
        "bfloat16_seconds": rounded, "bfloat16_way": fastest[BFLOAT16][1], "bfloat16_speedup": rounded / ours,
        "tried": tried, "ours": taken["ours"],
    }  # fmt: skip
    print(f"{name}: ours {1e3 * ours:.1f} ms; {row['speedup']:.2f} x {row['dense_way']}, "
          f"{row['bfloat16_speedup']:.2f} x {row['bfloat16_way']}; fired {fire_rates}; bare products "
          f"{floors}", flush=True)  # fmt: skip
    return row


def steps(*names: str) -> list[dict]:
    (inputs, targets), _ = fashion(16_384)  # beside whose table the gradients of dense steps find room
    return [step_row(name, inputs, targets) for name in names or SHAPES]


def growth() -> dict:
    """Multiply-adds of the second layer's forward pass at the paper's threshold, and their exponent."""
    (inputs, _), _ = fashion(256)
    widths = (2_048, 4_096, 8_192, 16_384)
    counts = []
    for width in widths:
        network = DeepNetwork.initialize((width, width), inputs.n_features, 10, threshold="paper")
        trainer = plan_trainer(network, inputs, np.zeros((256, 10), np.float32), index="exhaustive",
                          method=GradientDescent(learning_rate=1e-30), batch_size=None)  # fmt: skip
        trainer.build()
        trainer.step(np.arange(256))
        counts.append(trainer.stepper.works[1].input_products / 256)
        print(f"width {width:,}: {counts[-1]:,.0f} multiply-adds per sample", flush=True)
        del network, trainer
    exponent = float(np.polyfit(np.log(widths), np.log(counts), 1)[0])
    print(f"exponent {exponent:.3f}")
    return {"widths": widths, "per_sample": counts, "exponent": exponent}


def random_labels() -> dict:
    """Gauss-Newton steps on random labels: n = 256, widths 4,096-4,096, float64."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((256, 64))
    inputs = Inputs.of(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64)
    targets = random.choice([-1.0, 1.0], (256, 1))
    network = DeepNetwork.initialize((4_096, 4_096), 64, 1, fire_rate=0.05, dtype=np.float64)
    trainer = plan_trainer(network, inputs, targets, index="drift", method=GaussNewton(), batch_size=None)
    trainer.build()
    squared = []
    start = perf_counter()
    while len(squared) < 10 and not trainer.finished:
        trainer.epoch()
        residuals = fewfire.predict(network, inputs) - targets
        squared.append(float(np.square(residuals).sum()))
        print(f"step {len(squared)}: squared residual {squared[-1]:.2e}", flush=True)
        if squared[-1] < 1e-16:
            break
    return {"squared_residuals": squared, "seconds": perf_counter() - start}


def moves() -> list[dict]:
    """How far inputs of layer 2 move in an epoch, and the silent pairs that a norm bound leaves open."""
    (inputs, targets), _ = fashion(4_000)
    network = DeepNetwork.initialize((2_048, 2_048), inputs.n_features, 10, threshold=1.75)
    trainer = plan_trainer(network, inputs, targets, method=GradientDescent(), index="drift", batch_size=128)
    trainer.build()
    batch, found = inputs.batch(np.arange(256)), []

    def seen() -> tuple[np.ndarray, np.ndarray]:
        a = np.maximum(batch.samples @ network.layers[0].weights.T - 1.75, 0)
        h = a / np.linalg.norm(a, axis=1, keepdims=True)
        return h, h @ network.layers[1].weights.T

    before, z = seen()
    for epoch in range(1, 5):
        trainer.epoch()
        far = np.linalg.norm(seen()[0] - before, axis=1)
        bound = far[:, None] * np.linalg.norm(network.layers[1].weights, axis=1)
        silent = z <= 1.75
        found.append({"epoch": epoch, "input_move": float(np.median(far)),
                      "open_share": float((z + bound > 1.75)[silent].mean())})  # fmt: skip
        print(found[-1], flush=True)
        before, z = seen()
    return found


def fashion_accuracy(n_samples: str = "60000") -> list[dict]:
    """Ten epochs of one and of two hidden layers, each at its own rate."""
    (inputs, targets), (tests, wanted) = fashion(int(n_samples))
    found = []
    for widths in ((8_192,), (8_192, 8_192)):
        network = DeepNetwork.initialize(
            widths, inputs.n_features, 10, fire_rate=FIRE_RATE, init="structured"
        )
        arrange(network, inputs)
        trainer = plan_trainer(network, inputs, targets, method=GradientDescent(), index="drift",
                               batch_size=256)  # fmt: skip
        start = perf_counter()
        trainer.build()
        records = [trainer.epoch() for _ in range(10)]
        right = fewfire.predict(network, tests).argmax(axis=1) == wanted.argmax(axis=1)
        rates = [[layer["fire_rate"] for layer in record.layers or [{"fire_rate": record.fire_rate}]]
                 for record in records]  # fmt: skip
        found.append({
            "widths": widths, "samples": int(n_samples), "accuracy": float(right.mean()),
            "loss": records[-1].loss, "seconds": perf_counter() - start,
            "learning_rate": records[-1].learning_rate, "fire_rates": rates,
        })  # fmt: skip
        print(f"{widths}: test accuracy {right.mean():.4f}, fire rates {rates[0]} -> {rates[-1]}", flush=True)
    return found


def tables(epochs: str = "40") -> list[dict]:
    """R squared on rows that were not learned from, of one and of two layers at their own rates."""
    found = []
    for name in ("pol", "bike", "elevators"):
        dataset = load_dataset(DATA / "uci_regression" / name / "data.csv.gz", task="regression")
        scaling, coding = (
            InputScaling.fit(dataset.inputs, standardize=True),
            TargetScaling.fit(dataset.labels),
        )
        inputs, tests = (Inputs.of(scaling.transform(x)) for x in (dataset.inputs, dataset.test_inputs))
        targets, wanted = (coding.transform(y) for y in (dataset.labels, dataset.test_labels))
        for widths in ((8_192,), (4_096, 2_048)):
            network = DeepNetwork.initialize(widths, inputs.n_features, 1, fire_rate=0.1)
            trainer = plan_trainer(network, inputs, targets, method=GradientDescent(), index="drift",
                                   batch_size=256)  # fmt: skip
            start = perf_counter()
            trainer.build()
            records = [trainer.epoch() for _ in range(int(epochs))]
            errors = np.square(fewfire.predict(network, tests) - wanted).mean()
            r2 = float(1 - errors / wanted.var())
            found.append({"data": name, "widths": widths, "r2": r2, "loss": records[-1].loss,
                          "epochs": int(epochs), "seconds": perf_counter() - start})  # fmt: skip
            print(f"{name} {widths}: R2 {r2:.4f}, loss {records[-1].loss:.4g}", flush=True)
    return found


if __name__ == "__main__":
    what, *others = sys.argv[1:] or ["steps"]
    runs = {"steps": steps, "growth": growth, "random-labels": random_labels, "moves": moves,
            "fashion": fashion_accuracy, "tables": tables}  # fmt: skip
    name = "_".join(["deep", what, *others]).replace("-", "_")
    save(name, f"python benchmarks/deep.py {' '.join([what, *others])}", runs[what](*others))

"""What the hashing index finds, beside as many random pairs, and what missing the rest does to training.

    python benchmarks/hashing.py [PART ...]      half a minute to a minute and a half each on two cores

hidden    recall in a hidden layer: width 2^14 on Fashion-MNIST, before and after training
rehash    hash functions worked out again while an exact run of ten epochs goes on, beside all at each step
accuracy  of networks that were trained on what was found: width 2,048, 4,000 images, six epochs, three seeds
outputs   recall among the 13,149 outputs of a softmax network on tibkat, trained with Adam
"""

import gzip
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import DATA, save
from fewfire import Inputs, TwoLayerNetwork
from fewfire.core.fire_set import FireSet
from fewfire.core.rows import padded
from fewfire.data import load_dataset
from fewfire.indexes import (
    ApproximateIndex,
    Audited,
    DriftIndex,
    ExhaustiveIndex,
    HashingIndex,
    Index,
    RandomIndex,
    ScreenedIndex,
)
from fewfire.networks.descent import Descent, Step
from fewfire.networks.layer import Layer
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling

SCHEMES: list[tuple[str, int, int]] = [
    ("simhash", 6, 40), ("simhash", 9, 28), ("simhash", 12, 21), ("wta", 9, 40), ("wta", 18, 50),
]  # fmt: skip


def images(folder: Path, count: int | None = None) -> tuple[Inputs, np.ndarray, Inputs, np.ndarray]:
    """Training inputs with one-hot targets, and test inputs with labels."""
    dataset = load_dataset(folder)
    scaling = InputScaling.fit(dataset.inputs, standardize=False)
    inputs = Inputs.of(scaling.transform(dataset.inputs[:count]))
    return inputs, np.eye(10)[dataset.labels[:count]], Inputs.of(scaling.transform(dataset.test_inputs)), (
        dataset.test_labels
    )  # fmt: skip


def found(index: ApproximateIndex, layer: Layer, inputs: Inputs, everything: FireSet) -> dict[str, Any]:
    """What an index finds of what fires on all inputs."""
    index.build(layer, inputs)
    audited = Audited.of(everything, index.fire_set(inputs), layer.threshold)
    assert audited.missed_mass is not None
    return {
        "looked_at": index.work.dots / index.work.asked,
        "recall": audited.recall,
        "interval": audited.interval,
        "found_mass": 1 - audited.missed_mass,
    }


def beside_random(
    scheme: tuple[str, int, int], layer: Layer, inputs: Inputs, everything: FireSet, **settings: Any
) -> dict[str, Any]:
    hash, bits, tables = scheme
    ours = found(HashingIndex(hash, bits, tables, audit=0, **settings), layer, inputs, everything)
    control = found(RandomIndex(ours["looked_at"], audit=0), layer, inputs, everything)
    chance = 1 - (1 - 0.5**bits) ** tables  # a winner of eight is worth three bits
    return {"scheme": f"{hash} {bits} x {tables}", "looked_at_by_theory": chance, **ours, "random": control}


# In a hidden layer


def hidden(folder: Path) -> list[dict[str, Any]]:
    inputs, targets, tests, _ = images(folder)
    some = tests.batch(np.arange(1024))
    network = TwoLayerNetwork.initialize(1 << 14, inputs.n_features, 10)
    rows = [{"when": "before training", **row} for row in layer_rows(network.layer, some)]
    trainer = plan_trainer(network, inputs, targets, batch_size=256)
    trainer.build()
    trainer.epoch()
    return rows + [{"when": "after an epoch", **row} for row in layer_rows(network.layer, some)]


def layer_rows(layer: Layer, inputs: Inputs) -> Iterator[dict[str, Any]]:
    exact, everything = screened(layer, inputs)
    for scheme in SCHEMES:
        yield beside_random(scheme, layer, inputs, everything)
        print(scheme, flush=True)
    yield {"scheme": "screened, exact", **exact}


def screened(layer: Layer, inputs: Inputs) -> tuple[dict[str, float], FireSet]:
    """What the exact screen looks at, how many fire, and how they lie to the inputs; and who they are."""
    index = ScreenedIndex()
    index.build(layer, inputs)
    fires = index.fire_set(inputs)
    norms = np.linalg.norm(layer.weights, axis=1)[fires.neurons()] * inputs.norms[fires.samples]
    cosines = fires.values / norms
    return {
        "looked_at": index.work.dots / index.work.asked,
        "recall": 1.0,
        "found_mass": 1.0,
        "fire_rate": fires.fire_rate,
        "mean_cosine": float(cosines.mean()),
        "largest_cosine": float(cosines.max()),
    }, fires


# While an exact run goes on


class Watched(DriftIndex):
    """The drift index, which tells a hashing index of every step."""

    def __init__(self, hashing: HashingIndex) -> None:
        super().__init__()
        self.hashing, self.steps, self.ways = hashing, 0, 0.0

    def build(self, layer: Layer, inputs: Any, progress: Any = None) -> None:
        super().build(layer, inputs, progress)
        self.hashing.build(layer, inputs)

    def moved(self, step: Step) -> None:
        super().moved(step)
        self._tell(step)

    def descend(self, descent: Descent, next_batch: Inputs) -> FireSet:
        fires = super().descend(descent, next_batch)
        self._tell(descent.step)
        return fires

    def _tell(self, step: Step) -> None:
        self.hashing.moved(step)
        self.steps += 1
        self.ways += float(step.lengths.mean())


def rehash(folder: Path) -> dict[str, Any]:
    inputs, targets, tests, _ = images(folder)
    network = TwoLayerNetwork.initialize(1 << 14, inputs.n_features, 10)
    hashing = HashingIndex(bits=9, tables=50, audit=1)
    watched = Watched(hashing)
    trainer = plan_trainer(network, inputs, targets, batch_size=256, index=watched)
    trainer.build()
    of_a_step, epochs = hashing.work.hashed, []
    for _ in range(10):
        before, steps, ways = hashing.work.copy(), watched.steps, watched.ways
        trainer.epoch()
        steps = watched.steps - steps
        share = (hashing.work - before).hashed / (of_a_step * steps)
        epochs.append({"share": share, "way_per_step": (watched.ways - ways) / steps})
        print(f"{share:.3%} of all values at each step, way {epochs[-1]['way_per_step']:.2e}", flush=True)
    hashing.check_invariants()
    fresh, some = HashingIndex(bits=9, tables=50, audit=1), tests.batch(np.arange(1024))
    fresh.build(network.layer, inputs)
    found, of_fresh = hashing.fire_set(some), fresh.fire_set(some)
    return {
        "width": network.width,
        "steps": watched.steps,
        "share": (hashing.work.hashed - of_a_step) / (of_a_step * watched.steps),
        "epochs": epochs,
        "fire_sets_of_fresh_tables": found.identical(of_fresh),
        "recall": hashing.audited.recall,
        "recall_of_fresh_tables": fresh.audited.recall,
    }


# What training makes of it


def accuracy(folder: Path) -> list[dict[str, Any]]:
    inputs, targets, tests, labels = images(folder, 4000)

    def trained(index: Index, seed: int) -> tuple[float, float, float]:
        """Accuracy with all that fire, and with what the index finds; the share that it looked at."""
        network = TwoLayerNetwork.initialize(2048, inputs.n_features, 10, threshold=1.75, seed=seed)
        trainer = plan_trainer(network, inputs, targets, batch_size=64, index=index, seed=seed)
        trainer.build()
        for _ in range(6):
            trainer.epoch()
        work = index.work.copy()
        everything = ExhaustiveIndex()
        everything.build(network.layer)
        ways = (network.outputs(one.fire_set(tests)) for one in (everything, index))
        by_all, by_found = (float((out.argmax(axis=1) == labels).mean()) for out in ways)
        return by_all, by_found, work.dots / work.asked

    def row(name: str, make: Callable[[int], Index]) -> dict[str, Any]:
        by_all, by_found, looked_at = np.mean([trained(make(seed), seed) for seed in range(3)], axis=0)
        print(f"{name}: {by_all:.3f}, {by_found:.3f}, looked at {looked_at:.1%}", flush=True)
        return {"found_by": name, "accuracy": by_all, "accuracy_of_found": by_found, "looked_at": looked_at}

    rows = [row("exact", lambda seed: ScreenedIndex())]
    for bits, tables in ((6, 50), (6, 20), (9, 50)):
        ours = row(f"simhash {bits} x {tables}", lambda s: HashingIndex(bits=bits, tables=tables, seed=s))  # noqa: B023
        share = ours["looked_at"]
        rows += [ours, row(f"random {share:.0%}", lambda seed: RandomIndex(share, seed=seed))]  # noqa: B023
    return rows


# Among the outputs of a softmax network


def sparse_rows(path: Path) -> tuple[torch.Tensor, list[list[int]]]:
    """Rows of unit norm (n, d), sparse, and the labels of each."""
    indices, values, labels = [], [], []
    with gzip.open(path, "rt") as lines:
        n, d, _ = map(int, next(lines).split())
        for row, line in enumerate(lines):
            first, *rest = line.rstrip("\n").split(" ")
            labels.append([int(label) for label in first.split(",") if label])
            pairs = [pair.split(":") for pair in rest if pair]
            numbers = np.array([float(number) for _, number in pairs])
            columns = [int(column) for column, _ in pairs]
            indices.append(np.stack((np.full(len(pairs), row), np.array(columns, int))))
            values.append(numbers / max(np.linalg.norm(numbers), 1e-30))
    place, value = np.concatenate(indices, axis=1), np.concatenate(values)
    rows = torch.sparse_coo_tensor(torch.from_numpy(place), torch.from_numpy(value).float(), (n, d))
    return rows, labels


def trained_softmax(
    rows: torch.Tensor, labels: list[list[int]], n_labels: int
) -> tuple[torch.nn.Linear, Any]:
    """The layers of a network of 128 ReLU neurons after twelve epochs of Adam."""
    torch.manual_seed(0)
    first = torch.nn.Parameter(0.05 * torch.randn(rows.shape[1], 128))
    last = torch.nn.Linear(128, n_labels)
    optimizer = torch.optim.Adam([first, *last.parameters()], lr=2e-3)
    random = np.random.default_rng(0)
    for epoch in range(12):
        for ids in np.array_split(random.permutation(len(labels)), len(labels) // 256):
            batch = rows.index_select(0, torch.from_numpy(ids))
            targets = torch.zeros(len(ids), n_labels)
            for place, i in enumerate(ids):
                targets[place, labels[i]] = 1 / max(1, len(labels[i]))
            logits = last(torch.relu(torch.sparse.mm(batch, first)))
            loss = torch.nn.functional.cross_entropy(logits, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}", flush=True)
    return last, first.detach()


def looked_at(index: ApproximateIndex, layer: Layer, inputs: Inputs) -> np.ndarray:
    """Which pairs an index looks at, (m, n)."""
    index.build(layer, inputs)
    pairs = index.pairs_above(inputs, -1e9)
    mask = np.zeros((layer.width, len(inputs)), bool)
    mask[pairs.neurons(), pairs.samples] = True
    return mask


def outputs(folder: Path) -> dict[str, Any]:
    rows, labels = sparse_rows(folder / "tibkat_train.txt.gz")
    tests, test_labels = sparse_rows(folder / "tibkat_test.txt.gz")
    last, first = trained_softmax(rows, labels, 13_149)
    with torch.no_grad():
        hidden = torch.relu(torch.sparse.mm(tests, first))
        logits = last(hidden).numpy()
    right = [top in own for top, own in zip(logits.argmax(axis=1).tolist(), test_labels, strict=True)]
    keys = np.column_stack((last.weight.detach().numpy(), last.bias.detach().numpy()))
    layer = Layer(padded(keys, np.float32), keys.shape[1], 0.0, 1.0)
    asked = Inputs.of(np.column_stack((hidden.numpy(), np.ones(len(hidden))))[:1024])
    logits = logits[:1024].T
    chances = np.exp(logits - logits.max(axis=0))
    chances /= chances.sum(axis=0)
    masks = {
        "simhash 9 x 50": looked_at(HashingIndex(centre=True, audit=0), layer, asked),
        "simhash 12 x 50": looked_at(HashingIndex(bits=12, centre=True, audit=0), layer, asked),
        "simhash 6 x 50": looked_at(HashingIndex(bits=6, centre=True, audit=0), layer, asked),
        "simhash 9 x 50, not centred": looked_at(HashingIndex(audit=0), layer, asked),
        "wta 9 x 50": looked_at(HashingIndex("wta", audit=0), layer, asked),
        "wta 18 x 50": looked_at(HashingIndex("wta", 18, audit=0), layer, asked),
    }
    share = float(masks["simhash 9 x 50"].mean())
    masks["random, as many as the first"] = looked_at(RandomIndex(share, audit=0), layer, asked)
    screen = ScreenedIndex()
    screen.build(layer, asked)
    bounds = screen.bounds(asked)
    lengths = asked.norms * np.median(np.linalg.norm(keys - keys.mean(axis=0), axis=1))
    tops = []
    for share in (0.0005, 0.005, 0.02):
        least = np.quantile(logits, 1 - share, axis=0)
        above = logits > least
        tops.append(
            {
                "share": share,
                "softmax_mass": float((chances * above).sum(axis=0).mean()),
                "cosine": float(np.median((least - logits.mean(axis=0)) / lengths)),
                "recall": {name: float(mask[above].mean()) for name, mask in masks.items()},
                "screen_leaves_open": float((bounds > least).mean()),
            }
        )
    return {
        "precision_at_1": float(np.mean(right)),
        "looked_at": {name: float(mask.mean()) for name, mask in masks.items()},
        "softmax_mass": {name: float((chances * mask).sum(axis=0).mean()) for name, mask in masks.items()},
        "tops": tops,
    }


PARTS = {"hidden": hidden, "rehash": rehash, "accuracy": accuracy, "outputs": outputs}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        folder = DATA / ("tibkat" if part == "outputs" else "fashion_mnist")
        save(f"hashing_{part}", f"python benchmarks/hashing.py {part}", PARTS[part](folder))

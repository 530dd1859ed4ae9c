"""The jobs on which SLIDE is measured, through our indexes: exact, hashed, and as many random pairs.

    python benchmarks/slide.py [JOB ...]      one thread; a minute or two each

digits  A: 64 pixels -> m ReLU neurons -> 10 classes, batches of 128, m = 20,000, 80,000 and 320,000
labels  B: tibkat, 27,085 features -> 128 ReLU neurons -> 13,149 labels, softmax, Adam, batches of 256; two
        threads, five minutes
wide    C: 128 random numbers -> 160,000 labels, softmax: the output layer alone, batches of 128

The figures of SLIDE itself that stand beside them in the docs are in tables.py; it is not run here.
"""

import sys
from collections.abc import Callable
from hashlib import sha256
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

import fewfire
from common import DATA, multiplies_bfloat16, save
from fewfire import GradientDescent, Inputs, Trainer, TwoLayerNetwork
from fewfire.core.fire_set import FireSet
from fewfire.data import load_dataset
from fewfire.indexes import (
    ApproximateIndex,
    DriftIndex,
    ExhaustiveIndex,
    HashingIndex,
    Index,
    RandomIndex,
    ScreenedIndex,
    arrange,
)
from fewfire.plan import plan_trainer
from fewfire.prepare import InputScaling
from fewfire.torch import DENSE_STEPS, ScreenedSoftmax, compare_dense
from fewfire.torch.softmax import Aims, logits_among
from hashing import sparse_rows

BATCH, EPOCHS = 128, 5
WIDTHS = 20_000, 80_000, 320_000
STEPS = 7

# A: 64 dense inputs -> m -> 10


def digits() -> list[dict[str, Any]]:
    return [row for width in WIDTHS for row in digits_at(width)]


def digits_at(width: int) -> list[dict[str, Any]]:
    dataset = load_dataset("digits")
    scaling = InputScaling.fit(dataset.inputs, standardize=False)
    inputs, tests = (Inputs.of(scaling.transform(rows)) for rows in (dataset.inputs, dataset.test_inputs))
    targets = np.eye(10, dtype=np.float32)[dataset.labels]
    network = TwoLayerNetwork.initialize(width, inputs.n_features, 10, threshold="auto")
    arrange(network, inputs)
    rate = plan_trainer(network, inputs, targets, batch_size=BATCH).method.learning_rate

    def trainer_of(index: Index) -> Trainer:
        method = GradientDescent(learning_rate=rate)
        trainer = plan_trainer(network.copy(), inputs, targets, method=method, index=index, batch_size=BATCH)
        trainer.build()
        return trainer

    def row(name: str, index: Index) -> dict[str, Any]:
        trainer = trainer_of(index)
        records = [trainer.epoch() for _ in range(EPOCHS)]
        checked = ExhaustiveIndex()
        checked.build(trainer.network.layer)
        outputs = trainer.network.outputs(checked.fire_set(tests))
        seconds = [record.seconds / record.steps for record in records]  # of whole steps: find, move, upkeep
        found = {
            "width": width,
            "found_by": name,
            "exact": index.is_exact,
            "seconds_per_step": median(seconds),
            "looked_at": float(np.mean([record.dot_rate for record in records])),
            "fire_rate": float(np.mean([record.fire_rate for record in records])),
            "recall": index.audited.recall if isinstance(index, ApproximateIndex) else 1.0,
            "accuracy": float((outputs.argmax(axis=1) == dataset.test_labels).mean()),
            "index_bytes": index.nbytes,
            "parts": {
                name: median(getattr(one, f"seconds_{name}") / one.steps for one in records)
                for name in ("find", "forward", "move")
            },
            "weights_sha256": sha256(trainer.network.weights.tobytes()).hexdigest()[:16],
        }
        print(found, flush=True)
        return found

    rows = [row("drift", DriftIndex()), row("screened", ScreenedIndex())]
    hashed = row("simhash 9 x 50", HashingIndex(bits=9, tables=50))
    rows += [hashed, row("random, as many", RandomIndex(hashed["looked_at"]))]
    return [*rows, dense(width, trainer_of(ScreenedIndex()))]


def dense(width: int, trainer: Trainer) -> dict[str, Any]:
    """The fastest dense steps of PyTorch in float32 and with products of bfloat16, from the same weights."""
    ways = [name for name in DENSE_STEPS if name != "torch.compile" or width == WIDTHS[0]]
    beside = compare_dense(trainer, 6, ways=ways)
    found = {
        "width": width,
        "found_by": f"dense, {beside.dense_step}",
        "seconds_per_step": beside.dense_seconds_per_step,
        "bfloat16_step": beside.bfloat16_step,
        "bfloat16_seconds_per_step": beside.bfloat16_seconds_per_step,
        "pure_bfloat16_seconds_per_step": beside.pure_bfloat16_seconds_per_step,
        "max_weight_difference": beside.max_weight_difference,
    }
    print(found, flush=True)
    return found


# B: tibkat, and the output layer of C


class ActiveSoftmax(ScreenedSoftmax):
    """A softmax over the labels that an approximate index looks at, and the own ones. Nothing is proven.

    SLIDE hashes its neurons anew every 50 batches; so is the index built here.
    """

    def __init__(self, n_features: int, n_labels: int, index: ApproximateIndex) -> None:
        super().__init__(n_features, n_labels)
        self.index, self.batches = index, 0

    @torch.no_grad()
    def _kept(self, h: Tensor, aims: Aims) -> FireSet:
        layer, batch = self._asked(h)
        if self.batches % 50 == 0:
            self.index.build(layer, batch)
        self.index._layer = layer  # the present weights, in the buckets of that time
        self.batches += 1
        mask = np.zeros((len(h), layer.width), bool)
        if isinstance(self.index, RandomIndex):
            mask |= np.random.default_rng(self.batches).random(mask.shape, np.float32) < self.index.share
        else:
            looked_at = self.index.pairs_above(batch, -np.inf)
            mask[looked_at.samples, looked_at.neurons()] = True
        mask[aims.samples, aims.labels] = True
        self.looked_at = float(mask.mean())
        return logits_among(mask, layer, batch)


class DenseSoftmax(torch.nn.Linear):
    """The same densely, in float32 or with a product of bfloat16."""

    looked_at = 1.0

    def __init__(self, n_features: int, n_labels: int, *, rounds: bool = False) -> None:
        super().__init__(n_features, n_labels)
        self.rounds = rounds

    def forward(self, h: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.rounds):
            logits = super().forward(h)
        logits = logits.float()
        if targets.layout == torch.sparse_csr:
            targets = targets.to_dense()
        return torch.nn.functional.cross_entropy(logits, targets)

    def logits(self, h: Tensor) -> Tensor:
        return super().forward(h)


OutputLayer = DenseSoftmax | ScreenedSoftmax


def outputs_of(n_features: int, n_labels: int) -> dict[str, OutputLayer]:
    """The layers that compete, with the same weights."""

    def hashed() -> HashingIndex:
        return HashingIndex(bits=9, tables=50, rehash=50, centre=True, audit=0)

    layers: dict[str, OutputLayer] = {
        "dense, float32": DenseSoftmax(n_features, n_labels),
        "dense, bfloat16": DenseSoftmax(n_features, n_labels, rounds=True),
        "screened, R <= 0.01": ScreenedSoftmax(n_features, n_labels, tolerance=0.01),
        "simhash 9 x 50": ActiveSoftmax(n_features, n_labels, hashed()),
        "random, as many": ActiveSoftmax(n_features, n_labels, RandomIndex(0.1, audit=0)),
        "screened, R <= 1": ScreenedSoftmax(n_features, n_labels, tolerance=1.0),
    }
    if not multiplies_bfloat16():
        del layers["dense, bfloat16"]
    first = layers["dense, float32"].state_dict()
    for layer in layers.values():
        layer.load_state_dict(first)
    return layers


def labels() -> list[dict[str, Any]]:
    fewfire.set_threads(2)
    torch.set_num_threads(2)
    rows, own = sparse_rows(DATA / "tibkat" / "tibkat_train.txt.gz")
    tests, test_labels = sparse_rows(DATA / "tibkat" / "tibkat_test.txt.gz")
    torch.manual_seed(0)
    table = []
    for name, layer in outputs_of(128, 13_149).items():
        torch.manual_seed(0)
        hidden = torch.nn.Parameter(0.05 * torch.randn(rows.shape[1], 128))
        optimizer = torch.optim.Adam([hidden, *layer.parameters()], lr=2e-3, fused=True)
        random, seconds, epochs = np.random.default_rng(0), [], []
        for _ in range(12):
            shares = []
            for ids in np.array_split(random.permutation(len(own)), len(own) // 256):
                begin = perf_counter()
                loss = layer(torch.relu(torch.sparse.mm(batch_of(rows, ids), hidden)), shares_of(own, ids))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                seconds.append(perf_counter() - begin)
                shares.append(layer.looked_at)
            with torch.no_grad():
                tops = layer.logits(torch.relu(torch.sparse.mm(tests, hidden))).argmax(dim=1).tolist()
            right = [top in one for top, one in zip(tops, test_labels, strict=True)]
            epochs.append({"seconds": sum(seconds), "looked_at": float(np.mean(shares)),
                           "precision_at_1": float(np.mean(right))})  # fmt: skip
        row = {"found_by": name, "seconds_per_step": median(seconds), "epochs": epochs}
        if isinstance(layer, ScreenedSoftmax) and not isinstance(layer, ActiveSoftmax):
            row["largest_proven"] = float(layer.proven.max())
        print(name, row["seconds_per_step"], epochs[-1], flush=True)
        table.append(row)
        save("slide_labels", "python benchmarks/slide.py labels", table)  # what there is, after each way
    return table


def batch_of(rows: Tensor, ids: np.ndarray) -> Tensor:
    return rows.index_select(0, torch.from_numpy(ids))


def shares_of(own: list[list[int]], ids: np.ndarray) -> Tensor:
    """One over the number of labels, for each label of each sample; sparse (n, 13,149)."""
    counts = [len(own[i]) for i in ids]
    begins = torch.tensor([0, *np.cumsum(counts)])
    columns = torch.tensor([label for i in ids for label in sorted(own[i])])
    values = torch.tensor([1 / count for count in counts for _ in range(count)])
    return torch.sparse_csr_tensor(begins, columns, values, (len(ids), 13_149), check_invariants=False)


def wide() -> list[dict[str, Any]]:
    """A layer whose logits have a standard deviation of 4.5, as those of tibkat after twelve epochs."""
    torch.manual_seed(0)
    table = []
    layers = outputs_of(128, 160_000)
    weights = torch.randn(160_000, 128)
    batches = [torch.randn(128, 128) * 4.5 / 128**0.5 for _ in range(STEPS)]
    aims = [torch.randint(160_000, (128,)) for _ in range(STEPS)]
    for name, layer in layers.items():
        with torch.no_grad():
            layer.weight.copy_(weights)
            layer.bias.zero_()
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        seconds, shares = [], []
        for h, aim in zip(batches, aims, strict=True):
            h = h.clone().requires_grad_()
            begin = perf_counter()
            optimizer.zero_grad()
            layer(h, aim).backward()
            optimizer.step()
            seconds.append(perf_counter() - begin)
            shares.append(layer.looked_at)
        row = {"found_by": name, "seconds_per_step": median(seconds), "looked_at": float(np.mean(shares))}
        print(row, flush=True)
        table.append(row)
    return table


JOBS: dict[str, Callable[[], Any]] = {"digits": digits, "labels": labels, "wide": wide}

if __name__ == "__main__":
    for job in sys.argv[1:] or JOBS:
        fewfire.set_threads(1)
        torch.set_num_threads(1)
        save(f"slide_{job}", f"python benchmarks/slide.py {job}", JOBS[job]())

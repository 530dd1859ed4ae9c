"""Cases beside dense PyTorch and beside the machine's limit: the steady step, and the whole run.

    python benchmarks/targets.py [FOLDER] [CASE ...]      about half an hour on two cores, 12 GB

FOLDER holds Fashion-MNIST. The cases of images come at the paper's threshold sqrt(0.4 ln m), and at a higher
one, at which 0.25 % of the pairs fire at first; dense PyTorch trains the same network each time. A case
trains from a fresh network, index and refreshes counted, then takes steps in turn with the fastest ways to
write the dense step in float32, with products of bfloat16, and in bfloat16 throughout. The limit of a step is
the larger of two times, both measured here: the arithmetic of the pairs that fire at the rate of a matrix
product, and one read and one write of the weights that move at the speed of a copy.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from common import DATA, RESULTS, save
from fewfire import GradientDescent, Inputs, TwoLayerNetwork, predict, threads
from fewfire.data import load_dataset
from fewfire.indexes import arrange
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling
from fewfire.system.memory import bytes_of, peak_bytes
from fewfire.torch import compare_dense

REPEATS = 5


@dataclass(frozen=True)
class Case:
    """What is trained, how, and what the step and the whole run should reach beside dense."""

    name: str
    data: str
    width: int
    batch_size: int
    epochs: int
    n_samples: int | None = None
    learning_rate: float | str = "auto"
    fire_rate: float | None = None  # at first; None: the paper's threshold
    init: str = "structured"
    memory_limit: str | None = None
    compared_steps: int = 40
    step_targets: tuple[float, float] | None = None  # beside float32 and bfloat16
    run_targets: tuple[float, float] | None = None


CASES = (
    Case("Fashion-MNIST", "fashion_mnist", 65_536, 256, 10, learning_rate=300.0, step_targets=(10, 6),
         run_targets=(7, 4)),
    Case("same, 0.25 % fire", "fashion_mnist", 65_536, 256, 10, learning_rate=1800.0, fire_rate=0.0025,
         step_targets=(14, 8), run_targets=(10, 6)),
    Case("batch 1,024, 0.25 % fire", "fashion_mnist", 65_536, 1_024, 4, learning_rate=2500.0,
         fire_rate=0.0025, compared_steps=16, step_targets=(16, 9)),
    Case("width 262,144, 0.25 % fire", "fashion_mnist", 262_144, 256, 2, memory_limit="12GB",
         learning_rate=2500.0, fire_rate=0.0025, compared_steps=16, step_targets=(16, 9)),
    Case("64 features, 0.25 % fire", "principal 63", 320_000, 128, 4, 10_000, learning_rate=2500.0,
         fire_rate=0.0025, step_targets=(6, 3)),
    Case("batch 1,024", "fashion_mnist", 65_536, 1_024, 4, compared_steps=16),
    Case("width 262,144", "fashion_mnist", 262_144, 256, 2, memory_limit="12GB", compared_steps=16),
    Case("64 features", "principal 63", 320_000, 128, 4, 10_000),
    Case("letter", "letter", 65_536, 256, 4, step_targets=(4, 2)),
    Case("20 newsgroups", "ng20", 65_536, 256, 4, step_targets=(4, 2)),
    Case("digits, 50 epochs", "digits", 16_384, 256, 50, init="gaussian"),
)  # fmt: skip


SOURCES = {
    "digits": "digits",
    "letter": str(DATA / "pmlb_classification" / "letter.tsv.gz"),
    "ng20": str(DATA / "ng20" / "ng20_all.txt.gz"),
}


def load(case: Case, folder: Path) -> tuple[Inputs, np.ndarray, Inputs, np.ndarray]:
    """(inputs, one-hot targets, test inputs, test labels)"""
    dataset = load_dataset(SOURCES.get(case.data, folder), task="classification")
    samples, test_samples = dataset.inputs[: case.n_samples], dataset.test_inputs
    labels, test_labels = dataset.labels[: case.n_samples], dataset.test_labels
    if labels.ndim > 1:  # of one row in thirty the first of two
        labels, test_labels = labels.argmax(axis=1), test_labels.argmax(axis=1)
    if case.data.startswith("principal"):  # with the constant feature, 64
        mean = samples.mean(axis=0)
        count = int(case.data.split()[1])
        directions = np.linalg.svd((samples - mean)[:4_000], full_matrices=False)[2][:count]
        samples, test_samples = (samples - mean) @ directions.T, (test_samples - mean) @ directions.T
    scaling = InputScaling.fit(samples, standardize=dataset.tabular)
    classes = Classes.of(labels)
    return (
        Inputs.of(scaling.transform(samples)),
        classes.one_hot(classes.encode(labels)),
        Inputs.of(scaling.transform(test_samples)),
        classes.encode(test_labels),
    )


def gemm_rate(width: int, batch: int, n_features: int) -> float:
    """Multiply-adds a second of the dense step's own product."""
    w, x = torch.randn(min(width, 65_536), n_features), torch.randn(batch, n_features)
    out = torch.empty(batch, len(w))
    return out.numel() * n_features / fastest(lambda: torch.mm(x, w.T, out=out))


def copy_rate(n_bytes: int) -> float:
    """Bytes read and written a second by a copy of at least 200 MB, from all threads."""
    source = torch.zeros(max(n_bytes, 200_000_000) // 4)
    target = torch.zeros_like(source)
    return 8 * len(source) / fastest(lambda: target.copy_(source))


def fastest(do: Any) -> float:
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        do()
        times.append(perf_counter() - start)
    return min(times)


def measure(case: Case, folder: Path) -> dict[str, Any]:
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak memory of the case before
    inputs, targets, test_inputs, test_labels = load(case, folder)
    start = perf_counter()
    network = TwoLayerNetwork.initialize(case.width, inputs.n_features, targets.shape[1], init=case.init,
                                         fire_rate=case.fire_rate)  # fmt: skip
    arrange(network, inputs)
    limit = None if case.memory_limit is None else bytes_of(case.memory_limit)
    method = GradientDescent(learning_rate=case.learning_rate)
    trainer = plan_trainer(
        network, inputs, targets, method=method, batch_size=case.batch_size, memory_limit=limit
    )
    build_start = perf_counter()
    trainer.build()
    build_seconds = perf_counter() - build_start
    for _ in range(case.epochs):
        record = trainer.epoch()
        print(f"  epoch {record.epoch}: {record.seconds:.1f} s, accuracy {record.accuracy:.4f}, fires "
              f"{record.fire_rate:.2%}, near {record.near_rate:.1%}, dots {record.dot_rate:.2%}, "
              f"{record.refreshes} refreshed", flush=True)  # fmt: skip
    run_seconds = perf_counter() - start
    peak = peak_bytes()
    accuracy = float((predict(network, test_inputs).argmax(axis=1) == test_labels).mean())
    before, steps = trainer.index.work.copy(), trainer.steps_taken
    clock = dict(getattr(trainer.index, "seconds", {}))
    comparison = compare_dense(trainer, case.compared_steps)
    spent = trainer.index.work - before
    taken = trainer.steps_taken - steps

    fires = trainer.index.fire_set(inputs.batch(trainer.problem.batches(1)[0]))
    touched = int(np.count_nonzero(np.diff(fires.begins)))
    row_bytes = network.layer.weight_rows.shape[1] * network.dtype.itemsize
    rates = {
        "multiply_adds_per_second": gemm_rate(case.width, case.batch_size, inputs.n_features),
        "copied_bytes_per_second": copy_rate(network.layer.weight_rows.nbytes),
    }
    arithmetic = 2 * len(fires) * inputs.n_features / rates["multiply_adds_per_second"]
    traffic = 2 * touched * row_bytes / rates["copied_bytes_per_second"]
    return asdict(case) | comparison.as_dict() | rates | {
        "samples": len(inputs),
        "threads": threads(),
        "threshold": network.threshold,
        "rate": trainer.stepper.learning_rate,
        "test_accuracy": accuracy,
        "build_seconds": build_seconds,
        "run_seconds": run_seconds,
        "steps": steps,
        "run_speedup": comparison.dense_seconds_per_step * steps / run_seconds,
        "bfloat16_run_speedup": (comparison.bfloat16_seconds_per_step or np.nan) * steps / run_seconds,
        "peak_memory_bytes": peak,
        "index_bytes": trainer.index.nbytes,
        "table_bits": trainer.index.table_bits,
        "retired_share": trainer.index.retired_share,
        "fire_rate": spent.fired / spent.asked,
        "near_rate": spent.near / spent.asked,
        "dot_rate": spent.dots / spent.asked,
        "refreshed_per_step": spent.refreshed / taken,
        "touched_neurons": touched,
        "parts": {part: (seconds - clock[part]) / taken
                  for part, seconds in getattr(trainer.index, "seconds", {}).items()},
        "limit_seconds": max(arithmetic, traffic),
        "limit_arithmetic_seconds": arithmetic,
        "limit_traffic_seconds": traffic,
        "times_the_limit": comparison.seconds_per_step / max(arithmetic, traffic),
    }  # fmt: skip


def main() -> None:
    arguments = sys.argv[1:]
    folder = Path(arguments.pop(0)) if arguments and Path(arguments[0]).is_dir() else DATA / "fashion_mnist"
    path = RESULTS / "targets.json"
    done = {row["name"]: row for row in json.loads(path.read_text())["figures"]} if path.exists() else {}
    for case in CASES:
        if arguments and case.name not in arguments:
            continue
        print(case.name, flush=True)
        row = done[case.name] = measure(case, folder)
        print(
            f"  step {1e3 * row['seconds_per_step']:.1f} ms, dense "
            f"{1e3 * row['dense_seconds_per_step']:.0f} ms: {row['speedup']:.1f} / "
            f"{row['bfloat16_speedup']:.1f} x; run {row['run_seconds']:.0f} s: {row['run_speedup']:.1f} / "
            f"{row['bfloat16_run_speedup']:.1f} x; {row['times_the_limit']:.1f} times the "
            f"limit; accuracy {row['test_accuracy']:.4f}; peak {row['peak_memory_bytes'] / 1e9:.2f} GB\n"
            "  ms a step:",
            {part: round(1e3 * seconds, 2) for part, seconds in row["parts"].items()},
            flush=True,
        )
        figures = [done[case.name] for case in CASES if case.name in done]
        save("targets", "python benchmarks/targets.py", figures)


if __name__ == "__main__":
    main()

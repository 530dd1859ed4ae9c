"""Is the rate that fewfire finds a good one to start at, and does the law foretell that of a wide network?

    python benchmarks/plan_rates.py [PART ...]      some ten minutes; parts: start law spread grid

start: 12 problems (two sets, two losses, three thresholds), width 1,024, 6,400 samples in batches of 64. Test
accuracy after five epochs at the rate of `best_rate`, and at the smaller of that and a quarter of the largest
rate, beside the best of nine rates, 1/4 to 64 times "auto". law: the largest rate at widths 512 to 4,096 of
four sets, what it foretells for 32,768, and what is measured there. spread: the largest rate of five seeds.
grid: ten shapes of deep PyTorch networks, where one exponent and two are compared.
"""

import sys
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from common import DATA, save
from fewfire import Inputs
from fewfire.data import load_dataset
from fewfire.errors import TrainingError
from fewfire.plan import Accuracy, RateLaw, Trials, best_rate, max_rate, trials_of
from fewfire.prepare import Classes, InputScaling
from fewfire.torch import trials_of as modules_of

SOURCES = {"digits": "digits", "fashion_mnist": str(DATA / "fashion_mnist")}
SWEEP = [2.0**power for power in range(-2, 7)]  # times "auto"
EPOCHS = 5
WIDTHS, WIDE = (512, 1024, 2048, 4096), 32_768
SHAPES = [(w, d) for w in (64, 128, 256) for d in (2, 4, 8)] + [(512, 2)]


def load(name: str, most: int) -> tuple[Inputs, np.ndarray, np.ndarray, np.ndarray]:
    """(inputs, one-hot targets, test inputs, test codes)."""
    source = SOURCES.get(name, str(DATA / "pmlb_classification" / f"{name}.tsv.gz"))
    dataset = load_dataset(source, task="classification")
    inputs, labels = dataset.inputs[:most], dataset.labels[:most]
    scaling, classes = InputScaling.fit(inputs, standardize=dataset.tabular), Classes.of(labels)
    return (
        Inputs.of(scaling.transform(inputs)),
        classes.one_hot(classes.encode(labels)),
        scaling.transform(dataset.test_inputs[:5000]).astype(np.float32),
        classes.encode(dataset.test_labels[:5000]),
    )


def accuracy_at(trials: Trials, rate: float, inputs: np.ndarray, codes: np.ndarray) -> float:
    """Test accuracy after the epochs; 0 where training breaks off."""
    try:
        attempt = trials.begin(rate, 0)
        for _ in range(EPOCHS * trials.steps_per_epoch):
            attempt.step()
        return float((attempt.outputs(inputs).argmax(axis=1) == codes).mean())
    except TrainingError:
        return 0.0


def start() -> list[dict[str, Any]]:
    rows = []
    for name in ("fashion_mnist", "letter"):
        inputs, targets, test_inputs, codes = load(name, 6_400)
        for loss in ("squared", "softmax"):
            for threshold in (0.0, 1.0, 2.0):
                trials = trials_of(1024, inputs, targets, loss=loss, threshold=threshold, batch_size=64)
                found = best_rate(trials)
                largest = max_rate(trials, seeds=1) if loss == "squared" else None
                begin = perf_counter()
                sweep = [accuracy_at(trials, factor * trials.rate, test_inputs, codes) for factor in SWEEP]
                epoch_seconds = (perf_counter() - begin) / len(SWEEP) / EPOCHS
                smaller = found.rate if largest is None else min(found.rate, largest.start)
                row = {
                    "set": name, "loss": loss, "threshold": threshold, "auto": trials.rate,
                    "best_of_auto": found.rate / trials.rate,
                    "largest_of_auto": None if largest is None else largest.rate / trials.rate,
                    "sweep": sweep,
                    "at_best": accuracy_at(trials, found.rate, test_inputs, codes),
                    "at_start": accuracy_at(trials, smaller, test_inputs, codes),
                    "cost_in_epochs": found.seconds / epoch_seconds,
                    "trials": len(found.losses),
                }  # fmt: skip
                rows.append(row)
                lost = {way: 100 * (max(sweep) - row[way]) for way in ("at_best", "at_start")}
                print(
                    f"{name:14} {loss:8} b={threshold:g}  best {row['best_of_auto']:4g} x auto, loses "
                    f"{lost['at_best']:.2f} points (start {lost['at_start']:.2f}, auto "
                    f"{100 * (max(sweep) - sweep[2]):.2f}), cost {row['cost_in_epochs']:.1f} epochs",
                    flush=True,
                )
    for way in ("at_best", "at_start"):
        within = sum(max(row["sweep"]) - row[way] <= 0.01 for row in rows)
        print(f"{way}: within one point of the best of nine in {within} of {len(rows)}")
    return rows


def law() -> list[dict[str, Any]]:
    rows = []
    for name, threshold in (("digits", 1.0), ("letter", 1.0), ("pendigits", 1.0), ("fashion_mnist", 2.0)):
        inputs, targets, *_ = load(name, 1_500)

        def of(width: int, threshold: float = threshold, data: Any = (inputs, targets)) -> Trials:
            return trials_of(width, *data, threshold=threshold, batch_size=64)

        measured = [max_rate(of(width), epochs=4, success=Accuracy(0.4)) for width in WIDTHS]
        found, wide = RateLaw.fit(measured), of(WIDE)
        try:
            foretold = found.predict(WIDE, sharpness=wide.sharpness)
        except ValueError as error:
            foretold = None
            print(f"{name}: {error}")
        largest = max_rate(wide, epochs=4, success=Accuracy(0.4), seeds=2)
        row = {
            "set": name, "threshold": threshold, "form": found.form, "exponents": found.exponents,
            "left_out_error": found.error, "left_out_errors": found.errors,
            "rates": [one.rate for one in measured], "spreads": [one.spread for one in measured],
            "foretold": None if foretold is None else [foretold.low, foretold.rate, foretold.high],
            "measured": largest.rate, "ratio": None if foretold is None else largest.rate / foretold.rate,
        }  # fmt: skip
        rows.append(row)
        print(f"{name:14} b={threshold:g} {found}; {WIDE:,}: {foretold}, measured {largest.rate:.4g}, "
              f"ratio {row['ratio']}", flush=True)  # fmt: skip
    return rows


def spread() -> list[dict[str, Any]]:
    rows = []
    for name in ("fashion_mnist", "letter"):
        inputs, targets, *_ = load(name, 2_000)
        for threshold in (0.0, 1.0, 2.0):
            trials = trials_of(1024, inputs, targets, threshold=threshold, batch_size=64)
            found = max_rate(trials, seeds=5, epochs=4, success=Accuracy(0.4))
            rows.append({"set": name, "threshold": threshold, "spread": found.spread,
                         "runs": len(found.trials), "monotone": found.monotone})  # fmt: skip
            print(f"{name:14} b={threshold:g}  spread {found.spread:.3f} of five seeds, "
                  f"{len(found.trials)} runs, monotone {found.monotone}", flush=True)  # fmt: skip
    return rows


def mlp(width: int, depth: int, n_inputs: int) -> nn.Module:
    """He start, without biases."""
    sizes, layers = [n_inputs, *[width] * depth, 10], []
    for before, after in zip(sizes, sizes[1:], strict=False):
        layer = nn.Linear(before, after, bias=False)
        nn.init.normal_(layer.weight, std=(2 / before) ** 0.5)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def slow_input(module: nn.Module, rate: float) -> torch.optim.Optimizer:
    """The input layer at 2 % of the rate."""
    first, *others = module.parameters()
    return torch.optim.SGD([{"params": [first], "lr": 0.02 * rate}, {"params": others}], lr=rate)


def grid() -> dict[str, Any]:
    torch.set_num_threads(1)
    inputs, targets, *_ = load("fashion_mnist", 1_500)
    pictures = inputs.samples[:, :-1].reshape(-1, 28, 28)
    small = np.ascontiguousarray(pictures.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196))
    small *= 196**0.5 / np.linalg.norm(small, axis=1, keepdims=True)
    begin, measured = perf_counter(), []
    for width, depth in SHAPES:
        trials = modules_of(
            lambda width=width, depth=depth: mlp(width, depth, 196), small, targets.argmax(axis=1),
            batch_size=75, optimizer=slow_input, width=width, depth=depth,
        )  # fmt: skip
        try:
            measured.append(max_rate(trials, epochs=3, seeds=2, success=Accuracy(0.5)))
        except TrainingError as error:
            print(f"{width} x {depth}: {error}", flush=True)
            continue
        print(f"{width} x {depth}: {measured[-1].rate:.3g}, times sharpness "
              f"{measured[-1].rate * (trials.sharpness or 0):.3g}", flush=True)  # fmt: skip
    seconds, found = perf_counter() - begin, RateLaw.fit(measured)
    print(f"{found}; left out: {found.errors}; {seconds:.0f} s")
    return {
        "shapes": [[one.width, one.depth] for one in measured], "rates": [one.rate for one in measured],
        "seconds": seconds,
        "sharpness": [one.sharpness for one in measured], "form": found.form,
        "exponents": found.exponents, "left_out_errors": found.errors,
    }  # fmt: skip


PARTS = {"start": start, "law": law, "spread": spread, "grid": grid}
if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        begin = perf_counter()
        figures = PARTS[part]()
        print(f"{part}: {perf_counter() - begin:.0f} s", flush=True)
        save(f"plan_{part}", f"python benchmarks/plan_rates.py {part}", figures)

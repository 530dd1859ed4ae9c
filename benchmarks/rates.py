"""Which threshold and which learning rate give more accuracy per second? On sets of images, tables and texts.

    python benchmarks/rates.py [WIDTH [SET ...]]      about fifteen minutes on two cores, 6 GB

Each set trains a fresh network of width 65,536 (or WIDTH) four times, up to 20,000 samples and ten epochs: at
the paper's threshold and at the threshold "auto", with the rates "auto" and "measured". Time counts from the
network's start: rate, index and steps. Each way is judged by its test accuracy after the last epoch that ends
within the time that the paper's threshold with the rate "auto" takes for half of the epochs. The rules were
chosen on the sets marked so; the others were not looked at before.
"""

import json
import sys
from time import perf_counter
from typing import Any

import numpy as np

from common import DATA, RESULTS, save
from fewfire import Inputs, TwoLayerNetwork, predict
from fewfire.data import load_dataset
from fewfire.errors import TrainingError
from fewfire.indexes import arrange
from fewfire.plan import plan_trainer
from fewfire.prepare import Classes, InputScaling
from fewfire.training import GradientDescent

WIDTH = int(sys.argv[1]) if len(sys.argv) > 1 else 65_536
BATCH, EPOCHS, MOST = 256, 10, 20_000
WAYS = {
    "paper, auto": ({"threshold": "paper"}, "auto"),
    "paper, measured": ({"threshold": "paper"}, "measured"),
    "auto, auto": ({"threshold": "auto"}, "auto"),
    "auto, measured": ({"threshold": "auto"}, "measured"),
}
LOOKED_AT = {  # when the rules were chosen
    "fashion_mnist": "image", "digits": "image", "optdigits": "image", "letter": "table", "a9a": "table",
    "connect_4": "table", "shuttle": "table", "ng20": "text",
}  # fmt: skip
OTHERS = {
    "mfeat_pixel": "image", "pendigits": "table", "waveform_21": "table", "adult": "table",
    "nursery": "table",
}  # fmt: skip
ALL = {**LOOKED_AT, **OTHERS}
SOURCES = {
    "digits": "digits",
    "fashion_mnist": str(DATA / "fashion_mnist"),
    "a9a": str(DATA / "a9a" / "a9a"),
    "ng20": str(DATA / "ng20" / "ng20_all.txt.gz"),
}


def load(name: str) -> tuple[Inputs, np.ndarray, Inputs, np.ndarray]:
    """(inputs, one-hot targets, test inputs, test labels); of several labels of a row the first."""
    source = SOURCES.get(name, str(DATA / "pmlb_classification" / f"{name}.tsv.gz"))
    dataset = load_dataset(source, task="classification")
    inputs, labels = dataset.inputs[:MOST], dataset.labels[:MOST]
    test_inputs, test_labels = dataset.test_inputs, dataset.test_labels
    if labels.ndim > 1:
        labels, test_labels = labels.argmax(axis=1), test_labels.argmax(axis=1)
        known = np.isin(test_labels, labels)
        test_inputs, test_labels = test_inputs[known], test_labels[known]
    scaling, classes = InputScaling.fit(inputs, standardize=dataset.tabular), Classes.of(labels)
    return (
        Inputs.of(scaling.transform(inputs)),
        classes.one_hot(classes.encode(labels)),
        Inputs.of(scaling.transform(test_inputs)),
        classes.encode(test_labels),
    )


def run(data: Any, start: dict[str, Any], rate: str) -> dict[str, Any]:
    """The curve of a run: seconds since its start and test accuracy after each epoch."""
    inputs, targets, test_inputs, test_labels = data
    network = TwoLayerNetwork.initialize(
        WIDTH, inputs.n_features, targets.shape[1], init="structured", **start
    )
    arrange(network, inputs)
    begin = perf_counter()
    trainer = plan_trainer(
        network, inputs, targets, method=GradientDescent(learning_rate=rate), batch_size=BATCH
    )
    planned = perf_counter() - begin
    trainer.build()
    seconds, curve = perf_counter() - begin, []
    try:
        for _ in range(EPOCHS):
            record = trainer.epoch()
            seconds += record.seconds
            accuracy = float((predict(network, test_inputs).argmax(axis=1) == test_labels).mean())
            curve.append((seconds, accuracy, record.fire_rate))
    except TrainingError as error:
        print(f"    {error}")
    return {"rate": float(trainer.method.learning_rate), "plan_seconds": planned, "curve": curve}


def accuracy_within(curve: list[tuple[float, float, float]], seconds: float) -> float:
    """The test accuracy of the last epoch that ends in time; 0 where none does."""
    return max(((at, accuracy) for at, accuracy, _ in curve if at <= seconds), default=(0.0, 0.0))[1]


done = {}
if sys.argv[2:]:  # some sets anew
    done = {row["name"]: row for row in json.loads((RESULTS / f"rates_{WIDTH}.json").read_text())["figures"]}
for name, kind in ALL.items():
    if name in done and name not in sys.argv[2:]:
        continue
    data = load(name)
    print(f"{name}: {len(data[0]):,} samples of {data[0].n_features} features", flush=True)
    row: dict[str, Any] = {"name": name, "kind": kind, "looked_at": name in LOOKED_AT}
    for way, (start, rate) in WAYS.items():
        row[way] = run(data, start, rate)
    limit = row["paper, auto"]["curve"][EPOCHS // 2 - 1][0]
    for way in WAYS:
        row[way]["in_time"] = accuracy_within(row[way]["curve"], limit)
        last = row[way]["curve"][-1] if row[way]["curve"] else (np.nan, np.nan, np.nan)
        print(
            f"  {way:17} rate {row[way]['rate']:8g}  in {limit:5.1f} s {row[way]['in_time']:.4f}  "
            f"after {len(row[way]['curve'])} epochs and {last[0]:5.1f} s {last[1]:.4f}, fires {last[2]:.2%}",
            flush=True,
        )
    done[name] = row
    figures = [done[name] for name in ALL if name in done]
    save(f"rates_{WIDTH}", f"python benchmarks/rates.py {WIDTH}", figures)
for half in (True, False):
    rows = [row for row in done.values() if row["looked_at"] is half]
    means = {way: np.mean([row[way]["in_time"] for row in rows]) for way in WAYS}
    print("looked at" if half else "not looked at", {way: round(mean, 4) for way, mean in means.items()})

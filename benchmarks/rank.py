"""Does a ranking by short runs pick the network that would be best, and what does it save?

    python benchmarks/rank.py [SET ...]      about four minutes on two cores

Each of four sets has 16 two-layer candidates (width, threshold, constant) with the softmax loss, 2,000 rows
to train on and 500 to judge by, trained fully once, for 20 epochs. `rank` takes 1, 2 and 4 of them from two
seeds. Regret is how much less test accuracy its pick has than the best candidate, in points. Kendall's tau of
training speed and of early validation accuracy, each after one epoch, with the final test accuracy; the share
of epochs spent; the pick of successive halving over samples; and in how many of 200 resamples of the test
rows the best candidate is the leader or among its ties.
"""

import json
import sys
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from common import DATA, RESULTS, save
from fewfire.data import load_dataset
from fewfire.plan import grid, rank
from fewfire.plan.candidates import candidate_of
from fewfire.plan.ranking import split_of

CANDIDATES = grid(
    width=[256, 1024], threshold=[0.0, 1.0, 1.5, 2.0], constant=[0.3, 1.0], loss=["softmax"],
    batch_size=[64],
)  # fmt: skip
ROWS, EPOCHS, RESAMPLES = 2_500, 20, 200
SETS = ("fashion_mnist", "letter", "pendigits", "waveform_21")


def load(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, bool]:
    """(rows, labels, test rows, test labels, whether they are a table)."""
    path = DATA / "pmlb_classification" / f"{name}.tsv.gz"
    source = DATA / name if name == "fashion_mnist" else path
    dataset = load_dataset(str(source), task="classification")
    tests = slice(0, 5_000)
    return (
        dataset.inputs[:ROWS].astype(np.float64), dataset.labels[:ROWS],
        dataset.test_inputs[tests].astype(np.float64), dataset.test_labels[tests], dataset.tabular,
    )  # fmt: skip


def one(name: str) -> dict[str, Any]:
    rows, labels, test_rows, test_labels, tabular = load(name)
    split = split_of(rows, labels, 0.2, tabular, 0)
    test = split.classes.encode(test_labels)
    begin, right, early = perf_counter(), {}, {}
    for settings in CANDIDATES:
        made = candidate_of(settings, split)
        runner = made.begin(0)
        tested = candidate_of(settings, replace(split, held_rows=test_rows, held_codes=test))
        losses = []
        for epoch in range(EPOCHS):
            losses.append(float(runner.epoch().mean()))
            if epoch == 0:
                early[made.name] = (float((runner.codes() == split.held_codes).mean()), -losses[0])
        right[made.name] = runner.attempt.outputs(tested.held_inputs).argmax(axis=1) == test
    all_seconds = perf_counter() - begin
    found = rank(CANDIDATES, rows, labels, standardize=tabular)
    by_speed = rank(CANDIDATES, rows, labels, standardize=tabular, score="speed")
    final = {key: float(value.mean()) for key, value in right.items()}
    best = max(final.values())
    names = sorted(final)
    truth = [final[key] for key in names]
    row = {
        "set": name, "best": best, "final": final,
        "regret": 100 * (best - final[found.best.name]),
        "regret_by_speed": 100 * (best - final[by_speed.best.name]),
        "regret_by_early_accuracy": 100 * (best - final[max(names, key=lambda key: early[key][0])]),
        "tau_speed": float(kendalltau([early[key][1] for key in names], truth)[0]),
        "tau_early_accuracy": float(kendalltau([early[key][0] for key in names], truth)[0]),
        "epochs_of_training_all": found.epochs_spent / (len(CANDIDATES) * EPOCHS * 2),
        "epochs_of_training_one_each": found.epochs_spent / (len(CANDIDATES) * EPOCHS),
        "seconds": found.seconds, "seconds_all": all_seconds,
        "named": named_share(right, {found.best.name, *(tie.name for tie in found.ties)}),
        "named_by_speed": named_share(
            right, {by_speed.best.name, *(tie.name for tie in by_speed.ties)}
        ),
        "ties": len(found.ties), "ties_by_speed": len(by_speed.ties),
        "regret_halving": halving_regret(rows, labels, tabular, final),
    }  # fmt: skip
    print({key: value for key, value in row.items() if key != "final"}, flush=True)
    return row


def named_share(right: dict[str, np.ndarray], named: set[str]) -> float:
    """In what share of resamples of the test rows the best candidate is among those named."""
    random, table = np.random.default_rng(0), np.array(list(right.values()))
    keys, n = list(right), table.shape[1]
    best = [keys[int(table[:, random.integers(0, n, n)].mean(axis=1).argmax())] for _ in range(RESAMPLES)]
    return float(np.mean([key in named for key in best]))


def halving_regret(rows: np.ndarray, labels: np.ndarray, tabular: bool, final: dict[str, float]) -> float:
    """Successive halving over samples, as in HalvingGridSearchCV, over the same candidates: its regret.

    A third is kept each time, with three times as many rows, until all rows are taken; each is trained for
    four epochs and judged on the same held rows. Written out here, since the candidates are no estimators.
    """
    left, count = list(CANDIDATES), len(rows) // 9
    while True:
        split = split_of(rows, labels, 0.2, tabular, 0)
        few = replace(split, rows=split.rows[:count], codes=split.codes[:count])
        scores = []
        for settings in left:
            runner = candidate_of(settings, few).begin(0)
            for _ in range(4):
                runner.epoch()
            scores.append(float((runner.codes() == split.held_codes).mean()))
        order = np.argsort(scores)[::-1]
        left = [left[place] for place in order[: max(1, -(-len(left) // 3))]]
        if len(left) == 1 or count >= len(split.rows):
            best = candidate_of(left[0], split).name
            return 100 * (max(final.values()) - final[best])
        count *= 3


done = {}
if sys.argv[1:]:
    path = RESULTS / "rank.json"
    done = {row["set"]: row for row in json.loads(path.read_text())["figures"]} if path.exists() else {}
for name in sys.argv[1:] or SETS:
    done[name] = one(name)
    save("rank", "python benchmarks/rank.py", [done[key] for key in SETS if key in done])
for key in ("regret", "regret_by_speed", "regret_by_early_accuracy", "regret_halving"):
    print(key, round(float(np.mean([row[key] for row in done.values()])), 3))

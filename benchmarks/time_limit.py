"""The estimators with a limit on their time, beside what they reach without one.

    python benchmarks/time_limit.py [SECONDS ...]      some minutes on two cores

The sets, splits and figures without a limit are those of tables_rivals.py; sets of more than 2,000 training
rows are left out.
"""

import json
import sys
from time import perf_counter

import numpy as np

from common import RESULTS, save
from fewfire.estimators import WideClassifier, WideRegressor
from tables_rivals import split, tables

LIMITS = (2.0, 4.0)  # seconds
MOST_ROWS = 2_000


def measured(seconds: float, unlimited: dict) -> dict[str, dict]:
    """Seconds and score of each set, beside its score without a limit."""
    sets = {}
    for name, task, inputs, target in tables():
        ids, test_ids = split(task, target, seed=0)
        if len(ids) > MOST_ROWS:
            continue
        make = WideClassifier if task == "classification" else WideRegressor
        begin = perf_counter()
        model = make(random_state=0, time_limit=seconds).fit(inputs[ids], target[ids])
        took = perf_counter() - begin
        sets[name] = {
            "task": task,
            "seconds": took,
            "members": len(model.members_),
            "score": float(model.score(inputs[test_ids], target[test_ids])),
            "without limit": unlimited[name]["methods"]["fewfire"]["score"][0],
        }
    return sets


def summary(sets: dict[str, dict], seconds: float) -> dict:
    found = {"most of the limit": max(one["seconds"] for one in sets.values()) / seconds}
    for task in ("classification", "regression"):
        of_task = [one for one in sets.values() if one["task"] == task]
        found[task] = {
            "sets": len(of_task),
            "mean score": float(np.mean([one["score"] for one in of_task])),
            "mean score without limit": float(np.mean([one["without limit"] for one in of_task])),
        }
    return found


def main(limits: list[float]) -> None:
    unlimited = json.loads((RESULTS / "tables_rivals.json").read_text())["figures"]["sets"]
    figures = {}
    for seconds in limits or LIMITS:
        sets = measured(seconds, unlimited)
        figures[f"{seconds:g} s"] = summary(sets, seconds) | {"sets": sets}
        print(f"{seconds:g} s: {summary(sets, seconds)}")
    save("time_limit", "python benchmarks/time_limit.py", figures)


if __name__ == "__main__":
    main([float(one) for one in sys.argv[1:]])

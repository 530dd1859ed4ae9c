"""What a run through the drift index did, step by step: records, their table, and what limits the run."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from time import perf_counter

import numpy as np

from fewfire.indexes import DriftIndex
from fewfire.indexes.drift import PRODUCT_COST
from fewfire.rows import BLOCK
from fewfire.training import Trainer
from fewfire.work import Work

TABLE_COST = 1.0  # of a pair looked up, beside a multiply-add in a dot: both 0.15 ns on two AVX-512 cores
PARTS = ("fire_set", "forward", "backward", "index")


@dataclass(frozen=True)
class StepRecord:
    """Figures of the steps since the record before, and the drift after the last of them.

    Attributes
    ----------
    epoch, step : from 1, and of the last of the steps; `step` counts those of the whole run
    steps : how many the record is of
    learning_rate : of the last of them
    drift_median, drift_90, drift_99, drift_max : quantiles over the neurons of (an upper bound on) how far
        each has moved since its reference. The unit is the standard deviation of a pre-activation, which is
        1 for weights and inputs as `fewfire train` makes them
    near_rate, dot_rate, fire_rate : shares of pairs that passed the norm bound, then the sketch bound, and
        that fired
    measured : neurons whose drift was measured anew
    refreshed : blocks of 64 neurons whose table was written again
    work_share : multiply-adds over those of dense steps
    seconds_fire_set, seconds_forward, seconds_backward, seconds_index : parts of the time
    """

    epoch: int
    step: int
    steps: int
    learning_rate: float
    drift_median: float
    drift_90: float
    drift_99: float
    drift_max: float
    near_rate: float
    dot_rate: float
    fire_rate: float
    measured: int
    refreshed: int
    work_share: float
    seconds_fire_set: float
    seconds_forward: float
    seconds_backward: float
    seconds_index: float


class DriftRecorder:
    """Watches a trainer, whose index is a drift index, and keeps a record of every few steps.

    Parameters
    ----------
    trainer : Trainer
    every : int
        Steps that a record is of; fewer at the end of an epoch.

    Attributes
    ----------
    records : list of StepRecord
    build_seconds : float
    """

    def __init__(self, trainer: Trainer, every: int) -> None:
        if not isinstance(trainer.index, DriftIndex):
            raise ValueError(f"a drift study needs the drift index. Got the {trainer.index.name} index.")
        self.trainer, self.index, self.every = trainer, trainer.index, every
        self.records: list[StepRecord] = []
        self.build_seconds, self._made = 0.0, perf_counter()
        self._look()
        self._after_build = self._work

    def built(self) -> None:
        """To be told after each part of the build."""
        self.build_seconds = perf_counter() - self._made
        self._look()
        self._after_build = self._work

    def stepped(self, done: int, steps_in_epoch: int) -> None:
        """To be told after each step."""
        if done % self.every and done < steps_in_epoch:
            return
        trainer, begin, work, seconds = self.trainer, self._steps, self._work, self._seconds
        self._look()
        spent = self._work - work
        drifts = self.index.drifts
        # One of the drifts each: between two that overflowed to infinity nothing can be interpolated.
        median, most, nearly_all = np.quantile(drifts, (0.5, 0.9, 0.99), method="higher")
        parts = {f"seconds_{part}": self._seconds[part] - seconds[part] for part in PARTS}
        self.records.append(
            StepRecord(
                epoch=len(trainer.history) + 1,
                step=self._steps,
                steps=self._steps - begin,
                learning_rate=trainer.rate_of(self._steps - 1),
                drift_median=float(median),
                drift_90=float(most),
                drift_99=float(nearly_all),
                drift_max=float(drifts.max()),
                near_rate=spent.near / spent.asked,
                dot_rate=spent.dots / spent.asked,
                fire_rate=spent.fired / spent.asked,
                measured=spent.measured,
                refreshed=spent.refreshed,
                work_share=spent.share_of_dense(trainer.network.n_features),
                **parts,
            )
        )

    def _look(self) -> None:
        """Note where the counters of trainer and index stand."""
        self._steps, self._seconds = self.trainer.steps_taken, dict(self.trainer.seconds)
        self._work = self.index.work.copy()

    def totals(self) -> dict[str, object]:
        """Figures of all steps recorded, and what limits them."""
        spent = self._work - self._after_build
        seconds = {"build": self.build_seconds}
        seconds |= {
            part: sum(getattr(record, f"seconds_{part}") for record in self.records) for part in PARTS
        }
        asked = max(1, spent.asked)
        last = asdict(self.records[-1]) if self.records else {}
        return {
            "steps": self._steps,
            "near_rate": spent.near / asked,
            "dot_rate": spent.dots / asked,
            "fire_rate": spent.fired / asked,
            "work_share": spent.share_of_dense(self.trainer.network.n_features),
            "measured": spent.measured,
            "refreshed": spent.refreshed,
            "last_drift": {name: value for name, value in last.items() if name.startswith("drift_")},
            "seconds": seconds,
            "limit": what_limits(
                spent, seconds, self.trainer.network.n_features, len(self.trainer.inputs), self._steps
            ),
        }


def steps_table(records: Sequence[StepRecord]) -> str:
    """The records as CSV."""
    text = StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(StepRecord)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in records)
    return text.getvalue()


def what_limits(spent: Work, seconds: dict[str, float], n_features: int, n_samples: int, steps: int) -> str:
    """In plain words, where most of the time goes and what that depends on.

    The clock says which part; within the search for who fires and within the index's upkeep, the largest
    count of multiply-adds says what.

    Parameters
    ----------
    spent : Work
        Of the steps, without the build.
    seconds : of "build" and of each part of the steps
    """
    if spent.asked == 0:
        return "No step was taken: nothing can be said of what limits the run."
    part = _largest(seconds)
    if part == "build":
        cause = "building the table, once: the more epochs, the less it matters."
    elif part == "fire_set":
        cause = f"finding who fires, and there to {_largest(_search_costs(spent, n_features))}"
    elif part == "index":
        cause = _largest(_upkeep_costs(spent, n_features, n_samples, steps))
    else:
        name = {"forward": "outputs and loss", "backward": "moving the weights of neurons that fire"}[part]
        cause = (
            f"{name}: {spent.fired / spent.asked:.2%} of pairs fire, and only a higher threshold spares them."
        )
    share = seconds[part] / sum(seconds.values())
    return f"The largest part of the time ({share:.0%}) goes to {cause}"


def _search_costs(spent: Work, n_features: int) -> dict[str, float]:
    """Multiply-adds of each way to find who fires, by what to say of it."""
    near, dots, fired = (f"{count / spent.asked:.2%}" for count in (spent.near, spent.dots, spent.fired))
    untabled, spared = spent.asked - spent.checked, 1 - spent.fired / max(1, spent.dots)
    return {
        f"dots: {dots} of pairs need one, {fired} fire, and sharper filters could spare {spared:.0%} "
        "of the dots at the most.": spent.dots * n_features,
        f"sketch tests: {near} of pairs pass the norm bound and need one, {dots} pass it too; less drift "
        "(a lower learning rate, a wider network) spares tests.": spent.sketch_products,
        f"reading the table, a byte a pair: only {near} of pairs go any further, and no filter is "
        "cheaper.": TABLE_COST * spent.checked,
        f"neurons that have no table, {untabled / spent.asked:.2%} of all: a higher memory limit gives them "
        "one.": PRODUCT_COST * untabled * n_features,
    }


def _upkeep_costs(spent: Work, n_features: int, n_samples: int, steps: int) -> dict[str, float]:
    """Multiply-adds of keeping the table valid, by what to say of it."""
    written = spent.refreshed * BLOCK * n_samples
    return {
        f"measuring drift: {spent.measured / steps:,.0f} neurons a step; a lower learning rate needs "
        "fewer.": spent.measured * n_features,
        f"refreshes: {spent.refreshed:,} blocks of {BLOCK} neurons in {steps:,} steps; less drift (a lower "
        "learning rate, a wider network) needs fewer.": PRODUCT_COST * written * n_features,
    }


def _largest(costs: dict[str, float]) -> str:
    return max(costs, key=lambda name: costs[name])

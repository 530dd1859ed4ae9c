"""What a run through the drift index did, step by step: records, their table, and what limits the run."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from time import perf_counter

import numpy as np

from fewfire.core.work import Work
from fewfire.indexes import DriftIndex
from fewfire.training import Observer, Trainer

PARTS = ("filters", "dots", "moves", "drift", "refresh", "forward", "rest")


@dataclass(frozen=True)
class StepRecord:
    """Figures of the steps since the record before, and the drift after the last of them.

    Attributes
    ----------
    epoch, step : from 1, and of the last of the steps; `step` counts those of the whole run
    steps : how many the record is of
    learning_rate : of the last of them
    drift_median, drift_90, drift_99, drift_max : quantiles over the neurons in the table of (an upper bound
        on) how far each has moved since its reference. The unit is the standard deviation of a
        pre-activation, which is 1 for weights and inputs as `fewfire train` makes them
    near_rate, dot_rate, fire_rate : shares of pairs that passed the norm bound, then the sketch bound, and
        that fired
    measured : neurons whose drift was measured anew
    refreshed : blocks of 64 neurons whose table was written again
    work_share : multiply-adds over those of dense steps
    seconds_filters, seconds_dots, seconds_moves, seconds_drift, seconds_refresh : of the index and of moving
        the weights, as if shared by all threads
    seconds_forward, seconds_rest : of outputs and loss, and of all else in the steps
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
    seconds_filters: float
    seconds_dots: float
    seconds_moves: float
    seconds_drift: float
    seconds_refresh: float
    seconds_forward: float
    seconds_rest: float


class DriftRecorder(Observer):
    """Watches a trainer, whose index is a drift index, and keeps a record of every few steps.

    Parameters
    ----------
    trainer : Trainer
    every : int
        Steps that a record is of; fewer at the end of an epoch. A step finds who fires in the next one, so
        the first record is of one batch more.

    Attributes
    ----------
    records : list of StepRecord
    build_seconds : float

    Raises
    ------
    ValueError
        The trainer has another index.
    """

    def __init__(self, trainer: Trainer, every: int) -> None:
        if not isinstance(trainer.index, DriftIndex):
            raise ValueError(f"a drift study needs the drift index. Got the {trainer.index.name} index.")
        self.trainer, self.index, self.every = trainer, trainer.index, every
        self.records: list[StepRecord] = []
        self.build_seconds, self._made = 0.0, perf_counter()
        self._look()
        self._after_build = self._work

    def built(self, share: float) -> None:
        """Note how long the build has taken, and its work."""
        self.build_seconds = perf_counter() - self._made
        self._look()
        self._after_build = self._work

    def stepped(self, done: int, steps: int) -> None:
        """Add a record, where it is time for one."""
        if done < steps and done % self.every:
            return
        trainer, begin, work, seconds = self.trainer, self._steps, self._work, self._seconds
        self._look()
        spent = self._work - work
        drifts = self.index.drifts if len(self.index.drifts) else np.zeros(1)  # all may be retired
        # One of the drifts each: between two that overflowed to infinity nothing can be interpolated.
        median, most, nearly_all = np.quantile(drifts, (0.5, 0.9, 0.99), method="higher")
        parts = {f"seconds_{part}": self._seconds[part] - seconds[part] for part in PARTS}
        self.records.append(
            StepRecord(
                epoch=len(trainer.history) + 1,
                step=self._steps,
                steps=self._steps - begin,
                learning_rate=trainer.stepper.rate_of(self._steps - 1),
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
        self._steps, self._work = self.trainer.steps_taken, self.index.work.copy()
        steps, parts = self.trainer.stepper.seconds, self.index.seconds
        rest = steps["find"] + steps["move"] - sum(parts.values())
        self._seconds = parts | {"forward": steps["forward"], "rest": rest}

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
            "limit": what_limits(spent, seconds, self._steps, self.index.tabled_share),
        }


def steps_table(records: Sequence[StepRecord]) -> str:
    """The records as CSV, with a header."""
    text = StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(StepRecord)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in records)
    return text.getvalue()


def what_limits(spent: Work, seconds: dict[str, float], steps: int, tabled_share: float = 1.0) -> str:
    """In plain words, where most of the time goes and what that depends on.

    Parameters
    ----------
    spent : Work
        Work of the steps, without the build.
    seconds : of "build" and of each part of the steps
    steps : int
    tabled_share : float
        See `DriftIndex`.
    """
    if spent.asked == 0:
        return "No step was taken: nothing can be said of what limits the run."
    near, dots, fired = (f"{count / spent.asked:.2%}" for count in (spent.near, spent.dots, spent.fired))
    spared = 1 - spent.fired / max(1, spent.dots)
    causes = {
        "build": "building the table, once: the more epochs, the less it matters.",
        "filters": f"the filters: each pair is looked up in the table, {near} pass and need the sketch. Less "
        "drift (a lower learning rate, a wider network) leaves fewer to the sketch.",
        "dots": f"the dots: {dots} of pairs need one, {fired} fire. Sharper filters could spare {spared:.0%} "
        "of the dots at the most.",
        "moves": f"moving the weights: {fired} of pairs fire. A higher threshold lets fewer fire.",
        "drift": f"keeping the drift, measured for {spent.measured / steps:,.0f} neurons per step. A lower "
        "learning rate moves them less.",
        "refresh": f"refreshes: {spent.refreshed:,} blocks of 64 neurons in {steps:,} steps. Less drift (a "
        "lower learning rate, a wider network) needs fewer.",
        "forward": f"outputs and loss: {fired} of pairs fire. A higher threshold lets fewer fire.",
        "rest": "what is not timed in parts: gathering batches, handing out work, the last step of each "
        "epoch. Wider networks need relatively less of it.",
    }
    if tabled_share < 1:
        causes["filters"] = (
            f"searching for who fires, {1 - tabled_share:.2%} of neurons without a table. A higher "
        )
        causes["filters"] += "memory limit gives them one."
    part = max(causes, key=lambda part: seconds[part])
    share = seconds[part] / sum(seconds.values())
    return f"The largest part of the time ({share:.0%}) goes to {causes[part]}"

"""index="auto": a few steps through each index that may pay, on some of the neurons; then the cheapest run.

The weights are the same through every exact index, so a choice may rest on measured time: it can differ from
machine to machine, the result cannot. docs/decisions/0015-auto.md says what was rejected.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from fewfire.errors import MemoryLimitError
from fewfire.indexes import INDEXES, SCREENED_FEATURES
from fewfire.inputs import Inputs
from fewfire.network import TwoLayerNetwork

if TYPE_CHECKING:
    from fewfire.training.loop import Trainer

BUDGET = 0.1  # share of the predicted run that probing may take
PROBED_SHARE = 1 / 32  # of the neurons, and fewer in a run of few steps:
PROBED_OF_STEPS = 1 / 800  # as many for each step
PROBED_NEURONS = 2048  # at least: fewer are done in less time than it takes to hand them out
PROBE_STEPS = 5  # of which the fastest counts

TREE_FEATURES = 8  # at most: in more, half-spaces cut nearly every box
TREE_PAIRS = 1 << 24  # at most: eight bytes each

# Which indexes are worth a probe; those that are not named here are never chosen.
WORTH_A_PROBE: dict[str, Callable[[TwoLayerNetwork, Inputs], bool]] = {
    "exhaustive": lambda network, inputs: True,
    "screened": lambda network, inputs: network.n_features <= SCREENED_FEATURES,
    "drift": lambda network, inputs: True,
    "weight_tree": lambda network, inputs: network.n_features <= TREE_FEATURES,
    "data_tree": lambda network, inputs: network.n_features <= TREE_FEATURES,
    "correlation_tree_by_sample": lambda network, inputs: network.width * len(inputs) <= TREE_PAIRS,
    "correlation_tree_by_neuron": lambda network, inputs: network.width * len(inputs) <= TREE_PAIRS,
}


@dataclass(frozen=True)
class Prediction:
    """What a whole run through an index would take, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why.

    Attributes
    ----------
    predictions : of all indexes that were probed, the best first
    unprobed : names of those for which there was no time
    probe_seconds : float
    """

    predictions: tuple[Prediction, ...]
    unprobed: tuple[str, ...]
    probe_seconds: float

    @property
    def name(self) -> str:
        return self.predictions[0].name

    def __str__(self) -> str:
        best, *others = self.predictions
        rivals = "".join(f"; {other.name} {_written(other.seconds)}" for other in others)
        untried = f"; no time to try {', '.join(self.unprobed)}" if self.unprobed else ""
        return (
            f"index auto: {best.name} (predicted {_written(best.seconds)}{rivals}{untried}; "
            f"probed in {_written(self.probe_seconds)})"
        )


def _written(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{1e3 * seconds:.2g} ms"


@dataclass(frozen=True)
class Probe:
    """What was measured through an index, on some of the neurons.

    Attributes
    ----------
    setup_seconds : float
        Of the build, before its first sign of progress: not in proportion to the neurons.
    build_seconds : float
        The rest of it.
    step_seconds : of each step, two at least
    wear : of the index after each step, in refreshes
    refresh_of_build : float
        The time of a refresh, beside that of the build.
    """

    setup_seconds: float
    build_seconds: float
    step_seconds: Sequence[float]
    wear: Sequence[float]
    refresh_of_build: float

    def seconds(self, steps: int, scale: float) -> float:
        """Of a run of so many steps through `scale` times as many neurons.

        Where an index ages, steps grow dearer until what that cost comes to a refresh. The growth is that of
        these steps, and falls with the root of the steps, as residuals tend to.
        """
        each, refresh = np.diff(self.wear, prepend=0.0), self.refresh_of_build * self.build_seconds
        growth = max(0.0, float(each[-1] - each[0]) / (len(each) - 1))
        first = max(0.0, float(each[0]) - growth)
        slower = min(1.0, len(each) / steps) ** 0.5  # the mean of 1 / sqrt(step), beside that of the probe
        # The least of them: whatever else the machine does only adds to it.
        fresh = min(taken - age * refresh for taken, age in zip(self.step_seconds, each, strict=True))
        least = min(self.step_seconds) / 2  # however much of a step is put down to age
        aged = worn(first, growth * slower, steps) * refresh
        return self.setup_seconds + scale * (self.build_seconds + max(fresh, least) * steps + aged)


def worn(first: float, growth: float, steps: int) -> float:
    """What age costs in a run, with the refreshes that end it; in refreshes.

    Parameters
    ----------
    first, growth : of what a step costs, at first and more with each step
    """
    root = (first**2 + 2 * growth) ** 0.5
    if steps * (first + root) <= 2:  # never due
        return first * steps + growth * steps**2 / 2
    return (first + root) * steps  # one each 2 / (first + root) steps, as dear as what led to it


def choose_index(trainer: "Trainer", epochs: int, *, clock: Callable[[], float] = perf_counter) -> Choice:
    """The exact index through which a run would take the least time, by a short probe of each.

    Parameters
    ----------
    trainer : Trainer
        Not touched: the probes train copies of some of its neurons.
    epochs : int
        How many will be trained.
    clock : callable
        Tells the time in seconds.

    Notes
    -----
    Neurons are taken evenly from their order, and step as they would in the whole network: at the same
    distance for the same residuals. An index's build and steps are timed on them, and scaled to all. The
    exhaustive index is probed first. Each has its part of a tenth of the best run predicted so far; where a
    probe as long as those before would exceed what is left of that tenth, there is no other.

    What a probe cannot see: how many pairs will fire later on, how fast residuals shrink, what is too large
    for the caches only with all the neurons, and whatever else the machine does in the meantime.
    """
    begin = clock()
    network, steps = trainer.network, max(1, epochs) * trainer.steps_per_epoch
    share = min(PROBED_SHARE, steps * PROBED_OF_STEPS)
    count = min(network.width, max(PROBED_NEURONS, int(share * network.width)))
    neurons = np.linspace(0, network.width - 1, count).astype(np.int64)
    scale = network.width / count
    names = [
        name for name, worth in WORTH_A_PROBE.items() if name in INDEXES and worth(network, trainer.inputs)
    ]
    predictions, unprobed, longest, best = [], [], 0.0, math.inf
    for name in names:
        start = clock()
        if start - begin + longest > BUDGET * best:
            unprobed.append(name)
            continue
        try:
            sliced, seconds = trainer.sliced(neurons, name), math.inf
            for probe in probes(sliced, clock):
                seconds = probe.seconds(steps, scale)
                if clock() - start > BUDGET * min(best, seconds) / len(names):
                    break
        except MemoryLimitError:
            continue
        predictions.append(Prediction(name, seconds))
        best, longest = min(best, seconds), max(longest, clock() - start)
    ranked = sorted(predictions, key=lambda prediction: prediction.seconds)
    return Choice(tuple(ranked), tuple(unprobed), clock() - begin)


def probes(trainer: "Trainer", clock: Callable[[], float]) -> Iterator[Probe]:
    """Build the index of a trainer and take a few steps; what is known after each, from the second on."""
    start, progress = clock(), []
    trainer.build(lambda share: progress.append((share, clock())))
    setup, build = 0.0, clock() - start
    if progress and progress[0][0] < 1:
        share, first = progress[0]
        setup = max(0.0, build - (clock() - first) / (1 - share))
    step_seconds, wear = [], []
    for ids, next_ids in pairwise(islice(cycle(trainer.batches(1)), PROBE_STEPS + 1)):
        start = clock()
        trainer.step(ids, next_ids)
        step_seconds.append(clock() - start)
        wear.append(trainer.index.wear)
        if len(step_seconds) > 1:
            yield Probe(setup, build - setup, step_seconds, wear, trainer.index.refresh_of_build)

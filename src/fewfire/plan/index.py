"""index="auto": a few steps through each index that may pay, on some of the neurons; then the cheapest run.

The weights are the same through every exact index, so a choice may rest on measured time: it can differ from
machine to machine, the result cannot. docs/decisions/0015-auto.md says what was rejected.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice, pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from fewfire.core.rows import BLOCK
from fewfire.errors import MemoryLimitError
from fewfire.indexes import INDEXES, index_named, rules
from fewfire.indexes.choice import Choice, Prediction
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.system.machine import threads
from fewfire.training.methods.base import Method
from fewfire.training.problem import Problem
from fewfire.training.trainer import Trainer

BUDGET = 0.08  # share of the predicted run that probing may take: a tenth, with what cannot be foreseen
PROBE_STEPS = 8  # at most, of which the fastest counts
COLD_STEPS = 5  # that the first two steps take as long as
PROBED_BLOCKS = 4  # of neurons a thread, at least
ENOUGH_WORK = 1 << 28  # multiply-adds in a step, of which a pair takes some whatever its features:
PAIR_WORK = 64
LOST = 1.5  # times the best run predicted: no more steps


@dataclass(frozen=True)
class Probe:
    """What was measured through an index, on some of the neurons.

    Attributes
    ----------
    setup_seconds : float
        Seconds of the build until only work in proportion to the neurons is left.
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

    def seconds(self, steps: int, scale: float, overhead: float = 0.0) -> float:
        """Predicted seconds of a run of so many steps through `scale` times as many neurons.

        Parameters
        ----------
        steps : int
        scale : float
        overhead : float
            Seconds of a step that do not depend on the number of neurons.

        Notes
        -----
        Where an index ages, steps grow dearer until what that cost comes to a refresh. The growth is that of
        these steps, and falls with the root of the steps, as residuals tend to.
        """
        each, refresh = np.diff(self.wear, prepend=0.0), self.refresh_of_build * self.build_seconds
        growth = max(0.0, float(each[-1] - each[0]) / (len(each) - 1))
        first = max(0.0, float(each.mean()) - growth * (len(each) + 1) / 2)
        slower = min(1.0, len(each) / steps) ** 0.5  # the mean of 1 / sqrt(step), beside that of the probe
        # The least of them: whatever else the machine does only adds to it.
        fresh = min(taken - age * refresh for taken, age in zip(self.step_seconds, each, strict=True))
        fresh = max(fresh, min(self.step_seconds) / 2)  # however much of a step is put down to age
        fixed = min(overhead, fresh / 2)  # or to what does not grow
        aged = worn(first, growth * slower, steps) * refresh
        a_step = fixed + scale * (fresh - fixed)
        return self.setup_seconds + scale * (self.build_seconds + aged) + a_step * steps


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


def choose_index(
    problem: Problem,
    method: Method,
    epochs: int,
    *,
    memory_limit: int | None = None,
    clock: Callable[[], float] = perf_counter,
) -> Choice:
    """The exact index through which a run would take the least time, by a short probe of each.

    Parameters
    ----------
    problem : Problem
        Not touched: the probes train copies of some of its neurons.
    method : Method
        With a learning rate that is a number.
    epochs : int
        How many will be trained.
    memory_limit : int, optional
        Bytes that the index may hold.
    clock : callable
        Tells the time in seconds.

    Notes
    -----
    Neurons are taken evenly from their order, and step as they would in the whole network: at the same
    distance for the same residuals. An index's build and steps are timed on them, and scaled to all, but for
    the part of a step that two sizes of the exhaustive index show not to grow. At first each index is built
    and takes two steps, the exhaustive one before the others; then those that have not lost take a step in
    turn, until there is only one left or the budget is spent. An index that is expected to exceed what is
    left of it is not begun.

    What a probe cannot see: how many pairs will fire later on, how fast residuals shrink, what is too large
    for the caches only with all the neurons, and whatever else the machine does in the meantime.
    """
    begin = clock()
    network, epochs = problem.two_layers("the choice of an index"), max(1, epochs)
    steps = epochs * problem.steps_per_epoch
    batches = list(islice(cycle(problem.batches(1)), PROBE_STEPS + 1))
    names = rules.worth_a_probe(network.n_features, problem.steps_per_epoch)

    def probing(neurons: NDArray[np.int64], name: str) -> Trainer:
        return probe_trainer(problem, method, neurons, name, memory_limit)

    few = evenly(network, BLOCK * threads())
    *_, least = probes(probing(few, "exhaustive"), batches[:4], clock)
    overhead, unprobed = 0.0, []
    running: dict[str, Iterator[Probe]] = {}
    latest: dict[str, Probe] = {}
    scales: dict[str, float] = {}

    def predictions() -> dict[str, float]:
        return {name: probe.seconds(steps, scales[name], overhead) for name, probe in latest.items()}

    for name in names:
        # Its first steps as a share of a run through the exhaustive index, if it were all neurons. A bound
        # index takes in all samples, as an epoch does.
        whole = COLD_STEPS / steps + (0.0 if INDEXES[name].is_open else 1 / epochs)
        count = probed_count(network, problem.batch_size, BUDGET / 2 / len(names) / whole)
        scales[name] = network.width / count
        if latest:
            known = predictions()
            expected = whole / scales[name] * known["exhaustive"]
            if clock() - begin + expected > BUDGET * min(known.values()):
                unprobed.append(name)
                continue
        try:
            running[name] = probes(probing(evenly(network, count), name), batches, clock)
            latest[name] = next(running[name])
        except MemoryLimitError:
            continue
        if name == "exhaustive" and count > len(few):
            overhead = intercept(len(few), min(least.step_seconds), count, min(latest[name].step_seconds))
    while True:
        known = predictions()
        best = min(known.values())
        rivals = [name for name, seconds in known.items() if seconds <= LOST * best]
        a_round = sum(latest[name].step_seconds[-1] for name in rivals)
        if len(rivals) == 1 or clock() - begin + a_round > BUDGET * best:
            break
        if len(latest[rivals[0]].step_seconds) == PROBE_STEPS:
            break
        for name in rivals:
            latest[name] = next(running[name])
    ranked = sorted((Prediction(*item) for item in known.items()), key=lambda prediction: prediction.seconds)
    return Choice(tuple(ranked), tuple(unprobed), clock() - begin)


def probe_trainer(
    problem: Problem, method: Method, neurons: NDArray[np.int64], index: str, memory_limit: int | None
) -> Trainer:
    """A trainer of copies of these neurons alone, through an index of its own.

    The scale is that of the whole network: for the same residuals a neuron moves as far in a step as it would
    among all the others.
    """
    network = problem.two_layers("a probe")
    if memory_limit is not None:
        # What an index keeps of the samples alone is no less for fewer neurons.
        share = len(neurons) / network.width
        memory_limit = int(memory_limit * share) + problem.inputs.rows.nbytes
    part = replace(problem, network=network.part(neurons))
    return Trainer(part, method, index_named(index, memory_limit))


def evenly(network: TwoLayerNetwork, count: int) -> NDArray[np.int64]:
    """Ids of so many neurons, or of all, evenly from their order."""
    return np.linspace(0, network.width - 1, min(count, network.width)).astype(np.int64)


def probed_count(network: TwoLayerNetwork, batch_size: int, share: float) -> int:
    """So many neurons as this share, or fewer where a step through them is long enough to be timed."""
    enough = ENOUGH_WORK // (batch_size * (network.n_features + PAIR_WORK))
    count = min(enough, int(share * network.width))
    return min(max(count, PROBED_BLOCKS * BLOCK * threads()), network.width)


def intercept(x: float, y: float, later_x: float, later_y: float) -> float:
    """Where the line through two points meets 0, or 0 where that is below."""
    return max(0.0, (y * later_x - later_y * x) / (later_x - x))


def probes(trainer: Trainer, batches: list[NDArray[np.int64]], clock: Callable[[], float]) -> Iterator[Probe]:
    """Build the index of a trainer and take a few steps; what is known after each, from the second on."""
    begin = clock()
    starts = [begin]  # of what is in proportion to the neurons
    trainer.build(lambda share: starts.append(clock()) if share == 0 else None)
    setup, build = starts[-1] - begin, clock() - starts[-1]
    step_seconds, wear = [], []
    for ids, next_ids in pairwise(batches):
        start = clock()
        trainer.step(ids, next_ids)
        step_seconds.append(clock() - start)
        wear.append(trainer.index.wear)
        if len(step_seconds) > 1:
            yield Probe(setup, build, step_seconds, wear, trainer.index.refresh_of_build)

"""The largest learning rate at which fresh networks still begin to train, seed by seed."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from fewfire.errors import DataError, TrainingError
from fewfire.plan.least_loss import BROKEN
from fewfire.plan.trials import Seen, Trials
from fewfire.system.words import require_counts, seconds_text

DOUBLED, HALVED = 10, 14  # times the first rate is, at the most
CONFIDENCE = 0.8  # of intervals
START = 1 / 4  # of the largest rate: what training may start at


@dataclass(frozen=True)
class Accuracy:
    """Success: so large a share of half an epoch's samples is right, each before its step.

    Parameters
    ----------
    least : float in (0, 1)

    Notes
    -----
    Iyer, Hanin, Rolnick (arXiv 2212.07295) define the maximal initial learning rate by a threshold accuracy.
    """

    least: float

    def __post_init__(self) -> None:
        if not 0 < self.least < 1:
            raise ValueError(f"accuracy must lie between 0 and 1. Got {self.least}. Use for example 0.5.")

    def reached_by(self, recent: Sequence[Seen], first: float) -> float:
        """The accuracy over steps."""
        return sum(seen.right or 0 for seen in recent) / sum(seen.size for seen in recent)

    def holds(self, value: float) -> bool:
        return value >= self.least

    def best(self, values: Sequence[float]) -> float:
        return max(values, default=0.0)

    def __str__(self) -> str:
        return f"accuracy {self.least:g}"


@dataclass(frozen=True)
class Loss:
    """Success: the mean loss of half an epoch falls below this share of the first batch's.

    Parameters
    ----------
    share : float in (0, 1)
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"a share of the loss must lie between 0 and 1. Got {self.share}. Use 0.7.")

    def reached_by(self, recent: Sequence[Seen], first: float) -> float:
        """The mean loss over steps, as a share of the first."""
        total = sum(seen.loss * seen.size for seen in recent)
        return total / sum(seen.size for seen in recent) / first

    def holds(self, value: float) -> bool:
        return value < self.share

    def best(self, values: Sequence[float]) -> float:
        return min(values, default=math.inf)

    def __str__(self) -> str:
        return f"{self.share:g} of the first loss"


@dataclass(frozen=True)
class Trial:
    """One run at one rate.

    Attributes
    ----------
    rate : float
    seed : int
    succeeded : bool
    reached : float
        The best accuracy, or the least share of the loss, over half an epoch.
    steps : int
        Taken until it succeeded, failed, or the budget was spent.
    broke : bool
        Whether a number was not finite, or the loss exceeded 1,000 times the first.
    """

    rate: float
    seed: int
    succeeded: bool
    reached: float
    steps: int
    broke: bool


@dataclass(frozen=True)
class MaxRate:
    """The largest rate at which training still begins.

    Attributes
    ----------
    rate : float
        Geometric mean over the seeds; infinite where no rate that was tried was too large.
    low, high : float
        The 80 % interval of that mean over seeds (t distribution), no narrower than a bracket; of one seed
        its bracket.
    spread : float
        Standard deviation of the rate's logarithm over seeds; 0 of one seed.
    monotone : bool
        Whether twice the bracket's upper end fails, and half of its lower end succeeds.
    by_seed : tuple of float
    trials : tuple of Trial
    success : Accuracy or Loss
    width, depth, sharpness
        Of the networks; see `Trials`.
    seconds : float
    """

    rate: float
    low: float
    high: float
    spread: float
    monotone: bool
    by_seed: tuple[float, ...]
    trials: tuple[Trial, ...] = field(repr=False)
    success: Accuracy | Loss
    width: int | None
    depth: int | None
    sharpness: float | None
    seconds: float

    @property
    def start(self) -> float:
        """A quarter of the largest rate: what training may start at."""
        return START * self.rate

    def __str__(self) -> str:
        runs = f"{len(self.trials)} runs in {seconds_text(self.seconds)}"
        if math.isinf(self.rate):
            first, last = self.trials[0].rate, self.trials[-1].rate
            return (
                f"{self.success} does not tell a rate that is too large here: {last:.3g}, "
                f"{last / first:,.0f} times the first, still reached it ({runs}). Outputs may grow without "
                "changing their order. Use best_rate, or success=Loss(0.7)."
            )
        doubt = "" if self.monotone else "; a larger rate did better than a smaller one: do not rely on it"
        return (
            f"largest rate {self.rate:.3g} ({self.low:.3g} .. {self.high:.3g}) that reaches {self.success}, "
            f"over {len(self.by_seed)} seeds ({runs}){doubt}"
        )


def max_rate(
    trials: Trials,
    *,
    success: Accuracy | Loss = Accuracy(0.5),
    epochs: int = 2,
    seeds: int = 3,
    tolerance: float = 0.15,
    on_trial: Callable[[Trial], None] | None = None,
) -> MaxRate:
    """The largest rate at which fresh networks still begin to train, with an interval over seeds.

    For one seed success is a deterministic function of the rate, so that the largest rate is bisected for
    each seed alone; the first bracket of the next seed begins where the last one ended.

    Parameters
    ----------
    trials : Trials
        Of `trials_of`, or of `fewfire.torch.trials_of`.
    success : Accuracy or Loss
        What a run must reach. A run fails where it does not within the budget, where a number is not finite,
        or where the loss exceeds 1,000 times the first.
    epochs : int
        Budget of a run.
    seeds : int
    tolerance : float > 0
        Relative width of a bracket that is narrow enough.
    on_trial : callable, optional
        Called with each `Trial`.

    Returns
    -------
    MaxRate
        With an infinite rate where 1,024 times the first one is not too large either, as with the softmax
        loss and `Accuracy`.

    Raises
    ------
    DataError
        Accuracy is asked for where targets are no classes.
    TrainingError
        No rate that was tried succeeded.
    ValueError
        A number is out of its range.

    Notes
    -----
    Cost: some five to nine runs of the first seed and five of each further one, most of which end before
    their budget does. Source of the notion: Iyer, Hanin, Rolnick (ICML 2023, arXiv 2212.07295). Budget, data
    and search are ours.
    """
    require_counts(epochs=epochs, seeds=seeds)
    if not tolerance > 0:
        raise ValueError(f"tolerance must be > 0. Got {tolerance}. Use 0.15.")
    if isinstance(success, Accuracy) and not trials.has_classes:
        raise DataError(
            "accuracy must have targets that are classes. Got real values. Use success=Loss(0.7)."
        )
    begin, tried = perf_counter(), []
    steps = epochs * trials.steps_per_epoch

    def run(rate: float, seed: int) -> Trial:
        tried.append(_run(trials, rate, seed, success, steps))
        if on_trial is not None:
            on_trial(tried[-1])
        return tried[-1]

    def found(limits: Sequence[float], low: float, high: float, monotone: bool) -> MaxRate:
        middle, low, high, spread = _interval(limits, low, high)
        return MaxRate(
            middle, low, high, spread, monotone, tuple(limits), tuple(tried), success,
            trials.width, trials.depth, trials.sharpness, perf_counter() - begin,
        )  # fmt: skip

    rate, limits = trials.rate, []
    low = high = rate
    for seed in range(seeds):
        low, high = _bracket(run, rate, seed)
        if math.isinf(high):
            return found([math.inf], low, high, True)
        if low == 0:
            best = _best(tried, success)
            raise TrainingError(
                f"training should start at some rate. None between {min(t.rate for t in tried):.1g} and "
                f"{max(t.rate for t in tried):.1g} reached {success} in {epochs} epochs (the best: "
                f"{best.reached:.2g} at {best.rate:.2g}). Ask for less, or raise epochs."
            )
        while high / low > 1 + tolerance:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if run(middle, seed).succeeded else (low, middle)
        limits.append(math.sqrt(low * high))
        rate = low
    last = seeds - 1
    monotone = not run(2 * high, last).succeeded and run(low / 2, last).succeeded
    return found(limits, low, high, monotone)


def _bracket(run: Callable[[float, int], Trial], rate: float, seed: int) -> tuple[float, float]:
    """A rate that succeeds and one twice as large that fails; 0 or infinity where there is none.

    A run that fails without breaking off may have been too slow: then larger rates are tried first.
    """
    trial = run(rate, seed)
    rates = [rate * 2**power for power in range(1, DOUBLED + 1)]
    while not (trial.succeeded or trial.broke) and rates:
        trial = run(rates.pop(0), seed)
    if trial.succeeded:
        good = trial.rate
        for _ in range(DOUBLED):
            if not run(2 * good, seed).succeeded:
                return good, 2 * good
            good *= 2
        return good, math.inf
    bad = rate
    for _ in range(HALVED):
        if run(bad / 2, seed).succeeded:
            return bad / 2, bad
        bad /= 2
    return 0.0, bad


def _run(trials: Trials, rate: float, seed: int, success: Accuracy | Loss, steps: int) -> Trial:
    """A run at this rate, which ends at the first sign."""
    window = -(-trials.steps_per_epoch // 2)
    recent: deque[Seen] = deque(maxlen=window)
    values, first, done, broke = [], math.nan, 0, False
    try:
        attempt = trials.begin(rate, seed)
        for done in range(1, steps + 1):
            recent.append(attempt.step())
            first = recent[-1].loss if done == 1 else first
            if not recent[-1].loss <= BROKEN * first:
                broke = True
                break
            if done >= window:
                values.append(success.reached_by(recent, first))
                if success.holds(values[-1]):
                    return Trial(rate, seed, True, values[-1], done, False)
    except TrainingError:
        broke = True
    return Trial(rate, seed, False, success.best(values), done, broke)


def _best(tried: Sequence[Trial], success: Accuracy | Loss) -> Trial:
    best = success.best([trial.reached for trial in tried])
    return next(trial for trial in tried if trial.reached == best)


def _interval(limits: Sequence[float], low: float, high: float) -> tuple[float, float, float, float]:
    """Geometric mean of the limits, its interval, and the spread of their logarithms."""
    if len(limits) == 1:
        return limits[0], low, high, 0.0
    from scipy.stats import t

    logs = np.log(limits)
    middle, spread = float(logs.mean()), float(logs.std(ddof=1))
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1)) * spread / math.sqrt(len(logs))
    half = max(half, math.log(high / low) / 2)  # seeds that share a bracket are no better known than that
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half), spread

"""What suits a data set: coding of columns, directions, constant, threshold and ridge, by honest errors.

First look: kernel regressions in the limit of great width, for each coding of columns and each round of
learned directions. Last look: the best of them with the kernel of the network's own neurons, which a network
of some thousand neurons can keep. Both leave out one row at a time, among rows whose targets the directions
have not seen (docs/theory/learned_features.md).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.networks.threshold import fire_rate_at
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.plan.features import (
    FEW,
    JUDGED,
    MOST_ROUNDS,
    Floats,
    Fold,
    Ids,
    Round,
    Samples,
    Setting,
    importances,
    pruned,
    replayed,
    rounds,
)
from fewfire.prepare.curves import CODINGS, RAMPS
from fewfire.prepare.preparation import Preparation
from fewfire.system.deadline import NEVER, Deadline
from fewfire.system.machine import one_blas_thread, threads
from fewfire.tangent.empirical import firing_kernel
from fewfire.tangent.leave_one_out import left_out

AUTO, NONE, DIAGONAL, FULL = FEATURES = ("auto", "none", "diagonal", "full")
CONSTANTS = (0.5, 2.0)  # of the norm of a row: the larger, the smoother the kernel
THRESHOLDS = (0.0, 1.0)  # the higher, the more local
RIDGES = 10.0 ** np.arange(-5, 1.01, 0.5)  # over the fire rate
LOOKED_AT, REPLAYED, MOST_ROWS = 1500, 20_000, 5000  # samples: to choose, for directions, for the ridge
MOST_RAMPS, MOST_DIRECTIONS, ROWS_PER_DIRECTION = 400, 150, 10  # columns: beyond, these are left out
HANDICAP = 1.05  # of the errors of all directions, which overfit most
LAST_LOOKS = 4  # beside the plain choice
SIDE_BY_SIDE = 300  # rows from which threads pay
FIRST_ROWS, LEAST_ROWS = 300, 300  # of a plain look, whose time says how many rows a deadline allows
LOOKS, GROWTH = 18.0, 2.3  # how many plain looks a choice takes, and how their time grows with the rows
FOR_ROUNDS, FOR_CHOICE = 0.55, 0.6  # shares: of the choice for first looks, of all time for the choice


@dataclass(frozen=True, eq=False)
class Chosen:
    """What one network is made with.

    Attributes
    ----------
    preparation : Preparation
    threshold : float
    ridge : float
        As `GaussNewton` takes it.
    importances : (d,)
        The share of each column of the inputs in the learned directions.
    """

    preparation: Preparation
    threshold: float
    ridge: float
    importances: Floats


@dataclass(frozen=True, eq=False)
class Selection:
    """The networks whose mean errs least.

    Attributes
    ----------
    members : list of Chosen
        The first errs least alone.
    error : float
        Mean squared error of their mean by leaving one out, with neurons as those of the networks.
    judged, outputs : (s,), (s, c)
        Samples, and what was predicted for each from all others, along directions that had not seen it.
    seconds_per_pair : float
        What the last look took, over its rows squared: to foretell what training will take.
    """

    members: list[Chosen]
    error: float
    judged: Ids
    outputs: Floats
    seconds_per_pair: float


@dataclass(frozen=True, eq=False)
class Data:
    """What there is to choose for: inputs (n, d), centred targets (n, c), weights; in random order."""

    inputs: NDArray
    targets: Floats
    weights: Floats | None

    def samples(self, preparation: Preparation, count: int) -> Samples:
        """The first of them, standardized; columns of one source's categories are tied."""
        sources, own = preparation.sources, np.arange(len(preparation.sources))
        is_category = np.isin(sources, list(preparation.one_hot.categories))
        return Samples(
            preparation.standardized(self.inputs[:count]),
            self.targets[:count],
            None if self.weights is None else self.weights[:count],
            np.where(is_category, len(sources) + sources, own),
        )


@dataclass(frozen=True, eq=False)
class Candidate:
    """A coding, and the rounds that were played on it up to one of them."""

    preparation: Preparation
    samples: Samples
    start: Floats
    played: list[Round]

    @property
    def handicap(self) -> float:
        return HANDICAP if self.start.ndim == 2 else 1.0

    @property
    def setting(self) -> Setting:
        return self.played[-1].setting

    @property
    def first_look(self) -> float:
        return self.handicap * self.played[-1].error


@dataclass(frozen=True, eq=False)
class Look:
    """The least mean squared error of a candidate over ridges, with its setting and the predictions."""

    candidate: Candidate
    setting: Setting
    error: float
    outputs: Floats


@dataclass(frozen=True, eq=False)
class FirstLook:
    """Kernel regressions in the limit of great width, for codings and rounds of learned directions.

    Attributes
    ----------
    features : str
    shapes : constants and thresholds to choose from
    ridges : to choose from
    deadline : Deadline
        After which no round and no coding begins but the first.
    """

    features: str
    shapes: Sequence[tuple[float, float]]
    ridges: Floats
    deadline: Deadline

    def folds(self, count: int) -> list[Fold]:
        return Fold.of(count, learn=self.features != NONE)

    def plain(self, data: Data, ways: Sequence[Preparation], count: int) -> Candidate:
        """The way to tell categories that errs least while nothing is learned."""
        looks = [self._candidate(data, way, way.equal_weights, count, 0) for way in ways]
        return min(looks, key=lambda one: one.first_look)

    def learned(self, data: Data, plain: Preparation, count: int) -> list[Candidate]:
        """Codings after one round and after the best of their rounds: those that err least."""
        most = MOST_ROUNDS if count >= FEW else 0
        found = [
            Candidate(one.preparation, one.samples, one.start, one.played[:length])
            for one in _side_by_side(
                lambda way: self._candidate(data, way[0], way[1], count, most),
                _ways_to_learn(data, plain, self.features, count),
                count,
                self.deadline,
            )
            for length in sorted({1, 1 + int(np.argmin([played.error for played in one.played]))})
        ]
        return sorted(found, key=lambda one: one.first_look)[:LAST_LOOKS]

    def _candidate(self, data: Data, way: Preparation, start: Floats, count: int, most: int) -> Candidate:
        samples, played = data.samples(way, count), []
        for one in rounds(
            samples, self.folds(count), start, shapes=self.shapes, ridges=self.ridges, most=most
        ):
            played.append(one)
            if self.deadline.left < 0:
                break
        return Candidate(way, samples, start, played)


def select(
    inputs: NDArray,
    targets: NDArray[np.float64],
    *,
    sample_weight: NDArray[np.float64] | None = None,
    categories: Sequence[Sequence[int]] = ((),),
    features: str = AUTO,
    constants: Sequence[float] = CONSTANTS,
    thresholds: Sequence[float] = THRESHOLDS,
    ridges: NDArray[np.float64] = RIDGES,
    ridge_of_all: bool = True,
    n_members: int = 1,
    width: int = 8192,
    seed: int = 0,
    deadline: Deadline = NEVER,
) -> Selection:
    """Choose on up to 1,500 samples.

    Parameters
    ----------
    inputs : (n, d)
    targets : (n, c) float64
        Centred.
    sample_weight : (n,), > 0, optional
    categories : ways to tell which columns hold categories
    features : "auto", "none", "diagonal" or "full"
        What is learned of the columns; with "none" they also stay as they are.
    constants, thresholds, ridges : to choose from; ridges over the fire rate
    ridge_of_all : bool
        Whether the ridge is chosen anew among up to 5,000 samples: the more there are, the less it must be.
    n_members : int
        Networks whose mean will predict.
    width : int
        Of each network that will be trained.
    deadline : Deadline
        By which the networks should be trained too: three fifths of what is left go to the choice. It looks
        at fewer rows, then at fewer codings and rounds; what is chosen depends on the machine's speed.

    Notes
    -----
    Cost: for each coding up to five rounds of four eigenvalue problems of 500 rows and a Cholesky factor of
    1,000; then for each of some six candidates a few Cholesky factors of 1,500 rows. The rounds of each
    member are played again on up to 20,000 rows, each with a solution through 2,000 centres.
    """
    order = np.random.default_rng(seed).permutation(len(inputs))[:REPLAYED]
    ways = [Preparation.fit(inputs, columns, sample_weight=sample_weight) for columns in categories]
    for_choice = deadline.part(FOR_CHOICE)
    first_thresholds = thresholds[:1] if deadline.is_set else thresholds  # the last look tries the others
    shapes = [(constant, threshold) for constant in constants for threshold in first_thresholds]
    look_first = FirstLook(features, shapes, ridges, for_choice.part(FOR_ROUNDS))

    def part(count: int) -> Data:
        ids = order[:count]
        return Data(inputs[ids], targets[ids], None if sample_weight is None else sample_weight[ids])

    count, data = min(len(inputs), LOOKED_AT), part(REPLAYED)
    if deadline.is_set:
        begin, few = perf_counter(), min(count, FIRST_ROWS)
        look_first.plain(part(few), ways, few)
        count = min(count, _rows_in(for_choice.left, perf_counter() - begin, few))
        data = part(count)
    folds = look_first.folds(count)
    plain = look_first.plain(data, ways, count)
    best = look_first.learned(data, plain.preparation, count)

    def last_look(candidate: Candidate, setting: Setting) -> Look:
        return _last_look(candidate, setting, folds, ridges, width, seed)

    begin = perf_counter()
    to_look = [plain, *best]
    if deadline.is_set:  # the likeliest first
        to_look.sort(key=lambda one: one.first_look)
    looks = _side_by_side(lambda one: last_look(one, one.setting), to_look, count, for_choice)
    seconds = (perf_counter() - begin) / len(looks)
    look = min(looks, key=_handicapped)
    others = [
        replace(look.setting, threshold=other) for other in thresholds if other != look.setting.threshold
    ]
    looks += [last_look(look.candidate, other) for other in others if for_choice.left > 0]

    judged = np.concatenate([fold.judged for fold in folds])
    members, outputs = _best_mean(looks, data.targets[judged], n_members)
    grid = ridges if ridge_of_all else ridges[:0]
    chosen = [_chosen(data, member, grid, width, seed) for member in members]
    weights = None if data.weights is None else data.weights[judged]
    error = float(np.average(np.square(data.targets[judged] - outputs).mean(axis=1), weights=weights))
    return Selection(chosen, error, order[judged], outputs, seconds / count**2)


def _rows_in(seconds: float, look_seconds: float, rows: int) -> int:
    """The rows that a whole choice may look at in this time, if a plain look at so many takes so long."""
    return max(LEAST_ROWS, int(rows * (max(0.0, seconds) / (LOOKS * look_seconds)) ** (1 / GROWTH)))


def _side_by_side(
    function: Callable[[Any], Any], items: Iterable[Any], count: int, deadline: Deadline = NEVER
) -> list[Any]:
    """What comes of each, for so many rows: several at a time, as LAPACK works on one thread for so few.

    Below 300 rows Python itself takes most of the time, and threads would wait for one another. Past the
    deadline only the first is there.
    """

    def in_time(numbered: tuple[int, Any]) -> Any:
        return function(numbered[1]) if numbered[0] == 0 or deadline.left > 0 else None

    with one_blas_thread(), ThreadPoolExecutor(threads() if count >= SIDE_BY_SIDE else 1) as pool:
        return [one for one in pool.map(in_time, enumerate(items)) if one is not None]


def _best_mean(looks: list[Look], targets: Floats, count: int) -> tuple[list[Look], Floats]:
    """The look that errs least, then one after the other whichever lowers the error of the mean most."""
    members = [min(looks, key=_handicapped)]
    total = members[0].outputs
    while len(members) < count:
        means = [(total + look.outputs) / (len(members) + 1) for look in looks]
        place = int(np.argmin([np.square(targets - mean).mean() for mean in means]))
        members.append(looks[place])
        total = total + looks[place].outputs
    return members, total / len(members)


def _handicapped(look: Look) -> float:
    return look.error * look.candidate.handicap


def _ways_to_learn(
    data: Data, plain: Preparation, features: str, count: int
) -> Iterator[tuple[Preparation, Floats]]:
    """Codings with directions to begin from, as far as they are wanted and there are rows for them."""
    if features in (AUTO, DIAGONAL):
        yield plain, plain.equal_weights
        for coding in CODINGS if plain.one_hot.numbers else ():
            coded = plain.coded(coding, data.inputs, data.weights)
            if coding != RAMPS or len(coded.sources) <= MOST_RAMPS:
                yield coded, coded.equal_weights
    width = len(plain.sources)
    if features == FULL or (
        features == AUTO and width <= MOST_DIRECTIONS and count >= max(FEW, ROWS_PER_DIRECTION * width)
    ):
        yield plain, np.eye(width)


def _last_look(
    candidate: Candidate, setting: Setting, folds: Sequence[Fold], ridges: Floats, width: int, seed: int
) -> Look:
    """With the kernel of neurons as the network's, among all rows that are looked at."""
    every = np.arange(len(candidate.samples.rows))
    parts = [
        candidate.samples[np.concatenate([np.setdiff1d(every, fold.judged), fold.judged])] for fold in folds
    ]
    directions = candidate.played[-1].directions
    kernels = [
        _own_kernel(part, own, setting, width, seed) for part, own in zip(parts, directions, strict=True)
    ]

    def look(ridge: float) -> Look:
        missed, weights = [], []
        for part, kernel, fold in zip(parts, kernels, folds, strict=True):
            missed.append(left_out(kernel, part.targets, ridge, len(fold.judged), part.weights))
            weights.append(1.0 if part.weights is None else part.weights[-len(fold.judged) :])
        squares = [np.square(one).mean(axis=1) for one in missed]
        weights = np.concatenate([np.broadcast_to(w, len(s)) for w, s in zip(weights, squares, strict=True)])
        error = float(np.average(np.concatenate(squares), weights=weights))
        targets = [part.targets[-len(fold.judged) :] for part, fold in zip(parts, folds, strict=True)]
        outputs = np.concatenate(targets) - np.concatenate(missed)
        return Look(candidate, replace(setting, ridge=ridge), error, outputs)

    return _downhill(look, ridges, setting.ridge)


def _own_kernel(samples: Samples, directions: Floats, setting: Setting, width: int, seed: int) -> Floats:
    """The kernel of as many neurons as a network of this width has, each of which stands there twice."""
    units, _ = samples.units(directions, setting.constant)
    count, threshold = max(1, width // 2), setting.threshold
    inputs = Inputs.of(units)
    network = TwoLayerNetwork.initialize(
        count, units.shape[1], 1, threshold=threshold, alive_on=inputs, seed=seed
    )
    return firing_kernel(network, inputs) / fire_rate_at(threshold)


def _downhill(look: Callable[[float], Look], ridges: Floats, first: float) -> Look:
    """The look with the least error over ridges, from one of them on, if there is one minimum."""
    place = int(np.argmin(np.abs(ridges - first)))
    best = look(float(ridges[place]))
    for step in (1, -1):
        at = place + step
        while 0 <= at < len(ridges) and (other := look(float(ridges[at]))).error < best.error:
            best, at = other, at + step
        if best.setting.ridge != ridges[place]:
            break
    return best


def _chosen(data: Data, look: Look, ridges: Floats, width: int, seed: int) -> Chosen:
    """The rounds once more, on all rows; then the ridge, if wanted, on rows that these have not seen."""
    candidate, setting = look.candidate, look.setting
    count, look_again = len(data.inputs), len(ridges) > 1 and len(data.inputs) >= LOOKED_AT + 2 * JUDGED
    samples = data.samples(candidate.preparation, count)
    learned = samples[np.arange(count - JUDGED)] if look_again else samples
    directions = pruned(replayed(learned, candidate.start, [one.setting for one in candidate.played[:-1]]))
    _, constant = learned.units(directions, setting.constant)
    preparation = candidate.preparation.along(directions, constant)
    if look_again:
        every = samples[np.arange(max(0, count - MOST_ROWS), count)]
        last = Fold(np.arange(0), np.arange(len(every.rows) - JUDGED, len(every.rows)))
        grown = Candidate(
            candidate.preparation, every, candidate.start, [Round(look.error, setting, [directions])]
        )
        setting = _last_look(grown, setting, [last], ridges, width, seed).setting
    shares = np.bincount(preparation.sources, importances(directions), data.inputs.shape[1])
    ridge = setting.ridge * fire_rate_at(setting.threshold)
    return Chosen(preparation, setting.threshold, ridge, shares.astype(np.float64))

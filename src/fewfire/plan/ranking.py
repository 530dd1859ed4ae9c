"""Which of some candidates to train fully: paired short runs, and the bad ones stopped early."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.errors import DataError
from fewfire.plan.candidates import Candidate, Runner, Split, TrialsCandidate, candidate_of
from fewfire.plan.edges import edge_dynamics, require_depth, require_squared
from fewfire.plan.pairing import Paired, is_worse
from fewfire.prepare.classes import Classes
from fewfire.system.words import require_counts, require_one_of, seconds_text

SPEED, VALIDATION, EDGES = "speed", "validation", "edge_dynamics"
SCORES = (SPEED, VALIDATION, EDGES)
BESIDE = ("early", "size", "chance", "halving")  # heads of what a score is beside
PROBED = 256  # training samples that the statistic of edges is taken over


@dataclass(frozen=True)
class Ranked:
    """A candidate in the table.

    Attributes
    ----------
    name : str
    score : float
        Higher is better: the accuracy on held rows ("validation"), minus the mean training loss so
        far ("speed"), or minus the size of the statistic ("edge_dynamics").
    spread : float
        Standard deviation of the score over seeds.
    accuracy : float
        On held rows, when it was last seen.
    epochs : int
        That each of its networks was trained for.
    dropped : int or None
        The round in which it was stopped.
    tie : bool
        Whether held rows cannot tell it from the leader after as many epochs, even if it was dropped.
    needed : float
        Held rows that would, at the rate seen; infinite where neither is ahead.
    size : int or None
        Parameters that train.
    kernel_error : float or None
        Error of leaving one sample out in the regression with its kernel, without any training.
    by_early_accuracy, by_size, by_chance, by_halving : int
        Its place, from 1, by what it is beside: the accuracy after the first round, the number of parameters
        (more is better), a random order, and successive halving by accuracy on the accuracies seen.
    """

    name: str
    score: float
    spread: float
    accuracy: float
    epochs: int
    dropped: int | None
    tie: bool
    needed: float
    size: int | None
    kernel_error: float | None
    by_early_accuracy: int
    by_size: int
    by_chance: int
    by_halving: int


@dataclass(frozen=True)
class Ranking:
    """Candidates from the best to the worst.

    Attributes
    ----------
    table : tuple of Ranked
        The leader first; then those that were trained as long, and those that were dropped, the last first.
    score : str
    n_held : int
        Held rows.
    epochs_spent, epochs_of_all : int
        Of all networks, and what they would be if none had been stopped.
    seconds : float
    remarks : tuple of str
    """

    table: tuple[Ranked, ...]
    score: str
    n_held: int
    epochs_spent: int
    epochs_of_all: int
    seconds: float
    remarks: tuple[str, ...] = field(default=())

    @property
    def best(self) -> Ranked:
        return self.table[0]

    @property
    def ties(self) -> tuple[Ranked, ...]:
        """Candidates that held rows cannot tell from the leader."""
        return tuple(row for row in self.table[1:] if row.tie)

    @property
    def saved(self) -> float:
        """Share of the epochs that stopping saved."""
        return 1 - self.epochs_spent / self.epochs_of_all

    def as_dict(self) -> dict[str, Any]:
        """Plain figures, which JSON can hold; None for what is not finite."""
        rows = [
            {name: None if isinstance(value, float) and not math.isfinite(value) else value
             for name, value in asdict(row).items()}
            for row in self.table
        ]  # fmt: skip
        own = asdict(self) | {"table": rows, "remarks": list(self.remarks)}
        return own | {"best": self.best.name, "ties": [row.name for row in self.ties], "saved": self.saved}

    def __str__(self) -> str:
        line = "{:<40}  {:>9}  {:>8}  {:>6}  {:>7}  {:>5}  {:>4}  {:>6}  {:>7}"
        heads = ("candidate", self.score, "accuracy", "epochs", "dropped", *BESIDE)
        lines = [line.format(*heads)]
        for row in self.table:
            dropped = "" if row.dropped is None else f"round {row.dropped}"
            lines.append(
                line.format(
                    row.name[:40], f"{row.score:.4g}", f"{row.accuracy:.4f}", row.epochs, dropped,
                    row.by_early_accuracy, row.by_size, row.by_chance, row.by_halving,
                )
            )  # fmt: skip
        return "\n".join([*lines, "", self.conclusion, *self.remarks])

    @property
    def conclusion(self) -> str:
        """Who leads, and who cannot be told from it."""
        spent = f"{self.epochs_spent:,} epochs in {seconds_text(self.seconds)}, {self.saved:.0%} saved"
        if not self.ties:
            return f"{self.best.name} leads ({spent})."
        enough = max(row.needed for row in self.ties)
        would = f"{enough:,.0f}" if math.isfinite(enough) else "no finite number"
        others = "another" if len(self.ties) == 1 else f"{len(self.ties)} others"
        return (
            f"{self.best.name} leads; {others} cannot be told from it ({self.n_held:,} held rows; "
            f"{would} would): {'; '.join(row.name for row in self.ties)}. Take the cheapest ({spent})."
        )


@dataclass(eq=False)
class _Running:
    """A candidate with its networks, and what was seen of them."""

    candidate: Candidate
    runners: list[Runner]
    losses: list[list[NDArray[np.float64]]]  # of each seed, of each epoch
    right: list[NDArray[np.bool_]] = field(default_factory=list)  # of each round: (seeds, held rows)
    edges: list[float] = field(default_factory=list)
    epochs: int = 0
    dropped: int | None = None

    def pairs(self, score: str) -> NDArray:
        """What is compared with another candidate's, pair by pair: losses, lower is better."""
        if score == SPEED:
            return np.concatenate([np.concatenate(of_seed) for of_seed in self.losses])
        if score == VALIDATION:
            return 1.0 - self.right[-1].ravel()
        return np.abs(np.array(self.edges, np.float64))

    def of_seeds(self, score: str) -> NDArray:
        """The score of each seed; higher is better."""
        if score == VALIDATION:
            return self.right[-1].mean(axis=1)
        return -self.pairs(score).reshape(len(self.runners), -1).mean(axis=1)

    def train_to(self, epochs: int, on_run: Callable[[], None]) -> None:
        """Train all networks until they have seen so many epochs."""
        while self.epochs < epochs:
            self.epochs += 1
            for runner, losses in zip(self.runners, self.losses, strict=True):
                losses.append(runner.epoch())
                on_run()

    def judge(self, split: Split, score: str) -> None:
        """Note what the networks are worth now."""
        self.right.append(np.array([runner.codes() == split.held_codes for runner in self.runners]))
        if score == EDGES:
            self.edges = [_edges(runner, split) for runner in self.runners]

    @property
    def failed(self) -> bool:
        """Whether a network left the finite numbers."""
        return any(np.isinf(losses).any() for of_seed in self.losses for losses in of_seed)

    @property
    def accuracies(self) -> list[float]:
        """On held rows, after each round."""
        return [float(right.mean()) for right in self.right]


def rank(
    candidates: Sequence[Any] | Mapping[str, Any],
    inputs: ArrayLike,
    labels: ArrayLike,
    *,
    epochs: int = 1,
    rounds: int = 3,
    seeds: int = 2,
    keep: float = 1 / 3,
    score: str = VALIDATION,
    held_out: float = 0.2,
    standardize: bool = True,
    seed: int = 0,
    on_epoch: Callable[[int, int], None] | None = None,
) -> Ranking:
    """Rank candidates by short runs on the same rows, and stop the bad ones early.

    In round k all that are left are trained to `epochs` * 2^(k-1) epochs; nothing is trained twice. A
    candidate is dropped if it is beyond the best `keep` and worse than the leader at 90 %, pair by pair.

    Parameters
    ----------
    candidates : sequence, or mapping of names
        Each a dictionary of settings (`width`, `threshold`, `fire_rate`, `init`, `constant`, `loss`,
        `batch_size` and what `GradientDescent` takes), a classifier of scikit-learn's kind with
        `partial_fit`, or a function (inputs, codes) -> Trials, such as one that calls
        `fewfire.torch.trials_of`.
    inputs : (n, d) array
    labels : (n,) array
        Classes.
    epochs : int
        Of the first round.
    rounds, seeds : int
    keep : float in (0, 1]
        Share of the candidates that each round keeps at least.
    score : "validation", "speed" or "edge_dynamics"
        The accuracy on held rows; training speed, the sum of the training losses so far, for candidates that
        share loss and batch size; "edge_dynamics" is experimental: see the function of that name.
    held_out : float in (0, 1)
        Share of the rows to judge by.
    standardize : bool
        Whether columns are brought to one spread, as those of a table; not for pictures.
    seed : int
        Seed for the split and for the first network of each candidate.
    on_epoch : callable, optional
        Called with the epochs done and those that may be left.

    Returns
    -------
    Ranking

    Raises
    ------
    DataError
        Labels are no classes, or rows too few.
    ValueError
        A candidate, a score or a number is none that the argument takes; or candidates cannot be ranked by
        that score.

    Notes
    -----
    Each candidate's rate is its own: the largest safe one, or with `learning_rate="measured"` one by trials.
    Speed compares like with like only, and foretold the final accuracy less well (docs/theory/ranking.md).

    Examples
    --------
    >>> from fewfire.plan import grid
    >>> inputs = np.random.default_rng(0).standard_normal((300, 4))
    >>> labels = inputs[:, 0] * inputs[:, 1] > 0
    >>> ranking = rank(grid(width=[16, 1024], batch_size=[16]), inputs, labels)
    >>> ranking.best.name
    'width 1024, batch_size 16'
    """
    require_counts(epochs=epochs, rounds=rounds, seeds=seeds)
    if not (0 < keep <= 1 and 0 < held_out < 1):
        raise ValueError(
            f"keep must lie in (0, 1], held_out in (0, 1). Got {keep} and {held_out}. Leave them out."
        )
    begin = perf_counter()
    split = split_of(inputs, labels, held_out, standardize, seed)
    named = candidates.items() if isinstance(candidates, Mapping) else ((None, one) for one in candidates)
    made = [candidate_of(given, split, name) for name, given in named]
    if not made:
        raise ValueError(
            "a ranking must have candidates. Got none. Give for example grid(width=[2048, 8192])."
        )
    _require_score(score, made)
    running = [
        _Running(one, [one.begin(seed + number) for number in range(seeds)], [[] for _ in range(seeds)])
        for one in made
    ]
    done, most = 0, len(running) * seeds * epochs * 2 ** (rounds - 1)

    def on_run() -> None:
        nonlocal done
        done += 1
        if on_epoch is not None:
            on_epoch(done, most)

    left = list(running)
    for number in range(1, rounds + 1):
        for one in left:
            one.train_to(epochs * 2 ** (number - 1), on_run)
            one.judge(split, score)
        left = _in_order(left, score)
        if number < rounds:
            for one in left[math.ceil(keep * len(left)) :]:
                if is_worse(one.pairs(score), left[0].pairs(score)):
                    one.dropped = number
            left = [one for one in left if one.dropped is None]
    kernel_errors = {id(one): one.candidate.kernel_error() for one in running}
    table = _table(running, left, score, keep, seed, kernel_errors)
    remarks = _remarks(running, score, kernel_errors)
    return Ranking(table, score, len(split.held_codes), done, most, perf_counter() - begin, remarks)


def split_of(inputs: ArrayLike, labels: ArrayLike, held_out: float, standardize: bool, seed: int) -> Split:
    """Rows to train on and rows to judge by, drawn by the seed."""
    rows, given = np.asarray(inputs, np.float64), np.asarray(labels)
    if rows.ndim != 2 or given.shape != (len(rows),) or not np.isfinite(rows).all():
        raise DataError(
            f"candidates must have rows of finite numbers with one label each. Got shapes {rows.shape} and "
            f"{given.shape}. Code categories and fill gaps first."
        )
    if given.dtype.kind == "f" and not (given == np.round(given)).all():
        raise DataError(
            "candidates must have labels that are classes. Got real values. Rank regressions by hand, with "
            "fewfire.plan.best_rate and a held-out error."
        )
    classes, order = Classes.of(given), np.random.default_rng(seed).permutation(len(rows))
    count = round(held_out * len(rows))
    if count < 1 or len(rows) - count < 2 or len(classes) < 2:
        raise DataError(
            f"candidates must have rows of two classes to train on and rows to judge by. Got {len(rows)} "
            f"rows of {len(classes)} classes. Give more."
        )
    held, kept, codes = np.sort(order[:count]), np.sort(order[count:]), classes.encode(given)
    return Split(rows[kept], codes[kept], rows[held], codes[held], classes, standardize)


def _require_score(score: str, made: Sequence[Candidate]) -> None:
    """Raise ValueError unless these candidates can be ranked by that score."""
    require_one_of(score, SCORES, "the score")
    alike = {one.alike for one in made}
    if score == SPEED and (None in alike or len(alike) > 1):
        unknown = "an estimator, whose losses are not known"
        got = ", ".join(
            sorted(unknown if one is None else f"{one[0]} in batches of {one[1]}" for one in alike)
        )
        raise ValueError(
            "candidates must share data, loss and batch size to be ranked by training speed. Got "
            f"{got}. Use score='validation'."
        )
    if score != EDGES:
        return
    for one in made:
        if not isinstance(one, TrialsCandidate):
            raise ValueError(
                f"edge_dynamics must have a network's layers. Got {one.name}. Use score='validation'."
            )
        require_squared(one.trials.loss_name)
        require_depth(len(one.trials.begin(one.trials.rate, 0).layers))


def _edges(runner: Any, split: Split) -> float:
    """The statistic of a network as it is now, on some of the rows that it is trained on."""
    if runner.attempt is None:
        return math.inf
    inputs, targets = split.scaled(None)[0], split.classes.one_hot(split.codes)
    return edge_dynamics(runner.attempt.layers, inputs[:PROBED], targets[:PROBED])


def _in_order(running: Sequence[_Running], score: str) -> list[_Running]:
    """The best first; of equals by name, so that the order given does not count."""
    return sorted(running, key=lambda one: (-_finite(one.of_seeds(score).mean()), one.candidate.name))


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else -math.inf


def _table(
    running: Sequence[_Running],
    left: Sequence[_Running],
    score: str,
    keep: float,
    seed: int,
    kernel_errors: Mapping[int, float | None],
) -> tuple[Ranked, ...]:
    named = sorted(running, key=lambda one: one.candidate.name)
    early = _places([one.accuracies[0] for one in named])
    sizes = _places([float(one.candidate.size or 0) for one in named])
    chance = _places(list(np.random.default_rng(seed).permutation(len(named)).astype(float)))
    halving = _places(_halving([one.accuracies for one in named], keep))
    baselines = dict(zip(map(id, named), zip(early, sizes, chance, halving, strict=True), strict=True))
    dropped = [one for one in running if one.dropped is not None]
    last = max((one.dropped or 0 for one in dropped), default=0)
    order = list(left)
    for number in range(last, 0, -1):
        order += _in_order([one for one in dropped if one.dropped == number], score)
    leader, rows = order[0], []
    for one in order:
        at = len(one.right) - 1
        paired = Paired.of(leader.right[at], one.right[at])
        scores = one.of_seeds(score)
        with np.errstate(invalid="ignore"):
            spread = float(scores.std(ddof=1)) if len(scores) > 1 else 0.0
        rows.append(
            Ranked(
                one.candidate.name, float(scores.mean()), spread, one.accuracies[-1], one.epochs, one.dropped,
                one is not leader and paired.is_tie, paired.needed,
                one.candidate.size, kernel_errors[id(one)], *baselines[id(one)],
            )
        )  # fmt: skip
    return tuple(rows)


def _places(values: Sequence[float]) -> list[int]:
    """The place of each, from 1 for the highest; of equals the first is ahead."""
    order = sorted(range(len(values)), key=lambda place: -values[place])
    places = [0] * len(values)
    for place, which in enumerate(order, start=1):
        places[which] = place
    return places


def _halving(accuracies: Sequence[Sequence[float]], keep: float) -> list[float]:
    """What successive halving by accuracy would order by: the round it leaves in, then the accuracy seen."""
    left, found = list(range(len(accuracies))), [0.0] * len(accuracies)
    for number in range(max(map(len, accuracies))):
        seen = {one: accuracies[one][min(number, len(accuracies[one]) - 1)] for one in left}
        for one in left:
            found[one] = number + seen[one]
        left = sorted(left, key=lambda one: -seen[one])[: max(1, math.ceil(keep * len(left)))]
    return found


def _remarks(
    running: Sequence[_Running], score: str, kernel_errors: Mapping[int, float | None]
) -> tuple[str, ...]:
    """What a reader of the table should know: scores that say nothing, and who failed."""
    remarks = []
    values = [float(one.of_seeds(score).mean()) for one in running]
    finite = [value for value in values if np.isfinite(value)]
    if len(running) > 1 and len(set(finite)) < 2:
        remarks.append(
            f"The score {score!r} is the same for all candidates that did not fail: it says nothing."
        )
    failed = [one.candidate.name for one in running if one.failed]
    if failed:
        remarks.append(f"Not finite: {'; '.join(failed)}.")
    without = sum(error is None for error in kernel_errors.values())
    if without:
        remarks.append(
            f"The kernel's error needs two-layer networks. Left out for {without} of {len(running)} of them."
        )
    return tuple(remarks)

"""Should something stand between inputs and the wide layer, and what? By the error on rows held out.

Kernel ridge regressions with the kernel of a wide layer on rows as they are, along directions that are
learned, on features of degree two and on who fires in a random layer; and a quadratic function of low rank in
place of the wide layer. docs/theory/hierarchical.md.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from math import inf, log
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.diagnose.columns import columns_of
from fewfire.errors import DataError
from fewfire.models.feature_maps import FireFeatures, degree_two
from fewfire.models.low_rank import fit_low_rank
from fewfire.models.whitening import Whitening
from fewfire.plan.features import FEW, MOST_ROUNDS, Fold, Round, Samples, Setting, replayed, rounds
from fewfire.plan.preparation import (
    CONSTANTS,
    HANDICAP,
    MOST_DIRECTIONS,
    RIDGES,
    ROWS_PER_DIRECTION,
    SIDE_BY_SIDE,
    THRESHOLDS,
)
from fewfire.prepare.scaling import InputScaling, directed
from fewfire.system.machine import one_blas_thread, threads
from fewfire.tangent.infinite import wide_kernel
from fewfire.tangent.leave_one_out import leave_one_out

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Predict = Callable[[Floats], Floats]
NOTHING, METRIC, DEGREE_TWO, FIRE, HEAD = NAMES = ("nothing", "metric", "degree2", "fire", "quadratic head")
MOST_ROWS, HELD_OUT = 1500, 5  # looked at; one in so many is held out
SPLITS, MANY, SPLITS_OF_MANY = 3, 900, 2  # by rows: one look at so few held out is mostly chance
MOST_DEGREE_TWO = 2000  # features, as each whitening is an eigenvalue problem
NEURONS, FIRE_RATE, STRENGTH = 2048, 0.05, 0.5
WORTH, DOUBT = 0.01, 2.0  # of the error: less is no gain; standard errors
MOST_DOUBLINGS = 4  # of the rows: beyond, no fall of an error is foretold
SHAPES = [(constant, threshold) for constant in CONSTANTS for threshold in THRESHOLDS]
SHAPES_LEARNED = SHAPES[:: len(THRESHOLDS)]  # a low threshold, as suits directions that are learned


@dataclass(frozen=True)
class Represented:
    """What one representation makes of rows that were held out.

    Attributes
    ----------
    name : "nothing", "metric", "degree2", "fire" or "quadratic head"
    error : float
        Mean squared error over the variance of the targets.
    standard_error : float
        Of the difference to the error with nothing, sample by sample.
    at_half : float
        The error after learning from half of the rows.
    seconds : float
    detail : str
        What was learned, in a few words.
    """

    name: str
    error: float
    standard_error: float
    at_half: float
    seconds: float
    detail: str

    @property
    def at_double(self) -> float:
        """What doubling the rows would give, if the error goes on falling by the same factor."""
        return min(self.error, self.error**2 / self.at_half) if self.at_half > 0 else self.error


@dataclass(frozen=True)
class RepresentationReport:
    """Representations side by side.

    Attributes
    ----------
    table : tuple of Represented
        In the order in which they cost more.
    n_rows, n_features, n_held : int
        Rows that were learned from, columns, and rows that judged.
    left_out : tuple of str
        Representations that were not looked at, and why.
    """

    table: tuple[Represented, ...]
    n_rows: int
    n_features: int
    n_held: int
    left_out: tuple[str, ...]

    def __getitem__(self, name: str) -> Represented:
        return next(one for one in self.table if one.name == name)

    @property
    def best(self) -> Represented:
        """The representation that errs least."""
        return min(self.table, key=lambda one: one.error)

    @property
    def advised(self) -> str:
        """That one; "nothing" where it gains less than 1 %, or is no better than the mean but for chance."""
        gains = self.best.error < (1 - WORTH) * self[NOTHING].error
        return self.best.name if gains and self.best.error < 1 - DOUBT / self.n_held**0.5 else NOTHING

    @property
    def second_order_pays(self) -> bool:
        """Whether the quadratic head errs less than the kernel by more than two standard errors."""
        nothing, head = self[NOTHING], self[HEAD]
        return nothing.error - head.error > DOUBT * head.standard_error

    @property
    def rows_needed(self) -> float:
        """Rows with which nothing would err as little as the best, if its error goes on falling."""
        nothing, best = self[NOTHING], self.best
        if best is nothing:
            return float(self.n_rows)
        if not 0 < nothing.error < nothing.at_half or best.error <= 0:
            return inf
        doublings = log(nothing.error / best.error) / log(nothing.at_half / nothing.error)
        return self.n_rows * 2.0**doublings if doublings < MOST_DOUBLINGS else inf

    @property
    def advice(self) -> str:
        """One sentence or two for a person."""
        nothing, best = self[NOTHING], self.best
        if self.advised == NOTHING:
            return (
                f"No representation helped on held-out rows ({best.error:.3f}, {nothing.error:.3f} without). "
                "Use none."
            )
        use = {
            METRIC: "Let the estimators learn a metric (features='auto')",
            DEGREE_TWO: "Use Representation('degree2') before the wide layer",
            FIRE: f"Use Representation('fire', n_features={NEURONS}) before the wide layer",
            HEAD: "Use QuadraticHead in place of the wide layer",
        }[best.name]
        needed = self.rows_needed
        rows = f"about {needed:,.0f}" if needed < inf else f"more than {self.n_rows * 2**MOST_DOUBLINGS:,}"
        chance = nothing.error - best.error < best.standard_error
        doubt = " The difference is within its standard error." if chance else ""
        return (
            f"{use}: {best.error:.3f} on held-out rows, {nothing.error:.3f} without; with nothing before it "
            f"the kernel would need {rows} rows for that, not {self.n_rows:,}.{doubt}"
        )

    def as_dict(self) -> dict[str, Any]:
        """All figures by name."""
        return {
            "table": [asdict(one) | {"at_double": one.at_double} for one in self.table],
            "n_rows": self.n_rows,
            "n_features": self.n_features,
            "n_held": self.n_held,
            "left_out": list(self.left_out),
            "advised": self.advised,
            "advice": self.advice,
            "second_order_pays": self.second_order_pays,
            "rows_needed": self.rows_needed if self.rows_needed < inf else None,
        }


def representation_report(
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> RepresentationReport:
    """Compare what may stand before a wide layer, or in its place, on rows held out.

    Parameters
    ----------
    inputs : (n, d)
        Rows of numbers; up to 1,500 are looked at.
    targets : (n,) or (n, c)
        Of a regression.
    seed : int
        For the split and for what is random.
    say : callable
        Called with what comes next.

    Raises
    ------
    DataError
        Rows or targets are not finite, do not fit each other, or are fewer than 40.

    Notes
    -----
    A fifth of the rows is held out, three times below 900 rows and else twice. Ridges, constants and
    thresholds are chosen by leaving one out among the others; of a learned metric among rows that it has not
    seen. Cost: some twenty eigenvalue problems of so many rows, up to 20 seconds.
    """
    rows = np.asarray(inputs, np.float64)
    if rows.ndim != 2 or len(rows) < FEW or not np.isfinite(rows).all():
        raise DataError(
            f"a report on representations must have at least {FEW} rows (n, d) of finite numbers. Got an "
            f"array of shape {rows.shape}. Give more, or fill gaps."
        )
    columns = columns_of(targets, len(rows))
    order = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
    rows, columns = rows[order], columns[order]
    held, d = len(rows) // HELD_OUT, rows.shape[1]
    splits = SPLITS if len(rows) < MANY else SPLITS_OF_MANY
    ways, left_out = dict(WAYS), []
    if d * (d + 1) // 2 > MOST_DEGREE_TWO:
        del ways[DEGREE_TWO]
        left_out.append(f"{DEGREE_TWO}: {d * (d + 1) // 2:,} features, more than {MOST_DEGREE_TWO:,}")

    def look(job: tuple[str, int]) -> _Look:
        name, split = job
        begin, part = perf_counter(), np.roll(np.arange(len(rows)), -split * held)
        judged, taught = part[:held], part[held:]
        errors, details = [], []
        for ids in (taught, taught[: len(taught) // 2]):
            learned = Learned.of(rows[ids], columns[ids])
            predict, detail = ways[name](learned, seed)
            errors.append(learned.missed(predict, rows[judged], columns[judged]))
            details.append(detail)
        say(f"{name}, split {split + 1} of {splits}")
        return _Look(name, errors[0], errors[1], perf_counter() - begin, details[0])

    jobs = [(name, split) for name in ways for split in range(splits)]
    with one_blas_thread(), ThreadPoolExecutor(threads() if len(rows) >= SIDE_BY_SIDE else 1) as pool:
        looks = list(pool.map(look, jobs))
    size = float(np.var(columns[: splits * held], axis=0).mean()) or 1.0
    without = np.concatenate([one.missed for one in looks if one.name == NOTHING])
    table = [_represented([one for one in looks if one.name == name], without, size) for name in ways]
    return RepresentationReport(tuple(table), len(rows) - held, d, splits * held, tuple(left_out))


@dataclass(frozen=True, eq=False)
class _Look:
    """Squared errors of rows held out from a split, after all others and after half of them; seconds."""

    name: str
    missed: Floats
    at_half: Floats
    seconds: float
    detail: str


def _represented(looks: Sequence[_Look], without: Floats, size: float) -> Represented:
    missed = np.concatenate([one.missed for one in looks])
    return Represented(
        looks[0].name, float(missed.mean()) / size,
        float(np.std(missed - without) / len(missed) ** 0.5) / size,
        float(np.mean([one.at_half for one in looks])) / size,
        sum(one.seconds for one in looks), looks[0].detail,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Learned:
    """Rows to learn from, standardized, and their targets, of mean 0 and variance 1."""

    scaling: InputScaling
    samples: Samples
    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, rows: Floats, targets: Floats) -> "Learned":
        scaling = InputScaling.fit(rows, standardize=True)
        mean, spread = targets.mean(axis=0), targets.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        samples = Samples(
            scaling.standardized(rows), (targets - mean) / spread, None, np.arange(rows.shape[1])
        )
        return cls(scaling, samples, mean, spread)

    def missed(self, predict: Predict, rows: Floats, targets: Floats) -> Floats:
        """The squared errors of new rows, a mean over outputs, (n,)."""
        outputs = self.mean + self.spread * predict(self.scaling.standardized(rows))
        return np.square(outputs - targets).mean(axis=1)


def _nothing(learned: Learned, seed: int) -> tuple[Predict, str]:
    return _kernel_ridge(learned.samples.rows, learned.samples.targets)


def _metric(learned: Learned, seed: int) -> tuple[Predict, str]:
    """Directions as the estimators learn them: weights of columns, or all directions of few columns."""
    samples, count = learned.samples, len(learned.samples.rows)
    d = samples.rows.shape[1]
    starts: list[Floats] = [np.ones(d)]
    if d <= MOST_DIRECTIONS and count >= ROWS_PER_DIRECTION * d:
        starts.append(np.eye(d))

    def play(start: Floats) -> tuple[float, list[Round]]:
        most = MOST_ROUNDS if count >= FEW else 0
        played = list(rounds(samples, Fold.of(count), start, shapes=SHAPES_LEARNED, ridges=RIDGES, most=most))
        best = int(np.argmin([one.error for one in played]))
        return played[best].error * (HANDICAP if start.ndim == 2 else 1.0), played[: best + 1]

    found = [play(start) for start in starts]
    place = int(np.argmin([error for error, _ in found]))
    *before, last = [one.setting for one in found[place][1]]
    directions = replayed(samples, starts[place], before) if before else starts[place]
    kind = "all directions" if starts[place].ndim == 2 else "weights of columns"
    predict, detail = _kernel_ridge(directed(samples.rows, directions), samples.targets, last)
    detail = f"{kind}, {len(before)} rounds, {detail}" if before else detail
    return lambda rows: predict(directed(rows, directions)), detail


def _degree_two(learned: Learned, seed: int) -> tuple[Predict, str]:
    features = degree_two(learned.samples.rows)
    white = Whitening.fit(features, STRENGTH)
    predict, detail = _kernel_ridge(white.transform(features), learned.samples.targets)
    detail = f"{features.shape[1]:,} features, whitened by {white.strength:.2g}, {detail}"
    return lambda rows: predict(white.transform(degree_two(rows))), detail


def _fire(learned: Learned, seed: int) -> tuple[Predict, str]:
    fires = FireFeatures.draw(learned.samples.rows, NEURONS, FIRE_RATE, seed)
    features = fires.transform(learned.samples.rows)
    mean = np.asarray(features.mean(axis=0)).ravel()
    predict, detail = _kernel_ridge(features.toarray() - mean, learned.samples.targets)
    return lambda rows: predict(fires.transform(rows).toarray() - mean), f"{NEURONS:,} neurons, {detail}"


def _head(learned: Learned, seed: int) -> tuple[Predict, str]:
    rows, targets = learned.samples.rows, learned.samples.targets
    heads = [fit_low_rank(rows, column, seed=seed) for column in targets.T]
    ranks = ", ".join(str(head.rank) for head, _ in heads)
    penalties = ", ".join(f"{penalty:g}" for _, penalty in heads)
    detail = f"rank {ranks}, penalty {penalties}"
    return lambda new: np.column_stack([head.outputs(new) for head, _ in heads]), detail


WAYS: dict[str, Callable[[Learned, int], tuple[Predict, str]]] = {
    NOTHING: _nothing, METRIC: _metric, DEGREE_TWO: _degree_two, FIRE: _fire, HEAD: _head
}  # fmt: skip


def _kernel_ridge(rows: Floats, targets: Floats, setting: Setting | None = None) -> tuple[Predict, str]:
    """With the kernel of a wide layer on rows on the unit sphere, in a given setting or the best one."""
    from scipy.linalg import cho_factor, cho_solve

    chosen_here = setting is None
    samples, as_they_are = Samples(rows, targets, None, np.arange(rows.shape[1])), np.ones(rows.shape[1])
    if setting is None:
        folds = Fold.of(len(rows), learn=False)
        first = next(rounds(samples, folds, as_they_are, shapes=SHAPES, ridges=RIDGES, most=0))
        setting = first.setting
    units, constant = samples.units(as_they_are, setting.constant)
    kernel = wide_kernel(units @ units.T, setting.threshold)
    ridge = setting.ridge
    if chosen_here:
        ridge = float(RIDGES[leave_one_out(kernel, targets, RIDGES).argmin()])
    kernel.flat[:: len(kernel) + 1] += ridge
    with one_blas_thread():
        dual = cho_solve(cho_factor(kernel, overwrite_a=True, check_finite=False), targets)

    def predict(new: Floats) -> Floats:
        lifted = np.column_stack([new, np.full(len(new), constant)])
        lifted /= np.linalg.norm(lifted, axis=1, keepdims=True)
        return wide_kernel(lifted @ units.T, setting.threshold) @ dual

    return predict, f"threshold {setting.threshold:g}, ridge {ridge:.0e}"

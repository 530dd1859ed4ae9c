"""Labels that no move within a radius can change, of any classifier of fewfire: certificate beside attack."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.adversarial import Attack, Ball, Box, Robustness, robust_accuracy
from fewfire.certify.layers import Bounded
from fewfire.certify.prover import Floats, Prover
from fewfire.core.work import Work
from fewfire.errors import DataError
from fewfire.networks.deep import two_layers_of
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.classes import Classes
from fewfire.prepare.model import Model
from fewfire.prepare.preparation import Preparation
from fewfire.system.intervals import wilson
from fewfire.system.machine import one_blas_thread
from fewfire.system.words import require_one_of

UNITS = ("raw", "range", "standard deviations")
HALVINGS = 12  # of a radius that is searched for: to a share of 2^-12
FEW = 16  # samples whose radius stands for all where only a rough one is asked
QUARTER = 0.25  # of the undecided pairs: what a higher threshold is suggested to leave


class Fitted(Protocol):
    """An estimator: what it has fitted, and the rows that it takes for samples."""

    def model_on(self, X: ArrayLike) -> tuple[Model, NDArray]: ...


@dataclass(frozen=True, eq=False)
class Margins:
    """What is proven at one radius.

    Attributes
    ----------
    radius : float
        In the units of the certificate; the largest, where each sample has its own.
    margin : (n,)
        The least by which the output of the label exceeds all others anywhere in the ball, or less. Above 0
        one network's is not improved further.
    undecided, firing : (n,)
        Shares of the neurons, of the last layer, that fire at some points of the ball only, and at all.
    """

    radius: float
    margin: Floats
    undecided: Floats
    firing: Floats

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Whether the label of each sample is what `predict` says, everywhere in the ball."""
        return self.margin > 0

    @property
    def accuracy(self) -> float:
        """The share of the samples that are certified."""
        return float(self.certified.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of that share on samples of this kind (Wilson)."""
        return wilson(int(self.certified.sum()), len(self.margin))


class Certificate:
    """What a classifier promises on some samples, and what an attack makes of it. `certify` makes it.

    Parameters
    ----------
    model : Model
    ball : Ball
    labels : (n,) int
        The number of each sample's class.
    radius : float
    unit : () or (p,) array
        What a radius of 1 is in each column.
    box : Box
        In which an attack stays.
    provers : sequence of Prover
        One for each network of the model.
    on_share : callable
        Called with the share that is done.

    Attributes
    ----------
    clean : float
        Accuracy on the samples as they are.
    clean_margin : (n,)
        By how much the output of the label exceeds all others there.
    found : Margins
        At the radius.
    attacked : Robustness or None
        What an attack found in the same balls.
    seconds : float
        Of the certificate, without the attack.
    """

    def __init__(
        self, model: Model, ball: Ball, labels: NDArray[np.int64], *, radius: float, unit: Floats, box: Box,
        provers: Sequence[Prover], on_share: Callable[[float], None],
    ) -> None:  # fmt: skip
        start = perf_counter()
        self.model, self.ball, self.labels, self.radius = model, ball, labels, radius
        self._unit, self._box, self._provers = unit, box, provers
        outputs = model.outputs(ball.samples)
        self._questions = [_differences(label, model.mean, model.boundary) for label in labels]
        self.clean_margin = np.array(
            [(differences @ row + offsets).min()
             for row, (differences, offsets) in zip(outputs - model.mean, self._questions, strict=True)]
        )  # fmt: skip
        self.clean = float((model.labels_of(outputs) == model.targets.decode(labels)).mean())  # type: ignore[union-attr]
        self._candidates = [prover.candidates(ball) for prover in provers]
        self.found = self._at(1.0, on_share=on_share)
        self.attacked: Robustness | None = None
        self.seconds = perf_counter() - start

    @property
    def certified(self) -> NDArray[np.bool_]:
        """See `Margins`; at the radius."""
        return self.found.certified

    @property
    def margin(self) -> Floats:
        return self.found.margin

    @property
    def accuracy(self) -> float:
        return self.found.accuracy

    @property
    def undecided(self) -> float:
        """The share of all pairs that is undecided."""
        return float(self.found.undecided.mean())

    @property
    def work(self) -> Work:
        """Of the indexes."""
        return sum((prover.work for prover in self._provers), Work())

    @property
    def products(self) -> int:
        """Multiply-adds of the bounds until now, beside the work of the indexes."""
        return sum(prover.products for prover in self._provers)

    def curve(self, radii: Sequence[float]) -> list[Margins]:
        """What is proven at each of some radii, up to the radius of the certificate.

        Raises
        ------
        ValueError
            A radius is beyond it, or negative.
        """
        for radius in radii:
            if not 0 <= radius <= self.radius:
                raise ValueError(
                    f"a curve must stay within the radius of its certificate, {self.radius:g}. Got {radius}. "
                    "Certify the largest radius first."
                )
        return [self.found if radius == self.radius else self._at(radius / self.radius) for radius in radii]

    def radii(self, steps: int = HALVINGS) -> Floats:
        """A radius at which each sample is certified, (n,): the largest by bisection, up to `radius`.

        0 where not even the sample itself is right. Who may fire is not searched for again.

        Raises
        ------
        ValueError
            There is no step.
        """
        if steps < 1:
            raise ValueError(f"steps must be >= 1. Got {steps}. Use 12 for a share of 1/4,096 of the radius.")
        return self.radius * self._shares(np.arange(len(self.labels)), steps)

    def _shares(self, ids: NDArray, steps: int) -> Floats:
        """The largest share of the radius at which some samples are certified."""
        proven = np.where(self.certified[ids], 1.0, 0.0)
        refuted = np.where(self.clean_margin[ids] > 0, 1.0, 0.0)
        for _ in range(steps):
            left = np.flatnonzero(proven < refuted)
            if not len(left):
                break
            middle = (proven[left] + refuted[left]) / 2
            holds = self._at(middle[:, None], ids[left]).certified
            proven[left[holds]], refuted[left[~holds]] = middle[holds], middle[~holds]
        return proven

    def _at(
        self,
        share: float | Floats,
        ids: NDArray | None = None,
        on_share: Callable[[float], None] | None = None,
    ) -> Margins:
        """What is proven at a share of the radius: one for all, or one each, of all samples or some."""
        ids = np.arange(len(self.labels)) if ids is None else ids
        margin, undecided, firing = np.zeros((3, len(ids)))
        n_members, ball = len(self._provers), self.ball.part(ids)
        with one_blas_thread():  # small products come in turn
            for number, (prover, candidates) in enumerate(zip(self._provers, self._candidates, strict=True)):
                width = n_members * prover.network.layers[-1].width
                for place, layers in prover.layers(ball, share, [candidates[i] for i in ids]):
                    margin[place] += self._least(prover, layers, int(ids[place])) / n_members
                    undecided[place] += np.count_nonzero(layers[-1].undecided) / width
                    firing[place] += np.count_nonzero(layers[-1].low >= 0) / width
                    if on_share is not None:
                        on_share((number + (place + 1) / len(ids)) / n_members)
        return Margins(float(np.max(share)) * self.radius, margin, undecided, firing)

    def _least(self, prover: Prover, layers: Sequence[Bounded], sample: int) -> float:
        """The least margin of one network; of several the mean of all differences counts, or less."""
        questions, offsets = self._questions[sample]
        enough = 0.0 if len(self._provers) == 1 else np.inf
        return float(prover.lower(layers, questions, offsets, enough).min())

    def under_attack(
        self, steps: int, *, radius: float | None = None, seed: int = 0,
        on_batch: Callable[[float], None] | None = None,
    ) -> Robustness:  # fmt: skip
        """What an attack of so many steps makes of the same samples, at the radius or another.

        Raises
        ------
        ValueError
            The model has several networks or layers, or its rows are coded: no attack moves those.
        """
        network, scaling = attackable(self.model), self.model.members[0].preparation.scaling
        attack = Attack(
            norm=self.ball.norm, radius=(self.radius if radius is None else radius) * self._unit, steps=steps,
            box=self._box,
        )  # fmt: skip
        return robust_accuracy(
            network, self.ball.samples, self.labels, attack, scaling=scaling, mean=self.model.mean, seed=seed,
            on_batch=on_batch,
        )  # fmt: skip

    @property
    def advice(self) -> str | None:
        """What may help where no sample is certified; else None."""
        if self.certified.any():
            return None
        layer = self.model.network.layers[-1]
        undecided = self.undecided
        advice = f"no sample could be certified: {undecided:.0%} of the pairs are undecided at this radius. "
        higher, left = _threshold_that_leaves(QUARTER * undecided, layer.threshold, undecided)
        advice += f"Raise the threshold (now {layer.threshold:.3g}; {higher:.2g} would leave {left:.0%})"
        right = np.flatnonzero(self.clean_margin > 0)[:FEW]
        lower = self.radius * float(np.median(self._shares(right, HALVINGS))) if len(right) else 0.0
        return (
            f"{advice}, or lower the radius to {lower:.2g}." if lower else f"{advice}, and lower the radius."
        )


def attackable(model: Model) -> TwoLayerNetwork:
    """The network of a model that an attack can move the rows of; ValueError where there is none."""
    member, others = model.members[0], len(model.members) - 1
    if others or not member.preparation.is_plain:
        raise ValueError(
            "an attack beside a certificate must be on one network that takes columns as they are. Got "
            f"{f'{others + 1} networks' if others else 'coded columns'}. Leave the attack out."
        )
    return two_layers_of(member.network, "an attack")


def certify(
    classifier: "Model | Fitted",
    X: ArrayLike,
    y: ArrayLike,
    radius: float,
    *,
    norm: str = "linf",
    columns: Sequence[str | int] | None = None,
    units: str = "raw",
    data: ArrayLike | None = None,
    box: Box | None = None,
    attack: int = 0,
    method: str = "linear",
    index: str = "auto",
    seed: int = 0,
    on_share: Callable[[float], None] | None = None,
) -> Certificate:
    """Prove for each sample that its label is predicted wherever it moves within a radius.

    Parameters
    ----------
    classifier : WideClassifier, or Model of a run
        Of one network or several, of any depth; not divided into parts.
    X : (n, p)
        Samples, as for `predict`.
    y : (n,)
        Their labels.
    radius : float > 0
    norm : "linf" or "l2"
        "linf": each column moves by up to the radius. "l2": all together.
    columns : sequence of str or int, optional
        Those that move, by name or number; by default all but categories.
    units : "raw", "range" or "standard deviations"
        What the radius counts: as the columns are, or shares of their range or standard deviation in the
        data. The range of pictures is that of all pixels.
    data : (n, p), optional
        The rows whose ranges and deviations these are; by default X.
    box : Box, optional
        What samples can be at all; by default anything, and with units="range" that range.
    attack : int
        Steps of an attack on the same balls; 0 for none.
    method : "linear" or "interval"
        See `bounds`.
    index : str
        See `bounds`.
    seed : int
        Seed for the attack.
    on_share : callable, optional
        Called with the share of the certificate that is done.

    Raises
    ------
    ValueError
        The radius is not above 0, a column is none that can move, or the samples do not fit.
    DataError
        The model predicts no single class, or rows have gaps.

    Notes
    -----
    What is certified is the label that `predict` prints, its rounding included.
    docs/theory/certificates.md.
    """
    model, rows = (classifier, X) if isinstance(classifier, Model) else classifier.model_on(X)
    labels = _checked(model, np.asarray(rows), y, radius, units)
    if attack:
        attackable(model)
    samples = np.asarray(rows, np.float64)  # whatever their dtype: the ball holds all points, not those of it
    preparation = model.members[0].preparation
    movable = _movable(model, preparation, columns)
    by_column = not preparation.is_plain or bool((preparation.scaling.scale != 1).any())
    every = np.asarray(rows)
    if data is not None:
        every = np.asarray(data if isinstance(classifier, Model) else classifier.model_on(data)[1])
    ranges = Box.of(every, by_column=by_column, movable=movable)
    if box is None:
        box = ranges if units == "range" else Box(movable=movable)
    else:
        own = True if box.movable is None else np.asarray(box.movable, bool)
        box = replace(box, movable=movable & own)
    unit = {
        "raw": np.ones(()),
        "range": ranges.range,
        "standard deviations": every.std(axis=0, dtype=np.float64),
    }[units]
    if norm == "l2" and unit.ndim:
        raise ValueError(
            f"a radius in the norm l2 must count all columns alike. Got units={units!r}, which differ from "
            "column to column. Use the norm linf, or units='raw'."
        )
    ball = Ball(samples, norm, radius * unit, box)
    provers = [
        Prover(member.network, member.preparation, method=method, index=index) for member in model.members
    ]
    found = Certificate(
        model, ball, labels, radius=radius, unit=unit, box=box, provers=provers,
        on_share=on_share or (lambda share: None),
    )  # fmt: skip
    if attack:
        found.attacked = found.under_attack(attack, seed=seed)
    return found


def _checked(model: Model, rows: NDArray, y: ArrayLike, radius: float, units: str) -> NDArray[np.int64]:
    """The numbers of the classes of labels that fit the model and the rows."""
    if not radius > 0 or not np.isfinite(radius):
        raise ValueError(
            f"a certificate needs a radius > 0 in the units of the columns. Got {radius:g}. Give --radius "
            "0.05 --units 'standard deviations'."
        )
    require_one_of(units, UNITS, "the units of a radius")
    targets = model.targets
    if not isinstance(targets, Classes) or targets.several or model.division is not None:
        raise DataError(
            "a certificate must be of a model that names one class per row, by the same networks for all. "
            "Got a regression, several labels or a divided table. Train a classifier on up to 5,000 rows, or "
            "with --optimizer sgd."
        )
    labels = np.asarray(y)
    if rows.ndim != 2 or labels.shape != (len(rows),) or not len(rows):
        raise ValueError(
            f"samples must be (n, p) with n labels, n >= 1. Got shapes {rows.shape} and {labels.shape}. Give "
            "one row and one label per sample."
        )
    if not np.isfinite(rows).all():
        raise DataError(
            "rows to certify must be finite, for a gap has no radius. Got NaN or infinity in row "
            f"{int(np.argmin(np.isfinite(rows).all(axis=1)))}. Leave out rows with gaps."
        )
    return targets.encode(labels)


def _movable(
    model: Model, preparation: Preparation, columns: Sequence[str | int] | None
) -> NDArray[np.bool_]:
    """Which columns may move, (p,)."""
    numbers = preparation.one_hot.numbers
    names = list(model.features.names or ())
    movable = np.zeros(model.features.n_columns, bool)
    for column in numbers if columns is None else columns:
        place = names.index(column) if column in names else column
        if isinstance(place, str) and place.isdecimal():
            place = int(place)
        if isinstance(place, bool | np.bool_) or place not in numbers:
            raise ValueError(
                f"columns that move must be columns of numbers. Got {column!r}. Name some of "
                f"{', '.join(names[number] if names else str(number) for number in numbers[:8])}."
            )
        movable[place] = True
    return movable


def _differences(label: int, mean: Floats, boundary: float) -> tuple[Floats, Floats]:
    """What must be above 0 for the label to be named: differences of outputs (q, c), and offsets (q,)."""
    if len(mean) == 1:
        sign = 1.0 if label else -1.0
        return np.array([[sign]]), sign * (mean - boundary)
    others = np.delete(np.arange(len(mean)), label)
    questions = -np.eye(len(mean))[others]
    questions[:, label] = 1.0
    return questions, mean[label] - mean[others]


def _threshold_that_leaves(share: float, threshold: float, undecided: float) -> tuple[float, float]:
    """A threshold at which fewer pairs are undecided, and their share there.

    Of pre-activations that are normal with variance 1: the share of those near b falls as their density does.
    """
    higher, left = threshold, undecided
    while left > share:
        higher += 0.1
        left = undecided * float(np.exp((threshold**2 - higher**2) / 2))
    return higher, left

"""How the largest rate changes with a network's shape: a law, with what it is worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.errors import DataError
from fewfire.plan.limit import CONFIDENCE, MaxRate

Floats = NDArray[np.float64]
FURTHEST = 8.0  # times the largest shape that was measured, or below the smallest
WORST = 0.4  # root mean square of the left-out errors of the logarithm, of a law that foretells anything
OUTLIER = 3.0  # median absolute deviations, from which on a residual is not squared
SHARPNESS, KERNEL_LIMIT = "sharpness", "kernel limit"


@dataclass(frozen=True)
class Foretold:
    """The rate of a shape that was not measured, with its 80 % interval.

    Attributes
    ----------
    rate, low, high : float
    """

    rate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.rate:.3g} ({self.low:.3g} .. {self.high:.3g})"


@dataclass(frozen=True, eq=False)
class RateLaw:
    """A law of the largest rate; `RateLaw.fit` chooses its form by leaving out one shape at a time.

    Attributes
    ----------
    form : "depth x width", "width and depth", "sharpness" or "kernel limit"
        What the rate is a power of; or that it nears a limit as exp(b / (depth x width)) does.
    exponents : tuple of float
        Of that: of width and depth in turn where there are two; of the kernel limit, b.
    error : float
        Root mean square of the left-out errors of the logarithm.
    errors : dict of str to float
        The same of each form that could be fitted.
    measured : tuple of MaxRate
    """

    form: str
    exponents: tuple[float, ...]
    error: float
    errors: dict[str, float]
    measured: tuple[MaxRate, ...]
    _constant: float
    _spread: float
    _inverse: Floats

    @classmethod
    def fit(cls, measured: Sequence[MaxRate]) -> "RateLaw":
        """The law of the form that foretells left-out shapes best.

        Parameters
        ----------
        measured : sequence of MaxRate
            Of three different shapes at least, each with a limit.

        Raises
        ------
        DataError
            There are fewer, a shape is not known, or no rate was too large for one.

        Notes
        -----
        Least squares of the logarithms; where a residual exceeds three median absolute deviations, the loss
        of large ones grows linearly (`scipy.optimize.least_squares`, soft_l1). With the scale m^(-1/2) a
        network nears its kernel as the width grows, and the rate a limit, which no power does. Iyer, Hanin,
        Rolnick (arXiv 2212.07295) find one power of depth x width for networks that are wide beside their
        depth and whose input layer trains slowly.
        """
        measured = tuple(measured)
        _require_shapes(measured)
        logs = np.log([one.rate for one in measured])
        shapes = np.array([(one.width, one.depth) for one in measured])
        errors = {}
        for form in _forms(measured):
            rows = np.array([_row(form, one.width, one.depth, one.sharpness) for one in measured])
            errors[form] = _left_out_error(rows, logs, shapes)
        if not errors:
            raise DataError(
                "a law must have shapes that differ by more than one number has freedom. Got "
                f"{len(measured)} of them. Measure three widths at least."
            )
        form = min(errors, key=lambda form: errors[form])
        rows = np.array([_row(form, one.width, one.depth, one.sharpness) for one in measured])
        constant, *exponents = (float(value) for value in _solved(rows, logs))
        residuals = logs - rows @ [constant, *exponents]
        freedom = len(np.unique(shapes, axis=0)) - rows.shape[1]
        spread = math.sqrt(float(residuals @ residuals) / freedom)
        inverse = np.linalg.inv(rows.T @ rows)
        return cls(form, tuple(exponents), errors[form], errors, measured, constant, spread, inverse)

    def predict(self, width: int, depth: int = 1, *, sharpness: float | None = None) -> Foretold:
        """The largest rate of another shape, with its 80 % interval (t distribution).

        Parameters
        ----------
        width, depth : int
        sharpness : float, optional
            Of the network's start (`Trials.sharpness`), for a law of that form.

        Raises
        ------
        DataError
            The law misses its own shapes by too much.
        ValueError
            The shape lies more than eight times beyond those measured, or differs from them in what they all
            share; or the sharpness is missing.
        """
        if self.error > WORST:
            raise DataError(
                f"the law misses its own points by {math.expm1(self.error):.0%} (leave-one-out). It will not "
                f"be extrapolated. Measure more shapes, or shapes nearer to {width:,}."
            )
        self._require_near("width", width)
        self._require_near("depth", depth)
        self._require_near("depth x width", depth * width)
        if self.form == SHARPNESS and sharpness is None:
            raise ValueError(
                "a law of the sharpness must have that of the network. Got none. Give sharpness="
                "trials_of(...).sharpness."
            )
        from scipy.stats import t

        row = np.array(_row(self.form, width, depth, sharpness))
        middle = float(row @ [self._constant, *self.exponents])
        freedom = len({(one.width, one.depth) for one in self.measured}) - len(row)
        half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * self._spread
        half *= math.sqrt(1 + float(row @ self._inverse @ row))
        return Foretold(math.exp(middle), math.exp(middle - half), math.exp(middle + half))

    def _require_near(self, name: str, value: int) -> None:
        of = {"width": lambda one: one.width, "depth": lambda one: one.depth,
              "depth x width": lambda one: one.depth * one.width}[name]  # fmt: skip
        known = sorted(map(of, self.measured))
        if known[0] == known[-1] != value:
            raise ValueError(
                f"a law over one {name} says nothing of others. Got {value:,}, where all measured have "
                f"{known[0]:,}. Measure shapes that differ in it."
            )
        if not known[0] / FURTHEST <= value <= known[-1] * FURTHEST:
            raise ValueError(
                f"a shape must lie within {FURTHEST:g} times those measured. Got a {name} of {value:,}, "
                f"where {known[0]:,} to {known[-1]:,} were. Measure larger shapes, or ask for a nearer one."
            )

    def __str__(self) -> str:
        missed = f"it misses a shape that is left out by {math.expm1(self.error):.0%}"
        if self.form == KERNEL_LIMIT:
            power = f"exp({self.exponents[0]:.3g} / (depth x width))"
            return f"largest rate = {math.exp(self._constant):.3g} {power}; {missed}"
        names = ("width", "depth") if len(self.exponents) == 2 else (self.form,)
        powers = " ".join(f"({name})^{power:.2f}" for name, power in zip(names, self.exponents, strict=True))
        return f"largest rate = {math.exp(self._constant):.3g} {powers}; {missed}"


def _require_shapes(measured: Sequence[MaxRate]) -> None:
    for one in measured:
        if one.width is None or one.depth is None:
            raise DataError(
                "a law must know the width and depth of each network. Got one without. Give both to "
                "fewfire.torch.trials_of."
            )
        if math.isinf(one.rate):
            raise DataError(
                f"a law must have a largest rate of each shape. Got none at width {one.width:,}: {one}"
            )
    shapes = {(one.width, one.depth) for one in measured}
    if len(shapes) < 3:
        raise DataError(
            f"a law must have three shapes at least. Got {len(shapes)}. Measure more widths, two apart by a "
            "factor of two each."
        )


def _forms(measured: Sequence[MaxRate]) -> list[str]:
    """The forms that so many shapes can tell, of those in which they differ."""
    widths, depths = {one.width for one in measured}, {one.depth for one in measured}
    forms = ["depth x width", KERNEL_LIMIT] if len({_size(one) for one in measured}) > 1 else []
    if len(widths) > 1 and len(depths) > 1 and len(measured) > 4:
        forms.append("width and depth")
    if len({one.sharpness for one in measured} - {None}) == len(measured):
        forms.append(SHARPNESS)
    return forms


def _size(one: MaxRate) -> int:
    return (one.width or 1) * (one.depth or 1)


def _row(form: str, width: int | None, depth: int | None, sharpness: float | None) -> list[float]:
    """What the logarithm of the rate is linear in."""
    if form == SHARPNESS:
        return [1.0, math.log(sharpness or math.nan)]
    if form == KERNEL_LIMIT:
        return [1.0, 1 / ((width or 1) * (depth or 1))]
    logs = [math.log(size or math.nan) for size in (width, depth)]
    return [1.0, sum(logs)] if form == "depth x width" else [1.0, *logs]


def _solved(rows: Floats, values: Floats) -> Floats:
    """Coefficients by least squares, or by a loss that grows linearly where a residual stands out."""
    solution = np.asarray(np.linalg.lstsq(rows, values, rcond=None)[0], np.float64)
    residuals = rows @ solution - values
    deviation = float(np.median(np.abs(residuals - np.median(residuals))))
    if np.abs(residuals).max() <= max(OUTLIER * deviation, 1e-9):
        return solution
    from scipy.optimize import least_squares

    scale = max(deviation, 1e-9)
    return least_squares(lambda x: rows @ x - values, solution, loss="soft_l1", f_scale=scale).x


def _left_out_error(rows: Floats, values: Floats, shapes: NDArray[np.int64]) -> float:
    """Root mean square of what the values of each shape are missed by in the fit to those of all others."""
    errors = np.empty(len(values))
    for shape in np.unique(shapes, axis=0):
        own = (shapes == shape).all(axis=1)
        errors[own] = rows[own] @ _solved(rows[~own], values[~own]) - values[own]
    return float(np.sqrt(np.mean(np.square(errors))))

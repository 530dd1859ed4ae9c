"""The evidence of deep, weakly nonlinear networks for a small regression, to first order in depth over width.

A network of L layers of N neurons, with phi(t) = t + psi t^3 / (3 L) and Gaussian weights, random but for
the data. In the limit of great width its outputs are a Gaussian process; the first order says what the width
adds. docs/theory/evidence.md derives it. The model, its regimes and the effective depth L P / N are those of
arXiv 2405.16630; formulas and numbers are ours.
"""

from dataclasses import dataclass, field
from functools import cached_property
from math import log, log1p, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.errors import DataError
from fewfire.system.words import require_counts

Floats = NDArray[np.float64]
NODES = 8  # of Gauss and Legendre over the depth
OUTPUT_NODES = 5  # of Gauss and Hermite: exact, as the first order is a polynomial of degree 4 in an output
DRAWS = 4096  # of the scale that layers of great depth give, where psi is 0
DEEP, LARGE, APART = 0.3, 0.5, 0.1  # where the first order is not small
STEP = 1e-3  # in the logarithm of the noise


@dataclass(frozen=True, eq=False)
class Evidence:
    """What `evidence` found.

    Attributes
    ----------
    log : float
        The logarithm of the evidence, in nats. Compare it with others of the same targets only.
    leading : float
        The same in the limit of great width.
    correction : float
        `log` - `leading`.
    effective_depth : float
        L P / N.
    warnings : tuple of str
        Why the numbers may be worth less; empty where nothing speaks against them.
    width, depth, psi, noise, order : as given
    """

    log: float
    leading: float
    effective_depth: float
    warnings: tuple[str, ...]
    width: int
    depth: int
    psi: float
    noise: float
    order: int
    _samples: Floats = field(repr=False)
    _targets: Floats = field(repr=False)

    @property
    def correction(self) -> float:
        return self.log - self.leading

    def _at(self, **changed: float) -> float:
        given = {"width": self.width, "depth": self.depth, "psi": self.psi, "noise": self.noise}
        return evidence(self._samples, self._targets, **(given | changed), order=self.order).log  # type: ignore[arg-type]

    @cached_property
    def by_depth(self) -> float:
        """What one layer more adds to `log`."""
        return self._at(depth=self.depth + 1) - self.log

    @cached_property
    def by_noise(self) -> float:
        """The derivative of `log` by the logarithm of the noise."""
        up, down = (self._at(noise=self.noise * np.exp(step)) for step in (STEP, -STEP))
        return (up - down) / (2 * STEP)

    def predict(self, inputs: ArrayLike, *, return_std: bool = False) -> Floats | tuple[Floats, Floats]:
        """The posterior mean of the outputs, and their standard deviation without noise.

        With order 1 each row is a problem of P + 1 samples by itself.

        Parameters
        ----------
        inputs : (k, d) array
        return_std : bool

        Raises
        ------
        ValueError
            The rows have another number of features, or are too long for this psi.
        """
        rows = np.asarray(inputs, np.float64)
        if rows.ndim != 2 or rows.shape[1] != self._samples.shape[1]:
            raise ValueError(
                f"inputs must have {self._samples.shape[1]} features. Got an array of shape {rows.shape}. "
                "Prepare them as the training rows."
            )
        moments = [self._moments(row, column) for column in self._targets.T for row in rows]
        mean, variance = np.array(moments).reshape(-1, len(rows), 2).transpose(2, 1, 0)
        deviation = np.sqrt(np.maximum(variance, 0))
        if self._targets.shape[1] == 1:
            mean, deviation = mean[:, 0], deviation[:, 0]
        return (mean, deviation) if return_std else mean

    def _moments(self, row: Floats, targets: Floats) -> tuple[float, float]:
        """Mean and variance of the output on one more row."""
        first = _inner_products(np.vstack([self._samples, row]))
        _require_below_blow_up(first, self.psi)
        last = _flow(first, self.psi, 1.0)
        known = last[:-1, :-1] + self.noise * np.eye(len(targets))
        weights = np.linalg.solve(known, last[:-1, -1])
        mean, variance = float(weights @ targets), float(last[-1, -1] - weights @ last[:-1, -1])
        if self.order == 0:
            return mean, variance
        with_noise = variance + self.noise
        nodes, shares = np.polynomial.hermite_e.hermegauss(OUTPUT_NODES)
        at, shares = mean + with_noise**0.5 * nodes, shares / shares.sum()
        small = self.depth / self.width
        factors = shares * [
            1 + small * first_order(first, np.append(targets, output), self.psi, self.noise) for output in at
        ]
        total = factors.sum()
        corrected = float(factors @ at / total)
        return corrected, float(factors @ (at - corrected) ** 2 / total) - self.noise


def evidence(
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    width: int,
    depth: int,
    psi: float = 0.0,
    noise: float = 0.1,
    order: int = 1,
) -> Evidence:
    """The evidence of a deep, weakly nonlinear network for targets with Gaussian noise.

    In the limit of great width it is that of ridge regression on rows that are rescaled by their length, and
    rows of equal length leave nothing to psi: give rows that are standardized, but not of unit norm.

    Parameters
    ----------
    inputs : (P, d) array
    targets : (P,) or (P, c)
        Centred. Of several outputs the sum over all is found, as if each had a network of its own.
    width : int, >= 1
        N, neurons per layer.
    depth : int, >= 1
        L.
    psi : float
        The strength of the cubic part over all layers. It must be less than 1 over twice the largest mean
        square of a row.
    noise : float, > 0
        Its variance.
    order : 0 or 1
        In L / N. For psi = 0 an integral over the scale of the layers takes the place of the first order.

    Raises
    ------
    DataError
        Inputs or targets are not finite, or do not fit each other.
    ValueError
        A number is out of its range.

    Notes
    -----
    Cost: 8 times some twenty products of P x P matrices.

    Examples
    --------
    >>> rows = np.random.default_rng(0).standard_normal((20, 30))
    >>> found = evidence(rows, rows[:, 0], width=2000, depth=8, psi=-0.2)
    >>> round(found.leading, 2), round(found.correction, 2), found.warnings
    (-24.19, -0.04, ())
    """
    samples, columns = _checked(inputs, targets)
    require_counts(width=width, depth=depth)
    if not (np.isfinite(psi) and 0 < noise < np.inf and order in (0, 1)):
        raise ValueError(
            "psi must be finite, noise above 0, and order 0 or 1. Got "
            f"psi={psi}, noise={noise} and order={order}. Change them."
        )
    first = _inner_products(samples)
    _require_below_blow_up(first, psi)
    leading = total = 0.0
    warnings = _warnings(first, samples.shape[1], width, depth, psi, order)
    for column in columns.T:
        alone = _log_density(_flow(first, psi, 1.0), column, noise)
        leading += alone
        if order == 0:
            total += alone
        elif psi == 0:
            total += _over_scales(first, column, noise, width, depth)
        else:
            x = depth / width * first_order(first, column, psi, noise)
            total += alone + (log1p(x) if x > 0 else x)
            if abs(x) > LARGE or (x > -1 and abs(x - log1p(x)) > APART):
                either = f"{log1p(x):.3g} or {x:.3g}" if x > -1 else f"{x:.3g}"
                warnings.append(
                    f"The first order is large: it adds {either} nats. Take a greater width, or order=0."
                )
    if columns.shape[1] > 1:
        warnings.append(f"The evidence is the sum over {columns.shape[1]} outputs, each of its own network.")
    return Evidence(
        total, leading, depth * len(samples) / width, tuple(warnings), width, depth, psi, noise, order,
        samples, columns,
    )  # fmt: skip


def first_order(first: Floats, targets: Floats, psi: float, noise: float) -> float:
    """v in Z = Z_0 (1 + v L / N), in closed form, from the rows' inner products over d.

    Layer by layer the covariance fluctuates by a Gaussian H with Cov(H_ab, H_cd) = G_ac G_bd + G_ad G_bc.
    v is half the mean over H and depth of the second derivative of the evidence along H, divided by the
    evidence; Wick's theorem gives it term by term. docs/theory/evidence.md has the letters.
    """
    last = _flow(first, psi, 1.0)
    inverse: Floats = np.linalg.inv(last + noise * np.eye(len(targets))).astype(np.float64)
    alpha = inverse @ targets
    a = (np.outer(alpha, alpha) - inverse) / 2
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    total = 0.0
    for t, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        total += weight * _at_depth(_flow(first, psi, t), psi * (1 - t), inverse, alpha, a) / 2
    return float(total)


def _at_depth(g: Floats, strength: float, inverse: Floats, alpha: Floats, a: Floats) -> float:
    """E[(d log)^2 + d^2 log + d log''] over H at one depth; strength: psi times the depth that is left."""
    square = g.diagonal()
    u = 1 - 2 * strength * square
    r, p, q = u**-0.5, strength * u**-1.5, 3 * strength**2 * u**-2.5
    rr, g2 = np.outer(r, r), g * g

    b = a * rr + np.diag(2 * p * ((a * g) @ r))
    bg = b @ g
    slope = 2 * np.sum(bg * bg.T)

    ra = r * alpha
    gra = g @ ra
    m = np.diag(p * gra) + (r[:, None] * g) * (p * alpha)
    c = 2 * (r[:, None] * g) * gra
    cm = c @ m.T
    s = rr * (g * (ra @ gra) + np.outer(gra, gra)) + cm + cm.T + m @ (2 * g2) @ m.T
    x = (rr * inverse) @ g
    w = (g * r) @ inverse
    e = 2 * np.outer(p, p) * g2
    f = np.trace(x) ** 2 + np.sum(x * x.T) + 8 * p @ ((r @ (inverse * g)) * np.sum(x * g, axis=0))
    f += 2 * np.sum(e * w * w.T) + 2 * np.sum(e * inverse * (w @ (g * r).T))
    curvature = -np.sum(inverse * s) + f / 2

    pg, qg = p * square, q * square**2
    bend = 4 * (np.outer(pg, r) + np.outer(r, pg)) * g
    bend = bend + g * (2 * np.outer(qg, r) + 4 * np.outer(p, p) * g2 + 2 * np.outer(r, qg))
    return float(slope + curvature + np.sum(a * bend))


def _inner_products(samples: Floats) -> Floats:
    return samples @ samples.T / samples.shape[1]


def _flow(g: Floats, psi: float, depth: float) -> Floats:
    """The covariance after a part of the layers: G_ab r_a r_b with r = (1 - 2 psi depth G_aa)^(-1/2)."""
    r = (1 - 2 * psi * depth * g.diagonal()) ** -0.5
    return g * np.outer(r, r)


def _log_density(covariance: Floats, targets: Floats, noise: float) -> float:
    """log N(y; 0, G + noise)."""
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(covariance + noise * np.eye(len(targets)), lower=True)
    logarithm = 2 * float(np.log(factor[0].diagonal()).sum())
    return -(float(targets @ cho_solve(factor, targets)) + logarithm + len(targets) * log(2 * pi)) / 2


def _over_scales(first: Floats, targets: Floats, noise: float, width: int, depth: int) -> float:
    """log E N(y; 0, s G + noise) over s, a product of L chi-squares over N: layers that are linear."""
    from scipy.special import logsumexp
    from scipy.stats import chi2, qmc

    values, vectors = np.linalg.eigh(first)
    squares = np.square(vectors.T @ targets)
    draws = qmc.Sobol(depth, scramble=False).random(DRAWS) + 0.5 / DRAWS  # in the middle of cells
    scales = np.prod(chi2.ppf(draws, width) / width, axis=1)
    damped = scales[:, None] * np.maximum(values, 0) + noise
    logs = -(squares / damped + np.log(damped)).sum(axis=1) / 2
    mean = np.asarray(logsumexp(logs)).item() - log(DRAWS)
    return mean - len(targets) / 2 * log(2 * pi)


def _checked(inputs: ArrayLike, targets: ArrayLike) -> tuple[Floats, Floats]:
    samples, columns = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    fits = samples.ndim == 2 and samples.size and columns.ndim in (1, 2) and len(columns) == len(samples)
    if not fits or not (np.isfinite(samples).all() and np.isfinite(columns).all()):
        raise DataError(
            "inputs must be (P, d) and targets (P,) or (P, c), all finite. Got shapes "
            f"{samples.shape} and {columns.shape}. Pass rows with a target for each."
        )
    return samples, columns.reshape(len(columns), -1)


def _require_below_blow_up(first: Floats, psi: float) -> None:
    most = 1 / (2 * float(first.diagonal().max())) if first.diagonal().any() else np.inf
    if psi >= most:
        raise ValueError(
            f"psi must be below {most:.3g} for these inputs (1 over twice the largest mean square). Got "
            f"{psi:g}. Lower psi, or rescale the rows."
        )


def _warnings(first: Floats, n_features: int, width: int, depth: int, psi: float, order: int) -> list[str]:
    said, n_samples = [], len(first)
    if n_samples >= n_features:
        said.append(
            f"The theory covers fewer samples than features. Got {n_samples} samples of {n_features} "
            "features: the numbers are still those of the formula, without its guarantee."
        )
    effective = depth * n_samples / width
    if order and effective > DEEP:
        wide = int(np.ceil(depth * n_samples / DEEP / 100) * 100)
        said.append(
            f"Effective depth {effective:.2g}: the first order is not small. Use width >= {wide:,}, or "
            "order=0."
        )
    lengths = first.diagonal()
    if psi and np.ptp(lengths) <= 1e-6 * lengths.max():
        said.append(
            "psi has no effect on rows of equal norm but to scale them. Give rows that are not normalized."
        )
    return said

"""A quadratic function of low rank, and its fit to data.

    f(h) = sum_r a_r <w_r, h>^2 + <u, h> + c,     a_r = +1 and -1 in turn,

is <h, M h> + <u, h> + c with M = sum_r a_r w_r w_r^T. With the penalty lambda/2 (sum_r |w_r|^2 + |u|^2) it is
the nuclear norm of M that is penalized: with enough components of both signs a convex problem, written in
another way (Burer and Monteiro, Mathematical Programming 2003). docs/theory/hierarchical.md derives it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fewfire.system.machine import one_blas_thread

Floats = NDArray[np.float64]
MOST_STEPS = 500  # of L-BFGS
PRECISION, ROUGH = (
    1e-10,
    1e-8,
)  # the relative gain of a step at which it ends: of the fit, to choose a penalty
START = 0.3  # the root mean square of <w_r, h> at the start, where that of f - c is 1
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # "auto" chooses among them; at the last of noise nothing is left
HELD_OUT = 5  # one row in so many judges a penalty
NOTHING = 1e-6  # of |w|^2 where both rows and targets are of size 1: what the penalty leaves of a component
COUNTS, LEAST = 0.1, 1e-2  # of the largest singular value, and at that size: less is mostly noise


@dataclass(frozen=True, eq=False)
class LowRankQuadratic:
    """f, as fitted.

    Attributes
    ----------
    components : (k, D)
        w_r.
    signs : (k,)
        a_r.
    linear : (D,)
        u.
    constant : float
    objective : float
        Half the mean squared error and the penalty, of targets of variance 1 and rows of mean square norm D.
    unit : float
        What M is measured in: the standard deviation of the targets over the mean square of an entry of h.
    """

    components: Floats
    signs: Floats
    linear: Floats
    constant: float
    objective: float
    unit: float

    def outputs(self, rows: Floats) -> Floats:
        """f of rows (n, D), (n,)."""
        return np.square(rows @ self.components.T) @ self.signs + rows @ self.linear + self.constant

    @cached_property
    def spectrum(self) -> tuple[Floats, Floats]:
        """Eigenvalues of M other than 0 and their eigenvectors (rows), the largest in size first."""
        basis, within = np.linalg.qr(self.components.T)
        values, vectors = np.linalg.eigh((within * self.signs) @ within.T)
        order = np.argsort(-np.abs(values), kind="stable")
        return values[order], (basis @ vectors[:, order]).T

    @property
    def rank(self) -> int:
        """How many singular values of M are at least a tenth of the largest, and a hundredth of its unit."""
        sizes = np.abs(self.spectrum[0])
        return int(np.count_nonzero(sizes >= max(COUNTS * sizes[0], LEAST * self.unit)))


def loss_and_gradient(
    components: Floats, linear: Floats, signs: Floats, rows: Floats, targets: Floats, penalty: float
) -> tuple[float, Floats, Floats]:
    """Half the mean squared error at the best constant and the penalty; its gradient by w and by u.

    With Z = h W^T, e the errors less their mean: 2/n (e a Z)^T h + lambda w, and 1/n e^T h + lambda u.
    """
    n, along = len(rows), rows @ components.T
    errors = np.square(along) @ signs + rows @ linear - targets
    errors -= errors.mean()
    loss = errors @ errors / (2 * n) + penalty / 2 * (np.sum(components**2) + linear @ linear)
    by_components = 2 / n * (errors[:, None] * signs * along).T @ rows + penalty * components
    return float(loss), by_components, errors @ rows / n + penalty * linear


def fit_low_rank(
    rows: Floats, targets: Floats, *, n_components: int = 8, penalty: float | None = None,
    order_one: bool = True, n_starts: int = 2, seed: int = 0, precision: float = PRECISION,
) -> tuple[LowRankQuadratic, float]:  # fmt: skip
    """The best of some starts by its objective, and the penalty that it has.

    Parameters
    ----------
    rows : (n, D)
    targets : (n,)
    n_components : int
    penalty : float, >= 0, optional
        By default the one of 0.001, 0.01, 0.1 and 1 that errs least on a fifth of the rows held out.
    order_one : bool
        Whether there is a linear part u.
    n_starts, seed : int
    precision : float
        The relative gain of a step at which descent ends.

    Notes
    -----
    Cost: 4 n k D multiply-adds for each of some hundred steps of each start, of which a penalty to be chosen
    takes four more. A start is drawn as sums of rows, so that rotated rows give the rotated fit.
    """
    if penalty is None:
        penalty = _best_penalty(rows, targets, n_components, order_one, seed)
    size = float(np.sqrt(np.mean(np.square(rows)))) or 1.0
    spread, mean = float(targets.std()) or 1.0, float(targets.mean())
    units, standard, random = rows / size, (targets - mean) / spread, np.random.default_rng(seed)
    with one_blas_thread():
        fits = [
            _descended(units, standard, n_components, penalty, order_one, random, precision)
            for _ in range(n_starts)
        ]
        best = min(fits, key=lambda fit: fit.objective)
    alive = np.square(best.components).sum(axis=1, keepdims=True) > NOTHING
    fitted = LowRankQuadratic(
        alive * best.components * (spread**0.5 / size), best.signs, best.linear * (spread / size),
        mean + spread * best.constant, best.objective, spread / size**2,
    )  # fmt: skip
    return fitted, penalty


def _descended(
    rows: Floats, targets: Floats, count: int, penalty: float, order_one: bool, random: np.random.Generator,
    precision: float,
) -> LowRankQuadratic:  # fmt: skip
    """By L-BFGS from a random start."""
    from scipy.optimize import minimize

    n, features = rows.shape
    signs = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    start = random.standard_normal((count, n)) @ rows
    along = np.sqrt(np.mean(np.square(rows @ start.T)))
    start *= START / along if along > 0 else 0.0

    def at(point: Floats) -> tuple[float, Floats]:
        components, linear = point[: count * features].reshape(count, -1), point[count * features :]
        full = linear if order_one else np.zeros(features)
        loss, by_components, by_linear = loss_and_gradient(components, full, signs, rows, targets, penalty)
        return loss, np.concatenate([by_components.ravel(), by_linear if order_one else linear])

    begin = np.concatenate([start.ravel(), np.zeros(features if order_one else 0)])
    options = {"maxiter": MOST_STEPS, "ftol": precision, "gtol": 1e-8}
    found = minimize(at, begin, jac=True, method="L-BFGS-B", options=options)
    components = found.x[: count * features].reshape(count, -1)
    linear = found.x[count * features :] if order_one else np.zeros(features)
    constant = float(np.mean(targets - np.square(rows @ components.T) @ signs - rows @ linear))
    return LowRankQuadratic(components, signs, linear, constant, float(found.fun), 1.0)


def _best_penalty(rows: Floats, targets: Floats, n_components: int, order_one: bool, seed: int) -> float:
    """By the error of one start on a fifth of the rows; the largest where there are too few to judge by."""
    order = np.random.default_rng(seed).permutation(len(rows))
    held, kept = np.split(order, [len(rows) // HELD_OUT])
    if not len(held):
        return PENALTIES[-1]
    errors = []
    for penalty in PENALTIES:
        fitted, _ = fit_low_rank(
            rows[kept], targets[kept], n_components=n_components, penalty=penalty, order_one=order_one,
            n_starts=1, seed=seed, precision=ROUGH,
        )  # fmt: skip
        errors.append(float(np.mean(np.square(fitted.outputs(rows[held]) - targets[held]))))
    return PENALTIES[int(np.argmin(errors))]

"""Decomposition of a symmetric tensor by gradient descent over more components than its rank.

The model is sum_i a_i |u_i|^2 v_i^(x l) with v_i = u_i / |u_i| and a_i = +1 or -1: of degree two in u_i,
whatever the order, as in Wang, Wu, Lee, Ma, Ge, "Beyond lazy training for over-parameterized tensor
decomposition" (NeurIPS 2020, arXiv 2010.11356). Their rule to draw components anew is another, and they
switch how a component counts by its norm; ours draws the smallest anew, and has no switch.
docs/theory/tensors.md.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fewfire.errors import DataError
from fewfire.lab.symmetric_tensor import Floats, SymmetricTensor, power
from fewfire.system.words import require_counts, require_one_of

SIGNS = ("positive", "random")
ALIKE, NOTHING = 0.99, 0.01  # cosine from which two components are one; of the largest: less is none
STALLED, WINDOW = 1e-6, 200  # relative gain over so many steps below which descent ends
STEP = 0.8  # over the curvature: the rate "auto"


@dataclass(frozen=True, eq=False)
class Overlaps:
    """What loss and gradient are made of: norms (m,), unit vectors (m, d), signed sizes (m,), products."""

    norms: Floats
    units: Floats
    sizes: Floats
    own: Floats  # sum_j s_j <v_i, v_j>^(l-1) v_j, (m, d)
    target: Floats  # T v_i^(l-1), (m, d)

    @classmethod
    def of(cls, components: Floats, signs: Floats, tensor: SymmetricTensor) -> "Overlaps":
        norms = np.maximum(np.linalg.norm(components, axis=1), np.finfo(float).tiny)
        units = components / norms[:, None]
        sizes = signs * norms**2
        own = (power(units @ units.T, tensor.order - 1) * sizes) @ units
        return cls(norms, units, sizes, own, tensor.contracted(units))


def loss_and_gradient(
    components: Floats, signs: Floats, tensor: SymmetricTensor, penalty: float = 0.0
) -> tuple[float, Floats]:
    """1/2 |model - T|^2 + penalty sum_i |u_i|^2 of components u (m, d), and its derivative by them.

    With g_i = <model - T, v_i^l> and D_i = l (model - T) v_i^(l-1):  a_i |u_i| (D_i - (l - 2) g_i v_i).
    """
    at, order = Overlaps.of(components, signs, tensor), tensor.order
    missed = at.own - at.target
    along = np.einsum("id,id->i", missed, at.units)
    products = np.einsum("id,id->i", at.own - 2 * at.target, at.units)
    loss = (at.sizes @ products + tensor.squared_norm) / 2 + penalty * np.sum(components**2)
    pull = order * missed - (order - 2) * along[:, None] * at.units
    return float(loss), (signs * at.norms)[:, None] * pull + 2 * penalty * components


@dataclass(eq=False)
class OverparameterizedCP:
    """Gradient descent from small random components, in units in which the tensor's norm is 1.

    Parameters
    ----------
    n_components : int
        m; three times the rank, or as many as the rank with `reinit_every`.
    start : float > 0
        The norm of each component at the start: small, they align with the tensor's; at 1 and with many of
        random signs, training is lazy.
    rate : float > 0, or "auto"
        Of a step; by default as far as the curvature allows.
    steps : int
        At most.
    reinit_every : int, optional
        After so many steps, again and again, the smallest component is drawn anew at the size of the start.
    signs : "positive" or "random"
        a_i. At an odd order u and -u differ in sign, so that positive ones are enough.
    penalty : float >= 0
        On the squares of the components.
    tolerance : float > 0
        Of |model - T|^2 over |T|^2, at which descent ends.
    random_state : int

    Attributes
    ----------
    components_, weights_ : (rank_, d), (rank_,)
        Unit vectors and what they count, the largest first: components of a cosine above 0.99 and one sign
        are added up, and those below 1 % of the largest are left out.
    rank_ : int
    loss_ : float
        The least |model - T|^2 over |T|^2 that was seen.
    loss_curve_ : (steps + 1,)
    norms_curve_ : (steps + 1, m)
    vectors_, start_, signs_ : (m, d), (m, d), (m,)
        All u_i as they ended and began, in units of the square root of |T|, and a_i.
    moved_ : float
        |U - U_0| / |U_0|.
    turned_ : float
        1 - the mean cosine of a component with its start, each as heavy as it ended.

    Examples
    --------
    >>> tensor = SymmetricTensor.from_factors(np.eye(6)[:3], [1.0, 0.9, 0.8], order=4)
    >>> model = OverparameterizedCP(n_components=9).fit(tensor)
    >>> model.rank_, model.weights_.round(2).tolist()
    (3, [1.0, 0.9, 0.8])
    """

    n_components: int
    start: float = 0.1
    rate: float | str = "auto"
    steps: int = 2500
    reinit_every: int | None = None
    signs: str = "positive"
    penalty: float = 0.0
    tolerance: float = 1e-6
    random_state: int = 0

    def fit(self, tensor: SymmetricTensor, start: Floats | None = None) -> "OverparameterizedCP":
        """Descend, from given components (m, d) or random ones.

        Raises
        ------
        ValueError
            A setting is none that the argument takes.
        DataError
            The tensor is 0, or has a negative weight that positive signs cannot fit at an even order.
        """
        self._require(tensor, start)
        size = tensor.squared_norm**0.5
        target = SymmetricTensor(
            tensor.order, tensor.vectors, tensor.weights / size,
            None if tensor.array is None else tensor.array / size,
        )  # fmt: skip
        random = np.random.default_rng(self.random_state)
        drawn = self.start * _units(random, self.n_components, tensor.n_features)
        self.start_ = drawn if start is None else np.array(start, np.float64)
        self.signs_ = np.ones(self.n_components)
        if self.signs == "random":
            self.signs_ = random.choice([-1.0, 1.0], self.n_components)
        self._descend(target, random)
        at = Overlaps.of(self.vectors_, self.signs_, target)
        self.components_, self.weights_ = merged(at.units, size * at.sizes, tensor.order)
        self.rank_ = len(self.weights_)
        first = np.linalg.norm(self.start_, axis=1)
        cosines = np.einsum("id,id->i", at.units, self.start_) / np.maximum(first, np.finfo(float).tiny)
        self.turned_ = float(1 - np.average(cosines, weights=at.norms**2))
        self.moved_ = float(np.linalg.norm(self.vectors_ - self.start_) / np.linalg.norm(self.start_))
        return self

    def success(self, tensor: SymmetricTensor, seeds: int = 20) -> float:
        """The share of so many starts, from `random_state` on, that reach the tolerance."""
        starts = range(self.random_state, self.random_state + seeds)
        fits = [replace(self, random_state=seed).fit(tensor) for seed in starts]
        return sum(fit.loss_ <= self.tolerance for fit in fits) / seeds

    def _descend(self, target: SymmetricTensor, random: np.random.Generator) -> None:
        vectors, least = self.start_, np.inf
        rate = _safe_rate(vectors, target.order) if self.rate == "auto" else float(self.rate)
        losses: list[float] = []
        norms: list[Floats] = []
        for step in range(self.steps + 1):
            loss, gradient = loss_and_gradient(vectors, self.signs_, target, self.penalty)
            losses.append(2 * (loss - self.penalty * float(np.sum(vectors**2))))
            norms.append(np.linalg.norm(vectors, axis=1))
            if losses[-1] < least:
                least, self.vectors_ = losses[-1], vectors
            if step == self.steps or least <= self.tolerance or self._is_stalled(losses):
                break
            vectors = vectors - rate * gradient
            if self.reinit_every and (step + 1) % self.reinit_every == 0:
                smallest = int(np.argmin(np.linalg.norm(vectors, axis=1)))
                vectors[smallest] = self.start * _units(random, 1, target.n_features)[0]
        if not np.isfinite(least):
            raise DataError(
                f"descent must begin at a finite loss. Got {losses[0]} with start={self.start:g}. "
                "Use a smaller start, such as 0.1."
            )
        self.loss_, self.loss_curve_, self.norms_curve_ = max(least, 0.0), np.array(losses), np.array(norms)

    def _is_stalled(self, losses: list[float]) -> bool:
        """Never where components are drawn anew, which is what helps then."""
        if self.reinit_every or len(losses) <= WINDOW:
            return False
        return losses[-WINDOW - 1] - losses[-1] < STALLED * losses[-1]

    def _require(self, tensor: SymmetricTensor, start: Floats | None) -> None:
        require_counts(n_components=self.n_components, steps=self.steps)
        if self.reinit_every is not None:
            require_counts(reinit_every=self.reinit_every)
        require_one_of(self.signs, SIGNS, "signs")
        numbers: dict[str, Any] = {"start": self.start, "tolerance": self.tolerance}
        if self.rate != "auto":
            numbers["rate"] = self.rate
        for name, value in numbers.items():
            if not 0 < value < np.inf:
                raise ValueError(
                    f"{name} must be a finite number > 0. Got {value!r}. Leave it out if in doubt."
                )
        if not 0 <= self.penalty < np.inf:
            raise ValueError(f"penalty must be a finite number >= 0. Got {self.penalty!r}. Use 0.")
        shape = self.n_components, tensor.n_features
        if start is not None and not (
            np.shape(start) == shape and np.isfinite(start).all() and np.any(start)
        ):
            raise ValueError(
                f"start must be finite components {shape}, not all 0. Got shape {np.shape(start)}. "
                "Leave it out for random ones."
            )
        if tensor.squared_norm <= 0:
            raise DataError("a tensor to decompose must not be 0. Got zeros. Give another.")
        fits_positive = self.signs == "positive" and tensor.order % 2 == 0
        if tensor.array is None and fits_positive and tensor.weights.min() < 0:
            raise DataError(
                "even order with positive signs fits only tensors with positive weights. Got a target with a "
                "negative one. Use signs='random'."
            )


def merged(units: Floats, sizes: Floats, order: int) -> tuple[Floats, Floats]:
    """Unit vectors and weights, the largest first: those that are alike are added up, small ones go."""
    if order % 2:  # a v^l = (a v)^l for a sign a
        units, sizes = np.sign(sizes)[:, None] * units, np.abs(sizes)
    vectors: list[Floats] = []
    weights: list[float] = []
    left = np.argsort(-np.abs(sizes), kind="stable")
    while len(left):
        leader = left[0]
        cosines = units[left] @ units[leader]
        cosines = np.abs(cosines) if order % 2 == 0 else cosines
        alike = (cosines > ALIKE) & (np.sign(sizes[left]) == np.sign(sizes[leader]))
        alike[0] = True
        group, left = left[alike], left[~alike]
        turned = np.where(units[group] @ units[leader] < 0, -1.0, 1.0)
        mean = (turned * np.abs(sizes[group])) @ units[group]
        vectors.append(mean / (np.linalg.norm(mean) or 1.0))
        weights.append(float(sizes[group].sum()))
    order_of = np.argsort(-np.abs(weights), kind="stable")
    kept = [place for place in order_of if abs(weights[place]) >= NOTHING * np.max(np.abs(weights))]
    return np.array(vectors)[kept], np.array(weights)[kept]


def _units(random: np.random.Generator, count: int, features: int) -> Floats:
    rows = random.standard_normal((count, features))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _safe_rate(components: Floats, order: int) -> float:
    """STEP over the curvature: 4 of a component that is the tensor, and that of all at the start."""
    norms = np.maximum(np.linalg.norm(components, axis=1), np.finfo(float).tiny)
    units = components / norms[:, None]
    together = norms[:, None] * power(units @ units.T, order) * norms
    return STEP / (4 + 4 * float(np.linalg.eigvalsh(together)[-1]))

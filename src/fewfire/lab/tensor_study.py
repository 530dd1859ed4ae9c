"""How many components, whether to draw them anew, and when training is lazy: by many decompositions."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from io import StringIO
from typing import Any

import numpy as np

from fewfire.lab.overparameterized_cp import ALIKE, OverparameterizedCP
from fewfire.lab.regimes import TensorRegime, regime
from fewfire.lab.symmetric_tensor import SymmetricTensor
from fewfire.system.words import require_counts

Fit = tuple[OverparameterizedCP, TensorRegime]
REINIT, LONGER = 600, 6000  # steps between components drawn anew, and how many there may be then
REACHED, FAR = 1e-3, 1e-5  # relative losses: a success, and where components are looked at
WIDE = 200  # components of the comparison of regimes


@dataclass(frozen=True)
class TensorRow:
    """Some starts from one size with so many components.

    Attributes
    ----------
    n_components : int
    start : float
    reinit_every : int or None
    successes : int
        Starts that reached a relative loss of 0.001.
    starts : int
    median_steps : float
    aligned : int
        Starts after which each factor had a component with a cosine above 0.99, once the loss was 1e-5 or all
        steps were taken.
    """

    n_components: int
    start: float
    reinit_every: int | None
    successes: int
    starts: int
    median_steps: float
    aligned: int


@dataclass(frozen=True, eq=False)
class TensorStudy:
    """What was found.

    Attributes
    ----------
    order, dim, rank : int
        Of the tensor: orthogonal factors as far as there are dimensions, else random ones; weights 1 to 0.6.
    rows : tuple of TensorRow
    small, large : tuple of TensorRegime
        One per seed: of positive components that begin small, and of 200 of random signs that begin at 1.
    examples : tuple of OverparameterizedCP
        Of the first seed: small and large.
    """

    order: int
    dim: int
    rank: int
    rows: tuple[TensorRow, ...]
    small: tuple[TensorRegime, ...]
    large: tuple[TensorRegime, ...]
    examples: tuple[OverparameterizedCP, ...]

    @property
    def advice(self) -> str:
        """What to begin with, from the rows."""
        plain = next((row for row in self.rows if row.successes < row.starts and not row.reinit_every), None)
        if plain is None:
            return f"All starts reached the tolerance: {self.rows[0].n_components} components are enough."
        return (
            f"{plain.n_components} components reached the tolerance in {plain.successes} of {plain.starts} "
            f"starts. Use n_components={3 * self.rank}, or reinit_every={REINIT}."
        )

    @property
    def regimes(self) -> dict[str, dict[str, float]]:
        """Least and largest turn, and mean share of aligned components, of small and large starts."""
        return {
            name: {
                "turned_least": min(one.turned for one in found),
                "turned_most": max(one.turned for one in found),
                "moved": float(np.mean([one.moved for one in found])),
                "aligned": float(np.mean([one.aligned for one in found])),
            }
            for name, found in (("small start", self.small), ("large start", self.large))
        }

    def table(self) -> str:
        """The rows as CSV."""
        text = StringIO()
        writer = csv.DictWriter(text, list(asdict(self.rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        return text.getvalue()

    def as_dict(self) -> dict[str, Any]:
        """All figures by name."""
        return {
            "order": self.order,
            "dim": self.dim,
            "rank": self.rank,
            "rows": [asdict(row) for row in self.rows],
            "regimes": self.regimes,
            "advice": self.advice,
        }


def study_tensors(
    *,
    order: int = 4,
    dim: int = 10,
    rank: int = 5,
    components: Sequence[int] = (5, 10, 15),
    starts: Sequence[float] = (0.1, 1.0),
    seeds: int = 20,
    progress: Callable[[float], None] = lambda _: None,
) -> TensorStudy:
    """Decompose tensors of one kind many times.

    Parameters
    ----------
    order, dim, rank : int
        Of the tensors.
    components : sequence of int
        How many the models have.
    starts : sequence of float
        The sizes that the components begin at; from the first also with the smallest drawn anew every 600
        steps.
    seeds : int
        Tensors and starts of each.
    progress : callable
        Called with the share that is done.

    Raises
    ------
    ValueError
        A number is none that the argument takes.
    """
    require_counts(dim=dim, rank=rank, seeds=seeds, components=min(components, default=0))
    tensors = [random_tensor(order, dim, rank, seed) for seed in range(seeds)]
    models = [OverparameterizedCP(m, start=size) for size in starts for m in components]
    models += [OverparameterizedCP(m, start=starts[0], reinit_every=REINIT, steps=LONGER) for m in components]
    models += [OverparameterizedCP(3 * rank), OverparameterizedCP(WIDE, start=1.0, signs="random")]
    found = []
    for model in models:
        found.append([_fitted(model, tensor, seed) for seed, tensor in enumerate(tensors)])
        progress(len(found) / len(models))
    rows = [_row(fits) for fits in found[:-2]]
    small, large = (tuple(seen for _, seen in fits) for fits in found[-2:])
    return TensorStudy(order, dim, rank, tuple(rows), small, large, tuple(fits[0][0] for fits in found[-2:]))


def random_tensor(order: int, dim: int, rank: int, seed: int) -> SymmetricTensor:
    """Orthogonal factors, or random ones where they are more than the dimensions; weights 1 to 0.6."""
    rows = np.random.default_rng([seed, 1]).standard_normal((rank, dim))
    vectors = np.linalg.qr(rows.T)[0].T if rank <= dim else rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return SymmetricTensor.from_factors(vectors, np.linspace(1, 0.6, rank), order=order)


def _fitted(model: OverparameterizedCP, tensor: SymmetricTensor, seed: int) -> Fit:
    fitted = replace(model, random_state=seed, tolerance=FAR).fit(tensor)
    return fitted, regime(fitted, tensor)


def _row(fits: Sequence[Fit]) -> TensorRow:
    model = fits[0][0]
    reached = [np.flatnonzero(fitted.loss_curve_ <= REACHED)[:1] for fitted, _ in fits]
    steps = [places[0] if len(places) else model.steps for places in reached]
    return TensorRow(
        model.n_components, model.start, model.reinit_every, sum(map(len, reached)), len(fits),
        float(np.median(steps)), sum(seen.worst > ALIKE for _, seen in fits),
    )  # fmt: skip

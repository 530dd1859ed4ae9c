"""How many samples a target of one direction takes: for the kernel, and for heads on representations.

The question of arXiv 2006.13436 as an experiment: a Hermite polynomial of one direction, He_k(<beta, x>) on
the sphere of radius sqrt d, learned by the tangent kernel and by a quadratic head on rows as they are, on
features of degree two, and on random indicators, plain and whitened. docs/theory/hierarchical.md has what we
found.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from math import factorial, sqrt
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.models.feature_maps import MOST_FEATURES, RandomIndicators, degree_two
from fewfire.models.low_rank import LowRankQuadratic, fit_low_rank
from fewfire.models.whitening import ROWS_PER_FEATURE, Whitening
from fewfire.system.machine import one_blas_thread
from fewfire.system.words import require_counts
from fewfire.tangent import Layers
from fewfire.tangent.leave_one_out import leave_one_out

Floats = NDArray[np.float64]
Map = Callable[[Floats], Floats]
KERNEL, HEAD, ON_DEGREE_TWO, ON_INDICATORS, ON_WHITENED = WAYS = (
    "kernel", "head", "head on degree2", "head on indicators", "head on whitened indicators"
)  # fmt: skip
RIDGES = 10.0 ** np.arange(-6, 1.01, 0.5)
TESTED, COMPONENTS, REACHED = 1000, 2, 0.1
HIGHEST_DEGREE, DIMENSIONS = 100, 199  # of which the products of two are within MOST_FEATURES


@dataclass(frozen=True)
class SamplePoint:
    """One way with so many samples.

    Attributes
    ----------
    way : str
    samples, features : int
    error : float
        Mean squared error on new samples over the variance, a mean over seeds.
    rank : float or None
        Of the head, a mean over seeds.
    seconds : float
        For one seed.
    """

    way: str
    samples: int
    features: int
    error: float
    rank: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class HierarchicalStudy:
    """Errors over samples, by way.

    Attributes
    ----------
    degree, dim : int
    points : tuple of SamplePoint
    singular_values : dict of arrays
        Of each head with the most samples of the first seed, by way.
    spectra : dict of (before, after)
        Eigenvalues of the second moments of the indicators before whitening and after.
    """

    degree: int
    dim: int
    points: tuple[SamplePoint, ...]
    singular_values: dict[str, Floats]
    spectra: tuple[Floats, Floats]

    @property
    def reached(self) -> dict[str, int | None]:
        """The fewest samples with an error below 0.1, by way; None where none was."""
        found: dict[str, int | None] = dict.fromkeys(dict.fromkeys(point.way for point in self.points))
        for point in sorted(self.points, key=lambda one: -one.samples):
            if point.error < REACHED:
                found[point.way] = point.samples
        return found

    def table(self) -> str:
        """The points as CSV."""
        text = StringIO()
        writer = csv.DictWriter(text, list(asdict(self.points[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(point) for point in self.points)
        return text.getvalue()

    def as_dict(self) -> dict[str, Any]:
        """All figures by name."""
        return {
            "degree": self.degree,
            "dim": self.dim,
            "points": [asdict(point) for point in self.points],
            "reached": self.reached,
            "singular_values": {way: values.tolist() for way, values in self.singular_values.items()},
        }


def study_hierarchical(
    *,
    degree: int = 4,
    dim: int = 12,
    samples: Sequence[int] = (100, 200, 400, 800, 1600),
    indicators: int | None = None,
    seeds: int = 2,
    progress: Callable[[float], None] = lambda _: None,
) -> HierarchicalStudy:
    """Learn a Hermite polynomial of one direction from more and more samples, in five ways.

    Parameters
    ----------
    degree, dim : int
        Of the polynomial, and of the sphere.
    samples : sequence of int
    indicators : int, optional
        Random ones; by default 2 dim^2, of which four times as many further rows teach the second moment.
    seeds : int
    progress : callable
        Called with the share that is done.

    Raises
    ------
    ValueError
        A number is none that the argument takes, above all too large: there may be 20,000 indicators and
        features of degree two.

    Notes
    -----
    Cost: an eigenvalue problem of the samples for the kernel, and some hundred steps for each head.
    """
    require_counts(degree=degree, dim=dim, seeds=seeds, samples=min(samples, default=0))
    count = 2 * dim * dim if indicators is None else indicators
    require_counts(indicators=count)
    limits = {
        "degree": (degree, HIGHEST_DEGREE),
        "dim": (dim, DIMENSIONS),
        "indicators": (count, MOST_FEATURES),
    }
    for name, (given, most) in limits.items():
        if given > most:
            raise ValueError(f"{name} must be at most {most:,}. Got {given:,}. Use fewer.")
    errors: dict[tuple[str, int], list[tuple[float, LowRankQuadratic | None, float]]] = {}
    done, features, spectra = 0, dict[str, int](), (np.zeros(0), np.zeros(0))
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        direction = _sphere(1, dim, random)[0] / sqrt(dim)
        rows, new = _sphere(max(samples), dim, random), _sphere(TESTED, dim, random)
        targets, new_targets = (hermite(degree, some @ direction) for some in (rows, new))
        indicator = RandomIndicators.draw(count, dim, random)
        white = Whitening.fit(indicator.transform(_sphere(ROWS_PER_FEATURE * count, dim, random)), 1.0)
        centred = Whitening(white.mean, white.directions, white.eigenvalues, 0.0)
        spectra = white.spectrum if seed == 0 else spectra
        maps: dict[str, Map] = {
            KERNEL: lambda some: some,
            HEAD: lambda some: some,
            ON_DEGREE_TWO: degree_two,
            ON_INDICATORS: lambda some: centred.transform(indicator.transform(some)),  # noqa: B023
            ON_WHITENED: lambda some: white.transform(indicator.transform(some)),  # noqa: B023
        }
        for way in WAYS:
            h, new_h = maps[way](rows), maps[way](new)
            features[way] = h.shape[1]
            for n in samples:
                begin = perf_counter()
                learn = _kernel if way == KERNEL else _head
                outputs, head = learn(h[:n], targets[:n], new_h, seed)
                error = float(np.mean(np.square(outputs - new_targets)) / np.var(new_targets))
                errors.setdefault((way, n), []).append((error, head, perf_counter() - begin))
                done += 1
                progress(done / (seeds * len(WAYS) * len(samples)))
    points = tuple(
        SamplePoint(
            way, n, features[way], float(np.mean([error for error, _, _ in found])),
            None if way == KERNEL else float(np.mean([head.rank for _, head, _ in found if head])),
            float(np.mean([seconds for _, _, seconds in found])),
        )
        for (way, n), found in errors.items()
    )  # fmt: skip
    heads = {way: errors[way, max(samples)][0][1] for way in WAYS[1:]}
    values = {way: np.abs(head.spectrum[0]) for way, head in heads.items() if head}
    return HierarchicalStudy(degree, dim, points, values, spectra)


def hermite(degree: int, along: Floats) -> Floats:
    """He_k / sqrt(k!): of a standard normal it has variance 1, and no correlation with others."""
    return np.polynomial.hermite_e.hermeval(along, np.eye(degree + 1)[degree]) / sqrt(factorial(degree))


def _sphere(count: int, dim: int, random: np.random.Generator) -> Floats:
    """Rows of norm sqrt d."""
    rows = random.standard_normal((count, dim))
    return rows * (sqrt(dim) / np.linalg.norm(rows, axis=1, keepdims=True))


def _kernel(rows: Floats, targets: Floats, new: Floats, seed: int) -> tuple[Floats, None]:
    """Ridge regression with the tangent kernel of both layers."""
    from scipy.linalg import cho_factor, cho_solve

    layers, mean, dim = Layers(1, 0.0, trained="all"), targets.mean(), rows.shape[1]
    kernel, centred = layers.kernel(rows @ rows.T / dim), (targets - mean)[:, None]
    ridge = float(RIDGES[leave_one_out(kernel, centred, RIDGES).argmin()])
    kernel.flat[:: len(kernel) + 1] += ridge
    with one_blas_thread():
        dual = cho_solve(cho_factor(kernel, overwrite_a=True, check_finite=False), centred)
    return (layers.kernel(new @ rows.T / dim) @ dual)[:, 0] + mean, None


def _head(rows: Floats, targets: Floats, new: Floats, seed: int) -> tuple[Floats, LowRankQuadratic]:
    head, _ = fit_low_rank(rows, targets, n_components=COMPONENTS, seed=seed)
    return head.outputs(new), head

"""What a quantum linear solver would have to pay on a data set: post-selection, readout, condition number.

The kernel is that of a deep erf network, of unit-norm rows whose products are divided by the number of
features, at a tenth of the depth at which it converges. Quantum training prepares the state of the kernel of
a test sample with the training set (post-selection), applies the inverse of a sparse part of the kernel, and
reads one number out. docs/theory/kernels.md says what is assumed, and what its numbers do not say.

Source of the algorithm: arXiv 2107.09200. What is counted follows its authors' code; nothing is simulated.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import asin, log, pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.errors import DataError
from fewfire.tangent import Layers
from fewfire.tangent.conjugate_gradients import conjugate_gradients

Floats = NDArray[np.float64]
SIZES = (16, 64, 256)
OF_CONVERGED, NEARLY_ONE = (
    0.1,
    1 - 1e-5,
)  # the share of the depth, and of the diagonal, as their code has them
NEIGHBOURS, TOLERANCE, MOST = 5, 1e-3, 1000
MOST_LAYERS = 4000
ASSUMES = (
    "It assumes a quantum memory that loads samples in superposition, an oracle for the sparse kernel, and "
    "no errors, and counts no gate. At this depth the kernel is nearly a multiple of the identity: that its "
    "exact, sparse and diagonal versions classify alike then says nothing for the sparse solver, since the "
    "diagonal one is a vote of the neighbours that needs no solver at all."
)


@dataclass(frozen=True)
class QuantumCost:
    """Counts at one number of training samples; medians over the test samples.

    Attributes
    ----------
    samples, depth : int
    exact, sparse, diagonal : accuracy with the whole kernel, its sparse part, and its diagonal
    condition : of the exact kernel
    post_selection : preparations until one succeeds, as the authors' code counts
    post_selection_alone : the same where no other test sample is known, which that count normalizes by
    readout : repetitions to read a sign, 1 / o^2 - 1
    longest_row : entries in a row of the sparse part
    agree_from : the smallest depth, by powers of 2, from which exact and diagonal classify all alike; or None
    nystrom : accuracy of a Nystrom approximation with as many entries as the sparse part
    iterations : of conjugate gradients with the exact kernel, to a thousandth
    neighbours : accuracy of a vote of five neighbours
    """

    samples: int
    depth: int
    exact: float
    sparse: float
    diagonal: float
    condition: float
    post_selection: float
    post_selection_alone: float
    readout: float
    longest_row: int
    agree_from: int | None
    nystrom: float
    iterations: int
    neighbours: float

    def as_dict(self) -> dict[str, float | int | None]:
        return asdict(self)


def quantum_costs(
    inputs: ArrayLike,
    labels: ArrayLike,
    test_inputs: ArrayLike,
    test_labels: ArrayLike,
    *,
    sizes: Sequence[int] = SIZES,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> list[QuantumCost]:
    """Counts for growing training sets of two classes.

    Parameters
    ----------
    inputs, test_inputs : (n, d), (k, d) arrays
    labels, test_labels : (n,), (k,)
        -1 and 1.
    sizes : sequence of int
        Training samples; those beyond n are left out.
    seed : int
        Draws the samples and the sparse pattern.
    progress : callable, optional

    Raises
    ------
    DataError
        Labels are not -1 and 1, only one of them is there, or rows are 0.

    Notes
    -----
    Cost: per size and layer n (n + k) arcsines, some hundred layers; one solution of n^3.
    """
    rows, tests = _units(inputs), _units(test_inputs)
    y, expected = np.asarray(labels, np.float64), np.asarray(test_labels, np.float64)
    if set(np.unique(y)) != {-1.0, 1.0} or not set(np.unique(expected)) <= {-1.0, 1.0}:
        raise DataError(
            "quantum costs must be of two classes, labelled -1 and 1. Got other labels, or one class. Give "
            "two."
        )
    order, found = np.random.default_rng(seed).permutation(len(rows)), []
    sizes = [size for size in sizes if size <= len(rows)]
    for number, size in enumerate(sizes):
        ids = order[:size]
        found.append(_cost(rows[ids], y[ids], tests, expected, np.random.default_rng(seed)))
        if progress is not None:
            progress((number + 1) / len(sizes))
    return found


def _cost(
    rows: Floats, y: Floats, tests: Floats, expected: Floats, random: np.random.Generator
) -> QuantumCost:
    n, (products, cross) = len(rows), (rows @ rows.T, tests @ rows.T)
    apart = max(float((1 - np.abs(products[~np.eye(n, dtype=bool)])).min()), 1e-12)
    converged = 8 * log(n / apart) / Layers(activation="erf").nonlinearity
    depth = int(min(MOST_LAYERS, max(1, round(OF_CONVERGED * converged))))
    kernel, column = _erf_kernel(products, cross, rows.shape[1], depth)
    pattern = _pattern(n, y, random)
    dual = np.linalg.solve(kernel, y)
    size = float(kernel[0, 0])
    alone = np.clip(column / (size * NEARLY_ONE), -1, 1)
    together = alone / max(float(np.abs(alone).max()), 1e-300)
    overlap = column @ dual / (np.linalg.norm(column, axis=1) * np.linalg.norm(dual))

    def accuracy(outputs: Floats) -> float:
        return float(np.mean(np.where(outputs > 0, 1, -1) == expected))

    def preparations(states: Floats) -> float:
        return float(np.median(n / np.maximum(np.square(states).sum(axis=1), 1e-300)))

    values = np.linalg.eigvalsh(kernel)
    near = np.argsort(-cross, axis=1)[:, : min(NEIGHBOURS, n)]
    return QuantumCost(
        samples=n,
        depth=depth,
        exact=accuracy(column @ dual),
        sparse=accuracy(column @ np.linalg.lstsq(kernel * pattern, y, rcond=None)[0]),
        diagonal=accuracy(column @ y),
        condition=float(values[-1] / max(values[0], 1e-300)),
        post_selection=preparations(together),
        post_selection_alone=preparations(alone),
        readout=float(np.median(1 / np.maximum(np.square(overlap), 1e-300) - 1)),
        longest_row=int(pattern.sum(axis=1).max()),
        agree_from=_agree_from(products, cross, y, rows.shape[1], depth),
        nystrom=accuracy(_nystrom(kernel, column, y, max(1, int(pattern.sum()) // n), random)),
        iterations=conjugate_gradients(lambda v: kernel @ v, lambda v: v, y, tolerance=TOLERANCE, most=MOST)[
            2
        ],
        neighbours=accuracy(y[near].sum(axis=1)),
    )


def _units(inputs: ArrayLike) -> Floats:
    rows = np.asarray(inputs, np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (norms > 0).all():
        raise DataError("rows must not be 0 to be of unit norm. Got one. Leave it out.")
    return rows / norms


def _erf_kernel(products: Floats, cross: Floats, n_features: int, depth: int) -> tuple[Floats, Floats]:
    """The tangent kernel of an erf network whose weights keep a variance of 1, from one of 1 / d on."""
    gain = 1 / (2 / pi * asin(2 / 3))
    variance = 1 / n_features
    pairs = [products * variance, cross * variance]
    tangents = [pair.copy() for pair in pairs]
    for _ in range(depth):
        slopes = [
            4 / pi / np.sqrt(np.maximum((1 + 2 * variance) ** 2 - 4 * pair**2, 1e-300)) for pair in pairs
        ]
        pairs = [gain * 2 / pi * np.arcsin(np.clip(2 * pair / (1 + 2 * variance), -1, 1)) for pair in pairs]
        variance = gain * 2 / pi * asin(2 * variance / (1 + 2 * variance))
        tangents = [
            pair + gain * tangent * slope
            for pair, tangent, slope in zip(pairs, tangents, slopes, strict=True)
        ]
    return tangents[0], tangents[1]


def _pattern(n: int, y: Floats, random: np.random.Generator) -> Floats:
    """Where the sparse part has entries: some per row by chance, within a class, and the diagonal."""
    pattern = np.zeros((n, n))
    for row in range(n):
        count = random.binomial(n, min(1.0, 2 * log(n) / n))
        pattern[row, random.choice(n, count, replace=False)] = 1
    pattern = np.tril(pattern, -1)
    pattern = (pattern + pattern.T) * (y[:, None] == y)
    return pattern + np.eye(n)


def _agree_from(products: Floats, cross: Floats, y: Floats, n_features: int, deepest: int) -> int | None:
    depth = 1
    while depth <= deepest:
        kernel, column = _erf_kernel(products, cross, n_features, depth)
        if np.array_equal(column @ np.linalg.solve(kernel, y) > 0, column @ y > 0):
            return depth
        depth *= 2
    return None


def _nystrom(kernel: Floats, column: Floats, y: Floats, count: int, random: np.random.Generator) -> Floats:
    """Outputs of a regression through some of the samples, with as many entries as the sparse kernel."""
    centres = random.choice(len(y), min(count, len(y)), replace=False)
    weights = np.linalg.lstsq(kernel[:, centres], y, rcond=None)[0]
    return column[:, centres] @ weights

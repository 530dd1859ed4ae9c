"""What products with a symmetric matrix say of its eigenvalues: their ends, and sums over all of them.

Sources: Lanczos, Journal of Research of the National Bureau of Standards 1950, with every direction made
orthogonal to all before it; Golub and Meurant, *Matrices, Moments and Quadrature*, 2010, from random signs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LOOK_EVERY = 10  # products
PROBES, STEPS = 10, 30


@dataclass(frozen=True)
class Ends:
    """The largest and the smallest eigenvalue.

    Attributes
    ----------
    largest, smallest : float
        The smallest is at most this where it is not `converged`.
    products : int
    converged : bool
        Whether both are within the tolerance, the largest of itself and the smallest of itself.
    """

    largest: float
    smallest: float
    products: int
    converged: bool


@dataclass(frozen=True)
class Estimate:
    """A mean over random probes, with its standard error."""

    value: float
    standard_error: float


class Lanczos:
    """Products with a symmetric matrix from a first vector on: an orthonormal basis, and T in it.

    Parameters
    ----------
    times : v -> A v, of vectors (n,)
    start : (n,)

    Attributes
    ----------
    diagonal, off : lists of float
        Of the tridiagonal T; the last of `off` leads out of what was looked at.
    """

    def __init__(self, times: Callable[[Floats], Floats], start: Floats) -> None:
        self._times = times
        self._basis = [start / np.linalg.norm(start)]
        self.diagonal: list[float] = []
        self.off: list[float] = []

    @property
    def exhausted(self) -> bool:
        """Whether the space that the first vector reaches is all there."""
        return len(self.diagonal) == len(self._basis)

    def step(self) -> None:
        """One product more."""
        vector = self._basis[-1]
        image = self._times(vector)
        size = float(np.linalg.norm(image))
        self.diagonal.append(float(vector @ image))
        basis = np.array(self._basis)
        for _ in range(2):  # the second time what rounding has left of the first
            image = image - basis.T @ (basis @ image)
        length = float(np.linalg.norm(image))
        self.off.append(length)
        if length > 1e-12 * max(size, abs(self.diagonal[0])) and len(self._basis) < len(vector):
            self._basis.append(image / length)

    def eigenvalues(self) -> tuple[Floats, Floats, Floats]:
        """(values ascending, first and last entries of the eigenvectors) of T."""
        from scipy.linalg import eigh_tridiagonal

        values, vectors = eigh_tridiagonal(np.array(self.diagonal), np.array(self.off[:-1]))
        return values, vectors[0], vectors[-1]


def ends(
    times: Callable[[Floats], Floats],
    n: int,
    *,
    tolerance: float = 1e-2,
    max_products: int = 400,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Ends:
    """Both ends of the spectrum of a symmetric matrix.

    Parameters
    ----------
    times : v -> A v, of vectors (n,)
    n : int
    tolerance : float
        Ends once both are so near, relative to each.
    max_products : int
        Or after so many.
    progress : callable, optional
        Called with the share of the products that is done.

    Notes
    -----
    Memory: 8 n bytes per product.
    """
    lanczos = Lanczos(times, np.random.default_rng(seed).standard_normal(n))
    largest = smallest = 0.0
    for done in range(1, max_products + 1):
        lanczos.step()
        if progress is not None:
            progress(done / max_products)
        if done % LOOK_EVERY and not lanczos.exhausted and done < max_products:
            continue
        values, _, last = lanczos.eigenvalues()
        residuals = 0.0 if lanczos.exhausted else lanczos.off[-1] * np.abs(last[[0, -1]])
        smallest, largest = float(values[0]), float(values[-1])
        floor = np.finfo(np.float32).eps * abs(largest)  # products in float32 know no smaller ones
        near = residuals <= tolerance * np.maximum(np.abs([smallest, largest]), floor)
        if np.all(near):
            return Ends(largest, smallest, done, True)
    return Ends(largest, smallest, max_products, False)


def quadrature(
    times: Callable[[Floats], Floats],
    n: int,
    functions: dict[str, Callable[[Floats], Floats]],
    *,
    probes: int = PROBES,
    steps: int = STEPS,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Estimate]:
    """The sum of each function over all eigenvalues, tr f(A), with its standard error.

    Parameters
    ----------
    times : v -> A v, of vectors (n,)
    n : int
    functions : by name, of eigenvalues
        ln(x + ridge) for the logarithm of a determinant, x / (x + ridge) for the effective dimension.
    probes, steps : int
        Random vectors, and products with each.

    Notes
    -----
    The error is that of the probes; it falls as the root of their number.
    """
    random = np.random.default_rng(seed)
    found = {name: [] for name in functions}
    for probe in range(probes):
        lanczos = Lanczos(times, random.choice([-1.0, 1.0], n))
        for done in range(min(steps, n)):
            if lanczos.exhausted and done:
                break
            lanczos.step()
            if progress is not None:
                progress((probe + (done + 1) / steps) / probes)
        values, first, _ = lanczos.eigenvalues()
        for name, function in functions.items():
            found[name].append(n * float(first**2 @ function(values)))
    return {
        name: Estimate(float(np.mean(sums)), float(np.std(sums, ddof=1) / np.sqrt(probes)))
        for name, sums in found.items()
    }

"""Whitening by a chosen strength: all directions of features may vary alike, or as they do.

    h~ = ((1 - s) tr(S)/D I + s S)^(-1/2) (h - mean),     S the second moment of h - mean,

so that s = 0 centres and brings features to a mean variance of 1, and s = 1 makes their second moment the
identity. Full whitening can destroy what generalizes (Wadia, Duckworth, Schoenholz, Dyer, Sohl-Dickstein,
ICML 2021), and of few rows S is not known: the strength is capped at n / (4 D).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.system.machine import one_blas_thread

Floats = NDArray[np.float64]
ROWS_PER_FEATURE = 4  # for full strength
SINGULAR = 1e-12  # of the largest eigenvalue: what is less is 0


@dataclass(frozen=True, eq=False)
class Whitening:
    """As fitted.

    Attributes
    ----------
    mean : (D,)
    directions : (r, D)
        Eigenvectors of S of eigenvalues other than 0.
    eigenvalues : (r,)
        Descending.
    strength : float
        As it was capped.
    """

    mean: Floats
    directions: Floats
    eigenvalues: Floats
    strength: float

    @classmethod
    def fit(cls, features: Floats, strength: float) -> "Whitening":
        """Of features (n, D). Cost: n D min(n, D) and the cube of the lesser."""
        count, size = features.shape
        mean = features.mean(axis=0)
        centred = features - mean
        with one_blas_thread():
            if count < size:
                values, vectors = np.linalg.eigh(centred @ centred.T / count)
            else:
                values, vectors = np.linalg.eigh(centred.T @ centred / count)
            values, vectors = values[::-1], vectors[:, ::-1]
            kept = values > SINGULAR * values[0]
            values, directions = values[kept], vectors.T[kept]
            if count < size:
                directions = directions @ centred / np.sqrt(count * values)[:, None]
        return cls(mean, directions, values, min(strength, capped_strength(count, size)))

    def transform(self, features: Floats) -> Floats:
        """Features (n, D), centred and whitened."""
        centred = features - self.mean
        along = (1 - self.strength) * self.eigenvalues.sum() / len(self.mean)
        elsewhere = along**-0.5 if along > 0 else 0.0  # at full strength, directions that never varied go
        within = (along + self.strength * self.eigenvalues) ** -0.5 - elsewhere
        return elsewhere * centred + (centred @ self.directions.T * within) @ self.directions

    @property
    def spectrum(self) -> tuple[Floats, Floats]:
        """Eigenvalues (r,) of the second moment before whitening and after."""
        along = (1 - self.strength) * self.eigenvalues.sum() / len(self.mean)
        return self.eigenvalues, self.eigenvalues / (along + self.strength * self.eigenvalues)

    @property
    def largest_share(self) -> float:
        """The largest eigenvalue over the sum of all, before whitening: 1 / D where none stands out."""
        return float(self.eigenvalues[0] / self.eigenvalues.sum()) if len(self.eigenvalues) else 0.0

    @property
    def effective_rank(self) -> float:
        """(sum of eigenvalues)^2 / sum of their squares, before whitening."""
        values = self.eigenvalues
        return float(values.sum() ** 2 / np.square(values).sum()) if len(values) else 0.0


def capped_strength(count: int, size: int) -> float:
    """The largest strength that so many rows of so many features can bear."""
    return min(1.0, count / (ROWS_PER_FEATURE * size))

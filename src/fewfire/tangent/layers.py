"""The kernel of any number of hidden layers in the limit of great width: one table over the angle.

For unit-norm samples a layer makes of a correlation K another, c f(K), with the average f of its activation
over two neurons and 1 / c = f(1): hidden vectors are of unit length, as those of deep networks are made. The
tangent kernel follows beside it,

    K <- c f(K),    H <- K + H c f'(K before),    H = K = <x, x'> at first,

without the last "K +" where output weights stay. All of it depends on the angle alone: whatever the depth,
the kernel of a pair is read from a table. docs/theory/kernels.md derives it.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import inf, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.system.words import require_counts, require_one_of
from fewfire.tangent.dual import ACTIVATIONS, HIGHEST, Activation
from fewfire.tangent.infinite import wide_kernel

Floats = NDArray[np.float64]
TRAINED = ("hidden", "all", "output")
CLOSE, CLOSE_ANGLES, ANGLES = 0.2, 2500, 1500  # where angles double from 1e-8 to, and how many on each side
DEEPEST, STEEP = 16, 1.5  # layers at a threshold beyond which nothing is left to interpolate
PRECISE = 64  # layers up to which the table keeps its digits at any threshold


@dataclass(frozen=True)
class Layers:
    """Hidden layers of great width, of unit-norm samples and hidden vectors.

    Parameters
    ----------
    depth : int, >= 1
    threshold : float from 0 to 7
    activation : "relu", "thresholded", "erf" or "linear"
        max(z - b, 0), z where it is above b, or one without a threshold.
    trained : "hidden", "all" or "output"
        Which weights train: those of hidden layers, as `fewfire.train` does unless asked; all; or those of
        the outputs alone, whose kernel is the covariance of the outputs (NNGP).

    Raises
    ------
    ValueError
        The depth is no whole number >= 1; a name is none of these; the threshold is out of its range,
        or goes with an activation that has none; or so many layers make a constant of the kernel.

    Examples
    --------
    >>> layers = Layers(depth=2, threshold=1.0)
    >>> layers.kernel([1.0, 0.5]).round(3).tolist(), round(layers.slope, 2)
    ([1.0, 0.082], 2.11)
    """

    depth: int = 1
    threshold: float = 0.0
    activation: str = "relu"
    trained: str = "hidden"

    def __post_init__(self) -> None:
        require_counts(depth=self.depth)
        require_one_of(self.activation, ACTIVATIONS, "the activation")
        require_one_of(self.trained, TRAINED, "trained")
        if not 0 <= self.threshold <= HIGHEST or (self.threshold and self.activation in ("erf", "linear")):
            raise ValueError(
                f"a threshold must be from 0 to {HIGHEST:g}, and that of a ReLU. Got threshold="
                f"{self.threshold} with activation={self.activation!r}. Leave it out, or give another."
            )
        if self.activation in ("relu", "thresholded") and (
            self.depth > PRECISE or (self.depth > DEEPEST and self.threshold > STEEP)
        ):
            steep = "" if self._activation.smooth is False else f" (slope {self.slope:.1f} per layer)"
            raise ValueError(
                f"a kernel of depth {self.depth} at threshold {self.threshold:g} is a constant to all "
                f"digits{steep}. Got depth={self.depth}. Use fewer layers, or a lower threshold."
            )

    @property
    def _activation(self) -> Activation:
        return ACTIVATIONS[self.activation]

    @property
    def _at_one(self) -> float:
        return float(self._activation.product(np.zeros(1), self.threshold)[0])

    def kernel(self, inner_products: ArrayLike) -> Floats:
        """The kernel of pairs of unit-norm samples, as a share of that of a sample with itself.

        Parameters
        ----------
        inner_products : array of any shape

        Notes
        -----
        Cost: one interpolation per pair. It is within 3e-6 for thresholds up to 1 and 16 layers, 3e-4 at 2.
        """
        if (self.depth, self.activation, self.trained) == (1, "relu", "hidden"):
            return wide_kernel(inner_products, self.threshold)
        angles, table = self._table
        at = np.arccos(np.clip(inner_products, -1, 1))
        return np.interp(at, angles, table)

    @property
    def size(self) -> float:
        """The kernel of a sample with itself, for output weights of 1 and -1 and the scale m^(-1/2)."""
        one = _recursion(self, np.zeros(1))
        return float(one[0]) * self._at_one

    @property
    def _table(self) -> tuple[Floats, Floats]:
        return _table_of(self)

    def correlation(self, correlations: ArrayLike) -> Floats:
        """What one layer makes of correlations."""
        angles = np.arccos(np.clip(correlations, -1, 1))
        return self._activation.product(angles, self.threshold) / self._at_one

    @property
    def slope(self) -> float:
        """What a layer multiplies 1 - r by for close samples: infinite where the activation jumps."""
        if not self._activation.smooth:
            return inf
        return float(self._activation.slope(np.zeros(1), self.threshold)[0]) / self._at_one

    @property
    def fixed_point(self) -> float:
        """The correlation that pairs come to after many layers."""
        r = np.array([0.99])
        for _ in range(10_000):
            before, r = r, self.correlation(r)
            if abs(r[0] - before[0]) < 1e-15:
                break
        return float(r[0])

    @property
    def nonlinearity(self) -> float:
        """1 - E[u f(u)]^2 / E[f(u)^2]: 0 for a linear layer."""
        return 1 - self._activation.linear(self.threshold) ** 2 / self._at_one

    def memory_depth(self, nearest: float) -> float:
        """Layers after which neighbours of this correlation look unrelated, at 1/2.

        ln(1/2 / (1 - r)) / ln slope, and infinite where layers do not drive neighbours apart.
        """
        if nearest >= 1 or self.slope <= 1 + 1e-12:
            return inf
        return max(0.0, log(0.5 / (1 - nearest)) / log(self.slope))


@lru_cache(maxsize=32)
def _table_of(layers: Layers) -> tuple[Floats, Floats]:
    close = np.geomspace(1e-8, CLOSE, CLOSE_ANGLES, endpoint=False)
    angles = np.concatenate([[0.0], close, np.linspace(CLOSE, np.pi, ANGLES)])
    kernel = _recursion(layers, angles)
    return angles, kernel / kernel[0]


def _recursion(layers: Layers, angles: Floats) -> Floats:
    """The tangent kernel for angles between unit-norm samples, with each layer's c."""
    activation, c = ACTIVATIONS[layers.activation], 1 / layers._at_one
    hidden = tangent = last = np.cos(angles)
    for _ in range(layers.depth):
        slope = c * activation.slope(angles, layers.threshold)
        hidden = np.clip(c * activation.product(angles, layers.threshold), -1, 1)
        angles = np.arccos(hidden)
        last, tangent = tangent * slope, hidden + tangent * slope
    return {"hidden": last, "all": tangent, "output": hidden}[layers.trained]

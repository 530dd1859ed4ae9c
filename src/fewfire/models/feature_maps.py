"""Fixed features of rows: of degree two, random indicators, and who fires in a layer that does not train."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import index_for_new_inputs
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.scaling import InputScaling

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
MOST_FEATURES = 20_000  # of degree two


def degree_two(rows: Floats) -> Floats:
    """x_i x_j for i < j, then (x_i^2 - 1) / sqrt 2, of rows (n, d): (n, d (d + 1) / 2).

    Of standard normal x they have mean 0, variance 1 and no correlation.

    Raises
    ------
    ValueError
        They would be more than 20,000.
    """
    d = rows.shape[1]
    if d * (d + 1) // 2 > MOST_FEATURES:
        raise ValueError(
            f"degree-two features of {d:,} columns would be {d * (d + 1) // 2:,}. Got a limit of "
            f"{MOST_FEATURES:,}. Use Representation('fire', n_features=4096), or choose columns."
        )
    first, second = np.triu_indices(d, 1)
    return np.hstack([rows[:, first] * rows[:, second], (np.square(rows) - 1) / np.sqrt(2)])


@dataclass(frozen=True, eq=False)
class RandomIndicators:
    """1[<v_j, x> + t_j > 0] with random v_j and t_j, as in the paper (arXiv 2006.13436).

    Attributes
    ----------
    directions : (D, d)
    offsets : (D,)
    """

    directions: Floats
    offsets: Floats

    @classmethod
    def draw(cls, count: int, n_features: int, random: np.random.Generator) -> "RandomIndicators":
        """For rows of mean square norm d: both are of variance 1 there."""
        directions = random.standard_normal((count, n_features)) / np.sqrt(n_features)
        return cls(directions, random.standard_normal(count))

    def transform(self, rows: Floats) -> Floats:
        """Zeros and ones, (n, D)."""
        return (rows @ self.directions.T + self.offsets > 0).astype(np.float64)


@dataclass(frozen=True, eq=False)
class FireFeatures:
    """Who fires in a shifted-ReLU layer that does not train: as sparse as its fire sets.

    Attributes
    ----------
    scaling : InputScaling
        Which carries rows to the unit sphere.
    network : TwoLayerNetwork
        Whose hidden layer it is.
    """

    scaling: InputScaling
    network: TwoLayerNetwork

    @classmethod
    def draw(cls, rows: Floats, count: int, fire_rate: float, seed: int) -> "FireFeatures":
        """A random layer of so many neurons, that fire on this share of pairs."""
        scaling = InputScaling.fit(rows, standardize=False, constant=1.0)
        network = TwoLayerNetwork.initialize(count, scaling.n_outputs, 1, fire_rate=fire_rate, seed=seed)
        return cls(scaling, network)

    def transform(self, rows: Floats) -> "csr_array":
        """Zeros and ones, (n, D), sparse. Cost: one fire set, through the index that suits so many rows."""
        from scipy.sparse import csr_array

        inputs = Inputs.of(self.scaling.transform(rows))
        begins, neurons, values = (
            index_for_new_inputs(self.network.layer, inputs).fire_set(inputs).by_sample()
        )
        return csr_array((np.ones(len(values)), neurons, begins), shape=(len(rows), self.network.width))

"""Neurons in the order of how busy they are: those that fire often side by side.

The more often a neuron fires, the further it drifts. Side by side, the neurons that drift far are refreshed
together, and the others need not be; and weights that stand in memory in the order of their use are read
faster.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes.exhaustive import ExhaustiveIndex
from fewfire.networks.deep import Network
from fewfire.networks.layer import Layer

COUNTED_SAMPLES = 512  # on which firing is counted


def busiest_first(layer: Layer, inputs: Inputs) -> NDArray[np.int32]:
    """Neurons by how often they fire on a few of the samples, (width,); ties in their present order."""
    n = len(inputs)
    few = np.linspace(0, n - 1, min(n, COUNTED_SAMPLES)).astype(np.int64)
    exhaustive = ExhaustiveIndex()
    exhaustive.build(layer)
    fires = exhaustive.fire_set(inputs.batch(few))
    return np.argsort(-np.diff(fires.begins), kind="stable").astype(np.int32)


def arrange(network: Network, inputs: ArrayLike | Inputs) -> None:
    """Put the neurons of the first layer into the order of how busy they are on these samples, in place.

    The network computes the same function; only the rows of its weights change places. The drift index then
    walks through them in one direction, which saves a quarter of a step's time (benchmarks/NOTES.md).

    Parameters
    ----------
    network : TwoLayerNetwork or DeepNetwork
        It is best arranged before it is trained.
    inputs : (n, d) array or Inputs
        The samples it will be trained on.

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        The inputs have another number of features, or another dtype, than the network.

    Examples
    --------
    >>> from fewfire import TwoLayerNetwork
    >>> network = TwoLayerNetwork([[1.0], [3.0]], [[1.0], [-1.0]], threshold=2.0)
    >>> arrange(network, [[1.0]])
    >>> network.weights.ravel().tolist()
    [3.0, 1.0]
    """
    network.arrange(busiest_first(network.layer, Inputs.of_any(inputs, network.dtype)))

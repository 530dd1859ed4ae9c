"""The tangent kernel of a network of any depth, as it is now on a batch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes import index_for_new_inputs
from fewfire.indexes.later_layers import Firing, LaterLayers
from fewfire.networks.deep import DeepNetwork, Network
from fewfire.tangent.deep_gram import DeepGram
from fewfire.tangent.own import OwnKernel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DeepOwnKernel:
    """The mean over outputs of the tangent kernel of a deep network, by its hidden weights.

    It is asked as `OwnKernel`, which is that of two layers.

    Attributes
    ----------
    network : DeepNetwork
    batch : Inputs
    firing : Firing
        Who fires in each layer on the batch.
    """

    network: DeepNetwork
    batch: Inputs
    firing: Firing

    def __len__(self) -> int:
        return len(self.batch)

    @property
    def gram(self) -> DeepGram:
        """The Gram matrix of the Jacobian of all outputs."""
        return DeepGram(self.network, self.batch, self.firing)

    @property
    def multiply_adds(self) -> int:
        """Of a product: two passes through each layer, over what fires in it and below it."""
        first, *later = self.firing.fires
        below = [len(hidden.fires) / len(self) for hidden in self.firing.hidden]
        above = sum(len(fires) * taken for fires, taken in zip(later, below, strict=True))
        return int(4 * (len(first) * self.network.n_features + above)) + 1

    def outputs(self) -> Floats:
        return self.network.outputs(self.firing.fires[-1]).astype(np.float64)

    def times(self, vector: Floats) -> Floats:
        """H v, (n,): a product with the Gram matrix for each output."""
        each, total = np.zeros((len(self), self.network.n_outputs)), np.zeros(len(self))
        for output in range(self.network.n_outputs):
            each[:] = 0
            each[:, output] = vector
            total += self.gram.times(each)[:, output]
        return total / self.network.n_outputs

    def times_outputs(self, values: Floats) -> Floats:
        """G v, (n, c), of all outputs as their output weights couple them."""
        return self.gram.times(values)

    def matrix(self) -> Floats:
        """H, (n, n): as many backward passes as outputs."""
        return self.gram.shared()


def own_kernel(
    network: Network, inputs: ArrayLike | Inputs, trained: str = "hidden"
) -> OwnKernel | DeepOwnKernel:
    """The kernel of a network of any depth on these samples. Cost: who fires on them.

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        The inputs have another number of features, or another dtype, than the network; or other weights than
        the hidden ones of a deep network are asked for.
    """
    if isinstance(network, DeepNetwork) and network.depth == 1:
        network = network.top
    if not isinstance(network, DeepNetwork):
        return OwnKernel.of(network, inputs, trained=trained)
    if trained != "hidden":
        raise ValueError(
            f"the kernel of a deep network must be that of its hidden weights. Got trained={trained!r}. Use "
            "'hidden'."
        )
    inputs = Inputs.of_any(inputs, network.dtype)
    fires = index_for_new_inputs(network.layer, inputs).fire_set(inputs)
    return DeepOwnKernel(network, inputs, LaterLayers(network).firing(fires))

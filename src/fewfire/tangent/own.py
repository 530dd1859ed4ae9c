"""The tangent kernel of a network as it is now on a batch: products with it, or all of it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded
from fewfire.indexes import index_for_new_inputs
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.tangent.gram import FiringGram

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OwnKernel:
    """The mean over outputs of the tangent kernel of a network, on the samples of a fire set.

    H_ij = scale^2 <x_i, x_j> sum_r |a_r|^2 / c over the neurons that fire on both for the hidden weights, and
    scale^2 sum_r phi_ri phi_rj for the output weights, with the activations phi.

    Attributes
    ----------
    network : TwoLayerNetwork
    batch : Inputs
    fires : FireSet
        Of the network on the batch.
    trained : "hidden", "all" or "output"
        Which weights train.
    """

    network: TwoLayerNetwork
    batch: Inputs
    fires: FireSet
    trained: str = "hidden"

    @classmethod
    def of(
        cls, network: TwoLayerNetwork, inputs: ArrayLike | Inputs, *, trained: str = "hidden"
    ) -> "OwnKernel":
        """Of these samples. Cost: one fire set.

        Raises
        ------
        DataError
            The inputs are not two-dimensional, are empty, or hold NaN or infinity.
        ValueError
            The inputs have another number of features, or another dtype, than the network.
        """
        inputs = Inputs.of_any(inputs, network.dtype)
        fires = index_for_new_inputs(network.layer, inputs).fire_set(inputs)
        return cls(network, inputs, fires, trained)

    def __len__(self) -> int:
        return len(self.batch)

    @property
    def multiply_adds(self) -> int:
        """Of a product with the kernel of all outputs, 4 (d + c) per firing pair."""
        return 4 * (self.network.n_features + self.network.n_outputs) * len(self.fires) + 1

    def outputs(self) -> Floats:
        """Of the network on the batch, (n, c)."""
        return self.network.outputs(self.fires).astype(np.float64)

    def times(self, vector: Floats) -> Floats:
        """H v, (n,): 2 (d + 1) multiply-adds per firing pair, in the precision of the network."""
        own = OwnKernel(self._one_output, self.batch, self.fires, self.trained)
        return own.times_outputs(vector[:, None])[:, 0]

    def times_outputs(self, values: Floats) -> Floats:
        """G v, (n, c), of all outputs as their output weights couple them: see `FiringGram.times`."""
        image = np.zeros_like(values)
        if self.trained != "output":
            image += FiringGram(self.network, self.batch, self.fires).times(values)
        if self.trained != "hidden":
            active = self.activations
            image += self.network.scale**2 * (active.T @ (active @ values))
        return image

    def matrix(self) -> Floats:
        """H, (n, n): an addition for every two firing pairs of a neuron, and n^2 d for the inner products."""
        network, kernel = self.network, np.zeros((len(self), len(self)))
        if self.trained != "output":
            pattern = FiringGram(network, self.batch, self.fires).pattern(self._squares)
            kernel += self.batch.inner_products * (pattern * network.scale**2)
        if self.trained != "hidden":
            products = np.empty_like(kernel)
            ones = np.ones(network.width)
            _core.fire_gram(self.fires.core_view, ones, network.threshold, True, products)
            kernel += products * network.scale**2
        return kernel

    @cached_property
    def activations(self) -> "csr_array":
        """max(<w_r, x_i> - b, 0), sparse, (m, n)."""
        return self.fires.matrix(self.fires.values.astype(np.float64) - self.network.threshold)

    @property
    def _squares(self) -> Floats:
        return np.square(self.network.output_weights, dtype=np.float64).mean(axis=1)

    @cached_property
    def _one_output(self) -> TwoLayerNetwork:
        """A network of one output whose output weights are the roots of the mean squares."""
        network = self.network
        roots = padded(np.sqrt(self._squares)[:, None], network.dtype)
        return TwoLayerNetwork.of_rows(network.layer, roots, 1)


def condition_of(values: NDArray) -> float | None:
    """Largest over smallest of ascending eigenvalues; None where the smallest is 0 but for rounding."""
    singular = values[0] <= len(values) * np.finfo(np.float32).eps * values[-1]
    return None if singular else float(values[-1] / values[0])

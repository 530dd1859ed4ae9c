"""The layers of a deep network above the first: who fires in them, and how they move."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewfire.core.fire_set import FireSet
from fewfire.indexes.sparse_product import SparseProductIndex
from fewfire.networks.deep import DeepNetwork
from fewfire.networks.hidden import Hidden
from fewfire.networks.layer_descent import SparseDescent


@dataclass(frozen=True)
class Firing:
    """Who fires in every layer on a batch, and what each layer but the last hands to the next.

    Attributes
    ----------
    fires : tuple of FireSet
    hidden : tuple of Hidden, one fewer
    """

    fires: tuple[FireSet, ...]
    hidden: tuple[Hidden, ...]

    @property
    def dead_samples(self) -> NDArray[np.int64]:
        """On how many samples no neuron of each layer fires, (L,)."""
        last = self.fires[-1]
        alive = np.count_nonzero(np.bincount(last.samples, minlength=last.n_samples))
        return np.array([*(hidden.dead_samples for hidden in self.hidden), last.n_samples - alive])


class LaterLayers:
    """What is asked of all layers above the first together, and told them.

    Attributes
    ----------
    network : DeepNetwork
    indexes : list of SparseProductIndex, one for each of these layers
    """

    def __init__(self, network: DeepNetwork) -> None:
        self.network = network
        self.indexes = [SparseProductIndex(layer) for layer in network.layers[1:]]

    def firing(self, fires: FireSet, descents: Sequence[SparseDescent] | None = None) -> Firing:
        """Who fires in all layers, from who fires in the first.

        Parameters
        ----------
        fires : FireSet
        descents : sequence of SparseDescent, optional
            Steps of these layers, each taken in the pass over the weights in which they are asked.
        """
        all_fires, all_hidden = [fires], []
        for number, index in enumerate(self.indexes):
            hidden = self.network.hidden(number, all_fires[-1])
            all_hidden.append(hidden)
            all_fires.append(
                index.fire_set(hidden.inputs)
                if descents is None
                else index.descend(descents[number], hidden.inputs)
            )
        return Firing(tuple(all_fires), tuple(all_hidden))

    def descents(
        self, firing: Firing, pulls: NDArray, learning_rate: float
    ) -> tuple[NDArray, list[SparseDescent]]:
        """The pulls of the pairs that fire in the first layer, and the steps of the layers above it.

        Parameters
        ----------
        firing : Firing
            On a batch, by the present weights.
        pulls : (n_pairs,)
            Of the pairs that fire in the last layer.
        learning_rate : float
        """
        descents = []
        for index, hidden, fires in reversed(
            list(zip(self.indexes, firing.hidden, firing.fires[1:], strict=True))
        ):
            descent = SparseDescent(index.layer, hidden.inputs, fires, pulls, learning_rate)
            descents.insert(0, descent)
            pulls = hidden.pulls(index.input_gradients(descent))
        return pulls, descents

    def take(self, descents: Sequence[SparseDescent]) -> None:
        """Move the layers."""
        for index, descent in zip(self.indexes, descents, strict=True):
            index.take(descent)

"""The Gram matrix of the Jacobian of a deep network, G = J J^T, through who fires in each layer.

The row of output k on sample i by the weights W_l is v_(i,k),l (x) h_(i,l-1): the derivative of the output by
the pre-activations of the layer, and what the layer takes. So G is a sum of Hadamard products,

    G = sum_l (H_(l-1) H_(l-1)^T) o (V_l V_l^T),

and a product with it is a backward pass and a forward one, over pairs that fire alone (docs/theory/deep.md).

Source: Song, Zhang, Zhang, arXiv 2112.07628, for the products of each layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.sparse_inputs import SparseInputs
from fewfire.indexes.later_layers import Firing, LaterLayers
from fewfire.networks.deep import DeepNetwork
from fewfire.networks.hidden import Hidden
from fewfire.networks.layer_descent import output_pulls

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DeepGram:
    """The Gram matrix of a batch of n samples and c outputs, from who fires."""

    network: DeepNetwork
    batch: Inputs
    firing: Firing

    def times(self, values: Floats) -> Floats:
        """G v, (n, c), in the precision of the network: what two gradient steps cost."""
        pulls = self._pulls(values)
        first = np.empty_like(pulls[0])
        _core.gram_dots(self.firing.fires[0].core_view, pulls[0], self.batch.core_view, first)

        def own(number: int, fires: FireSet, inputs: SparseInputs, moves: NDArray) -> None:
            taken = inputs.core_view
            _core.sparse_gram_dots(fires.core_view, pulls[number], inputs.n_features, taken, moves)

        return self._carried_up(first, own)

    def response(self, rows: Sequence[NDArray]) -> Floats:
        """J D, (n, c), of rows D as the weights of each layer: how outputs follow such a move."""
        fires = self.firing.fires[0]
        first = np.empty(len(fires), self.network.dtype)
        _core.fire_dots(fires.core_view, rows[0], self.batch.core_view, first)

        def own(number: int, fires: FireSet, inputs: SparseInputs, moves: NDArray) -> None:
            _core.sparse_dots(fires.core_view, rows[number], inputs.core_view, moves)

        return self._carried_up(first, own)

    def _carried_up(
        self, moves: NDArray, own: Callable[[int, FireSet, SparseInputs, NDArray], None]
    ) -> Floats:
        """How outputs follow when the pre-activations of the first layer move so, and each layer its own way.

        Parameters
        ----------
        moves : (n_pairs,)
            Of the pairs that fire in the first layer.
        own : callable
            Writes how those of a later layer move because its own weights do.
        """
        network = self.network
        for number, hidden in enumerate(self.firing.hidden, 1):
            fires, changes = self.firing.fires[number], _changes(hidden, moves)
            moves, carried = np.empty((2, len(fires)), network.dtype)
            own(number, fires, hidden.inputs, moves)
            rows = network.layers[number].weight_rows
            _core.sparse_dots(fires.core_view, rows, changes.core_view, carried)
            moves = moves + carried
        last = self.firing.fires[-1]
        over_zero = FireSet(last.begins, last.samples, moves, last.n_samples)
        return network.top.outputs(over_zero, threshold=0.0).astype(np.float64)

    def _pulls(self, values: Floats) -> list[NDArray]:
        """J^T v as the pulls of the pairs that fire, for each layer."""
        of_outputs = output_pulls(self.network.top, self.firing.fires[-1], values)
        below, descents = LaterLayers(self.network).descents(self.firing, of_outputs, 1.0)
        return [below, *(descent.pulls for descent in descents)]

    @cached_property
    def _vectors(self) -> list[NDArray]:
        """v of each pair that fires and each output, (n_pairs, c), for each layer: c backward passes."""
        n, c = self.firing.fires[0].n_samples, self.network.n_outputs
        of_outputs = [self._pulls(np.tile(one, (n, 1))) for one in np.eye(c)]
        return [np.stack(layer, axis=1) for layer in zip(*of_outputs, strict=True)]

    @cached_property
    def _input_products(self) -> list[Floats]:
        """<h_i, h_j> of what each layer takes, (n, n)."""
        between = []
        for hidden in self.firing.hidden:
            below, constant = hidden.fires, hidden.how.terms[2]
            values = hidden.inputs.values[hidden.places]
            between.append(_products(below, values, below.n_samples) + constant**2)
        return [self.batch.inner_products, *between]

    @property
    def size(self) -> float:
        """The mean of the diagonal of G."""
        total = 0.0
        for fires, vectors, products in zip(
            self.firing.fires, self._vectors, self._input_products, strict=True
        ):
            lengths = np.square(vectors, dtype=np.float64).sum(axis=1)
            total += float(np.diag(products) @ np.bincount(fires.samples, lengths, fires.n_samples))
        return total / (self.firing.fires[0].n_samples * self.network.n_outputs)

    def shared(self) -> Floats:
        """The mean of the c diagonal blocks of G, (n, n): G itself for one output."""
        total = np.zeros_like(self.batch.inner_products)
        for fires, vectors, products in zip(
            self.firing.fires, self._vectors, self._input_products, strict=True
        ):
            for of_output in vectors.T:
                total += products * _products(fires, np.ascontiguousarray(of_output), fires.n_samples)
        return total / self.network.n_outputs

    def matrix(self) -> Floats:
        """G, (n, c, n, c)."""
        n, c = self.firing.fires[0].n_samples, self.network.n_outputs
        gram = np.zeros((n, c, n, c))
        for fires, vectors, products in zip(
            self.firing.fires, self._vectors, self._input_products, strict=True
        ):
            samples = (fires.samples[:, None] * c + np.arange(c, dtype=np.int32)).ravel()
            of_all = FireSet(fires.begins * c, samples, vectors.ravel(), n * c)
            gram += products[:, None, :, None] * _products(of_all, of_all.values, n * c).reshape(gram.shape)
        return gram


def _products(fires: FireSet, values: NDArray, n_rows: int) -> Floats:
    """sum_r u_ri u_rj over the neurons that fire on both, (n_rows, n_rows), u the values of the pairs."""
    products = np.empty((n_rows, n_rows))
    pairs = FireSet(fires.begins, fires.samples, values, n_rows)
    _core.fire_gram(pairs.core_view, np.ones(fires.width), 0.0, True, products)
    return products


def _changes(hidden: Hidden, moves: NDArray) -> SparseInputs:
    """How the inputs of a layer follow such moves of the pre-activations below it.

    The derivative of the way to the sphere is symmetric: it carries changes up as it carries gradients down.
    """
    inputs = hidden.inputs
    values = np.zeros_like(inputs.values)
    values[hidden.places] = moves
    _core.normalized_gradients(inputs.core_view, hidden.lengths, *hidden.how.terms, values)
    return SparseInputs(inputs.begins, inputs.ids, values, inputs.n_features)

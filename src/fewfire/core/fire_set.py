"""The answer to "who fires?": all firing pairs of one batch with their pre-activations."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.view import core_class

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class FireSet:
    """All (neuron, sample) pairs with <w_r, x_i> > b, strictly, in CSR form by neuron.

    Attributes
    ----------
    begins : (width + 1,) int64
        The pairs of neuron r are those at begins[r] .. begins[r + 1] - 1.
    samples : (n_pairs,) int32
        Positions in the batch, ascending for each neuron.
    values : (n_pairs,)
        Pre-activations <w_r, x_i>, from the shared dot kernel.
    n_samples : int
        Size of the batch.

    Examples
    --------
    >>> import fewfire
    >>> network = fewfire.TwoLayerNetwork([[2.0, 0.0], [0.0, 2.0]], [[1.0], [1.0]], threshold=1.0)
    >>> index = fewfire.indexes.ExhaustiveIndex()
    >>> index.build(network.layer)
    >>> fires = index.fire_set(fewfire.Inputs.of([[1.0, 0.0], [0.75, 1.0]]))
    >>> fires.neurons().tolist(), fires.samples.tolist(), fires.values.tolist()
    ([0, 0, 1], [0, 1, 1], [2.0, 1.5, 2.0])
    """

    begins: NDArray[np.int64]
    samples: NDArray[np.int32]
    values: NDArray
    n_samples: int

    @property
    def width(self) -> int:
        return len(self.begins) - 1

    def __len__(self) -> int:
        """Number of firing pairs."""
        return len(self.samples)

    @property
    def fire_rate(self) -> float:
        """Share of all pairs that fire."""
        return len(self) / (self.width * self.n_samples)

    def neurons(self) -> NDArray[np.int64]:
        """The neuron of each pair, (n_pairs,)."""
        return np.repeat(np.arange(self.width), np.diff(self.begins))

    def places_by_sample(
        self, spare: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """The order of the pairs by sample, neurons ascending: (begins, neurons, places).

        Pair p goes to places[p]. Behind its pairs each sample has so many spare places, whose neurons are
        not set.
        """
        begins = np.empty(self.n_samples + 1, np.int64)
        neurons = np.empty(len(self) + spare * self.n_samples, np.int32)
        places = np.empty(len(self), np.int64)
        _core.by_sample(self.begins, self.samples, spare, begins, neurons, places)
        return begins, neurons, places

    def matrix(self, values: NDArray) -> "csr_array":
        """A number per firing pair, in their order, as a sparse matrix (m, n); no copy."""
        from scipy.sparse import csr_array

        return csr_array((values, self.samples, self.begins), shape=(self.width, self.n_samples))

    def by_sample(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray]:
        """The same pairs in CSR form by sample: (begins, neurons, values), neurons ascending."""
        begins, neurons, places = self.places_by_sample()
        values = np.empty_like(self.values)
        values[places] = self.values
        return begins, neurons, values

    @property
    def core_view(self) -> Any:
        """The pairs as the compiled core takes them; no copy."""
        return core_class("Fires", self.values.dtype)(self.begins, self.samples, self.values)

    def identical(self, other: "FireSet") -> bool:
        """Whether both hold the same pairs with the same pre-activations, bit for bit."""
        return (
            self.n_samples == other.n_samples
            and np.array_equal(self.begins, other.begins)
            and np.array_equal(self.samples, other.samples)
            and self.values.tobytes() == other.values.tobytes()
        )

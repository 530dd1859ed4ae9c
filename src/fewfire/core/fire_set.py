"""The answer to "who fires?": all firing pairs of one batch with their pre-activations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.view import core_class


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

    def by_sample(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray]:
        """The same pairs in CSR form by sample: (begins, neurons, values), neurons ascending."""
        order = np.argsort(self.samples, kind="stable")
        begins = np.zeros(self.n_samples + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.samples, minlength=self.n_samples), out=begins[1:])
        return begins, self.neurons()[order], self.values[order]

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

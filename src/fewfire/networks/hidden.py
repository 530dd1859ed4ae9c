"""What a layer of a deep network hands to the next: its activations on the unit sphere, by sample."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.sparse_inputs import SparseInputs


@dataclass(frozen=True)
class Normalization:
    """h = a / |a| (or a / length), and (h, k) / sqrt(1 + k^2) with a constant k > 0.

    Attributes
    ----------
    constant : float >= 0
        k; 0 for none.
    length : float > 0, optional
        What all vectors are divided by; by default each by its own length.
    """

    constant: float = 0.0
    length: float | None = None

    @property
    def share(self) -> float:
        """What the constant leaves of h."""
        return 1 / sqrt(1 + self.constant**2)

    @property
    def terms(self) -> tuple[float, float, float]:
        """As the compiled core takes them: length (0 for its own), share, and the value of the constant."""
        return self.length or 0.0, self.share, self.constant * self.share


@dataclass(frozen=True)
class Hidden:
    """The inputs of the layer above, and what it takes to go back through them.

    Attributes
    ----------
    fires : FireSet
        Of the layer below, from which they were made.
    inputs : SparseInputs
    lengths : (n,) float64
        What the activations of each sample were divided by; 0 where nothing fires.
    places : (n_pairs,) int64
        Where each pair of the fire set stands in the inputs.
    how : Normalization
    """

    fires: FireSet
    inputs: SparseInputs
    lengths: NDArray[np.float64]
    places: NDArray[np.int64]
    how: Normalization

    @classmethod
    def of(cls, fires: FireSet, threshold: float, how: Normalization) -> "Hidden":
        """What a layer with this threshold hands on; a constant is the last of its features."""
        spare = int(how.constant > 0)
        begins, ids, places = fires.places_by_sample(spare)
        if spare:
            ids[begins[1:] - 1] = fires.width
        values, lengths = np.empty(len(ids), fires.values.dtype), np.empty(fires.n_samples)
        _core.normalize(fires.values, places, threshold, *how.terms, begins, values, lengths)
        return cls(fires, SparseInputs(begins, ids, values, fires.width + spare), lengths, places, how)

    @property
    def dead_samples(self) -> int:
        """How many samples no neuron of the layer below fires on."""
        return int(np.count_nonzero(np.diff(self.inputs.begins) == int(self.how.constant > 0)))

    def pulls(self, gradients: NDArray) -> NDArray:
        """The derivative by the pre-activations of the layer below, (n_pairs,) as in its fire set.

        Parameters
        ----------
        gradients : (pairs of the inputs,)
            The derivative by the inputs; written over.
        """
        _core.normalized_gradients(self.inputs.core_view, self.lengths, *self.how.terms, gradients)
        return gradients[self.places]

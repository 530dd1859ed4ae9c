"""The hidden layer, all that an index asks: rows w_r, a threshold b, and how the rows move by themselves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.rows import padded
from fewfire.core.view import core_class
from fewfire.networks.structured import StructuredWeights
from fewfire.networks.velocities import Velocities


class Layer:
    """Neurons that fire where <w_r, x> > b, strictly.

    A two-layer network is a layer and output weights. A part of a layer is a layer, with the scale of the
    whole: what a probe asks of some of the neurons is what they would answer among all.

    Parameters
    ----------
    weight_rows : (width, stride) float32 or float64
        Padded rows (`fewfire.core.rows`); kept, not copied.
    n_features : int
    threshold : float, >= 0
        b, rounded to the dtype of the rows.
    scale : float
        What the sum over the neurons is multiplied by.

    Attributes
    ----------
    weights : (width, n_features)
        A view that may be written to; the index must be told what `moved`.
    structure : StructuredWeights or None
        What the weights were made of, where they were initialized so; neither copied nor saved.
    velocities : Velocities or None
        In training with momentum or weight decay. Then `weights` are up to date only once the velocities are
        settled; neither copied nor saved.

    Raises
    ------
    ValueError
        The threshold is negative or not finite in the dtype of the rows.
    """

    def __init__(self, weight_rows: NDArray, n_features: int, threshold: float, scale: float) -> None:
        if not 0 <= threshold <= float(np.finfo(weight_rows.dtype).max):
            raise ValueError(
                f"threshold must be a finite number >= 0. Got {threshold}. Use threshold=0 for a plain ReLU."
            )
        self.weight_rows, self.n_features, self.scale = weight_rows, n_features, scale
        self.threshold = float(weight_rows.dtype.type(threshold))
        self.structure: StructuredWeights | None = None
        self.velocities: Velocities | None = None

    @property
    def width(self) -> int:
        return len(self.weight_rows)

    @property
    def dtype(self) -> np.dtype:
        return self.weight_rows.dtype

    @property
    def weights(self) -> NDArray:
        return self.weight_rows[:, : self.n_features]

    @property
    def coasts(self) -> bool:
        """Whether silent neurons move, too."""
        return self.velocities is not None

    @property
    def settled(self) -> bool:
        """Whether `weights` are what they are now."""
        return self.velocities is None or self.velocities.settled

    @property
    def core_view(self) -> Any:
        """The weights, as they are now, as the compiled core takes them."""
        if self.velocities is not None:
            return self.velocities.core_view
        nothing = np.empty((0, self.weight_rows.shape[1]), self.dtype), np.empty(0, np.int32)
        return core_class("Weights", self.dtype)(self.weight_rows, *nothing)

    def present_rows(self) -> NDArray:
        """The weights as they are now, settled or not: a padded copy (width, stride)."""
        rows = np.empty_like(self.weight_rows)
        self.core_view.present(rows)
        return rows

    def present_weights(self) -> NDArray:
        """The same without the padding, (width, n_features)."""
        return self.present_rows()[:, : self.n_features]

    def part(self, neurons: NDArray[np.int64] | slice) -> "Layer":
        """A layer of copies of these neurons as they are now, at rest, with the scale of the whole."""
        weights = self.weights if self.settled else self.present_weights()
        return Layer(padded(weights[neurons], self.dtype), self.n_features, self.threshold, self.scale)

    def at_threshold(self, threshold: float) -> "Layer":
        """The same neurons as they are now with another threshold; copies nothing, unless they coast."""
        rows = self.weight_rows if self.settled else self.present_rows()
        return Layer(rows, self.n_features, threshold, self.scale)

    def arrange(self, order: NDArray[np.int32]) -> None:
        """Put neuron order[r] in the place of neuron r, for all r."""
        self.weight_rows[:] = self.weight_rows[order]
        if self.structure is not None:
            self.structure = self.structure.arranged(order)

"""A step of a layer of a deep network, by how each firing pair pulls at its neuron.

    w_r <- w_r - rate / B sum_i pull_ri x_i        over the samples i that r fires on

The pull is the derivative of the sample's loss by the pre-activation. The last layer has

    pull_ri = m^(-1/2) <a_r, residual_i>,

and the layers below it what the layer above hands back (docs/theory/deep.md).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded
from fewfire.core.sparse_inputs import SparseInputs
from fewfire.core.view import core_class
from fewfire.networks.descent import STAYS, Step
from fewfire.networks.layer import Layer
from fewfire.networks.two_layer import TwoLayerNetwork


def output_pulls(top: TwoLayerNetwork, fires: FireSet, residuals: NDArray) -> NDArray:
    """The pull of each firing pair of the last layer, (n_pairs,): c multiply-adds each."""
    pulls = np.empty(len(fires), top.dtype)
    _core.output_pulls(fires.core_view, top.output_rows, padded(residuals, top.dtype), top.scale, pulls)
    return pulls


def move_output_weights(top: TwoLayerNetwork, fires: FireSet, residuals: NDArray, rate: float) -> None:
    """a_r <- a_r - rate m^(-1/2) sum_i (z_ri - b) residual_i: c multiply-adds per firing pair."""
    _core.move_outputs(
        fires.core_view, padded(residuals, top.dtype), top.threshold, rate * top.scale, top.output_rows
    )


@dataclass(frozen=True)
class LayerDescent:
    """A step of the first layer, decided but not yet taken; an index takes it as it takes a `Descent`.

    Attributes
    ----------
    pulls : (n_pairs,)
        Of each firing pair, in the order of the fire set.
    """

    layer: Layer
    batch: Inputs
    fires: FireSet
    pulls: NDArray
    learning_rate: float

    @cached_property
    def step(self) -> Step:
        """How the weights move; filled in when the step is taken."""
        return Step(
            self.fires, np.empty(len(self.fires), self.layer.dtype), np.empty(self.layer.width), self.batch
        )

    def begin(self) -> Any:
        """The step as the compiled core takes it, at once."""
        layer, nothing = self.layer, self.layer.weight_rows[:0]
        return core_class("Descent", layer.dtype)(
            fires=self.fires.core_view,
            residual=nothing,
            x=self.batch.core_view,
            threshold=layer.threshold,
            scale=layer.scale,
            rate=self.learning_rate / len(self.batch),
            a_rate=0.0,
            w=layer.core_view,
            a=nothing,
            coefficients=self.step.coefficients,
            lengths=self.step.lengths,
            a_velocity=nothing,
            flow=STAYS,
            gain=1.0,
            pulls=self.pulls,
        )

    def take(self) -> Step:
        """Move the weights of all neurons that fired."""
        _core.backward(self.begin())
        return self.step


@dataclass(frozen=True)
class SparseDescent:
    """A step of a layer above the first, decided but not yet taken.

    It moves only weights between a neuron and an input that fire on the same sample.

    Attributes
    ----------
    inputs : SparseInputs
        What the layer took.
    pulls : (n_pairs,)
        Of each firing pair, in the order of the fire set.
    """

    layer: Layer
    inputs: SparseInputs
    fires: FireSet
    pulls: NDArray
    learning_rate: float

    @property
    def core_view(self) -> Any:
        """The step as the compiled core takes it; no copy."""
        return core_class("SparseDescent", self.layer.dtype)(
            self.fires.core_view, self.pulls, self.inputs.core_view,
            self.learning_rate / len(self.inputs), self.layer.weight_rows,
        )  # fmt: skip

    @property
    def products(self) -> int:
        """Pairs of a firing neuron and a firing input: multiply-adds of the step."""
        firing = np.bincount(self.fires.samples, minlength=len(self.inputs))
        return int(firing @ np.diff(self.inputs.begins))

    def input_gradients(self) -> NDArray:
        """sum_r pull_ri w_r at the inputs that fire, in their order: as many multiply-adds as a step."""
        gradients = np.empty(len(self.inputs.ids), self.layer.dtype)
        _core.sparse_gradients(
            self.fires.core_view, self.pulls, self.layer.weight_rows, self.inputs.core_view, gradients
        )
        return gradients

    def take(self) -> None:
        """Move the weights."""
        _core.sparse_backward(self.core_view)

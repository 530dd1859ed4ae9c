"""A training step: decided as a `Descent`, and how it moved the weights once taken, as a `Step`."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded
from fewfire.core.view import core_class
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.networks.velocities import Flow

STAYS: Flow = (1.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Step:
    """How one training step moved the weights: neuron r by sum_i coefficient_ri x_i over its fire set.

    Attributes
    ----------
    fires : FireSet
        Who fired on the batch before the step.
    coefficients : (n_pairs,)
        One for each firing pair, in the order of the fire set.
    lengths : (width,) float64
        Upper bounds on how far each neuron moved, rounding included; 0 where it did not.
    batch : Inputs
    gain : float
        1, but where neurons coast: then the step moves them by gain times as much, and their velocities by 1.
    coasting : bool
        Whether all neurons moved by the flow of the step, too.
    """

    fires: FireSet
    coefficients: NDArray
    lengths: NDArray[np.float64]
    batch: Inputs
    gain: float = 1.0
    coasting: bool = False

    @property
    def core_view(self) -> Any:
        """The step as the compiled core takes it; no copy."""
        return core_class("Step", self.coefficients.dtype)(
            self.fires.core_view, self.coefficients, self.lengths, self.gain
        )

    @property
    def moved(self) -> NDArray[np.bool_]:
        """Which neurons moved, (width,)."""
        return np.ones(len(self.lengths), bool) if self.coasting else self.lengths != 0


@dataclass(frozen=True)
class Descent:
    """A step down the gradient of a batch's mean loss, decided but not yet taken.

    w_r <- w_r - rate / (B sqrt(m)) sum_i <a_r, residual_i> x_i      over the samples i that r fires on
    a_r <- a_r - rate / (B sqrt(m)) sum_i (<w_r, x_i> - b) residual_i  where the output weights train too

    Both from the old values. d (and c) multiply-adds a firing pair; silent neurons are not touched.
    With momentum or weight decay (`flow`) the step moves velocities, and all neurons coast by the flow.

    Attributes
    ----------
    residuals : (B, c)
        Derivative of each sample's loss by its outputs.
    learning_rate, output_learning_rate : float
        The second is 0 where the output weights stay as they are.
    flow : (p, q, r, s), or None
        Where the step takes (w, v) without a gradient; None where neurons stay that do not fire. With a flow
        the layer has velocities.
    gain : float
        How far w moves for a gradient that adds 1 to v.
    output_velocities : (m, stride), or None without momentum
    """

    network: TwoLayerNetwork
    batch: Inputs
    fires: FireSet
    residuals: NDArray
    learning_rate: float
    output_learning_rate: float = 0.0
    flow: Flow | None = None
    gain: float = 1.0
    output_velocities: NDArray | None = None

    @cached_property
    def step(self) -> Step:
        """How the weights move; filled in when the step is taken."""
        pairs, width = len(self.fires), self.network.width
        return Step(
            self.fires, np.empty(pairs, self.network.dtype), np.empty(width), self.batch, self.gain,
            coasting=self.flow is not None,
        )  # fmt: skip

    def begin(self) -> Any:
        """The step as the compiled core takes it, at once: where neurons coast, time goes on."""
        network, layer, fires, n_samples = self.network, self.network.layer, self.fires, len(self.batch)
        rate, output_rate = self.learning_rate, self.output_learning_rate
        output_velocities = self.output_velocities
        if output_velocities is None:
            output_velocities = network.output_rows[:0]
        if self.flow is not None:
            assert layer.velocities is not None
            layer.velocities.advance(self.flow)
            rate, output_rate = 1.0, float(output_rate > 0)  # of the velocities
        return core_class("Descent", network.dtype)(
            fires=fires.core_view,
            residual=padded(self.residuals, network.dtype),
            x=self.batch.core_view,
            threshold=network.threshold,
            scale=network.scale,
            rate=rate / n_samples,
            a_rate=output_rate / n_samples,
            w=layer.core_view,
            a=network.output_rows,
            coefficients=self.step.coefficients,
            lengths=self.step.lengths,
            a_velocity=output_velocities,
            flow=self.flow or STAYS,
            gain=self.gain,
            pulls=np.empty(0, network.dtype),
        )

    def take(self) -> Step:
        """Move the weights of all neurons that fired."""
        _core.backward(self.begin())
        return self.step

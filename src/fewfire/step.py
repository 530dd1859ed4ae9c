"""A training step: decided as a `Descent`, and how it moved the weights once taken, as a `Step`."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.fire_set import FireSet
from fewfire.inputs import Inputs
from fewfire.network import TwoLayerNetwork
from fewfire.rows import padded


@dataclass(frozen=True)
class Step:
    """How one training step moved the weights: neuron r by sum_i coefficient_ri x_i over its fire set.

    Attributes
    ----------
    fires : FireSet
        Of the batch, before the step.
    coefficients : (n_pairs,)
        One for each firing pair, in the order of the fire set.
    lengths : (width,) float64
        Upper bounds on how far each neuron moved, rounding included; 0 where it did not.
    batch : Inputs
    """

    fires: FireSet
    coefficients: NDArray
    lengths: NDArray[np.float64]
    batch: Inputs


@dataclass(frozen=True)
class Descent:
    """A step down the gradient of a batch's mean loss, decided but not yet taken.

    w_r <- w_r - rate / (B sqrt(m)) sum_i <a_r, residual_i> x_i      over the samples i that r fires on
    a_r <- a_r - rate / (B sqrt(m)) sum_i (<w_r, x_i> - b) residual_i  where the output weights train too

    Both from the old values. d (and c) multiply-adds a firing pair; silent neurons are not touched.

    Attributes
    ----------
    residuals : (B, c)
        Derivative of each sample's loss by its outputs.
    learning_rate, output_learning_rate : float
        The second is 0 where the output weights stay as they are.
    """

    network: TwoLayerNetwork
    batch: Inputs
    fires: FireSet
    residuals: NDArray
    learning_rate: float
    output_learning_rate: float = 0.0

    @cached_property
    def step(self) -> Step:
        """How the weights move; filled in when the step is taken."""
        return Step(self.fires, np.empty(len(self.fires), self.network.dtype), np.empty(self.network.width),
                    self.batch)  # fmt: skip

    @cached_property
    def kernel_step(self) -> Any:
        """The step as the compiled core takes it."""
        network, fires, n_samples = self.network, self.fires, len(self.batch)
        return getattr(_core, f"Descent_{network.dtype}")(
            fires.begins, fires.samples, fires.values, padded(self.residuals, network.dtype),
            self.batch.kernel_rows, network.threshold, network.scale, self.learning_rate / n_samples,
            self.output_learning_rate / n_samples, network.weight_rows, network.output_rows,
            self.step.coefficients, self.step.lengths,
        )  # fmt: skip

    def take(self) -> Step:
        """Move the weights of all neurons that fired."""
        _core.backward(self.kernel_step)
        return self.step

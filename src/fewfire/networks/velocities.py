"""Neurons that coast: with momentum or weight decay they move on though they do not fire.

Between two steps on which it fires, the row w of a neuron and its velocity v go through a linear map of four
numbers, the same for all neurons. So a neuron's rows are written only when it fires; what they have become
since is worked out where they are needed. docs/theory/momentum.md derives it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire import _core
from fewfire.core.rows import padded_zeros
from fewfire.networks.momentum import Flow, Momentum

# After as many steps all rows are settled: the maps from each of them to the present are kept.
SETTLED_AFTER = 256


class Velocities:
    """Velocities of a network, and the time at which each neuron's rows were last written.

    Parameters
    ----------
    weight_rows, output_rows : of the network
    optimizer : Momentum
        Without momentum there are no velocities.

    Attributes
    ----------
    velocity_rows, output_velocity_rows : like the weights, or without rows
    kernel_rows : the weights as the compiled core takes them
    """

    def __init__(self, weight_rows: NDArray, output_rows: NDArray, optimizer: Momentum) -> None:
        width, dtype = len(weight_rows), weight_rows.dtype
        rows = width if optimizer.momentum else 0
        self.optimizer = optimizer
        self.velocity_rows = padded_zeros(rows, weight_rows.shape[1], dtype)
        self.output_velocity_rows = padded_zeros(rows, output_rows.shape[1], dtype)
        self._since = np.zeros(width, np.int32)
        self.kernel_rows: Any = getattr(_core, f"Weights_{dtype}")(
            weight_rows, self.velocity_rows, self._since
        )

    @property
    def settled(self) -> bool:
        """Whether all rows are written as they are now."""
        return self.kernel_rows.now == 0

    @property
    def due(self) -> bool:
        """Whether it is time to settle."""
        return self.kernel_rows.now >= SETTLED_AFTER

    def advance(self, rate: float) -> Flow:
        """A step begins: all neurons coast by the map that is returned."""
        flow = self.optimizer.flow(rate)
        self.kernel_rows.advance(flow)
        return flow

    def settle(self) -> None:
        """Write all rows as they are now. What the weights are now does not change by a bit."""
        self.kernel_rows.settle()

    def restart(self) -> None:
        """Take all rows as they are written for those of now."""
        self.kernel_rows.restart()

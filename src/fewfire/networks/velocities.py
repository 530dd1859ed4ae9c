"""Velocities: with momentum or weight decay a neuron moves on though it does not fire.

Between two steps on which it fires, the row w of a neuron and its velocity v go through a linear map of four
numbers, the same for all neurons. So a neuron's rows are written only when it fires; what they have become
since is worked out where they are needed. docs/theory/momentum.md derives it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.core.rows import padded_zeros
from fewfire.core.view import core_class

Flow = tuple[float, float, float, float]  # p, q, r, s: (w, v) becomes (p w + q v, r w + s v)

# After so many steps all rows are settled: the maps from each of them to the present are kept.
SETTLED_AFTER = 256


class Velocities:
    """The velocities of a layer, and the time at which each neuron's rows were last written.

    Parameters
    ----------
    weight_rows : (width, stride)
        The padded weights of the layer.
    with_momentum : bool
        Without momentum weights decay, and there are no velocities.

    Attributes
    ----------
    rows : (width, stride), or (0, stride) without momentum
    core_view : the weights with their velocities and times, as the compiled core takes them
    """

    def __init__(self, weight_rows: NDArray, *, with_momentum: bool) -> None:
        width, stride = weight_rows.shape
        self.rows = padded_zeros(width if with_momentum else 0, stride, weight_rows.dtype)
        self._since = np.zeros(width, np.int32)
        self.core_view: Any = core_class("Weights", weight_rows.dtype)(weight_rows, self.rows, self._since)

    @property
    def settled(self) -> bool:
        """Whether all rows are written as they are now."""
        return self.core_view.now == 0

    @property
    def due(self) -> bool:
        """Whether it is time to settle."""
        return self.core_view.now >= SETTLED_AFTER

    def advance(self, flow: Flow) -> None:
        """A step begins: all neurons coast by this map."""
        self.core_view.advance(flow)

    def settle(self) -> None:
        """Write all rows as they are now. What the weights are now does not change by a bit."""
        self.core_view.settle()

    def restart(self) -> None:
        """Take all rows as they are written for those of now."""
        self.core_view.restart()

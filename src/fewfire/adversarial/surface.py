"""A network as an attack sees it: outputs, and their gradients, at any points in the user's units."""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.indexes import ExhaustiveIndex, Index, OpenIndex
from fewfire.networks.gradients import input_gradients
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.scaling import InputScaling


@dataclass(frozen=True, eq=False)
class Seen:
    """Some points, who fires there, and the outputs (n, c)."""

    points: NDArray
    inputs: Inputs
    fires: FireSet
    outputs: NDArray


class Surface:
    """The outputs of a network over its inputs.

    Parameters
    ----------
    network : TwoLayerNetwork
    scaling : InputScaling, optional
        The way from the user's units to the network; without it points are the network's own inputs.
    index : OpenIndex
        An exact one, built on the network's layer: nobody has seen these points before.
    mean : (c,), optional
        Added to the outputs.

    Attributes
    ----------
    gradient_pairs : int
        Firing pairs that `gradients` has summed over.

    Raises
    ------
    ValueError
        The index answers for its training samples alone, or may miss neurons that fire.
    """

    def __init__(
        self,
        network: TwoLayerNetwork,
        scaling: InputScaling | None,
        index: Index,
        *,
        mean: NDArray | None = None,
    ) -> None:
        if not isinstance(index, OpenIndex) or not index.is_exact:
            raise ValueError(
                f"an attack needs an exact index that answers for new inputs. Got {index.name}. Use "
                "'screened', 'exhaustive' or 'weight_tree'."
            )
        self.network, self.scaling, self.index, self._mean = network, scaling, index, mean
        self.gradient_pairs = 0
        self._near: FireSet | None = None  # the only pairs that may fire

    def at_threshold(self, threshold: float) -> "Surface":
        """The same neurons at another threshold, searched exhaustively: for a low one, at which many fire."""
        network, index = self.network.at_threshold(threshold), ExhaustiveIndex()
        index.build(network.layer)
        return Surface(network, self.scaling, index, mean=self._mean)

    def near(self, points: NDArray, slack: float) -> "Surface":
        """The same for as many points near these, where only neurons may fire that nearly fire on these.

        Parameters
        ----------
        points : (n, p)
        slack : float
            How far below the threshold a pre-activation at these points may lie.

        Notes
        -----
        One search of all neurons now, and none later: d multiply-adds per pair that nearly fires. At `points`
        themselves outputs and gradients are exact.
        """
        surface = copy(self)
        surface._near = self.index.pairs_above(self.inputs_at(points), self.network.threshold - slack)
        return surface

    def inputs_at(self, points: NDArray) -> Inputs:
        """The points as the network takes them, without ids."""
        rows = points if self.scaling is None else self.scaling.transform(points, self.network.dtype)
        return replace(Inputs.of(rows, self.network.dtype), ids=None)

    def at(self, points: NDArray) -> Seen:
        """What the network says there: as `predict` does, bit for bit."""
        inputs = self.inputs_at(points)
        near = self._near
        fires = self.index.fire_set(inputs) if near is None else self.index.firing_among(near, inputs)
        outputs = self.network.outputs(fires)
        return Seen(points, inputs, fires, outputs if self._mean is None else outputs + self._mean)

    def gradients(self, seen: Seen, residuals: NDArray) -> NDArray[np.float64]:
        """The derivative by the points (n, p) of something whose derivative by the outputs is (n, c).

        c + d multiply-adds per firing pair, and O(d) per point.
        """
        self.gradient_pairs += len(seen.fires)
        of_inputs = input_gradients(self.network, seen.fires, residuals).astype(np.float64)
        return of_inputs if self.scaling is None else self.scaling.pull_back(seen.points, of_inputs)

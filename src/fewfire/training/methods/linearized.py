"""A network as a Gauss-Newton step sees it: who fires, outputs, Gram matrix, and moves that can be undone."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.work import Work
from fewfire.indexes.later_layers import Firing, LaterLayers
from fewfire.networks.deep import DeepNetwork
from fewfire.networks.descent import Descent, Step
from fewfire.networks.layer import Layer
from fewfire.networks.layer_descent import LayerDescent, output_pulls
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.tangent.deep_gram import DeepGram
from fewfire.tangent.gram import FiringGram, Floats
from fewfire.training.asking import Asking
from fewfire.training.methods.ridge import Gram
from fewfire.training.problem import Problem

Seen = TypeVar("Seen")  # who fires on a batch: in one layer, or in each


class Linearized(ABC, Generic[Seen]):
    """What a step asks of a network of any depth.

    Attributes
    ----------
    layers : list of Layer
    later_works : list of Work
        Counted for the layers above the first.
    """

    def __init__(self, layers: list[Layer], asking: Asking, later_works: Sequence[Work] = ()) -> None:
        self.layers, self.asking, self.later_works = layers, asking, list(later_works)

    @abstractmethod
    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, Seen]:
        """The samples with these ids, and who fires on them."""

    @abstractmethod
    def see(self, batch: Inputs) -> Seen:
        """Who fires on a batch now."""

    @abstractmethod
    def keep(self, ids: NDArray[np.int64], batch: Inputs, seen: Seen) -> None:
        """Remember who fires now on these samples, for the next `look`."""

    @abstractmethod
    def outputs(self, seen: Seen) -> Floats:
        """Outputs (n, c)."""

    @abstractmethod
    def gram(self, batch: Inputs, seen: Seen) -> Gram:
        """The Gram matrix of the Jacobian."""

    @abstractmethod
    def dead_samples(self, seen: Seen) -> NDArray[np.int64] | int:
        """On how many samples no neuron of each layer fires; 0 where nobody asks."""

    @abstractmethod
    def move(self, batch: Inputs, seen: Seen, pulls: NDArray) -> Step:
        """Move by -J^T pulls; how the first layer moved."""

    def take(self, batch: Inputs, seen: Seen, pulls: NDArray, *, all_moved: bool) -> None:
        """Move by -J^T pulls, and tell the index: it is built anew where all neurons moved before that."""
        self._step = self.move(batch, seen, pulls)
        self._tell(self._step, all_moved)

    def undo(self, base: list[NDArray], *, all_moved: bool) -> None:
        """Back to the rows of before the last `take`, and tell the index."""
        self.restore(base)
        step = self._step
        self._tell(Step(step.fires, -step.coefficients, step.lengths, step.batch), all_moved)

    def restore(self, base: list[NDArray]) -> None:
        """Put these rows in the place of the weights."""
        for layer, rows in zip(self.layers, base, strict=True):
            layer.weight_rows[:] = rows

    def _tell(self, step: Step, all_moved: bool) -> None:
        if all_moved:
            self.asking.forget()  # all neurons moved, and not by a sum over the batch
        else:
            self.asking.moved(step)


class OfTwoLayers(Linearized[FireSet]):
    """One hidden layer."""

    def __init__(self, network: TwoLayerNetwork, asking: Asking) -> None:
        super().__init__(network.layers, asking)
        self.network = network

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, FireSet]:
        return self.asking.batch(ids)

    def see(self, batch: Inputs) -> FireSet:
        return self.asking.fire_set(batch)

    def keep(self, ids: NDArray[np.int64], batch: Inputs, seen: FireSet) -> None:
        self.asking.keep(ids, batch, seen)

    def outputs(self, seen: FireSet) -> Floats:
        return self.network.outputs(seen).astype(np.float64)

    def gram(self, batch: Inputs, seen: FireSet) -> FiringGram:
        return FiringGram(self.network, batch, seen)

    def dead_samples(self, seen: FireSet) -> int:
        return 0

    def move(self, batch: Inputs, seen: FireSet, pulls: NDArray) -> Step:
        return Descent(self.network, batch, seen, pulls, float(len(batch))).take()


class OfDeep(Linearized[Firing]):
    """Several hidden layers."""

    def __init__(self, network: DeepNetwork, asking: Asking) -> None:
        self.network, self.later = network, LaterLayers(network)
        super().__init__(network.layers, asking, [index.work for index in self.later.indexes])
        self._kept: Firing | None = None

    def look(self, ids: NDArray[np.int64]) -> tuple[Inputs, Firing]:
        batch, fires = self.asking.batch(ids)
        kept, self._kept = self._kept, None
        return batch, kept if kept is not None and kept.fires[0] is fires else self.later.firing(fires)

    def see(self, batch: Inputs) -> Firing:
        return self.later.firing(self.asking.fire_set(batch))

    def keep(self, ids: NDArray[np.int64], batch: Inputs, seen: Firing) -> None:
        self.asking.keep(ids, batch, seen.fires[0])
        self._kept = seen

    def outputs(self, seen: Firing) -> Floats:
        return self.network.outputs(seen.fires[-1]).astype(np.float64)

    def gram(self, batch: Inputs, seen: Firing) -> DeepGram:
        return DeepGram(self.network, batch, seen)

    def dead_samples(self, seen: Firing) -> NDArray[np.int64]:
        return seen.dead_samples

    def move(self, batch: Inputs, seen: Firing, pulls: NDArray) -> Step:
        rate = float(len(batch))
        of_outputs = output_pulls(self.network.top, seen.fires[-1], pulls)
        below, descents = self.later.descents(seen, of_outputs, rate)
        self.later.take(descents)
        return LayerDescent(self.network.layer, batch, seen.fires[0], below, rate).take()


def linearized(problem: Problem, asking: Asking) -> Linearized:
    """The network of a problem, of whatever depth."""
    network = problem.network
    if isinstance(network, DeepNetwork) and network.depth > 1:
        return OfDeep(network, asking)
    return OfTwoLayers(problem.two_layers("a Gauss-Newton step"), asking)

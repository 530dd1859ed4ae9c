"""One of the networks whose mean an estimator predicts."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.preparation import Preparation


@dataclass(frozen=True, eq=False)
class Member:
    """A network, how rows are prepared for it, and the ridge that it is trained with."""

    preparation: Preparation
    ridge: float
    network: TwoLayerNetwork

    def copy(self) -> "Member":
        """With a network of its own."""
        return replace(self, network=self.network.copy())

    def outputs(self, inputs: NDArray) -> NDArray[np.float64]:
        """Outputs (n, c) for coded rows (n, d)."""
        samples = Inputs.of(self.preparation.transform(inputs))
        return predicted_outputs(self.network, samples).astype(np.float64)

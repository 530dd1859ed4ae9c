"""One of the networks whose mean a model predicts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fewfire.core.inputs import Inputs
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.deep import Network, network_of_state
from fewfire.prepare.preparation import Preparation

PREPARATION = "preparation "  # what the names of its arrays begin with


@dataclass(frozen=True, eq=False)
class Member:
    """A network, how rows are prepared for it, and the ridge that it is trained with.

    Attributes
    ----------
    preparation : Preparation
    ridge : float
        As that of `GaussNewton` for output weights of 1; 0 for none.
    network : TwoLayerNetwork or DeepNetwork
    """

    preparation: Preparation
    ridge: float
    network: Network

    def copy(self) -> "Member":
        """With a network of its own."""
        return replace(self, network=self.network.copy())

    def outputs(self, inputs: NDArray) -> NDArray[np.float64]:
        """Outputs (n, c) for coded rows (n, d)."""
        dtype = self.network.dtype
        samples = Inputs.of(self.preparation.transform(inputs, dtype), dtype)
        return predicted_outputs(self.network, samples).astype(np.float64)

    def state(self) -> dict[str, NDArray]:
        """All of it as arrays by name."""
        prepared = {PREPARATION + name: array for name, array in self.preparation.state().items()}
        return self.network.state() | prepared | {"ridge": np.array(self.ridge)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray]) -> "Member":
        """The inverse of `state`; other names in the mapping are ignored."""
        prepared = {name.removeprefix(PREPARATION): array for name, array in state.items()
                    if name.startswith(PREPARATION)}  # fmt: skip
        network = network_of_state(state)
        preparation = Preparation.from_state(prepared)
        if preparation.scaling.n_outputs != network.n_features:
            raise ValueError(
                f"a network of {network.n_features} features beside a scaling to "
                f"{preparation.scaling.n_outputs}"
            )
        return cls(preparation, state["ridge"].item(), network)

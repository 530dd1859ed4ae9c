"""How much of a training is of first order in the weights: the network beside its linearization.

With the weights w_0 before and w_0 + delta after, the outputs to first order are

    f_1(x) = f_0(x) + scale sum_r [a_r <delta_r, x> + alpha_r (<w_0r, x> - b)]    over who fired at first,

alpha the change of the output weights, if they train. For fixed output weights f - f_1 is a sum over pairs
that crossed the threshold, and nothing else. docs/theory/hierarchical.md.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from fewfire.core.inputs import Inputs
from fewfire.core.rows import padded
from fewfire.indexes import index_for_new_inputs
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.tangent.gram import FiringGram

LAZY = 0.1  # the share of second order below which the linearized network is as good


@dataclass(frozen=True)
class TaylorShares:
    """Of what training changed in the outputs on some samples.

    Attributes
    ----------
    first, second : float
        |f_1 - f_0| / |f - f_0| and |f - f_1| / |f - f_0|; 1 and 0 where nothing changed. Together they are
        more than 1 unless both point the same way.
    n_samples : int
    """

    first: float
    second: float
    n_samples: int

    @property
    def is_lazy(self) -> bool:
        """Whether the linearized network does nearly the same."""
        return self.second < LAZY

    def as_dict(self) -> dict[str, float]:
        """All figures by name."""
        return asdict(self)

    def __str__(self) -> str:
        end = "linear in the weights" if self.is_lazy else "not linear in the weights"
        return f"{self.first:.1%} of first order, {self.second:.1%} of higher: {end}"


def taylor_shares(
    start: TwoLayerNetwork, network: TwoLayerNetwork, inputs: ArrayLike | Inputs
) -> TaylorShares:
    """Compare a trained network with what its first order at the start makes of the same move.

    Parameters
    ----------
    start, network : TwoLayerNetwork
        The same neurons in the same order, before and after.
    inputs : (n, d) array or Inputs

    Raises
    ------
    DataError
        The inputs are not two-dimensional, are empty, or hold NaN or infinity.
    ValueError
        The networks differ in more than their weights, or the inputs have other features.

    Notes
    -----
    Cost: two fire sets, and d multiply-adds per firing pair.
    """
    same = ("width", "n_features", "n_outputs", "threshold", "scale", "dtype")
    differ = [name for name in same if getattr(start, name) != getattr(network, name)]
    if differ:
        raise ValueError(
            "the networks must be one before and after training. Got two that differ in "
            f"{', '.join(differ)}. Keep a copy of the network before it is trained."
        )
    inputs = Inputs.of_any(inputs, network.dtype)
    fires = index_for_new_inputs(start.layer, inputs).fire_set(inputs)
    before = start.outputs(fires).astype(np.float64)
    after = network.outputs(index_for_new_inputs(network.layer, inputs).fire_set(inputs)).astype(np.float64)
    moved = padded(network.weights - start.weights, start.dtype)
    first = FiringGram(start, inputs, fires).response([moved])
    turned = padded(network.output_weights - start.output_weights, start.dtype)
    first += TwoLayerNetwork.of_rows(start.layer, turned, start.n_outputs).outputs(fires)
    change = float(np.linalg.norm(after - before))
    if change == 0:
        return TaylorShares(1.0, 0.0, len(inputs))
    return TaylorShares(
        float(np.linalg.norm(first)) / change,
        float(np.linalg.norm(after - before - first)) / change,
        len(inputs),
    )

"""Which neurons an attack may look at alone: those near firing on the samples as they are."""

import numpy as np
from numpy.typing import NDArray

from fewfire.adversarial.attack import Attack
from fewfire.indexes.base import SAMPLED_ROWS, typical_size
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.prepare.scaling import InputScaling

SLACK = 1.5  # times the radius: misses a percent of what an attack could gain (docs/theory/adversarial.md)


def candidate_slack(
    network: TwoLayerNetwork, attack: Attack, samples: NDArray, scaling: InputScaling | None
) -> float:
    """How far below the threshold a neuron may lie on a sample, to count for attacks on it.

        1.5 sigma |r| / N

    with the ball's radius r in each column, the mean norm N by which samples are divided on their way to the
    sphere, and the standard deviation sigma of the pre-activations of the network as it is now.

    Parameters
    ----------
    network : TwoLayerNetwork
    attack : Attack
    samples : (n, p) array
    scaling : InputScaling, optional
        Without it the samples are the network's own inputs, and N is 1.
    """
    radii = attack.radii(samples.shape[1])
    some = samples[:: -(-len(samples) // SAMPLED_ROWS)]
    reach = float(np.linalg.norm(radii)) if scaling is None else scaling.mean_shift(some, radii)
    return SLACK * typical_size(network.layer.weights[:SAMPLED_ROWS]) * reach

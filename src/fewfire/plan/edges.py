"""A statistic of the edges of a network: experimental, our own reconstruction (docs/theory/ranking.md)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SQUARED = ("squared", "mse_loss")


def edge_dynamics(layers: Sequence[tuple[Floats, Floats]], inputs: Floats, targets: Floats) -> float:
    """The effective coupling of the edges of a ReLU network under descent on the squared loss.

    An edge ij moves by -a_i delta_j, and delta_j = phi'_j sum_k w_jk delta_k: it is driven by the edges jk
    that leave its head, with the weight P = a_i phi'_j delta_k. The mean-field reduction of such a system is
    beta = sum s_out s_in / sum s_in over its edges, with the sums s_in over what drives an edge and s_out
    over what it drives. The mean over samples is given.

    Parameters
    ----------
    layers : sequence of (weights (n_out, n_in), biases (n_out,))
        Two hidden layers at least.
    inputs : (n, d)
    targets : (n, c)

    Raises
    ------
    ValueError
        There are fewer than two hidden layers.

    Notes
    -----
    Cost: one pass forward and back; the strengths factorize, so that no matrix of edges is formed.
    Source of the reduction: Gao, Barzel, Barabasi (Nature 2016). That edges are the nodes is the idea of
    Jiang et al. (arXiv 2201.04194), of which only the abstract is known to us: this is a reconstruction.
    """
    require_depth(len(layers))
    activations, derivatives = [np.asarray(inputs, np.float64)], []
    for weights, biases in layers[:-1]:
        before = activations[-1] @ weights.T + biases
        derivatives.append(before > 0)
        activations.append(np.maximum(before, 0))
    weights, biases = layers[-1]
    deltas = [activations[-1] @ weights.T + biases - targets]
    for (weights, _), derivative in zip(reversed(layers[1:]), reversed(derivatives), strict=True):
        deltas.insert(0, (deltas[0] @ weights) * derivative)
    driven = drives = 0.0
    for place, derivative in enumerate(derivatives):  # of the edges into this hidden layer
        after = deltas[place + 1].sum(axis=1)
        s_in = np.einsum("ni,nj->n", activations[place], derivative * 1.0) * after
        driven = driven + s_in
        if place > 0:  # only edges behind the first hidden layer drive any
            into = derivatives[place - 1]
            s_out = activations[place - 1].sum(axis=1)[:, None] * into
            along = (s_out * activations[place]).sum(axis=1) * (deltas[place] * derivative).sum(axis=1)
            drives = drives + along * after
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nanmean(drives / driven))


def require_depth(n_layers: int) -> None:
    """Raise ValueError where no edge both drives and is driven."""
    if n_layers < 3:
        raise ValueError(
            "edge_dynamics must have two hidden layers at least. Got a network with fewer, in which no edge "
            "both drives others and is driven, so that it is 0 whatever the network. Use score='validation'."
        )


def require_squared(loss: str) -> None:
    """Raise ValueError where the statistic vanishes, whatever the network."""
    if loss not in SQUARED:
        raise ValueError(
            f"edge_dynamics must have the squared loss. Got {loss}: after a softmax the derivatives of a "
            "sample's loss by its outputs add up to 0, and so does it. Use score='validation'."
        )

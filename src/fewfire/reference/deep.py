"""A network of several hidden layers, each of whose outputs goes to the unit sphere, densely in float64.

    h_0 = x
    z_l = W_l h_(l-1),   a_l = max(z_l - b_l, 0)                          l = 1..L
    h_l = a_l / |a_l|, or 0 where nothing fires                           l < L
    f   = m_L^(-1/2) A^T a_L

With a constant k > 0 the next layer takes (h_l, k) / sqrt(1 + k^2), so that it takes unit vectors, too.

Everywhere: `weights` the L arrays W_l (m_l, d_l), `output_weights` A (m_L, c), `samples` x (n, d),
`thresholds` the L numbers b_l >= 0, `constants` one number k >= 0 for each layer but the last. `lengths` are
what the hidden vectors are divided by in place of their own lengths, one number for each layer but the last.

Sources: Song, Zhang, Zhang, arXiv 2112.07628, for the network; its vectors are scaled as with `lengths`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.reference.losses import loss_gradients

Floats = NDArray[np.float64]


def normalized(activations: Floats, length: float | None = None) -> Floats:
    """h (n, m): the activations over their length, or over a given one."""
    if length is not None:
        return activations / length
    own = np.linalg.norm(activations, axis=1, keepdims=True)
    return np.divide(activations, own, out=np.zeros_like(activations), where=own > 0)


def normalized_gradients(activations: Floats, by_hidden: Floats, length: float | None = None) -> Floats:
    """The derivative by the activations, (g - <g, h> h) / |a|, of what has the derivative g by h, (n, m).

    A sample on which nothing fires has none.
    """
    if length is not None:
        return by_hidden / length
    h = normalized(activations)
    tangential = by_hidden - np.sum(by_hidden * h, axis=1, keepdims=True) * h
    own = np.linalg.norm(activations, axis=1, keepdims=True)
    return np.divide(tangential, own, out=np.zeros_like(tangential), where=own > 0)


def with_constant(hidden: Floats, constant: float) -> Floats:
    """(h, k) / sqrt(1 + k^2), (n, m + 1); h itself for k = 0."""
    if constant == 0:
        return hidden
    column = np.full((len(hidden), 1), constant)
    return np.hstack([hidden, column]) / np.sqrt(1 + constant**2)


def deep_layers(
    weights: Sequence[ArrayLike],
    samples: ArrayLike,
    thresholds: Sequence[float],
    constants: Sequence[float],
    lengths: Sequence[float] | None = None,
) -> tuple[list[Floats], list[Floats]]:
    """What each layer takes, (n, d_l), and its pre-activations z_l, (n, m_l)."""
    taken, z = [np.asarray(samples, np.float64)], []
    for layer, (w, b) in enumerate(zip(weights, thresholds, strict=True)):
        z.append(taken[layer] @ np.asarray(w, np.float64).T)
        if layer < len(weights) - 1:
            length = None if lengths is None else lengths[layer]
            taken.append(with_constant(normalized(np.maximum(z[layer] - b, 0), length), constants[layer]))
    return taken, z


def deep_forward(
    weights: Sequence[ArrayLike],
    output_weights: ArrayLike,
    samples: ArrayLike,
    thresholds: Sequence[float],
    constants: Sequence[float],
    lengths: Sequence[float] | None = None,
) -> Floats:
    """f(x_i), (n, c)."""
    a = np.asarray(output_weights, np.float64)
    _, z = deep_layers(weights, samples, thresholds, constants, lengths)
    return np.maximum(z[-1] - thresholds[-1], 0) @ a / np.sqrt(len(a))


def deep_deltas(
    weights: Sequence[ArrayLike],
    output_weights: ArrayLike,
    samples: ArrayLike,
    thresholds: Sequence[float],
    constants: Sequence[float],
    residuals: ArrayLike,
    lengths: Sequence[float] | None = None,
) -> list[Floats]:
    """The derivative by each layer's pre-activations, (n, m_l), of what has `residuals` by the outputs.

    delta_L = m_L^(-1/2) A residual               where the neuron fires, else 0
    delta_l = (g - <g, h_l> h_l) / |a_l|          the same, with g = W_(l+1)^T delta_(l+1) / sqrt(1 + k^2)
    """
    a = np.asarray(output_weights, np.float64)
    _, z = deep_layers(weights, samples, thresholds, constants, lengths)
    deltas = [np.asarray(residuals, np.float64) @ a.T / np.sqrt(len(a)) * (z[-1] > thresholds[-1])]
    for layer in reversed(range(len(weights) - 1)):
        activations = np.maximum(z[layer] - thresholds[layer], 0)
        above = np.asarray(weights[layer + 1], np.float64)[:, : activations.shape[1]]
        by_hidden = deltas[0] @ above / np.sqrt(1 + constants[layer] ** 2)
        length = None if lengths is None else lengths[layer]
        by_activations = normalized_gradients(activations, by_hidden, length)
        deltas.insert(0, by_activations * (z[layer] > thresholds[layer]))
    return deltas


def deep_gradients(
    weights: Sequence[ArrayLike],
    output_weights: ArrayLike,
    samples: ArrayLike,
    thresholds: Sequence[float],
    constants: Sequence[float],
    residuals: ArrayLike,
    lengths: Sequence[float] | None = None,
) -> tuple[list[Floats], Floats]:
    """Gradients of the batch's mean loss by the weights of each layer, and by the output weights (m_L, c).

    dL/dW_l = 1/n sum_i delta_(l,i) (x) h_(l-1,i)

    Parameters
    ----------
    residuals : (n, c)
        Derivative of each sample's loss by its outputs.
    """
    taken, z = deep_layers(weights, samples, thresholds, constants, lengths)
    deltas = deep_deltas(weights, output_weights, samples, thresholds, constants, residuals, lengths)
    n = len(taken[0])
    by_weights = [delta.T @ h / n for delta, h in zip(deltas, taken, strict=True)]
    activations = np.maximum(z[-1] - thresholds[-1], 0)
    return by_weights, activations.T @ np.asarray(residuals, np.float64) / (n * np.sqrt(z[-1].shape[1]))


def deep_jacobian(
    weights: Sequence[ArrayLike],
    output_weights: ArrayLike,
    samples: ArrayLike,
    thresholds: Sequence[float],
    constants: Sequence[float],
    lengths: Sequence[float] | None = None,
) -> Floats:
    """df_k(x_i) / dW_l for all layers one after the other, (n c, sum_l m_l d_l)."""
    a = np.asarray(output_weights, np.float64)
    taken, _ = deep_layers(weights, samples, thresholds, constants, lengths)
    n, c = len(taken[0]), a.shape[1]
    full = [np.empty((n, c, np.size(w))) for w in weights]
    for k in range(c):
        one = np.tile(np.eye(c)[k], (n, 1))
        deltas = deep_deltas(weights, a, samples, thresholds, constants, one, lengths)
        for block, delta, h in zip(full, deltas, taken, strict=True):
            block[:, k] = np.einsum("ir,ij->irj", delta, h).reshape(n, -1)
    return np.concatenate(full, axis=2).reshape(n * c, -1)


def deep_train(
    weights: Sequence[ArrayLike],
    output_weights: ArrayLike,
    samples: ArrayLike,
    targets: ArrayLike,
    thresholds: Sequence[float],
    constants: Sequence[float],
    *,
    loss: str,
    learning_rate: float,
    batches: Iterable[ArrayLike],
    train_output_weights: bool = False,
    lengths: Sequence[float] | None = None,
) -> tuple[list[Floats], Floats]:
    """One step down the gradient on each batch of sample numbers, in turn."""
    w, a = [np.asarray(one, np.float64) for one in weights], np.asarray(output_weights, np.float64)
    x, y = np.asarray(samples, np.float64), np.asarray(targets, np.float64)
    for ids in batches:
        batch = x[np.asarray(ids)]
        outputs = deep_forward(w, a, batch, thresholds, constants, lengths)
        residuals = loss_gradients(loss, outputs, y[np.asarray(ids)])
        by_weights, by_output_weights = deep_gradients(w, a, batch, thresholds, constants, residuals, lengths)
        w = [one - learning_rate * gradient for one, gradient in zip(w, by_weights, strict=True)]
        if train_output_weights:
            a = a - learning_rate * by_output_weights
    return w, a

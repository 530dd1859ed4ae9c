"""The two-layer network with a shifted ReLU, and its training, densely in float64.

    f(x) = m^(-1/2) sum_r a_r max(<w_r, x> - b, 0)          r = 1..m, x in R^d, a_r in R^c

Everywhere: `weights` w (m, d), `output_weights` a (m, c), `samples` x (n, d), `targets` y (n, c),
`threshold` b >= 0. Arrays of any dtype are taken and worked on in float64.

Source: Song, Yang, Zhang, NeurIPS 2021 (arXiv 2110.04622), with outputs of any number, any of the losses,
and a strict inequality at the threshold, so that the derivative of the ReLU at 0 is 0, as in PyTorch; the
paper writes >=.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewfire.reference.losses import loss_gradients

Floats = NDArray[np.float64]


def pre_activations(weights: ArrayLike, samples: ArrayLike) -> Floats:
    """<w_r, x_i>, (m, n)."""
    return np.asarray(weights, np.float64) @ np.asarray(samples, np.float64).T


def fires(weights: ArrayLike, samples: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Whether <w_r, x_i> > b, strictly, (m, n)."""
    return pre_activations(weights, samples) > threshold


def activations(weights: ArrayLike, samples: ArrayLike, threshold: float) -> Floats:
    """max(<w_r, x_i> - b, 0), (m, n)."""
    return np.maximum(pre_activations(weights, samples) - threshold, 0)


def forward(weights: ArrayLike, output_weights: ArrayLike, samples: ArrayLike, threshold: float) -> Floats:
    """f(x_i), (n, c)."""
    a = np.asarray(output_weights, np.float64)
    return activations(weights, samples, threshold).T @ a / np.sqrt(len(a))


def gradients(
    weights: ArrayLike,
    output_weights: ArrayLike,
    samples: ArrayLike,
    threshold: float,
    residuals: ArrayLike,
) -> tuple[Floats, Floats]:
    """Gradients of the batch's mean loss by the weights (m, d) and by the output weights (m, c).

    dL/dw_r = 1 / (n sqrt(m)) sum_i <a_r, residual_i> [r fires on i] x_i
    dL/da_r = 1 / (n sqrt(m)) sum_i max(<w_r, x_i> - b, 0) residual_i

    Parameters
    ----------
    residuals : (n, c)
        Derivative of each sample's loss by its outputs.
    """
    a, x = np.asarray(output_weights, np.float64), np.asarray(samples, np.float64)
    residuals = np.asarray(residuals, np.float64)
    share = 1 / (len(x) * np.sqrt(len(a)))
    by_weights = share * ((a @ residuals.T) * fires(weights, x, threshold)) @ x
    by_output_weights = share * activations(weights, x, threshold) @ residuals
    return by_weights, by_output_weights


def gradient_step(
    weights: ArrayLike,
    output_weights: ArrayLike,
    samples: ArrayLike,
    targets: ArrayLike,
    threshold: float,
    *,
    loss: str,
    learning_rate: float,
    train_output_weights: bool = False,
) -> tuple[Floats, Floats]:
    """The weights and the output weights after one step down the gradient of the mean loss."""
    w, a = np.asarray(weights, np.float64), np.asarray(output_weights, np.float64)
    residuals = loss_gradients(loss, forward(w, a, samples, threshold), targets)
    by_weights, by_output_weights = gradients(w, a, samples, threshold, residuals)
    if train_output_weights:
        a = a - learning_rate * by_output_weights
    return w - learning_rate * by_weights, a


def descend(
    parameter: ArrayLike,
    velocity: ArrayLike,
    gradient: ArrayLike,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Floats, Floats]:
    """A parameter and its velocity (of 0 at first) after one step of torch.optim.SGD, with dampening 0.

    g' = g + decay w,   v <- momentum v + g',   w <- w - rate v        or, with nesterov,
                                                w <- w - rate (g' + momentum v)
    """
    w = np.asarray(parameter, np.float64)
    decayed = np.asarray(gradient, np.float64) + weight_decay * w
    v = momentum * np.asarray(velocity, np.float64) + decayed
    return w - learning_rate * (decayed + momentum * v if nesterov else v), v


def train(
    weights: ArrayLike,
    output_weights: ArrayLike,
    samples: ArrayLike,
    targets: ArrayLike,
    threshold: float,
    *,
    loss: str,
    learning_rate: float | Sequence[float],
    batches: Iterable[ArrayLike],
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    train_output_weights: bool = False,
) -> tuple[Floats, Floats]:
    """One step on each batch of sample numbers, in turn; with a learning rate for all, or one for each."""
    w, a = np.asarray(weights, np.float64), np.asarray(output_weights, np.float64)
    x, y = np.asarray(samples, np.float64), np.asarray(targets, np.float64)
    w_velocity, a_velocity = np.zeros_like(w), np.zeros_like(a)
    for step, ids in enumerate(batches):
        rate = learning_rate[step] if isinstance(learning_rate, Sequence) else learning_rate
        batch = x[np.asarray(ids)]
        residuals = loss_gradients(loss, forward(w, a, batch, threshold), y[np.asarray(ids)])
        by_weights, by_output_weights = gradients(w, a, batch, threshold, residuals)
        rules = {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        w, w_velocity = descend(w, w_velocity, by_weights, learning_rate=rate, **rules)
        if train_output_weights:
            a, a_velocity = descend(a, a_velocity, by_output_weights, learning_rate=rate, **rules)
    return w, a


def firing_kernel(
    weights: ArrayLike, samples: ArrayLike, threshold: float, *, output_weights: bool = False
) -> Floats:
    """H_ij = <x_i, x_j> * (number of neurons that fire on both) / m, (n, n): H^dis of the paper.

    With `output_weights`, plus sum_r phi_ri phi_rj / m with phi the activations: the kernel of training
    both layers.
    """
    x = np.asarray(samples, np.float64)
    fired = fires(weights, x, threshold).astype(np.float64)
    kernel = (x @ x.T) * (fired.T @ fired)
    if output_weights:
        phi = activations(weights, x, threshold)
        kernel = kernel + phi.T @ phi
    return kernel / len(fired)

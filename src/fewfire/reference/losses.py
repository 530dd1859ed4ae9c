"""The losses of outputs f (n, c) and targets y (n, c), in float64, each as its textbook formula.

squared    1/2 sum_k (f_k - y_k)^2
softmax    log sum_k exp f_k - sum_k y_k f_k          one-hot y
logistic   sum_k log(1 + exp f_k) - y_k f_k           y_k in {0, 1}
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def loss_values(loss: str, outputs: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Loss of each sample, (n,)."""
    f, y = np.asarray(outputs, np.float64), np.asarray(targets, np.float64)
    if loss == "squared":
        return 0.5 * np.sum((f - y) ** 2, axis=1)
    if loss == "softmax":
        return np.logaddexp.reduce(f, axis=1) - np.sum(y * f, axis=1)
    return np.sum(np.logaddexp(0, f) - y * f, axis=1)


def loss_gradients(loss: str, outputs: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Derivative of each sample's loss by its outputs, (n, c)."""
    f, y = np.asarray(outputs, np.float64), np.asarray(targets, np.float64)
    if loss == "squared":
        return f - y
    if loss == "softmax":
        return np.exp(f - np.logaddexp.reduce(f, axis=1)[:, None]) - y
    return np.exp(-np.logaddexp(0, -f)) - y


def loss_curvatures(loss: str, outputs: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Second derivative of each sample's loss by its outputs, (n, c, c)."""
    f, y = np.asarray(outputs, np.float64), np.asarray(targets, np.float64)
    if loss == "squared":
        return np.broadcast_to(np.eye(f.shape[1]), (*f.shape, f.shape[1]))
    p = loss_gradients(loss, f, y) + y
    if loss == "softmax":
        return p[:, :, None] * np.eye(f.shape[1]) - p[:, :, None] * p[:, None, :]
    return (p * (1 - p))[:, :, None] * np.eye(f.shape[1])

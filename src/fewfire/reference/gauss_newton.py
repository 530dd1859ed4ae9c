"""A damped Gauss-Newton step, densely in float64, from the normal equations of all m d weights.

    (J^T C J + (damping + ridge) I) delta = -(J^T residuals + ridge (w - w_0))

J (n c, m d) is the derivative of the outputs, C that of the residuals. Only for very small networks.
"""

import numpy as np
from numpy.typing import ArrayLike

from fewfire.reference.losses import loss_curvatures, loss_gradients
from fewfire.reference.two_layer import Floats, fires, forward


def jacobian(weights: ArrayLike, output_weights: ArrayLike, samples: ArrayLike, threshold: float) -> Floats:
    """df_k(x_i) / dw_rf = m^(-1/2) a_rk [r fires on i] x_if, (n c, m d)."""
    a, x = np.asarray(output_weights, np.float64), np.asarray(samples, np.float64)
    fired = fires(weights, x, threshold)
    full = np.einsum("rk,ri,if->ikrf", a, fired, x) / np.sqrt(len(a))
    return full.reshape(len(x) * a.shape[1], -1)


def gauss_newton_step(
    weights: ArrayLike,
    output_weights: ArrayLike,
    samples: ArrayLike,
    targets: ArrayLike,
    threshold: float,
    *,
    loss: str,
    damping: float,
    ridge: float = 0.0,
    initial: ArrayLike | None = None,
) -> Floats:
    """The weights (m, d) after one step; `initial` is w_0, by default the weights themselves."""
    w = np.asarray(weights, np.float64)
    away = w - (w if initial is None else np.asarray(initial, np.float64))
    outputs = forward(w, output_weights, samples, threshold)
    j = jacobian(w, output_weights, samples, threshold)
    n, c = outputs.shape
    curved = np.einsum("nkl,nlp->nkp", loss_curvatures(loss, outputs, targets), j.reshape(n, c, -1))
    system = j.T @ curved.reshape(n * c, -1) + (damping + ridge) * np.eye(w.size)
    gradient = j.T @ loss_gradients(loss, outputs, targets).ravel() + ridge * away.ravel()
    return w - np.linalg.solve(system, gradient).reshape(w.shape)

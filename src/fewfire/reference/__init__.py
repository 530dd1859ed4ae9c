"""The specification in plain NumPy float64, to be read beside the papers. Imports nothing of ours."""

from fewfire.reference.deep import (
    deep_deltas,
    deep_forward,
    deep_gradients,
    deep_jacobian,
    deep_layers,
    deep_train,
)
from fewfire.reference.gauss_newton import gauss_newton_step, jacobian
from fewfire.reference.losses import loss_curvatures, loss_gradients, loss_values
from fewfire.reference.two_layer import (
    activations,
    descend,
    fires,
    firing_kernel,
    forward,
    gradient_step,
    gradients,
    pre_activations,
    train,
)

__all__ = [
    "activations",
    "deep_deltas",
    "deep_forward",
    "deep_gradients",
    "deep_jacobian",
    "deep_layers",
    "deep_train",
    "descend",
    "fires",
    "firing_kernel",
    "forward",
    "gauss_newton_step",
    "gradient_step",
    "gradients",
    "jacobian",
    "loss_curvatures",
    "loss_gradients",
    "loss_values",
    "pre_activations",
    "train",
]

"""Networks: their parameters, their losses, and how a step moves them."""

from fewfire.networks.deep import DeepNetwork, Network, two_layers_of
from fewfire.networks.descent import Descent, Step
from fewfire.networks.gradients import input_gradients, weight_gradients
from fewfire.networks.layer import Layer
from fewfire.networks.losses import LOSSES, Curvature, LogisticLoss, Loss, SoftmaxLoss, SquaredLoss
from fewfire.networks.near_kernel import near_kernel_network, near_kernel_ridge, orthogonal_network
from fewfire.networks.threshold import (
    auto_threshold,
    fire_rate_at,
    map_slope,
    paper_threshold,
    threshold_for_fire_rate,
    variance_map,
)
from fewfire.networks.two_layer import TwoLayerNetwork

__all__ = [
    "LOSSES",
    "Curvature",
    "DeepNetwork",
    "Descent",
    "Layer",
    "LogisticLoss",
    "Loss",
    "Network",
    "SoftmaxLoss",
    "SquaredLoss",
    "Step",
    "TwoLayerNetwork",
    "auto_threshold",
    "fire_rate_at",
    "input_gradients",
    "weight_gradients",
    "map_slope",
    "variance_map",
    "near_kernel_network",
    "near_kernel_ridge",
    "orthogonal_network",
    "paper_threshold",
    "threshold_for_fire_rate",
    "two_layers_of",
]

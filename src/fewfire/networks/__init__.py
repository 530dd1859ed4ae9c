"""Networks: their parameters, their losses, and how a step moves them."""

from fewfire.networks.losses import LOSSES, Loss
from fewfire.networks.two_layer import TwoLayerNetwork

__all__ = ["LOSSES", "Loss", "TwoLayerNetwork"]

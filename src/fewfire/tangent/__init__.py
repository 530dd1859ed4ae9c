"""The tangent kernel (NTK) of a network: through a fire set, and in the limit of great width."""

from fewfire.tangent.empirical import firing_kernel
from fewfire.tangent.evidence import kernel_evidence
from fewfire.tangent.infinite import wide_kernel
from fewfire.tangent.layers import Layers
from fewfire.tangent.own import OwnKernel, condition_of
from fewfire.tangent.own_deep import DeepOwnKernel, own_kernel

__all__ = [
    "DeepOwnKernel",
    "Layers",
    "OwnKernel",
    "condition_of",
    "firing_kernel",
    "kernel_evidence",
    "own_kernel",
    "wide_kernel",
]

"""The tangent kernel (NTK) of a network: through a fire set, and in the limit of great width."""

from fewfire.tangent.empirical import firing_kernel
from fewfire.tangent.evidence import kernel_evidence
from fewfire.tangent.infinite import wide_kernel
from fewfire.tangent.layers import Layers
from fewfire.tangent.own import OwnKernel

__all__ = ["Layers", "OwnKernel", "firing_kernel", "kernel_evidence", "wide_kernel"]

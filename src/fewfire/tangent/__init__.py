"""The tangent kernel (NTK) of a network: through a fire set, and in the limit of great width."""

from fewfire.tangent.empirical import firing_kernel
from fewfire.tangent.infinite import wide_kernel

__all__ = ["firing_kernel", "wide_kernel"]

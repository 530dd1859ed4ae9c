"""fewfire beside PyTorch. The only room that imports torch."""

from fewfire.torch.comparison import Comparison, compare_dense
from fewfire.torch.rivals import DENSE_STEPS, DenseStep

__all__ = ["DENSE_STEPS", "Comparison", "DenseStep", "compare_dense"]

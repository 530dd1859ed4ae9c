"""fewfire beside PyTorch. The only room that imports torch."""

from fewfire.torch.comparison import Comparison, compare_dense
from fewfire.torch.module import WideModule, as_module
from fewfire.torch.rivals import DENSE_STEPS, DenseStep

__all__ = ["DENSE_STEPS", "Comparison", "DenseStep", "WideModule", "as_module", "compare_dense"]

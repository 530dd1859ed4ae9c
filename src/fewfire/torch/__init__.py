"""fewfire in PyTorch, and beside it. The only room that imports torch."""

from fewfire.torch.certified import certified_loss, is_certified, output_bounds, ramp, worst_logits
from fewfire.torch.comparison import Comparison, compare_dense
from fewfire.torch.deep import SparseDeep
from fewfire.torch.firing import FiringLayer
from fewfire.torch.hidden import SparseHidden
from fewfire.torch.implicit import ImplicitLayer
from fewfire.torch.module import WideModule, as_module
from fewfire.torch.noticing import notice_steps
from fewfire.torch.rivals import DENSE_STEPS, DenseStep
from fewfire.torch.sgd import SGD
from fewfire.torch.softmax import ScreenedSoftmax
from fewfire.torch.trials import TorchTrials, sharpness, trials_of

__all__ = [
    "DENSE_STEPS",
    "SGD",
    "Comparison",
    "DenseStep",
    "FiringLayer",
    "ImplicitLayer",
    "ScreenedSoftmax",
    "SparseDeep",
    "SparseHidden",
    "TorchTrials",
    "WideModule",
    "as_module",
    "certified_loss",
    "compare_dense",
    "is_certified",
    "output_bounds",
    "ramp",
    "sharpness",
    "trials_of",
    "worst_logits",
]

notice_steps()

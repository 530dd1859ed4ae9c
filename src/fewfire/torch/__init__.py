"""fewfire in PyTorch, and beside it. The only room that imports torch."""

from fewfire.torch.comparison import Comparison, compare_dense
from fewfire.torch.deep import SparseDeep
from fewfire.torch.firing import FiringLayer
from fewfire.torch.hidden import SparseHidden
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
    "ScreenedSoftmax",
    "SparseDeep",
    "SparseHidden",
    "TorchTrials",
    "WideModule",
    "as_module",
    "compare_dense",
    "sharpness",
    "trials_of",
]

notice_steps()

"""A laboratory: tensors to decompose, a small problem in which lazy training and features are seen."""

from fewfire.lab.overparameterized_cp import OverparameterizedCP
from fewfire.lab.regimes import TensorRegime, regime
from fewfire.lab.symmetric_tensor import SymmetricTensor
from fewfire.lab.tensor_study import TensorRow, TensorStudy, study_tensors

__all__ = [
    "OverparameterizedCP",
    "SymmetricTensor",
    "TensorRegime",
    "TensorRow",
    "TensorStudy",
    "regime",
    "study_tensors",
]

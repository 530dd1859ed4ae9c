"""What the compiled core takes and gives: padded rows, inputs, fire sets, counted work."""

from fewfire.core.fire_set import FireSet
from fewfire.core.inputs import Inputs
from fewfire.core.sparse_inputs import SparseInputs
from fewfire.core.work import Work

__all__ = ["FireSet", "Inputs", "SparseInputs", "Work"]

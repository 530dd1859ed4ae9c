"""The compiled core has each class twice, `Name_float32` and `Name_float64`: which one, is decided here."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fewfire import _core


def core_class(name: str, dtype: DTypeLike) -> Any:
    """The class of the compiled core with this name for arrays of this dtype."""
    return getattr(_core, f"{name}_{np.dtype(dtype)}")

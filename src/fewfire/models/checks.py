"""Rows and targets as the classes of this room take them, checked as scikit-learn does."""

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data


def checked(estimator: Any, *given: Any, reset: bool = True) -> Any:
    """Rows (n, d), or rows and targets (n,), in float64; ValueError unless they are finite and fit."""
    targets = {"y_numeric": True} if len(given) > 1 else {}
    return validate_data(estimator, *given, dtype=np.float64, reset=reset, **targets)

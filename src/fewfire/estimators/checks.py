"""Which constructor arguments the estimators take, declared once."""

from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

from fewfire.indexes import INDEXES
from fewfire.networks.threshold import require_one_of_both
from fewfire.system.words import require_one_of
from fewfire.training import METHODS

COUNTS = ("width", "max_epochs", "batch_size", "n_iter_no_change", "n_threads", "memory_limit")
NUMBERS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "threshold": (">= 0", lambda value: value >= 0),
    "fire_rate": ("in (0, 0.5]", lambda value: 0 < value <= 0.5),
    "ridge": ("> 0", lambda value: value > 0),
    "constant": ("> 0", lambda value: value > 0),
    "learning_rate": ("> 0", lambda value: value > 0),
    "tol": ("in [0, 1)", lambda value: 0 <= value < 1),
    "validation_fraction": ("in (0, 1)", lambda value: 0 < value < 1),
}
AUTO = ("threshold", "ridge", "constant", "learning_rate", "batch_size")
OPTIONAL = ("fire_rate", "max_epochs", "n_threads", "memory_limit")


def check_parameters(estimator: Any) -> None:
    """Raise ValueError unless every constructor argument of an estimator is one that it takes."""
    for name in (*COUNTS, *NUMBERS):
        value = getattr(estimator, name)
        if (name in OPTIONAL and value is None) or (name in AUTO and _is(value, "auto")):
            continue
        kind = Integral if name in COUNTS else Real
        says, holds = NUMBERS.get(name, (">= 1", lambda value: value >= 1))
        if not (
            isinstance(value, kind) and not isinstance(value, bool) and holds(float(value)) and value < np.inf
        ):
            what = "a whole number" if name in COUNTS else "a finite number"
            auto = ", or 'auto'" if name in AUTO else ""
            raise ValueError(f"{name} must be {what} {says}{auto}. Got {value!r}. Leave it out if in doubt.")
    require_one_of(estimator.optimizer, ("auto", *METHODS), "optimizer")
    require_one_of(estimator.index, ("auto", *INDEXES), "index")
    if not _is(estimator.categories, "auto") and (
        isinstance(estimator.categories, str) or not isinstance(estimator.categories, Iterable)
    ):
        raise ValueError(
            f"categories must be a list of columns, or 'auto'. Got {estimator.categories!r}. Use 'auto' to "
            "have them found."
        )
    require_one_of_both(estimator.threshold, estimator.fire_rate, left_out="auto")


def _is(value: Any, name: str) -> bool:
    return isinstance(value, str) and value == name

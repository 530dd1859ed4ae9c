"""What must hold for constructor arguments, which are declared here once, and for labels and weights."""

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewfire.indexes import INDEXES
from fewfire.networks.threshold import require_one_of_both
from fewfire.plan.preparation import FEATURES
from fewfire.prepare.cells import is_frame
from fewfire.system.words import require_counts, require_one_of
from fewfire.training import METHODS

COUNTS = ("width", "n_members", "max_epochs", "batch_size", "n_iter_no_change", "n_threads", "memory_limit")
NUMBERS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "threshold": (">= 0", lambda value: value >= 0),
    "fire_rate": ("in (0, 0.5]", lambda value: 0 < value <= 0.5),
    "ridge": ("> 0", lambda value: value > 0),
    "constant": ("> 0", lambda value: value > 0),
    "learning_rate": ("> 0", lambda value: value > 0),
    "time_limit": ("> 0", lambda value: value > 0),
    "tol": ("in [0, 1)", lambda value: 0 <= value < 1),
    "validation_fraction": ("in (0, 1)", lambda value: 0 < value < 1),
}
AUTO = ("n_members", "threshold", "ridge", "constant", "learning_rate", "batch_size")
WEIGHTS = (1e-15, 1e15)  # whose squares and sums stay within float32
OPTIONAL = ("fire_rate", "max_epochs", "time_limit", "n_threads", "memory_limit")


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
    if (several := estimator.hidden_layers) is not None:
        if isinstance(several, str) or not isinstance(several, Sequence) or not several:
            raise ValueError(
                f"hidden_layers must be a sequence of widths. Got {several!r}. Write for example "
                "(8192, 4096)."
            )
        for width in several:
            require_counts(width=width)
    require_one_of(estimator.optimizer, ("auto", *METHODS), "optimizer")
    require_one_of(estimator.features, FEATURES, "features")
    require_one_of(estimator.index, ("auto", *INDEXES), "index")
    if not _is(estimator.categories, "auto") and (
        isinstance(estimator.categories, str) or not isinstance(estimator.categories, Iterable)
    ):
        raise ValueError(
            f"categories must be a list of columns, or 'auto'. Got {estimator.categories!r}. Use 'auto' to "
            "have them found."
        )
    require_one_of_both(estimator.threshold, estimator.fire_rate, left_out="auto")


def named_categories(categories: Iterable[Any], rows: Any) -> list[int]:
    """The places of the columns of rows that `categories` names by number, name or mask; none for "auto".

    Raises
    ------
    ValueError
        There is no such column, or a mask has another length.
    """
    if isinstance(categories, str):
        return []
    n_features, names = rows.shape[1], list(rows.columns) if is_frame(rows) else []
    named = list(categories)
    if named and all(isinstance(column, bool | np.bool_) for column in named):
        if len(named) != n_features:
            raise ValueError(
                f"categories as a mask must have one boolean per column of X, {n_features}. Got "
                f"{len(named)}. Use 'auto' to have them found."
            )
        return np.flatnonzero(named).tolist()
    places = set()
    for column in named:
        if isinstance(column, str) and column in names:
            places.add(names.index(column))
        elif (
            isinstance(column, int | np.integer) and not isinstance(column, bool) and 0 <= column < n_features
        ):
            places.add(int(column))
        else:
            raise ValueError(
                f"categories must be columns of X: numbers from 0 to {n_features - 1}, names of a "
                f"DataFrame's columns, or a mask. Got {column!r}. Use 'auto' to have them found."
            )
    return sorted(places)


def labels_of_one_kind(labels: NDArray) -> NDArray:
    """Labels that come as objects, as numbers or texts.

    Raises
    ------
    ValueError
        There are numbers and texts, or None.
    """
    kinds = sorted({type(label).__name__ for label in labels.ravel()}) if labels.dtype == object else []
    if len({kind == "str" for kind in kinds}) > 1 or "NoneType" in kinds:
        raise ValueError(
            f"y must hold labels of one kind: all numbers, or all texts. Got {', '.join(kinds)}. Remove "
            "samples without a label, or write all labels as texts."
        )
    return labels if "str" in kinds or not kinds else np.array(labels.tolist())


def real_targets(targets: Any) -> Any:
    """Targets of a regression that come as texts or objects, as numbers; all others as they are.

    Raises
    ------
    ValueError
        They are dates, or some text or object is no number.
    """
    if targets is None or hasattr(targets, "toarray") or (kind := np.asarray(targets).dtype.kind) in "biufc":
        return targets
    try:
        if kind in "mM":
            raise TypeError("dates or times")
        return np.asarray(targets, object).astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"y must hold numbers for a regression. Got {error}. Write numbers as 1234.5 and dates "
            "as days since the first one; for classes use WideClassifier."
        ) from error


def check_weights(weights: NDArray[np.float64]) -> None:
    """Raise ValueError unless weights >= 0 are of a size that training in float32 can multiply."""
    if not weights.any():
        raise ValueError("sample_weight must not be zero for all samples. Got zeros. Leave it out.")
    least, largest = weights[weights > 0].min(), weights.max()
    if least < WEIGHTS[0] or largest > WEIGHTS[1]:
        raise ValueError(
            f"sample_weight must be 0 or from {WEIGHTS[0]:g} to {WEIGHTS[1]:g}, as training multiplies in "
            f"float32. Got {least if least < WEIGHTS[0] else largest:g}. Divide all weights by their mean."
        )


def _is(value: Any, name: str) -> bool:
    return isinstance(value, str) and value == name

"""What an estimator is given, as numbers: columns are coded as training taught, and all is checked."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, validate_data

from fewfire.errors import MemoryLimitError
from fewfire.estimators.checks import check_parameters, check_weights, named_categories, real_targets
from fewfire.prepare.cells import Coding, masked_as_missing, may_hold_texts, rows_of
from fewfire.system.words import bytes_text

_validated: Callable[..., Any] = validate_data  # whose defaults hide its types
ROWS_LIMIT = 8_000_000_000  # bytes of dense rows, where no limit is given


class CodedTables(BaseEstimator):
    """An estimator that takes arrays, sparse matrices and DataFrames, with columns of categories."""

    categories: Sequence[int | str] | str
    memory_limit: int | None

    def _checked(self, X: Any, y: Any, weights: Any, *, reset: bool, **rules: Any) -> tuple:
        """Rows (n, d) float64, targets as they are, and weights; reset: the columns are learned."""
        check_parameters(self)
        y = masked_as_missing(y)
        y = y if is_classifier(self) else real_targets(y)
        inputs, targets = self._numbers(X, y, reset=reset, **rules)
        targets = targets.toarray() if hasattr(targets, "toarray") else targets
        if is_classifier(self) and targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        if weights is None:
            return inputs, targets, None
        weights = _check_sample_weight(
            masked_as_missing(weights), inputs, dtype=np.float64, ensure_non_negative=True
        )
        check_weights(weights)
        return inputs, targets, weights

    def _numbers(self, X: Any, *y: Any, reset: bool, **rules: Any) -> Any:
        """Rows (n, d) float64 with codes of categories, NaN where a value is missing; with y, targets too."""
        rows, coding = rows_of(X), Coding(0, {}, 0) if reset else self._coding
        if rows.ndim == 2 and rows.shape[0] and rows.shape[1]:
            if reset:
                coding = Coding.of(rows, named_categories(self.categories, rows))
                self._require_fit(rows.shape[0], coding.n_coded)
            elif coding.categories or may_hold_texts(rows):  # before columns are looked up
                _validated(self, rows, reset=False, skip_check_array=True)
                self._require_fit(rows.shape[0], coding.n_coded)
            rows = coding.coded(rows)
        checked = _validated(
            self,
            rows,
            *y,
            reset=reset,
            dtype=np.float64,
            accept_sparse="csr",
            ensure_all_finite="allow-nan",
            **rules,
        )
        inputs = self._dense(checked[0] if y else checked)
        if reset:
            self._coding = coding
        return (inputs, checked[1]) if y else inputs

    def _dense(self, inputs: Any) -> NDArray:
        """Sparse rows written out, where they fit."""
        if not hasattr(inputs, "toarray"):
            return np.ascontiguousarray(inputs)  # sums have another order in another layout
        self._require_fit(*inputs.shape)
        return inputs.toarray(order="C")

    def _require_fit(self, n_rows: int, n_columns: int) -> None:
        needed, limit = 8 * n_rows * n_columns, self.memory_limit or ROWS_LIMIT
        if needed > limit:
            raise MemoryLimitError(
                "X must fit in memory as a dense array with one column per category. Got "
                f"{n_rows:,} x {n_columns:,} numbers, {bytes_text(needed)}, with a limit of "
                f"{bytes_text(limit)}. Give fewer rows, columns or categories, or raise memory_limit."
            )

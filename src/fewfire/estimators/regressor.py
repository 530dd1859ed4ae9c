"""A wide network for real values, behind scikit-learn's API."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from fewfire.errors import DataError
from fewfire.estimators.common import WideNetwork, all_or_nothing, descends
from fewfire.networks.threshold import fire_rate_at
from fewfire.prepare import TargetScaling
from fewfire.prepare.spread import Spread

MOST_DEVIATIONS = 1e15  # beyond, float64 no longer tells two of them apart


class WideRegressor(RegressorMixin, WideNetwork):
    """A wide two-layer network for real values, one or several: see `WideClassifier` for its parameters.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> bool(WideRegressor(width=2048, random_state=0).fit(X, y).score(X, y) > 0.5)
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> "WideRegressor":
        """Fit to samples X and values y, (n,) or (n, c).

        Raises
        ------
        ValueError, DataError, MemoryLimitError, TrainingError
            See `WideClassifier.fit`. A warm start has another number of columns in y than the first fit, or a
            value that lies 1e15 standard deviations from the mean.
        """
        with all_or_nothing(self):
            inputs, targets, weights = self._checked(
                X, y, sample_weight, reset=not self._goes_on, multi_output=True, y_numeric=True
            )
            if not self._goes_on:
                self._learn_scale(targets, weights)
            self._fit(inputs, self._targets(targets), weights)
        return self

    @available_if(descends)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> "WideRegressor":
        """One pass of gradient descent over some of the samples; the first samples decide how y is scaled.

        Raises
        ------
        AttributeError
            The optimizer is "gauss-newton".
        ValueError, DataError, MemoryLimitError, TrainingError
            See `WideClassifier.fit`. y has another number of columns than in the first call.
        """
        first = not hasattr(self, "members_")
        with all_or_nothing(self):
            inputs, targets, weights = self._checked(
                X, y, sample_weight, reset=first, multi_output=True, y_numeric=True
            )
            if first:
                self._learn_scale(targets, weights)
            self._partial_fit(inputs, self._targets(targets), weights)
        return self

    def _learn_scale(self, targets: NDArray, weights: NDArray | None) -> None:
        self._is_flat = targets.ndim == 1
        self.target_scaling_ = TargetScaling.fit(targets.reshape(len(targets), -1), weights)

    def _targets(self, targets: NDArray) -> NDArray[np.float64]:
        targets = targets.reshape(len(targets), -1).astype(np.float64)
        known = self.target_scaling_
        if targets.shape[1] != len(known):
            raise ValueError(
                f"y must have {len(known)} columns, as at first. Got {targets.shape[1]}. Make a new "
                "regressor."
            )
        scaled = known.transform(targets)
        if not (np.abs(scaled) < MOST_DEVIATIONS).all():
            place = int(np.abs(scaled).argmax())
            raise DataError(
                f"y must lie within {MOST_DEVIATIONS:g} standard deviations, of the first fit, of its mean. "
                f"Got {targets.flat[place]:g} with a standard deviation of "
                f"{known.scale[place % len(known)]:g}. Remove that sample, or make a new regressor."
            )
        return scaled

    def _learn_doubt(self, inputs: NDArray, outputs: NDArray, targets: NDArray, weights: Any) -> None:
        member = self.members_[0]
        units, threshold = member.preparation.transform(inputs), member.network.layer.threshold
        ridge = member.ridge / fire_rate_at(threshold)
        self.spread_: Spread | None = Spread.fit(units, threshold, ridge, targets - outputs, weights)

    def predict(
        self, X: ArrayLike, return_std: bool = False
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values, (n,) or (n, c) as in training; if wanted, how far the true ones may be from them.

        Parameters
        ----------
        X : (n, d) array, DataFrame or sparse matrix
        return_std : bool
            Return standard deviations too, of the same shape, noise included. Nine of ten true values lie
            within 1.645 of them, as far as up to 1,500 training rows can tell that were predicted from
            others. Networks of many more rows err less than that.

        Raises
        ------
        DataError
            The model was not fitted by an estimator, and knows nothing of its errors.
        NotFittedError, ValueError, MemoryLimitError
            See `WideClassifier.decision_function`.
        """
        outputs = self._outputs(X)
        values = self.target_scaling_.inverse(outputs)
        values = values[:, 0] if self._is_flat else values
        if not return_std:
            return values
        if self.spread_ is None:
            raise DataError(
                "Standard deviations must come from errors on rows that were left out. Got a model of "
                "gradient descent, which has none. Fit a WideRegressor, or train without --optimizer."
            )
        units = self.members_[0].preparation.transform(self._numbers(X, reset=False))
        deviations = self.spread_.deviations(units) * self.target_scaling_.scale
        return values, deviations[:, 0] if self._is_flat else deviations

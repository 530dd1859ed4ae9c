"""From the outputs of a classifier to its decisions: scores, probabilities and labels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from fewfire.estimators.labels import Labels
from fewfire.prepare.link import Link
from fewfire.prepare.model import sides


class Decisions(ClassifierMixin):
    """What a classifier with outputs says of samples.

    Attributes
    ----------
    classes_ : (k,)
    link_ : Link
        How outputs become probabilities.
    boundary_ : float
        Above it a single output stands for the second of two classes, and one of several labels for that
        label.
    """

    classes_: NDArray
    link_: Link
    boundary_: float = 0.5
    _labels: Labels
    _outputs: Callable[[ArrayLike], NDArray[np.float64]]  # (n, k), or (n, 1) for the second of two classes

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Outputs (n, k), the largest for the class; for two classes (n,), above 0 for the second.

        With (n, k) labels in training: above 0 for the labels that a sample has.

        Raises
        ------
        NotFittedError
            `fit` was not called before.
        ValueError
            X has other columns than in training, or values that are not finite or too large.
        DataError
            A column of numbers holds a text, or a column of texts holds numbers.
        MemoryLimitError
            Rows do not fit as dense ones with one column per category.
        """
        outputs = self._outputs(X)
        if self._labels.several:
            return outputs - self.boundary_
        if len(self.classes_) > 2:
            return outputs
        if outputs.shape[1] == 2:  # of a model that has an output for either class
            return outputs[:, 1] - outputs[:, 0]
        return outputs[:, 0] - self.boundary_

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities (n, k), never 0 or 1, the largest for the class that `predict` gives.

        With (n, k) labels in training, the probability of each. They are calibrated on outputs for samples
        that these had not seen: see `Link`.

        Raises
        ------
        NotFittedError, ValueError, MemoryLimitError
            See `decision_function`.
        """
        outputs = self._outputs(X)
        several = self._labels.several
        shares = self.link_.probabilities(sides(outputs, self.boundary_, several=several))
        return shares[:, 1].reshape(outputs.shape) if several else shares

    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """The logarithm of `predict_proba`, always finite.

        Raises
        ------
        NotFittedError, ValueError, MemoryLimitError
            See `decision_function`.
        """
        return np.log(self.predict_proba(X))

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels (n,), or (n, k) as in training.

        Raises
        ------
        NotFittedError, ValueError, MemoryLimitError
            See `decision_function`.
        """
        decision = self.decision_function(X)
        if self._labels.several:
            return (decision > 0).astype(int)
        return self.classes_[(decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(axis=1)]

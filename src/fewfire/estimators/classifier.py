"""A wide network that classifies, behind scikit-learn's API."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from fewfire.estimators.checks import labels_of_one_kind
from fewfire.estimators.common import WideNetwork, all_or_nothing, descends


class WideClassifier(ClassifierMixin, WideNetwork):
    """A wide two-layer network that classifies, trained on squared errors.

    Parameters
    ----------
    width : int, >= 1
        Neurons; an odd number is raised by one.
    threshold : float >= 0, or "auto"
        b: a neuron fires where <w, x> > b.
    fire_rate : float in (0, 0.5], optional
        The share of pairs that fire at first, in place of a threshold.
    optimizer : "auto", "gauss-newton" or "sgd"
        "auto": Gauss-Newton steps up to 100,000 samples, in batches where they do not fit in memory together;
        beyond, gradient descent with momentum.
    ridge : float > 0, or "auto"
        Only for Gauss-Newton steps. It is counted over the fire rate: it means what `alpha` means in kernel
        ridge regression with a kernel of ones on its diagonal.
    constant : float > 0, or "auto"
        The appended feature, over the root mean square norm of the standardized rows.
    categories : sequence of int or str, mask of bool (d,), or "auto"
        Columns, by number or by name in a DataFrame, whose values are categories: each category becomes a
        column of 0 and 1. Columns of texts and categories are coded so in any case. A missing value is one
        category where training has one. A value that training has not seen is 0 in all columns.
        "auto": besides them all columns of 3 to 12 different whole numbers, or none, whichever errs less.
    index : str
        What finds the neurons that fire: a name of `fewfire.indexes.INDEXES`. All exact indexes lead to the
        same network. "auto": the fastest.
    learning_rate : float > 0, or "auto"
        The rate of gradient descent, for the mean loss of a batch. "auto": the largest safe one.
    batch_size : int >= 1, or "auto"
        "auto": 256 in gradient descent; as many as memory allows in Gauss-Newton steps.
    max_epochs : int >= 1, optional
        By default 5 with Gauss-Newton steps, 20 of gradient descent.
    tol : float in [0, 1)
        Share by which the loss must decrease to count as better, and by which a Gauss-Newton step must lower
        the objective for another to follow.
    early_stopping : bool
        Hold out samples, end once their error has not decreased by `tol` for `n_iter_no_change` epochs, and
        go back to the weights with the least.
    validation_fraction : float in (0, 1)
        Share of the samples that early stopping holds out.
    n_iter_no_change : int, >= 1
        Training ends after so many epochs without a better loss, or a smaller error on the samples held out.
    warm_start : bool
        Whether `fit` continues from the network that is there: preparation, threshold and ridge stay.
    verbose : bool
        Print one line per epoch.
    n_threads : int, optional
        Threads in training; by default `fewfire.threads()`. Their number never changes a result.
    memory_limit : int, optional
        Bytes that index and matrices may hold, and dense rows with one column per category.
    random_state : int, RandomState or None

    Attributes
    ----------
    classes_ : (k,)
    n_features_in_ : int
    feature_names_in_ : (d,), where X is a DataFrame with names
    network_ : TwoLayerNetwork
    preparation_ : Preparation
    threshold_, ridge_ : float
        As chosen; the ridge as that of `GaussNewton` for output weights of 1.
    optimizer_ : str
    learning_rate_ : float or None
    history_ : list of EpochRecord

    Notes
    -----
    Cost: up to 4 seconds to choose what is "auto", then the steps of `GaussNewton` (for n samples
    n^3 / 3, and what fires) or `Trainer`. Predictions cost what fires; one fitted model may serve several
    threads and processes at once.

    Sample weights stand for copies of the samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(WideClassifier(width=2048, random_state=0).fit(X, y).score(X, y) > 0.95)
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> "WideClassifier":
        """Fit to samples and labels.

        Parameters
        ----------
        X : (n, d) array, sparse matrix or DataFrame
        y : (n,) labels; or (n, k) of 0 and 1: which of k labels each sample has
        sample_weight : (n,), 0 or from 1e-15 to 1e15, optional

        Raises
        ------
        ValueError
            A parameter is out of its range, or X, y or the weights are not what they must be. A warm start
            has other classes than the first fit. Early stopping cannot hold out a sample of each class.
        DataError
            A column holds neither numbers, booleans, texts nor categories, or mixes them; its categories
            hardly repeat; its variance is not finite or too small for float64; or two have the same name.
        MemoryLimitError
            The rows do not fit as dense ones with one column per category, or `memory_limit` leaves too
            little to index or matrices.
        TrainingError
            Gradient descent at the learning rate that is given did not stay finite.

        Notes
        -----
        A call that raises leaves the classifier exactly as it was.
        """
        with all_or_nothing(self):
            inputs, labels, weights = self._checked(
                X, y, sample_weight, reset=not self._goes_on, multi_output=True
            )
            labels = labels_of_one_kind(labels)
            self._learn_classes(labels)
            self._fit(inputs, self._targets(labels), weights)
        return self

    @available_if(descends)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> "WideClassifier":
        """One pass of gradient descent over some of the samples.

        Parameters
        ----------
        X, y, sample_weight : see `fit`
            The first samples decide preparation, threshold and learning rate.
        classes : (k,), in the first call
            All labels that there are; not needed where y is (n, k). Later calls may repeat them.

        Raises
        ------
        AttributeError
            The optimizer is "gauss-newton".
        ValueError, DataError, MemoryLimitError, TrainingError
            See `fit`. The first call lacks `classes`, or a later one has others.
        """
        first = not hasattr(self, "network_")
        with all_or_nothing(self):
            inputs, labels, weights = self._checked(X, y, sample_weight, reset=first, multi_output=True)
            labels = labels_of_one_kind(labels)
            if first and labels.ndim == 1 and classes is None:
                raise ValueError(
                    "classes must be given in the first call of partial_fit. Got None. Name all labels."
                )
            if first:
                self._learn_classes(
                    labels if labels.ndim == 2 else np.unique(labels_of_one_kind(np.asarray(classes)))
                )
            elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
                raise ValueError(
                    f"classes must be those of the first call of partial_fit, {self.classes_}. Got "
                    f"{classes!r}. Leave them out, or make a new classifier."
                )
            self._partial_fit(inputs, self._targets(labels), weights)
        return self

    def _learn_classes(self, labels: NDArray) -> None:
        check_classification_targets(labels)
        known = getattr(self, "classes_", None) if self._goes_on else None
        self._has_many_labels = type_of_target(labels) == "multilabel-indicator"
        if labels.ndim == 2 and not self._has_many_labels:
            raise ValueError(
                f"y must be (n,) labels or (n, k) of 0 and 1. Got shape {labels.shape} with other values. "
                "Fit one classifier a column."
            )
        self.classes_ = np.arange(labels.shape[1]) if self._has_many_labels else np.unique(labels)
        if known is not None and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"a warm start must have the classes of the first. Got {self.classes_} after {known}. Set "
                "warm_start=False."
            )
        if len(self.classes_) < 2 and not self._has_many_labels:
            raise ValueError(
                f"y must hold at least two classes. Got 1 class: {self.classes_[0]!r}. Add another's samples."
            )

    def _targets(self, labels: NDArray) -> NDArray[np.float64]:
        """1 for a sample's labels, 0 for others: (n, k), or (n, 1) for the second of two classes."""
        if self._has_many_labels:
            if labels.ndim != 2 or labels.shape[1] != len(self.classes_):
                raise ValueError(
                    f"y must be (n, {len(self.classes_)}) of 0 and 1, as at first. Got shape {labels.shape}."
                )
            return labels.astype(np.float64)
        codes = np.minimum(np.searchsorted(self.classes_, labels), len(self.classes_) - 1)
        unknown = self.classes_[codes] != labels
        if unknown.any():
            raise ValueError(
                f"y must hold the classes {self.classes_} alone. Got {labels[np.argmax(unknown)]!r} in row "
                f"{np.argmax(unknown)}. Name all classes in the first call."
            )
        one_hot = np.eye(len(self.classes_))[codes]
        return one_hot[:, 1:] if len(self.classes_) == 2 else one_hot

    def _codes(self, targets: NDArray) -> NDArray:
        if self._has_many_labels:
            return super()._codes(targets)
        return targets.argmax(axis=1) if targets.shape[1] > 1 else targets[:, 0]

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
        if self._has_many_labels:
            return outputs - 0.5
        return outputs[:, 0] - 0.5 if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Outputs as shares (n, k): squared errors are least at the probabilities, which they estimate.

        With (n, k) labels in training, the probability of each.

        Raises
        ------
        NotFittedError, ValueError, MemoryLimitError
            See `decision_function`.
        """
        outputs = self._outputs(X)
        if self._has_many_labels:
            return np.clip(outputs, 0, 1)
        if len(self.classes_) == 2:
            second = np.clip(outputs[:, 0], 0, 1)
            return np.column_stack([1 - second, second])
        # Cut at 1, two outputs above it would be alike, and so would outputs that are all below 0.
        below = outputs.max(axis=1) <= 0
        outputs[below] -= outputs[below].min(axis=1, keepdims=True)
        shares = np.maximum(outputs, 0)
        shares[shares.sum(axis=1) == 0] = 1
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels (n,), or (n, k) as in training.

        Raises
        ------
        NotFittedError, ValueError, MemoryLimitError
            See `decision_function`.
        """
        decision = self.decision_function(X)
        if self._has_many_labels:
            return (decision > 0).astype(int)
        return self.classes_[(decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(axis=1)]

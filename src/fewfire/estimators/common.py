"""Wide networks behind scikit-learn's API. Needs the extra `sklearn`.

What is not given is chosen by `fewfire.plan.preparation`: which columns hold categories, the size of the
constant
feature, the threshold and the ridge, by the leave-one-out error of the network's kernel.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fewfire.api import predict
from fewfire.errors import MemoryLimitError
from fewfire.indexes import index_named, rules
from fewfire.networks.near_kernel import near_kernel_network, near_kernel_ridge
from fewfire.networks.threshold import fire_rate_at, threshold_for_fire_rate
from fewfire.networks.two_layer import TwoLayerNetwork
from fewfire.plan import plan_trainer
from fewfire.plan.preparation import CONSTANTS, RIDGES, THRESHOLDS, select
from fewfire.prepare.categories import FrameCategories, is_frame, perhaps_categories
from fewfire.system.machine import set_threads, threads
from fewfire.system.memory import written
from fewfire.training import GaussNewton, GradientDescent, Trainer
from fewfire.training.methods.gradient_descent import DescentStepper

_validated: Callable[..., Any] = validate_data  # whose defaults hide its types
SGD, GAUSS_NEWTON = "sgd", "gauss-newton"
SMALL = 100_000  # samples up to which Gauss-Newton steps are the default
EPOCHS = {GAUSS_NEWTON: 5, SGD: 20}
BATCH_SIZE, MOMENTUM = 256, 0.9  # of gradient descent
ROWS_LIMIT = 8_000_000_000  # bytes of dense rows, where no limit is given
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


class _WideNetwork(BaseEstimator):
    """What classifier and regressor have in common."""

    def __init__(
        self,
        width: int = 8_192,
        *,
        threshold: float | str = "auto",
        fire_rate: float | None = None,
        optimizer: str = "auto",
        ridge: float | str = "auto",
        constant: float | str = "auto",
        categories: Sequence[int | str] | str = "auto",
        index: str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int | str = "auto",
        max_epochs: int | None = None,
        tol: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        warm_start: bool = False,
        verbose: bool | int = False,
        n_threads: int | None = None,
        memory_limit: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.width = width
        self.threshold = threshold
        self.fire_rate = fire_rate
        self.optimizer = optimizer
        self.ridge = ridge
        self.constant = constant
        self.categories = categories
        self.index = index
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.verbose = verbose
        self.n_threads = n_threads
        self.memory_limit = memory_limit
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def _goes_on(self) -> bool:
        """Whether `fit` begins with the network that is there."""
        return self.warm_start and hasattr(self, "network_")

    def _fit(
        self, inputs: NDArray, targets: NDArray, weights: NDArray | None, strata: NDArray | None
    ) -> None:
        """Train on targets (n, c), from the start unless it is a warm one."""
        with _using(self.n_threads):
            if not self._goes_on:
                small = len(inputs) <= SMALL
                self._begin(inputs, targets, weights, GAUSS_NEWTON if small else SGD)
            samples, targets = self.preparation_.transform(inputs), targets - self.mean_
            held = None
            if self.early_stopping:
                ids, held_ids = train_test_split(
                    np.arange(len(samples)), test_size=self.validation_fraction, stratify=strata,
                    random_state=self._seed,
                )  # fmt: skip
                held = samples[held_ids], targets[held_ids], None if weights is None else weights[held_ids]
                samples, targets = samples[ids], targets[ids]
                weights = None if weights is None else weights[ids]
            self._train(self._trainer(samples, targets, weights), held)

    def _partial_fit(self, inputs: NDArray, targets: NDArray, weights: NDArray | None) -> None:
        """One pass of gradient descent over these samples, from where the network is."""
        with _using(self.n_threads):
            if not hasattr(self, "network_"):
                self._begin(inputs, targets, weights, SGD)
            self.optimizer_ = SGD
            samples = self.preparation_.transform(inputs)
            trainer = self._trainer(samples, targets - self.mean_, weights, momentum=0.0, index="exhaustive")
            trainer.build()
            trainer.epoch()
            self.history_ = [*self.history_, *trainer.history]

    def _begin(self, inputs: NDArray, targets: NDArray, weights: NDArray | None, default: str) -> None:
        """Choose, and make the network."""
        self.optimizer_ = default if self.optimizer == "auto" else self.optimizer
        if self.optimizer_ == SGD and self.ridge != "auto":
            raise ValueError(
                f"ridge must go with optimizer='{GAUSS_NEWTON}'. Got ridge={self.ridge} for gradient "
                "descent. Leave either out."
            )
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.mean_ = np.average(targets, axis=0, weights=weights)
        selection = select(
            inputs, targets - self.mean_, sample_weight=weights, seed=self._seed, **self._choices(inputs)
        )
        self.preparation_, self.threshold_ = selection.preparation, selection.threshold
        self.ridge_, self.error_ = selection.ridge, selection.error
        n_features, n_outputs = len(self.preparation_.scaling.mean) + 1, targets.shape[1]
        if self.optimizer_ == GAUSS_NEWTON:
            self.network_ = near_kernel_network(
                self.width, n_features, n_outputs, threshold=self.threshold_, seed=self._seed
            )
        else:
            self.network_ = TwoLayerNetwork.initialize(
                self.width + self.width % 2, n_features, n_outputs, threshold=self.threshold_, mirrored=True,
                seed=self._seed,
            )  # fmt: skip
        self.learning_rate_: float | None = None
        self.history_: list[Any] = []

    def _choices(self, inputs: NDArray) -> dict[str, Any]:
        """What is left to be chosen."""
        of_frame = tuple(self._frame_categories.values)
        if isinstance(self.categories, str):
            found = [column for column in perhaps_categories(inputs) if column not in of_frame]
            categories = [of_frame, (*of_frame, *found)] if found else [of_frame]
        else:
            named = {self._position(column, inputs.shape[1]) for column in self.categories}
            categories = [tuple(sorted({*of_frame, *named}))]
        if self.fire_rate is not None:
            thresholds: tuple[float, ...] = (threshold_for_fire_rate(self.fire_rate),)
        else:
            thresholds = THRESHOLDS if isinstance(self.threshold, str) else (float(self.threshold),)
        ridges = RIDGES if isinstance(self.ridge, str) else np.array([float(self.ridge)])
        constants = CONSTANTS if isinstance(self.constant, str) else (float(self.constant),)
        if self.optimizer_ == SGD and len(categories) * len(thresholds) * len(constants) == 1:
            ridges = ridges[:1]  # of which descent knows nothing: all is chosen
        return {
            "categories": categories,
            "thresholds": thresholds,
            "ridges": ridges,
            "constants": constants,
        }

    def _position(self, column: int | str, n_features: int) -> int:
        names = list(getattr(self, "feature_names_in_", ()))
        if isinstance(column, str) and column in names:
            return names.index(column)
        if isinstance(column, int | np.integer) and 0 <= column < n_features:
            return int(column)
        raise ValueError(
            f"categories must be columns of X: numbers from 0 to {n_features - 1}, or names of a DataFrame's "
            f"columns. Got {column!r}. Use 'auto' to have them found."
        )

    def _trainer(
        self,
        samples: NDArray,
        targets: NDArray,
        weights: NDArray | None,
        *,
        momentum: float = MOMENTUM,
        index: str | None = None,
    ) -> Trainer:
        """What trains the network as it is."""
        rate = self.learning_rate
        if rate == "auto" and self.learning_rate_ is not None and momentum == 0:
            rate = self.learning_rate_  # of the first samples: the same for all that come in parts
        second_order = self.optimizer_ == GAUSS_NEWTON
        method = (
            GaussNewton(ridge=near_kernel_ridge(self.ridge_))
            if second_order
            else GradientDescent(learning_rate=rate, momentum=momentum, nesterov=momentum > 0)
        )
        if index is None:
            index = self.index
        if second_order and index == "auto":
            index = rules.for_few_steps(fire_rate_at(self.threshold_))
        batch_size = None if isinstance(self.batch_size, str) else self.batch_size
        trainer = plan_trainer(
            self.network_,
            samples,
            targets,
            method=method,
            index=index,
            batch_size=batch_size if second_order else batch_size or BATCH_SIZE,
            sample_weight=weights,
            seed=self._seed,
            memory_limit=self.memory_limit,
            epochs=self._most_epochs(),
        )
        if isinstance(trainer.stepper, DescentStepper):
            self.learning_rate_ = trainer.stepper.learning_rate
        return trainer

    def _most_epochs(self) -> int:
        return EPOCHS[self.optimizer_] if self.max_epochs is None else self.max_epochs

    def _train(self, trainer: Trainer, held: tuple[NDArray, NDArray, NDArray | None] | None) -> None:
        """Epochs until nothing improves; with samples held out, back to where they were fitted best."""
        rows = self.network_.layer.weight_rows
        best, best_rows, since = np.inf, None, 0
        try:
            trainer.build()
            for _ in range(self._most_epochs()):
                record = trainer.epoch()
                value = record.loss if held is None else self._error(*held)
                if self.verbose:
                    _report(record, None if held is None else value)
                since = 0 if value < best * (1 - self.tol) else since + 1
                if held is not None and value < best:
                    best_rows = rows.copy()
                best = min(best, value)
                if trainer.finished or since >= self.n_iter_no_change or self._has_converged(trainer, record):
                    break
        except KeyboardInterrupt:
            trainer.settle()
            warnings.warn("Training was interrupted: the network is as it was then.", stacklevel=4)
        if best_rows is not None:
            rows[:] = best_rows
        self.network_.layer.velocities = None
        self.history_ = [*self.history_, *trainer.history] if self.warm_start else trainer.history

    def _has_converged(self, trainer: Trainer, record: Any) -> bool:
        """Whether a pass of Gauss-Newton steps lowered the objective by less than a share of `tol`."""
        if self.optimizer_ == SGD:
            return False
        return record.actual <= self.tol * (len(trainer.problem) * record.loss + record.actual)

    def _error(self, samples: NDArray, targets: NDArray, weights: NDArray | None) -> float:
        errors = np.square(predict(self.network_, samples) - targets).mean(axis=1)
        return float(np.average(errors, weights=weights))

    def _checked(self, X: Any, y: Any = None, weights: Any = None, *, reset: bool, **rules: Any) -> tuple:
        """Rows (n, d) float64, targets as they are, and weights, without samples that count nothing."""
        self._check()
        if not self._goes_on and reset:  # else the codes of before keep their meaning
            self._frame_categories = FrameCategories.of(X) if is_frame(X) else FrameCategories({})
        if is_frame(X):
            X = self._frame_categories.coded(X)
        inputs, targets = _validated(self, X, y, reset=reset, dtype=np.float64, accept_sparse="csr", **rules)
        targets = targets.toarray() if hasattr(targets, "toarray") else targets
        if is_classifier(self) and targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        inputs = self._dense(inputs)
        if weights is None:
            return inputs, targets, None
        weights = _check_sample_weight(weights, inputs, dtype=np.float64, ensure_non_negative=True)
        counts = weights > 0
        if not counts.any():
            raise ValueError("sample_weight must not be zero for all samples. Got zeros. Leave it out.")
        return inputs[counts], np.asarray(targets)[counts], weights[counts]

    def _dense(self, inputs: Any) -> NDArray:
        """Sparse rows written out, where they fit."""
        if not hasattr(inputs, "toarray"):
            return np.asarray(inputs)
        needed, limit = 8 * inputs.shape[0] * inputs.shape[1], self.memory_limit or ROWS_LIMIT
        if needed > limit:
            raise MemoryLimitError(
                f"X must fit in memory as a dense array. Got {inputs.shape[0]:,} x {inputs.shape[1]:,} "
                f"numbers, {written(needed)}, with a limit of {written(limit)}. Give fewer columns, or raise "
                "memory_limit."
            )
        return inputs.toarray()

    def _check(self) -> None:
        for name in (*COUNTS, *NUMBERS):
            value = getattr(self, name)
            if (name in OPTIONAL and value is None) or (name in AUTO and _is(value, "auto")):
                continue
            kind = Integral if name in COUNTS else Real
            says, holds = NUMBERS.get(name, (">= 1", lambda value: value >= 1))
            if not (
                isinstance(value, kind)
                and not isinstance(value, bool)
                and holds(float(value))
                and value < np.inf
            ):
                what = "a whole number" if name in COUNTS else "a finite number"
                auto = ", or 'auto'" if name in AUTO else ""
                raise ValueError(
                    f"{name} must be {what} {says}{auto}. Got {value!r}. Leave it out if in doubt."
                )
        if not any(_is(self.optimizer, name) for name in ("auto", SGD, GAUSS_NEWTON)):
            raise ValueError(
                f"optimizer must be 'auto', '{SGD}' or '{GAUSS_NEWTON}'. Got {self.optimizer!r}. Choose one."
            )
        if not _is(self.index, "auto"):
            index_named(self.index)
        if not _is(self.categories, "auto") and (
            isinstance(self.categories, str) or not isinstance(self.categories, Iterable)
        ):
            raise ValueError(
                f"categories must be a list of columns, or 'auto'. Got {self.categories!r}. Use 'auto' to "
                "have them found."
            )
        if self.fire_rate is not None and not _is(self.threshold, "auto"):
            raise ValueError(
                f"give a threshold or a fire rate, not both. Got threshold={self.threshold} and fire_rate="
                f"{self.fire_rate}. Leave one out."
            )

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Outputs (n, c), with the mean of the targets."""
        check_is_fitted(self, "network_")
        if is_frame(X):
            X = self._frame_categories.coded(X)
        inputs = self._dense(_validated(self, X, reset=False, dtype=np.float64, accept_sparse="csr"))
        return predict(self.network_, self.preparation_.transform(inputs)).astype(np.float64) + self.mean_


def _descends(estimator: _WideNetwork) -> bool:
    """Whether samples may come in parts."""
    if estimator.optimizer == GAUSS_NEWTON:
        raise AttributeError(f"partial_fit takes gradient steps: it is not there with '{GAUSS_NEWTON}'.")
    return True


class WideClassifier(ClassifierMixin, _WideNetwork):
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
        With Gauss-Newton steps. Over the fire rate: as `alpha` of kernel ridge regression with a kernel of
        ones on its diagonal.
    constant : float > 0, or "auto"
        The appended feature, over the root mean square norm of the standardized rows.
    categories : sequence of int or str, or "auto"
        Columns, by number or by name in a DataFrame, whose values are categories, to be coded by a column
        each; a missing value is one where training has it, and what training has not seen is 0 in all. A
        DataFrame's columns of texts and categories are so in any case. "auto": besides them all columns of 3 to 12 different
        whole numbers, or none, whichever errs less.
    index : str
        Who fires? One of `fewfire.indexes.INDEXES`; all exact ones lead to the same network. "auto": the
        fastest.
    learning_rate : float > 0, or "auto"
        Of gradient descent, for the mean loss of a batch. "auto": the largest safe one.
    batch_size : int >= 1, or "auto"
        "auto": 256 in gradient descent; as many as memory allows in Gauss-Newton steps.
    max_epochs : int >= 1, optional
        By default 5 with Gauss-Newton steps, 20 of gradient descent.
    tol : float in [0, 1)
        Share by which the loss must decrease to count as better; and by which a Gauss-Newton step must lower
        the objective for another to follow.
    early_stopping : bool
        Hold out samples, end once their error has not decreased by `tol` for `n_iter_no_change` epochs, and
        go back to the weights with the least.
    validation_fraction : float in (0, 1)
        Of the samples, to be held out.
    n_iter_no_change : int, >= 1
        Epochs without a better loss, or error of the samples held out, that end training.
    warm_start : bool
        `fit` goes on from the network that is there: preparation, threshold and ridge stay.
    verbose : bool
        A line an epoch.
    n_threads : int, optional
        While training; by default `fewfire.threads()`. It never changes a result.
    memory_limit : int, optional
        Bytes that index and matrices may hold.
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
        sample_weight : (n,), >= 0, optional
        """
        inputs, labels, weights = self._checked(X, y, sample_weight, reset=True, multi_output=True)
        self._learn_classes(labels)
        strata = labels if labels.ndim == 1 and np.unique(labels, return_counts=True)[1].min() > 1 else None
        self._fit(inputs, self._targets(labels), weights, strata)
        return self

    @available_if(_descends)
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
        X, y, sample_weight : as of `fit`
            The first samples decide preparation, threshold and learning rate.
        classes : (k,), in the first call
            All labels that there are; not needed where y is (n, k).
        """
        first = not hasattr(self, "network_")
        inputs, labels, weights = self._checked(X, y, sample_weight, reset=first, multi_output=True)
        if first and labels.ndim == 1 and classes is None:
            raise ValueError(
                "classes must be given in the first call of partial_fit. Got None. Name all labels."
            )
        if first:
            self._learn_classes(labels if labels.ndim == 2 else np.unique(np.asarray(classes)))
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

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Outputs (n, k), the largest for the class; for two classes (n,), above 0 for the second.

        With (n, k) labels in training: above 0 for the labels that a sample has.
        """
        outputs = self._outputs(X)
        if self._has_many_labels:
            return outputs - 0.5
        return outputs[:, 0] - 0.5 if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Outputs as shares (n, k): squared errors are least at the probabilities, which they estimate.

        With (n, k) labels in training, the probability of each.
        """
        outputs = np.clip(self._outputs(X), 0, 1)
        if self._has_many_labels:
            return outputs
        if len(self.classes_) == 2:
            return np.column_stack([1 - outputs[:, 0], outputs[:, 0]])
        outputs[outputs.sum(axis=1) == 0] = 1
        return outputs / outputs.sum(axis=1, keepdims=True)

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels (n,), or (n, k) as in training."""
        decision = self.decision_function(X)
        if self._has_many_labels:
            return (decision > 0).astype(int)
        return self.classes_[(decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(axis=1)]


class WideRegressor(RegressorMixin, _WideNetwork):
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
        """Fit to samples X and values y, (n,) or (n, c); see `WideClassifier.fit`."""
        inputs, targets, weights = self._checked(
            X, y, sample_weight, reset=True, multi_output=True, y_numeric=True
        )
        if not self._goes_on:
            self._learn_scale(targets, weights)
        self._fit(inputs, self._targets(targets), weights, None)
        return self

    @available_if(_descends)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> "WideRegressor":
        """One pass of gradient descent over some of the samples, whose first decide how y is scaled, too."""
        first = not hasattr(self, "network_")
        inputs, targets, weights = self._checked(
            X, y, sample_weight, reset=first, multi_output=True, y_numeric=True
        )
        if first:
            self._learn_scale(targets, weights)
        self._partial_fit(inputs, self._targets(targets), weights)
        return self

    def _learn_scale(self, targets: NDArray, weights: NDArray | None) -> None:
        self._is_flat = targets.ndim == 1
        targets = targets.reshape(len(targets), -1).astype(np.float64)
        centred = targets - np.average(targets, axis=0, weights=weights)
        self.scale_ = np.sqrt(np.average(centred**2, axis=0, weights=weights))
        self.scale_[self.scale_ == 0] = 1

    def _targets(self, targets: NDArray) -> NDArray[np.float64]:
        targets = targets.reshape(len(targets), -1).astype(np.float64)
        if targets.shape[1] != len(self.scale_):
            raise ValueError(
                f"y must have {len(self.scale_)} columns, as at first. Got {targets.shape[1]}. Make a new "
                "regressor."
            )
        return targets / self.scale_

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Values, (n,) or (n, c) as in training."""
        values = self._outputs(X) * self.scale_
        return values[:, 0] if self._is_flat else values


def _is(value: Any, name: str) -> bool:
    return isinstance(value, str) and value == name


@contextmanager
def _using(count: int | None) -> Iterator[None]:
    """So many threads, for a while."""
    before = threads()
    try:
        if count is not None:
            set_threads(int(count))
        yield
    finally:
        set_threads(before)


def _report(record: Any, held_error: float | None) -> None:
    parts = [f"epoch {record.epoch}: loss {record.loss:.3g}"]
    if held_error is not None:
        parts.append(f"error of samples held out {held_error:.3g}")
    parts.append(f"{record.fire_rate:.1%} fired, {record.seconds:.1f} s")
    print(", ".join(parts))

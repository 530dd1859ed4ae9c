"""What classifier and regressor share: choose, prepare, train, and give outputs.

What is not given is chosen by `fewfire.plan.preparation`: which columns hold categories, the size of the
constant feature, the threshold and the ridge, by the leave-one-out error of the network's kernel.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite, check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fewfire.core.inputs import Inputs
from fewfire.errors import MemoryLimitError
from fewfire.estimators.checks import check_parameters, check_weights, named_categories, real_targets
from fewfire.estimators.stopping import UntilNothingImproves
from fewfire.indexes import rules
from fewfire.indexes.predict import predicted_outputs
from fewfire.networks.near_kernel import mirrored_network, near_kernel_network, near_kernel_ridge
from fewfire.networks.threshold import fire_rate_at, threshold_for_fire_rate
from fewfire.plan import plan_trainer
from fewfire.plan.preparation import CONSTANTS, RIDGES, THRESHOLDS, select
from fewfire.prepare.categories import perhaps_categories
from fewfire.prepare.cells import Coding, masked_as_missing, may_hold_texts, rows_of
from fewfire.system.machine import using_threads
from fewfire.system.words import bytes_text
from fewfire.training import GaussNewton, GradientDescent, Trainer, train_epochs
from fewfire.training.methods.gradient_descent import DescentStepper

_validated: Callable[..., Any] = validate_data  # whose defaults hide its types
SGD, GAUSS_NEWTON = GradientDescent.name, GaussNewton.name
SMALL = 100_000  # samples up to which Gauss-Newton steps are the default
EPOCHS = {GAUSS_NEWTON: 5, SGD: 20}
BATCH_SIZE, MOMENTUM = 256, 0.9  # of gradient descent
ROWS_LIMIT = 8_000_000_000  # bytes of dense rows, where no limit is given


class WideNetwork(BaseEstimator):
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

    def _fit(self, inputs: NDArray, targets: NDArray, weights: NDArray | None) -> None:
        """Train on targets (n, c), from the start unless it is a warm one."""
        inputs, targets, weights = _that_count(inputs, targets, weights)
        with self._threads():
            if self._goes_on:
                self.network_ = self.network_.copy()
            else:
                small = len(inputs) <= SMALL
                self._begin(inputs, targets, weights, GAUSS_NEWTON if small else SGD)
            samples, centred = self.preparation_.transform(inputs), targets - self.mean_
            held = None
            if self.early_stopping:
                ids, held_ids = self._held_out(targets)
                held = samples[held_ids], centred[held_ids], None if weights is None else weights[held_ids]
                samples, centred = samples[ids], centred[ids]
                weights = None if weights is None else weights[ids]
            self._train(self._trainer(samples, centred, weights), held)

    def _held_out(self, targets: NDArray) -> tuple[NDArray, NDArray]:
        """Samples to train on and to hold out: each class in its share, where none has a single sample."""
        strata = self._codes(targets)
        sizes = np.unique(strata, return_counts=True)[1]
        try:
            ids, held_ids = train_test_split(
                np.arange(len(targets)), test_size=self.validation_fraction,
                stratify=strata if len(sizes) > 1 and sizes.min() > 1 else None, random_state=self._seed,
            )  # fmt: skip
        except ValueError as error:
            raise ValueError(
                "early_stopping must leave a sample of each class to train on and one to hold out. Got "
                f"{len(targets)} samples (classes: {len(sizes)}) with validation_fraction="
                f"{self.validation_fraction}. Change validation_fraction, or set early_stopping=False."
            ) from error
        return np.asarray(ids), np.asarray(held_ids)

    def _codes(self, targets: NDArray) -> NDArray:
        """The class (n,) of each sample; all one where there are none."""
        return np.zeros(len(targets), int)

    def _partial_fit(self, inputs: NDArray, targets: NDArray, weights: NDArray | None) -> None:
        """One pass of gradient descent over these samples, from where the network is."""
        inputs, targets, weights = _that_count(inputs, targets, weights)
        with self._threads():
            if hasattr(self, "network_"):
                self.network_ = self.network_.copy()
            else:
                self._begin(inputs, targets, weights, SGD)
            self.optimizer_ = SGD
            samples = self.preparation_.transform(inputs)
            trainer = self._trainer(
                samples, targets - self.mean_, weights, momentum=0.0, index=rules.for_one_pass()
            )
            trainer.build()
            trainer.epoch()
            self.history_ = [*self.history_, *trainer.history]

    def _threads(self) -> AbstractContextManager:
        return nullcontext() if self.n_threads is None else using_threads(int(self.n_threads))

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
        make = near_kernel_network if self.optimizer_ == GAUSS_NEWTON else mirrored_network
        self.network_ = make(self.width, n_features, n_outputs, threshold=self.threshold_, seed=self._seed)
        self.learning_rate_: float | None = None
        self.history_: list[Any] = []

    def _choices(self, inputs: NDArray) -> dict[str, Any]:
        """What is left to be chosen."""
        known = tuple(sorted(self._coding.categories))
        categories = [known]
        if isinstance(self.categories, str):
            found = [column for column in perhaps_categories(inputs) if column not in known]
            categories += [(*known, *found)] if found else []
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
        watch = UntilNothingImproves(
            tol=self.tol,
            patience=self.n_iter_no_change,
            held_error=None if held is None else partial(self._error, *held),
            say=print if self.verbose else None,
        )
        try:
            train_epochs(trainer, self._most_epochs(), watch)
        except KeyboardInterrupt:
            warnings.warn("Training was interrupted: the network is as it was then.", stacklevel=4)
        if watch.best_rows is not None:
            self.network_.layer.weight_rows[:] = watch.best_rows
        self.network_.layer.velocities = None
        self.history_ = [*self.history_, *trainer.history] if self.warm_start else trainer.history

    def _error(self, samples: NDArray, targets: NDArray, weights: NDArray | None) -> float:
        errors = np.square(predicted_outputs(self.network_, Inputs.of(samples)) - targets).mean(axis=1)
        return float(np.average(errors, weights=weights))

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
        """Rows (n, d) float64 with codes of categories, NaN where one is missing; with y, targets as well."""
        rows, coding = rows_of(X), Coding(0, {}, 0) if reset else self._coding
        if rows.ndim == 2 and rows.shape[0] and rows.shape[1]:
            if reset:
                coding = Coding.of(rows, named_categories(self.categories, rows))
                self._require_fit(rows.shape[0], coding.n_coded)
            elif coding.categories or may_hold_texts(rows):  # before columns are looked up
                _validated(self, rows, reset=False, skip_check_array=True)
                self._require_fit(rows.shape[0], coding.n_coded)
            rows = coding.coded(rows)
        finite = "allow-nan" if coding.categories else True
        checked = _validated(
            self,
            rows,
            *y,
            reset=reset,
            dtype=np.float64,
            accept_sparse="csr",
            ensure_all_finite=finite,
            **rules,
        )
        inputs = self._dense(checked[0] if y else checked)
        if coding.categories:
            for column in np.flatnonzero(np.isnan(inputs).any(axis=0)):
                if column not in coding.categories:
                    assert_all_finite(inputs[:, column], input_name="X", estimator_name=type(self).__name__)
        if reset:
            self._coding = coding
        return (inputs, checked[1]) if y else inputs

    def _dense(self, inputs: Any) -> NDArray:
        """Sparse rows written out, where they fit."""
        if not hasattr(inputs, "toarray"):
            return np.asarray(inputs)
        self._require_fit(*inputs.shape)
        return inputs.toarray()

    def _require_fit(self, n_rows: int, n_columns: int) -> None:
        needed, limit = 8 * n_rows * n_columns, self.memory_limit or ROWS_LIMIT
        if needed > limit:
            raise MemoryLimitError(
                "X must fit in memory as a dense array with one column per category. Got "
                f"{n_rows:,} x {n_columns:,} numbers, {bytes_text(needed)}, with a limit of "
                f"{bytes_text(limit)}. Give fewer rows, columns or categories, or raise memory_limit."
            )

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """Outputs (n, c), with the mean of the targets."""
        check_is_fitted(self, "network_")
        inputs = self._numbers(X, reset=False)
        outputs = predicted_outputs(self.network_, Inputs.of(self.preparation_.transform(inputs)))
        return outputs.astype(np.float64) + self.mean_


def descends(estimator: WideNetwork) -> bool:
    """Whether samples may come in parts."""
    if estimator.optimizer == GAUSS_NEWTON:
        raise AttributeError(f"partial_fit takes gradient steps: it is not there with '{GAUSS_NEWTON}'.")
    return True


@contextmanager
def all_or_nothing(estimator: WideNetwork) -> Iterator[None]:
    """What is done to an estimator while it is open is undone where an error ends it."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        for name in vars(estimator).keys() - before.keys():
            delattr(estimator, name)
        vars(estimator).update(before)
        raise


def _that_count(
    inputs: NDArray, targets: NDArray, weights: NDArray | None
) -> tuple[NDArray, NDArray, NDArray | None]:
    """These samples without those of no weight."""
    if weights is None or weights.all():
        return inputs, targets, weights
    counts = weights > 0
    return inputs[counts], targets[counts], weights[counts]

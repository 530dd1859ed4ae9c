"""Wide networks behind scikit-learn's API, trained by Gauss-Newton steps. Needs the extra `sklearn`.

What is not given is chosen by `fewfire.selection`: which columns hold categories, the size of the constant
feature, the threshold and the ridge, by the leave-one-out error of the network's kernel.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fewfire.activation import fire_rate_at
from fewfire.data.one_hot import perhaps_categories
from fewfire.network import TwoLayerNetwork
from fewfire.selection import CONSTANTS, RIDGES, THRESHOLDS, select
from fewfire.training import GaussNewtonTrainer, predict
from fewfire.training.gauss_newton import OUTPUT_WEIGHTS

_validated: Callable[..., Any] = validate_data  # whose defaults hide its types
SPARSE = 0.05  # a higher fire rate leaves an index little to spare


class _WideNetwork(BaseEstimator):
    """What classifier and regressor have in common."""

    def __init__(
        self,
        width: int = 8_192,
        *,
        threshold: float | str = "auto",
        ridge: float | str = "auto",
        constant: float | str = "auto",
        categories: Sequence[int] | str = "auto",
        max_steps: int = 5,
        tol: float = 1e-3,
        memory_limit: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.width = width
        self.threshold = threshold
        self.ridge = ridge
        self.constant = constant
        self.categories = categories
        self.max_steps = max_steps
        self.tol = tol
        self.memory_limit = memory_limit
        self.random_state = random_state

    def _fit(self, inputs: NDArray, targets: NDArray[np.float64]) -> None:
        """Choose, build and train, on targets (n, c)."""
        self._check()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.mean_ = targets.mean(axis=0)
        targets = targets - self.mean_
        selection = select(inputs, targets, seed=seed, **self._choices(inputs))
        self.preparation_, self.threshold_ = selection.preparation, selection.threshold
        self.ridge_, self.error_ = selection.ridge, selection.error
        samples = self.preparation_.transform(inputs)
        width = self.width + self.width % 2
        network = TwoLayerNetwork.initialise(
            width, samples.shape[1], targets.shape[1], threshold=self.threshold_, mirrored=True, seed=seed
        )
        network.output_weights[:] *= OUTPUT_WEIGHTS
        trainer = GaussNewtonTrainer(
            network,
            samples,
            targets,
            index="drift" if fire_rate_at(self.threshold_) < SPARSE else "exhaustive",
            ridge=self.ridge_ * OUTPUT_WEIGHTS**2,
            seed=seed,
            memory_limit=self.memory_limit,
        )
        trainer.build()
        for _ in range(self.max_steps):
            record = trainer.epoch()
            if trainer.finished or record.actual <= self.tol * (len(samples) * record.loss + record.actual):
                break
        self.history_ = trainer.history
        self.network_ = network

    def _choices(self, inputs: NDArray) -> dict[str, Any]:
        """What is left to be chosen."""
        categories: list[Sequence[int]] = [()]
        if isinstance(self.categories, str):
            categories += [found] if (found := perhaps_categories(inputs)) else []
        else:
            categories = [self.categories]
        thresholds = THRESHOLDS if isinstance(self.threshold, str) else (float(self.threshold),)
        ridges = RIDGES
        if not isinstance(self.ridge, str):
            ridges = np.array([float(self.ridge)])
        constants = CONSTANTS if isinstance(self.constant, str) else (float(self.constant),)
        return {
            "categories": categories,
            "thresholds": thresholds,
            "ridges": ridges,
            "constants": constants,
        }

    def _check(self) -> None:
        for name, least in (("width", 1), ("max_steps", 1)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{name} must be a whole number >= {least}. Got {value!r}.")
        for name in ("threshold", "ridge", "constant", "categories"):
            value = getattr(self, name)
            if isinstance(value, str) and value != "auto":
                raise ValueError(
                    f"{name} must be a number or 'auto'. Got {value!r}. Leave it out for 'auto'."
                )
        for name in ("ridge", "constant"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a finite number > 0, or 'auto'. Got {value!r}.")

    def _outputs(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self, "network_")
        inputs = np.asarray(_validated(self, X, reset=False, dtype=np.float64))
        samples = self.preparation_.transform(inputs)
        return predict(self.network_, samples).astype(np.float64) + self.mean_


class WideClassifier(ClassifierMixin, _WideNetwork):
    """A wide two-layer network that classifies, trained on squared errors to within a ridge.

    Parameters
    ----------
    width : int, >= 1
        Neurons; an odd number is raised by one.
    threshold : float >= 0, or "auto"
        b: a neuron fires where <w, x> > b.
    ridge : float > 0, or "auto"
        Over the fire rate: as `alpha` of kernel ridge regression with a kernel of ones on its diagonal.
    constant : float > 0, or "auto"
        The appended feature, over the root mean square norm of the standardised rows.
    categories : sequence of int, or "auto"
        Columns whose values are categories, to be coded by a column each. "auto": all columns of 3 to 12
        different whole numbers, or none, whichever errs less.
    max_steps : int, >= 1
        Gauss-Newton steps.
    tol : float
        Ends once a step lowers the objective by less than this share.
    memory_limit : int, optional
        Bytes that index and matrices may hold.
    random_state : int, RandomState or None

    Attributes
    ----------
    classes_ : (k,)
    n_features_in_ : int
    network_ : TwoLayerNetwork
    preparation_ : Preparation
    threshold_, ridge_ : float
        As chosen; the ridge as that of `GaussNewtonTrainer` for output weights of 1.
    history_ : list of GaussNewtonRecord

    Notes
    -----
    Cost: up to 4 seconds to choose, then the steps of `GaussNewtonTrainer`: for n samples n^3 / 3, and
    what fires.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(WideClassifier(width=2048, random_state=0).fit(X, y).score(X, y) > 0.95)
    True
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> "WideClassifier":
        """Fit to samples X (n, d) and labels y (n,)."""
        inputs, labels = map(np.asarray, _validated(self, X, y, dtype=np.float64))
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y must hold at least two classes. Got 1 class: {self.classes_[0]!r}. Add another's samples."
            )
        one_hot = np.eye(len(self.classes_))[codes]
        self._fit(inputs, one_hot[:, 1:] if len(self.classes_) == 2 else one_hot)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Outputs: (n, k), nearest to 1 for the class; for two classes (n,), above 0 for the second."""
        outputs = self._outputs(X)
        return outputs[:, 0] - 0.5 if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Outputs as shares (n, k): squared errors are least at the probabilities, which they estimate."""
        outputs = np.clip(self._outputs(X), 0, 1)
        if len(self.classes_) == 2:
            return np.column_stack([1 - outputs[:, 0], outputs[:, 0]])
        outputs[outputs.sum(axis=1) == 0] = 1
        return outputs / outputs.sum(axis=1, keepdims=True)

    def predict(self, X: ArrayLike) -> NDArray:
        """Labels (n,)."""
        decision = self.decision_function(X)
        return self.classes_[(decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(axis=1)]


class WideRegressor(RegressorMixin, _WideNetwork):
    """A wide two-layer network for real values, one or several: see `WideClassifier` for its parameters.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> regressor = WideRegressor(width=512, random_state=0).fit(X, np.abs(X[:, 0]))
    >>> regressor.predict([[-0.5], [0.25]]).round(1).tolist()
    [0.5, 0.2]
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> "WideRegressor":
        """Fit to samples X (n, d) and values y, (n,) or (n, c)."""
        checked = _validated(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        inputs, targets = (np.asarray(part, np.float64) for part in checked)
        self._is_flat = targets.ndim == 1
        targets = targets.reshape(len(targets), -1)
        self.scale_ = targets.std(axis=0)
        self.scale_[self.scale_ == 0] = 1
        self._fit(inputs, targets / self.scale_)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Values, (n,) or (n, c) as in training."""
        values = self._outputs(X) * self.scale_
        return values[:, 0] if self._is_flat else values

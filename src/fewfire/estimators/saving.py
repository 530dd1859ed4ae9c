"""A fitted estimator as a model in one file, which `fewfire predict` reads too; and back, also from a run."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fewfire.errors import DataError
from fewfire.estimators.labels import Labels
from fewfire.prepare import Classes, Features, TargetScaling
from fewfire.prepare.cells import Coding, text_of
from fewfire.prepare.gaps import Gaps
from fewfire.prepare.member import Member
from fewfire.prepare.model import Model
from fewfire.system.words import why
from fewfire.training import GaussNewton, GradientDescent

if TYPE_CHECKING:
    from typing_extensions import Self


def model_of(estimator: Any, features: Features | None = None) -> Model:
    """What an estimator has fitted, with the columns of a table as it saw them, or as they are given."""
    is_classifier = hasattr(estimator, "classes_")
    return Model(
        tuple(estimator.members_),
        features or _features_of(estimator),
        Classes(estimator.classes_, estimator._labels.several)
        if is_classifier
        else estimator.target_scaling_,
        np.atleast_1d(estimator.mean_),
        estimator.boundary_ if is_classifier else 0.5,
        estimator.link_ if is_classifier else None,
        estimator.feature_importances_,
        estimator.learning_rate_,
        estimator.division_,
        None if is_classifier else estimator.spread_,
    )


class SavedModel:
    """An estimator that can be saved and loaded."""

    members_: list[Member]

    def save(self, path: str | PathLike[str]) -> None:
        """Write all that prediction needs to one safetensors file, for `load` and for `fewfire predict`.

        Raises
        ------
        NotFittedError
            `fit` was not called before.
        OSError
            The file cannot be written; one that was there is as it was.
        """
        check_is_fitted(self, "members_")
        model_of(self).save(path)

    def model_on(self, X: Any) -> tuple[Model, NDArray]:
        """What was fitted, and the rows (n, d) that it takes for samples.

        Raises
        ------
        NotFittedError
            `fit` was not called before.
        ValueError, DataError
            X is not as in training; see `predict`.
        """
        check_is_fitted(self, "members_")
        return model_of(self), self._numbers(X, reset=False)  # type: ignore[attr-defined]

    @property
    def column_readings_(self) -> list[tuple[str, str]]:
        """Each column of X and how it was read; of more than 30, how many were read so."""
        check_is_fitted(self, "members_")
        codes = self.members_[0].preparation.one_hot.categories  # those that are numbers too
        features = _features(self, {column: tuple(map(str, known)) for column, known in codes.items()})
        return features.readings[:-1]  # without the target

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Self":
        """What `save` wrote, or `fewfire train` into the folder of a run: the same predictions, bit for bit.

        Of the parameters only the width and the number of members are known again.

        Raises
        ------
        DataError
            There is no such model, or one for another task.
        """
        file = Path(path)
        file = file / "model.safetensors" if file.is_dir() else file
        try:
            model = Model.load(file)
        except (OSError, ValueError) as error:
            raise DataError(
                f"a model must be one that an estimator or `fewfire train` saved. Got {why(error)}. Give "
                "that file, or the folder of a run."
            ) from error
        estimator = cls()
        classifies = isinstance(model.targets, Classes)
        if classifies != hasattr(estimator, "predict_proba"):
            raise DataError(
                f"a model must be one for the task of {cls.__name__}. Got another in {path}. Load it with "
                f"{'WideClassifier' if classifies else 'WideRegressor'}.load."
            )
        _take(estimator, model)
        return estimator


def know_columns(estimator: Any, features: Features) -> None:
    """Let an estimator know the columns that a table was read to have."""
    texts: dict[int, list[Any] | None] = {
        column: list(known) for column, known in features.categories.items()
    }
    estimator._coding = Coding(features.n_columns, texts, features.n_inputs, as_texts=True)
    estimator.n_features_in_ = features.n_columns
    if features.names is not None:
        estimator.feature_names_in_ = np.array(features.names, object)


def _take(estimator: Any, model: Model) -> None:
    network = model.network
    know_columns(estimator, model.features)
    widths = tuple(layer.width for layer in network.layers)
    estimator.set_params(width=widths[0], hidden_layers=widths if len(widths) > 1 else None)
    if model.division is None:
        estimator.set_params(n_members=len(model.members))
    known: dict[str, Any] = {
        "division_": model.division,
        "members_": list(model.members),
        "mean_": model.mean,
        "optimizer_": GaussNewton.name if model.learning_rate is None else GradientDescent.name,
        "learning_rate_": model.learning_rate,
        "history_": [],
        "feature_importances_": model.importances,
        "_seed": 0,
        "_through_centres": False,
    }
    if isinstance(model.targets, TargetScaling):
        known |= {
            "target_scaling_": model.targets,
            "_is_flat": len(model.targets) == 1,
            "spread_": model.spread,
        }
    else:
        labels = Labels(model.targets.values, model.targets.several)
        known |= {
            "_labels": labels,
            "classes_": labels.classes,
            "link_": model.link,
            "boundary_": model.boundary,
        }
    vars(estimator).update(known)


def _features_of(estimator: Any) -> Features:
    """The columns of a table as the estimator saw them: those whose categories are numbers hold numbers."""
    codes = estimator.members_[0].preparation.one_hot.categories
    categories = {}
    for column, known in estimator._coding.categories.items():
        if known is not None:
            categories[column] = (*map(text_of, known), *([""] if np.isnan(codes[column]).any() else []))
    return _features(estimator, categories)


def _features(estimator: Any, categories: dict[int, tuple[str, ...]]) -> Features:
    """The columns with these categories, and with the gaps of all others."""
    n_columns, names = estimator.n_features_in_, getattr(estimator, "feature_names_in_", None)
    preparation = estimator.members_[0].preparation
    coded = np.array(preparation.one_hot.numbers, np.int64)
    medians, lacks = np.zeros(n_columns), np.zeros(n_columns, bool)
    medians[coded], lacks[coded[preparation.gaps.columns]] = preparation.gaps.medians, True
    numbers = [column for column in range(n_columns) if column not in categories]
    gaps = Gaps(medians[numbers], np.flatnonzero(lacks[numbers]))
    named = None if names is None else tuple(map(str, names))
    return Features(n_columns, named, {n_columns: None}, categories, gaps)

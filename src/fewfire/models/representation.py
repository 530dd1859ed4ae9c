"""A fixed representation of rows, whitened by a chosen strength, behind scikit-learn's API."""

import warnings
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fewfire.models.checks import checked
from fewfire.models.feature_maps import FireFeatures, RandomIndicators, degree_two
from fewfire.models.whitening import ROWS_PER_FEATURE, Whitening
from fewfire.networks.threshold import threshold_for_fire_rate
from fewfire.system.words import require_counts, require_one_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
INDICATOR, FIRE, DEGREE_TWO = KINDS = ("indicator", "fire", "degree2")
STRENGTHS = {INDICATOR: 0.0, FIRE: None, DEGREE_TWO: 0.5}  # "auto"


class Representation(TransformerMixin, BaseEstimator):
    """Features that stand between rows and what is trained on them.

    Parameters
    ----------
    kind : "indicator", "fire", "degree2" or a function
        1[<v_j, x> + t_j > 0] with random v_j and t_j; who fires in a random layer, which is sparse; all
        products of two columns and their squares; or any function of rows (n, d) that gives (n, D), such as a
        model that was trained elsewhere.
    n_features : int
        Of the first two.
    whiten : float in [0, 1], None or "auto"
        Strength of whitening, from 0, which only centres and scales all alike, to 1, which makes the second
        moment the identity. None leaves features as they are. "auto" stands for 0.5 for "degree2", for None
        for "fire", whose features stay sparse, and else for 0.
    fire_rate : float in (0, 0.5]
        Of "fire".
    random_state : int, RandomState or None

    Attributes
    ----------
    size_ : float
        What rows are divided by: their root mean square entry in training, so that random features and those
        of degree two do not depend on units. Functions and "fire" get rows as they are.
    n_features_out_ : int
    strength_ : float or None
        As it was capped: full strength needs four rows per feature.
    largest_share_, effective_rank_ : float
        Of the second moment before whitening: the largest eigenvalue over the sum of all, and how many
        directions that amounts to. There are none with whiten=None.
    spectrum_ : two arrays (r,)
        Its eigenvalues before and after whitening.

    Notes
    -----
    Cost of whitening: n D min(n, D) and the cube of the lesser; of n rows later 2 n D min(n, D).

    Source: the order of steps, random indicators and whitening, of Chen, Bai, Lee, Zhao, Wang, Xiong, Socher
    (arXiv 2006.13436). docs/theory/hierarchical.md has what we found of them.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((500, 4))
    >>> Representation("degree2").fit_transform(X).shape
    (500, 10)
    """

    def __init__(
        self, kind: str | Callable[[Floats], ArrayLike] = DEGREE_TWO, *, n_features: int = 4096,
        whiten: float | str | None = "auto", fire_rate: float = 0.05, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.n_features = n_features
        self.whiten = whiten
        self.fire_rate = fire_rate
        self.random_state = random_state

    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, unlabelled: ArrayLike | None = None
    ) -> "Representation":
        """Draw what is random, and learn the second moment of rows X (n, d) and, where there are, of others.

        Parameters
        ----------
        unlabelled : (k, d), optional
            Further rows, which need no targets.

        Raises
        ------
        ValueError
            A setting is none that the argument takes, rows are not finite or have other columns, features of
            degree two are more than 20,000, or a function gives something else than finite features.

        Warns
        -----
        UserWarning
            Rows are too few for the strength that was asked for.
        """
        fresh = type(self)(**self.get_params(deep=False))  # so that a call that fails changes nothing
        fresh._fit(X, unlabelled)
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        vars(self).update(vars(fresh))
        return self

    def _fit(self, X: ArrayLike, unlabelled: ArrayLike | None) -> None:
        strength = self._required()
        rows = checked(self, X)
        if unlabelled is not None:
            rows = np.vstack([rows, checked(self, unlabelled, reset=False)])
        self.size_ = float(np.sqrt(np.mean(np.square(rows)))) or 1.0
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if self.kind == INDICATOR:
            random = np.random.default_rng(seed)
            self._map = RandomIndicators.draw(self.n_features, rows.shape[1], random)
        elif self.kind == FIRE:
            self._map = FireFeatures.draw(rows, self.n_features, self.fire_rate, seed)
        features = self._features(rows)
        self.n_features_out_, self.strength_ = features.shape[1], None
        if strength is None:
            return
        self._whitening = Whitening.fit(_dense(features), strength)
        self.strength_ = self._whitening.strength
        self.largest_share_ = self._whitening.largest_share
        self.effective_rank_, self.spectrum_ = self._whitening.effective_rank, self._whitening.spectrum
        if self.strength_ < strength and self.whiten != "auto":
            warnings.warn(
                f"whitening {features.shape[1]:,} features needs at least "
                f"{ROWS_PER_FEATURE * features.shape[1]:,} rows without labels. Got {len(rows):,}. Strength "
                f"lowered from {strength:g} to {self.strength_:.2g}; give more rows by "
                "fit(X, unlabelled=...).",
                stacklevel=3,
            )

    def transform(self, X: ArrayLike) -> "Floats | csr_array":
        """Features (n, D) of rows X (n, d); sparse for "fire" unless they are whitened.

        Raises
        ------
        NotFittedError, ValueError
            There was no fit; rows are not finite or have other columns; or see `fit`.
        """
        check_is_fitted(self)
        features = self._features(checked(self, X, reset=False))
        return features if self.strength_ is None else self._whitening.transform(_dense(features))

    def _features(self, rows: Floats) -> Any:
        if self.kind == FIRE:
            return self._map.transform(rows)
        if self.kind == INDICATOR:
            return self._map.transform(rows / self.size_)
        if self.kind == DEGREE_TWO:
            return degree_two(rows / self.size_)
        assert callable(self.kind)
        features = np.asarray(self.kind(rows), np.float64)
        if features.ndim != 2 or len(features) != len(rows) or not np.isfinite(features).all():
            raise ValueError(
                f"a representation must give finite features (n, D), one row for each of {len(rows):,}. Got "
                f"shape {features.shape}. Change the function."
            )
        return features

    def _required(self) -> float | None:
        """The strength asked for, once all settings are known to hold."""
        if not callable(self.kind):
            require_one_of(self.kind, KINDS, "kind")
        require_counts(n_features=self.n_features)
        threshold_for_fire_rate(self.fire_rate)
        if self.whiten == "auto":
            return 0.0 if callable(self.kind) else STRENGTHS[self.kind]
        whiten: Any = self.whiten
        if whiten is not None and not (isinstance(whiten, Real) and 0 <= float(whiten) <= 1):
            raise ValueError(
                f"whiten must be a number in [0, 1], None or 'auto'. Got {whiten!r}. Use 'auto' if in doubt."
            )
        return None if whiten is None else float(whiten)


def _dense(features: Any) -> Floats:
    return features if isinstance(features, np.ndarray) else features.toarray()

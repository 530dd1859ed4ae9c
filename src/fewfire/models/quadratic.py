"""A quadratic function of low rank, behind scikit-learn's API."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fewfire.models.checks import checked
from fewfire.models.low_rank import fit_low_rank
from fewfire.system.words import require_counts


class QuadraticHead(RegressorMixin, BaseEstimator):
    """A quadratic function of low rank: for targets of few directions, such as products of some sums.

    f(h) = sum_r a_r <w_r, h>^2 + <u, h> + c, with a_r = +1 and -1 in turn, and a penalty on |w|^2 and |u|^2
    that keeps the rank low. Where the target is such a function it takes of the order of D samples, and a
    wide layer of the order of D^2; on a table of another kind it does not replace the wide layer: see
    docs/theory/hierarchical.md.

    Parameters
    ----------
    order_one : bool
        Whether there is a linear part u.
    n_components : int
        k: half of them, rounded up, hold directions that count positively, the others such that count
        negatively. Twice the rank is always enough; more cost time, and no accuracy.
    penalty : float >= 0, or "auto"
        Of targets of variance 1 and rows of mean square norm D. "auto" chooses among 0.001, 0.01, 0.1 and 1
        by the error on a fifth of the rows.
    n_starts : int
        Random starts, of which the best is kept.
    random_state : int, RandomState or None

    Attributes
    ----------
    rank_ : int
        Singular values that are at least a tenth of the largest.
    singular_values_ : (min(k, D),)
        Of the matrix M = sum_r a_r w_r w_r^T, descending.
    eigenvalues_ : (min(k, D),)
        The same with their signs.
    directions_ : (min(k, D), D)
        Its unit eigenvectors, in the same order.
    linear_ : (D,)
    constant_ : float
    penalty_, objective_ : float
    n_features_in_ : int

    Notes
    -----
    Columns are taken as they are: standardize them first where their units differ.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((200, 30))
    >>> head = QuadraticHead(random_state=0).fit(X, X[:, 0] * X[:, 1])
    >>> head.rank_, head.singular_values_.round(1).tolist()
    (2, [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """

    def __init__(
        self, *, order_one: bool = True, n_components: int = 8, penalty: float | str = "auto",
        n_starts: int = 2, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.order_one = order_one
        self.n_components = n_components
        self.penalty = penalty
        self.n_starts = n_starts
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "QuadraticHead":
        """Fit to samples X (n, D) and values y (n,).

        Raises
        ------
        ValueError
            A setting is none that the argument takes, X or y are not finite, or do not fit each other.
        """
        require_counts(n_components=self.n_components, n_starts=self.n_starts)
        penalty: Any = self.penalty
        if penalty != "auto" and not (isinstance(penalty, Real) and 0 <= float(penalty) < np.inf):
            raise ValueError(
                f"penalty must be a finite number >= 0, or 'auto'. Got {penalty!r}. Use 'auto' if in doubt."
            )
        rows, targets = checked(self, X, y)
        head, self.penalty_ = fit_low_rank(
            rows, targets.astype(np.float64), n_components=self.n_components,
            penalty=None if penalty == "auto" else float(penalty), order_one=self.order_one,
            n_starts=self.n_starts, seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )  # fmt: skip
        self._head, self.rank_, self.objective_ = head, head.rank, head.objective
        self.eigenvalues_, self.directions_ = head.spectrum
        self.singular_values_ = np.abs(self.eigenvalues_)
        self.linear_, self.constant_ = head.linear, head.constant
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Values of samples X (n, D), (n,).

        Raises
        ------
        NotFittedError, ValueError
            There was no fit, or X is not finite or has other columns.
        """
        check_is_fitted(self)
        return self._head.outputs(checked(self, X, reset=False))

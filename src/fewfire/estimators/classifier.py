"""A wide network that classifies, behind scikit-learn's API."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if

from fewfire.estimators.checks import check_weights, labels_of_one_kind
from fewfire.estimators.common import WideNetwork, all_or_nothing, descends
from fewfire.estimators.decisions import Decisions
from fewfire.estimators.labels import Labels
from fewfire.prepare.link import Link
from fewfire.prepare.model import sides


class WideClassifier(Decisions, WideNetwork):
    """A wide two-layer network that classifies, trained on squared errors.

    Parameters
    ----------
    width : int, >= 1
        Neurons of each network; an odd number is raised by one.
    hidden_layers : sequence of int, optional
        Neurons of each of several hidden layers, in place of `width`. They are trained by gradient descent
        without momentum, unless `optimizer` says otherwise; what is chosen is what suits one layer.
    n_members : int, >= 1, or "auto"
        Networks whose mean predicts: the best, and those that make the mean best. "auto": two with
        Gauss-Newton steps on up to 5,000 samples, else one.
    class_weight : {class: weight} or "balanced", optional
        How much a sample of each class counts; balanced: all classes as much together.
    threshold : float >= 0, or "auto"
        b: a neuron fires where <w, x> > b.
    fire_rate : float in (0, 0.5], optional
        The share of pairs that fire at first, in place of a threshold.
    optimizer : "auto", "gauss-newton" or "sgd"
        "auto": Gauss-Newton steps up to a million samples, 100,000 for more than 31 outputs; beyond, gradient
        descent with momentum. Above 5,000 samples each network takes one step on a part of them
        (`fewfire.training.CentredGaussNewton`, `division_`). For more than 31 outputs the output weights are
        solved for in their place (`OutputRidge`). Where a batch size or a number of epochs is given, steps
        go over batches of samples.
    ridge : float > 0, or "auto"
        Only for Gauss-Newton steps. It is counted over the fire rate: it means what `alpha` means in kernel
        ridge regression with a kernel of ones on its diagonal.
    constant : float > 0, or "auto"
        The appended feature, over the root mean square norm of the standardized rows.
    features : "auto", "none", "diagonal" or "full"
        What is learned of the columns before the network: how each is coded and how much it counts, or which
        sums of them count ("full"). "auto" takes what errs least. "none": columns count alike, as they are.
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
    time_limit : float > 0, optional
        Seconds that a fit should take: it looks at fewer rows, codings and rounds then, takes one step
        through fewer centres, and leaves out members. What is fitted differs from a fit without
        a limit, even if that would be in time, and depends on the speed of the machine.
        From 2 seconds on it is kept within a quarter, for up to 2,000 rows.
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
    network_ : TwoLayerNetwork or DeepNetwork
        The one that errs least alone, or that of the first part of a division.
    division_ : Division or None
        Which network answers for which rows, where not their mean does.
    preparation_ : Preparation
    feature_importances_ : (n_features_in_,)
        The share of each column in the learned features; all alike with features="none".
    link_ : Link
        How outputs become probabilities.
    threshold_, ridge_ : float
        As chosen; the ridge as that of `GaussNewton` for output weights of 1.
    optimizer_ : str
    learning_rate_ : float or None
    regime_ : Regime
        How far the last fit went from its start: see `fewfire.diagnose.Regime`.
    history_ : list of EpochRecord

    Notes
    -----
    Cost: up to 4 seconds to choose what is "auto", 15 for large tables, then the steps of `GaussNewton`
    (for n samples n^3 / 3, and what fires), `CentredGaussNewton` or `Trainer`. Predictions cost what
    fires; one fitted model may serve several threads and processes at once.

    Sample weights stand for copies of the samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(WideClassifier(width=2048, random_state=0).fit(X, y).score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
        width: int = 8_192,
        *,
        hidden_layers: Sequence[int] | None = None,
        n_members: int | str = "auto",
        class_weight: Mapping[Any, float] | str | None = None,
        threshold: float | str = "auto",
        fire_rate: float | None = None,
        optimizer: str = "auto",
        ridge: float | str = "auto",
        constant: float | str = "auto",
        features: str = "auto",
        categories: Sequence[int | str] | str = "auto",
        index: str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int | str = "auto",
        max_epochs: int | None = None,
        time_limit: float | None = None,
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
        super().__init__(
            width,
            hidden_layers=hidden_layers,
            n_members=n_members,
            threshold=threshold,
            fire_rate=fire_rate,
            optimizer=optimizer,
            ridge=ridge,
            constant=constant,
            features=features,
            categories=categories,
            index=index,
            learning_rate=learning_rate,
            batch_size=batch_size,
            max_epochs=max_epochs,
            time_limit=time_limit,
            tol=tol,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            warm_start=warm_start,
            verbose=verbose,
            n_threads=n_threads,
            memory_limit=memory_limit,
            random_state=random_state,
        )
        self.class_weight = class_weight

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
            self._fit(inputs, self._labels.targets(labels), self._class_weighted(labels, weights))
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
        first = not hasattr(self, "members_")
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight must be a dictionary or None in partial_fit, as it sees few samples. Got "
                f"{self.class_weight!r}. Compute it with sklearn.utils.class_weight.compute_class_weight."
            )
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
            self._partial_fit(inputs, self._labels.targets(labels), self._class_weighted(labels, weights))
        return self

    def _class_weighted(self, labels: NDArray, weights: NDArray | None) -> NDArray | None:
        if self.class_weight is None:
            return weights
        by_class = compute_sample_weight(self.class_weight, labels)
        check_weights(by_class)
        return by_class if weights is None else weights * by_class

    def _learn_classes(self, labels: NDArray) -> None:
        known = getattr(self, "classes_", None) if self._goes_on else None
        self._labels = Labels.of(labels)
        self.classes_ = self._labels.classes
        if known is not None and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"a warm start must have the classes of the first. Got {self.classes_} after {known}. Set "
                "warm_start=False."
            )

    def _codes(self, targets: NDArray) -> NDArray:
        return super()._codes(targets) if self._labels.several else self._labels.codes(targets)

    def _learn_doubt(self, inputs: NDArray, outputs: NDArray, targets: NDArray, weights: Any) -> None:
        codes = self._labels.codes(targets)
        if weights is not None:
            weights = np.repeat(weights, len(codes) // len(weights))
        self.link_ = Link.fit(sides(outputs, self.boundary_, several=self._labels.several), codes, weights)

"""A run on a table as the estimators fit one: what is left open is chosen by honest errors."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from fewfire.data import Dataset
from fewfire.prepare.targets import AUTO, REGRESSION
from fewfire.runs.options import AS_ESTIMATOR, BESIDE_ESTIMATOR, DEFAULTS, TrainOptions
from fewfire.runs.prepare import SPARE_BYTES, Prepared
from fewfire.runs.settings import Settings
from fewfire.system.memory import require_within, resident_bytes
from fewfire.training import GradientDescent

MOST_LABELS = 2_000  # and columns, for which one system of equations takes less time than descent


def resolved(options: TrainOptions, dataset: Dataset) -> TrainOptions:
    """The options with the optimizer that "auto" stands for: the estimators' choice on tables.

    Gradient descent takes its place where an option is given that only gradient descent knows, for pictures,
    and for rows with several of more than 2,000 labels, or as many columns.

    Raises
    ------
    ValueError
        An option does not go with that optimizer.
    """
    if options.optimizer != AUTO:
        return options
    left_open = len(options.widths) == 1 and all(
        getattr(options, name) == DEFAULTS[name] for name in BESIDE_ESTIMATOR
    )
    several = dataset.task != REGRESSION and dataset.labels.ndim > 1
    some = several and max(dataset.labels.shape[1], dataset.rows.shape[1]) <= MOST_LABELS
    fits = left_open and (some or (dataset.tabular and not several))
    return replace(options, optimizer=AS_ESTIMATOR if fits else GradientDescent.name)


def prepare_as_estimator(options: TrainOptions, dataset: Dataset, say: Callable[[str], None]) -> Prepared:
    """The networks that `WideClassifier` or `WideRegressor` makes for the rows, and what will train them.

    Parameters
    ----------
    say : callable
        Called with what is being chosen, before it takes its time.

    Raises
    ------
    DataError
        A column has a variance that is not finite or too small.
    MemoryLimitError
        The memory limit leaves too little to index or matrices.
    ValueError
        scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        raise ValueError(
            "To train on a table as the estimators do, fewfire needs scikit-learn. Got none installed. Run "
            "pip install 'fewfire[sklearn]', or give --optimizer sgd."
        )
    from fewfire.estimators import WideClassifier, WideRegressor
    from fewfire.estimators.on_rows import plan_on_rows
    from fewfire.estimators.saving import model_of

    make = WideRegressor if dataset.task == REGRESSION else WideClassifier
    say(
        f"{dataset.name}: choosing coding, features, threshold and ridge by leaving out one of "
        f"{len(dataset.rows):,} samples at a time, as {make.__name__} does.\n"
    )
    estimator: Any = make(random_state=options.seed, memory_limit=_left(options), **_given(options))

    def surroundings() -> AbstractContextManager[None]:
        return estimator._surroundings(len(dataset.rows))

    with surroundings():
        jobs = plan_on_rows(estimator, dataset.rows, dataset.labels, dataset.features)
    trainers, watches = zip(*jobs, strict=True)
    model = model_of(estimator, dataset.features)
    settings = Settings.of(options, dataset, trainers[0])
    return Prepared(
        dataset, model, trainers, settings, watches=watches, epochs=estimator._most_epochs(),
        surroundings=surroundings,
    )  # fmt: skip


def _given(options: TrainOptions) -> dict[str, Any]:
    """The parameters of the estimator that the options give."""
    given: dict[str, Any] = {"index": "auto" if options.index == DEFAULTS["index"] else options.index}
    if options.width is not None:
        (given["width"],) = options.widths
    if options.epochs is not None:
        given["max_epochs"] = options.epochs
    if options.batch_size is not None:
        given["batch_size"] = options.batch_size
    if options.ridge:
        given["ridge"] = options.ridge
    if options.categories:
        given["categories"] = options.categories
    return given


def _left(options: TrainOptions) -> int | None:
    """What the limit on the process leaves to index and matrices."""
    if options.memory_limit is None:
        return None
    used = resident_bytes() + SPARE_BYTES
    require_within(options.memory_limit, used, "data and libraries", "Raise it.", bound="--memory-limit")
    return options.memory_limit - used

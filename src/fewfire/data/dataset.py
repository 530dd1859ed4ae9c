"""What reading gives: rows of one part, and a data set with its two parts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from fewfire.prepare.columns import Features
from fewfire.prepare.targets import CLASSIFICATION, REGRESSION

Part = Literal["train", "test"]


class Rows(NamedTuple):
    """One part of a source as its reader found it.

    Attributes
    ----------
    inputs : array (n, d), any real dtype
        One row a sample.
    labels : array (n,) or None
        Integers, floats or strings; None where the source has none. Booleans (n, k) where a row may have
        several of k labels, numbers (n, c) for c targets of a regression. A row to predict may have none: ""
        or NaN.
    features : Features or None
        What the columns of a table are.
    """

    inputs: np.ndarray
    labels: np.ndarray | None
    features: Features | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set for classification or regression whose training and test parts have passed every check.

    Attributes
    ----------
    name : str
        Short name for titles and run folders: the file or folder name without its suffix.
    rows : array (n, features.n_columns), any real dtype
        Training inputs as read, so images stay uint8; with the codes of `features` where a column holds
        categories, NaN where a value is missing. May be read-only.
    labels : array (n,), integers or strings; or (n, k), booleans
        Training labels; at least two different ones. With booleans, row i has those labels j where [i, j]
        is true: several, one or none. The targets of a regression are float64 (n, c), as read.
    test_rows : array (n_test, features.n_columns)
        At least one row.
    test_labels : array (n_test,) or (n_test, k)
        As `labels`; every class of them occurs there.
    features : Features
        What the columns of the source were, and how categories are coded.
    tabular : bool
        True where the columns are different quantities (tables, NPZ, svmlight), to be standardized; False for
        pixels (IDX, digits) and words (text of the Extreme Classification Repository), to be centred only.
    """

    name: str
    rows: np.ndarray
    labels: np.ndarray
    test_rows: np.ndarray
    test_labels: np.ndarray
    features: Features
    tabular: bool

    @cached_property
    def inputs(self) -> np.ndarray:
        """Training inputs (n, d) with a column for each category, and without gaps."""
        return self.features.coded(self.rows)

    @cached_property
    def test_inputs(self) -> np.ndarray:
        """The same of the test part, (n_test, d)."""
        return self.features.coded(self.test_rows)

    @property
    def task(self) -> str:
        """What the labels are for, "classification" or "regression"."""
        return REGRESSION if self.labels.dtype.kind == "f" else CLASSIFICATION

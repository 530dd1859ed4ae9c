"""What reading gives: rows of one part, and a data set with its two parts."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Part = Literal["train", "test"]


class Rows(NamedTuple):
    """One part of a source as its reader found it.

    Attributes
    ----------
    inputs : array (n, d), any real dtype
        One row a sample.
    labels : array (n,) or None
        Integers, whole floats or strings; None where the source has none.
    """

    inputs: np.ndarray
    labels: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification data set whose training and test parts have passed every check.

    Attributes
    ----------
    name : str
        Short name for titles and run folders: the file or folder name without its suffix.
    inputs : array (n, d), any real dtype
        Training inputs as read, so images stay uint8. May be read-only.
    labels : array (n,), integers or strings
        Training labels; at least two different ones.
    test_inputs : array (n_test, d)
        At least one row.
    test_labels : array (n_test,)
        Every one of them occurs in `labels`.
    tabular : bool
        True where the columns are different quantities (CSV, NPZ, svmlight), to be standardised;
        False for images (IDX, digits), to be centred only.
    """

    name: str
    inputs: np.ndarray
    labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray
    tabular: bool

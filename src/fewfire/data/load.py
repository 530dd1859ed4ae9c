"""From what a user names to checked arrays."""

import os
from pathlib import Path

import numpy as np

from fewfire.data.checks import check_classes, check_n_features, check_rows
from fewfire.data.classes import Classes
from fewfire.data.csv import read_csv
from fewfire.data.dataset import Dataset, Part, Rows
from fewfire.data.digits import read_digits
from fewfire.data.idx import read_idx
from fewfire.data.npz import read_npz
from fewfire.data.split import split_ids
from fewfire.data.svmlight import looks_like_svmlight, read_svmlight
from fewfire.errors import DataError

Source = str | os.PathLike[str]
DIGITS = "digits"
TABLE_SUFFIXES = (".csv", ".tsv")
SVMLIGHT_SUFFIXES = (".svm", ".svmlight", ".libsvm", ".t")
TEXT_SUFFIXES = (".txt", ".data")  # a table unless the first line looks like svmlight
ACCEPTED = (
    "Give 'digits', a folder with the IDX files of MNIST, or a file: .npz, .csv, .tsv, .txt or "
    ".data for arrays and tables, .svm, .svmlight, .libsvm or .t for sparse rows (text also .gz)."
)


def load_dataset(source: Source, *, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
    """Read a data set, check it, and split off a test part where it has none.

    Parameters
    ----------
    source : str or path
        The str "digits" (scikit-learn's), a folder of IDX files, or a file: NPZ by its suffix
        `.npz`, a table by `.csv`, `.tsv`, `.txt`, `.data`, svmlight by `.svm`, `.svmlight`,
        `.libsvm`, `.t` or by its first line. Text files may be gzipped.
    test_fraction : float, in (0, 1)
        Share of the rows that become the test part of a source without one.
    seed : int, >= 0
        Of that split: the same seed, the same rows.

    Raises
    ------
    DataError
        The source is absent, of another format, damaged, or not fit to train a classifier.
    MemoryLimitError
        An svmlight file does not fit in memory as a dense array.
    """
    train = _read(source, "train")
    if train is None:
        raise DataError(
            "A source to train from must have training inputs: X or X_train in an NPZ file, "
            f"train-images-idx3-ubyte in a folder. Got {source} without them. {ACCEPTED}"
        )
    inputs, labels = _labelled(train, str(source))
    check_classes(labels, str(source))
    test = _read(source, "test")
    if test is None:
        ids, test_ids = split_ids(labels, test_fraction, seed)
        inputs, test_inputs = inputs[ids], inputs[test_ids]
        labels, test_labels = labels[ids], labels[test_ids]
    else:
        where = f"the test part of {source}"
        test_inputs, test_labels = _labelled(test, where)
        check_n_features(test_inputs, inputs.shape[1], where)
        Classes.of(labels).encode(test_labels)  # raises for a label that training lacks
    name = Path(Path(source).resolve().name.removesuffix(".gz")).stem
    return Dataset(name, inputs, labels, test_inputs, test_labels, not _holds_images(source))


def load_inputs(source: Source, n_features: int) -> Rows:
    """Read what a model with `n_features` features is to predict.

    Parameters
    ----------
    source : str or path
        As for `load_dataset`. Of a source with a test part, that part; else all rows.
    n_features : int, >= 1
        Of the model, without the constant feature. A table of exactly so many columns has no
        labels; with one column more, that is the target by the rule of `read_csv`.

    Returns
    -------
    Rows
        inputs (n, n_features) and labels (n,), or None for the labels.

    Raises
    ------
    DataError
        The source is absent, of another format, damaged, or has another number of features.
    MemoryLimitError
        An svmlight file does not fit in memory as a dense array.
    """
    rows = _read(source, "test") or _read(source, "train", n_features)
    if rows is None:
        raise DataError(
            "A source to predict must have inputs: X or X_test in an NPZ file, "
            f"t10k-images-idx3-ubyte in a folder. Got {source} without them. {ACCEPTED}"
        )
    rows = check_rows(rows, str(source))
    check_n_features(rows.inputs, n_features, str(source))
    return rows


def _read(source: Source, part: Part, n_features: int | None = None) -> Rows | None:
    """One part of a source, unchecked; None where the source has no such part."""
    if source == DIGITS:
        return read_digits() if part == "train" else None
    path = Path(source)
    if not path.exists():
        raise DataError(f"A source must exist. Got {source!r}, which does not. {ACCEPTED}")
    if path.is_dir():
        return read_idx(path, part)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix == ".npz":
        return read_npz(path, part)
    if part == "test":
        return None
    if suffix in TABLE_SUFFIXES:
        return read_csv(path, n_features)
    if suffix in SVMLIGHT_SUFFIXES or looks_like_svmlight(path):
        return read_svmlight(path, n_features)
    if suffix in TEXT_SUFFIXES:
        return read_csv(path, n_features)
    raise DataError(f"The name of a file must end in a known suffix. Got {path.name!r}. {ACCEPTED}")


def _labelled(rows: Rows, where: str) -> tuple[np.ndarray, np.ndarray]:
    inputs, labels = check_rows(rows, where)
    if labels is None:
        raise DataError(
            f"Training and test rows must have labels. Got none in {where}. "
            "Add y or y_test to an NPZ file, the labels file to a folder."
        )
    return inputs, labels


def _holds_images(source: Source) -> bool:
    return source == DIGITS or Path(source).is_dir()

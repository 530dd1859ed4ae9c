"""From what a user names to checked arrays."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fewfire.data.checks import check_classes, check_n_features, check_rows, require_fit
from fewfire.data.csv import read_csv
from fewfire.data.dataset import Dataset, Part, Rows
from fewfire.data.digits import read_digits
from fewfire.data.idx import read_idx
from fewfire.data.npz import read_npz
from fewfire.data.openml import PREFIX as OPENML
from fewfire.data.openml import read_openml
from fewfire.data.parquet import read_parquet
from fewfire.data.split import split_ids
from fewfire.data.svmlight import looks_like_svmlight, read_svmlight
from fewfire.data.table import rows_to_predict, rows_to_train
from fewfire.data.xmc import looks_like_xmc, read_xmc
from fewfire.errors import DataError
from fewfire.prepare.classes import Classes
from fewfire.prepare.columns import Features
from fewfire.prepare.targets import AUTO, CLASSIFICATION, REGRESSION, TASKS, TargetScaling
from fewfire.system.words import require_one_of

Source = str | os.PathLike[str]
DIGITS = "digits"
PARQUET, NPZ = ".parquet", ".npz"
TABLE_SUFFIXES = (".csv", ".tsv")
SVMLIGHT_SUFFIXES = (".svm", ".svmlight", ".libsvm", ".t")
TEXT_SUFFIXES = (".txt", ".data")  # a table unless the first lines look like sparse rows
ACCEPTED = (
    "Give 'digits', 'openml:NAME', a folder with the IDX files of MNIST, or a file: .npz, .parquet, .csv, "
    ".tsv, .txt or .data for arrays and tables, .svm, .svmlight, .libsvm, .t or .txt for sparse rows "
    "(text also .gz)."
)


def load_dataset(
    source: Source,
    *,
    target: str | Sequence[str] | None = None,
    task: str = AUTO,
    categories: Sequence[str] = (),
    drop: Sequence[str] = (),
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """Read a data set, check it, and split off a test part where it has none.

    Parameters
    ----------
    source : str or path
        The str "digits" (scikit-learn's) or "openml:NAME", a folder of IDX files, or a file: NPZ by its
        suffix `.npz`, a table by `.parquet`, `.csv`, `.tsv`, `.txt`, `.data`, svmlight by `.svm`,
        `.svmlight`, `.libsvm`, `.t` or by its first line, text of the Extreme Classification Repository
        by its first two. Text files may be gzipped.
    target : str or sequence of str, optional
        Of a table: name of the column of labels, or its number from 1; several columns for a regression. By
        default the column named target, else label, else class, else the last one; OpenML's default target.
    task : "auto", "classification" or "regression"
        "auto": texts and up to 20 different whole numbers are classes, and so are the labels of images;
        other numbers are for regression. More whole numbers may be either, and must be told.
    categories : sequence of str
        Of a table: columns that hold categories although their cells look like numbers. Columns of texts
        do so in any case.
    drop : sequence of str
        Of a table: columns that are left out.
    test_fraction : float, in (0, 1)
        Share of the rows that become the test part of a source without one.
    seed : int, >= 0
        Of that split: the same seed, the same rows.

    Raises
    ------
    DataError
        The source is absent, of another format, damaged, or not fit to train on.
    MemoryLimitError
        The rows do not fit in memory as a dense array.
    ValueError
        There is no task of that name.
    """
    require_one_of(task, TASKS, "the task")
    targets = [target] if isinstance(target, str) else list(target or ())
    if task == AUTO and len(targets) > 1:
        task = REGRESSION
    elif task == AUTO and source != DIGITS and Path(source).is_dir():
        task = CLASSIFICATION  # images have labels
    of_table = partial(rows_to_train, categories=categories, drop=drop, task=task)
    train = _read(source, "train", of_table, targets, drop)
    if train is None:
        raise DataError(
            "A source to train from must have training inputs: X or X_train in an NPZ file, "
            f"train-images-idx3-ubyte in a folder. Got {source} without them. {ACCEPTED}"
        )
    is_table = train.features is not None and train.features.targets
    if not is_table and (targets or categories or drop):
        raise DataError(
            "A target, categories or columns to drop can be named in a table: CSV, Parquet or OpenML. "
            f"Got {source}, which is none. Leave them out."
        )
    train = check_rows(train, str(source), task, gaps=bool(is_table))
    inputs, labels = train.inputs, _labels(train, str(source))
    check_classes(labels, str(source))
    found = train.features or Features(inputs.shape[1])
    test = _read(source, "test")
    if test is None:
        ids, test_ids = split_ids(labels, test_fraction, seed, str(source))
        inputs, test_inputs = inputs[ids], inputs[test_ids]
        labels, test_labels = labels[ids], labels[test_ids]
    else:
        where = f"the test part of {source}"
        test = check_rows(test, where, REGRESSION if labels.dtype.kind == "f" else CLASSIFICATION)
        test_inputs, test_labels = test.inputs, _labels(test, where)
        check_n_features(test_inputs, inputs.shape[1], where)
        if test_labels.shape[1:] != labels.shape[1:]:
            raise DataError(
                f"Training and test rows must have equally many targets. Got {labels.shape[1:]} and "
                f"{test_labels.shape[1:]} in {source}. Give the same columns."
            )
        if labels.ndim == 1:
            Classes.of(labels).encode(test_labels)  # raises for a label that training lacks
    features = found.seen_in(inputs)
    rows, test_rows = (_recoded(part, found, features, str(source)) for part in (inputs, test_inputs))
    return Dataset(_name(source), rows, labels, test_rows, test_labels, features, _is_tabular(source))


def load_inputs(source: Source, features: Features, targets: Classes | TargetScaling | None = None) -> Rows:
    """Read what a model is to predict.

    Parameters
    ----------
    source : str or path
        As for `load_dataset`. Of a source with a test part, that part; else all rows.
    features : Features
        Those of the data set that the model was trained on. Columns of a table are found by name where
        both have names, else by place. A table of exactly so many columns has no labels; with the columns
        of the targets too, those may be empty in some rows or in all.
    targets : Classes or TargetScaling, optional
        What the model predicts: labels are read as those of training. By default they are classes.

    Returns
    -------
    Rows
        inputs (n, features.n_columns), with codes and gaps as in training, and the labels: "" or NaN for a
        row that has none, or None for all.

    Raises
    ------
    DataError
        The source is absent, of another format, damaged, or has other columns than the model.
    MemoryLimitError
        The rows do not fit in memory as a dense array.
    """
    task, kind = CLASSIFICATION, None
    if isinstance(targets, TargetScaling):
        task = REGRESSION
    elif targets is not None:
        kind = "U" if targets.values.dtype.kind == "U" else "i"
    of_table = partial(rows_to_predict, model=features, task=task, kind=kind)
    left_out = [_name_or_number(column, name) for column, name in features.dropped.items()]
    rows = _read(source, "test") or _read(source, "train", of_table, drop=left_out, model=features)
    if rows is None:
        raise DataError(
            "A source to predict must have inputs: X or X_test in an NPZ file, "
            f"t10k-images-idx3-ubyte in a folder. Got {source} without them. {ACCEPTED}"
        )
    rows = check_rows(rows, str(source), task, some=True, gaps=features.gaps is not None)
    check_n_features(rows.inputs, features.n_columns, str(source))
    if targets is not None and rows.labels is not None:
        _check_n_targets(rows.labels, targets, str(source))
    if features.categories and (rows.features is None or not rows.features.categories):
        raise DataError(
            "Categories must be given in a table, as in training: CSV, Parquet or OpenML. "
            f"Got {source}. Give a table with the columns of training."
        )
    return rows._replace(inputs=_recoded(rows.inputs, rows.features or features, features, str(source)))


def _read(
    source: Source,
    part: Part,
    of_table: Callable[..., Rows] = rows_to_train,
    targets: Sequence[str] = (),
    drop: Sequence[str] = (),
    model: Features | None = None,
) -> Rows | None:
    """One part of a source, unchecked; None where the source has no such part.

    Parameters
    ----------
    of_table : callable
        Makes rows of a table, to train with these targets or to predict with a model.
    """
    if source == DIGITS:
        return read_digits() if part == "train" else None
    if str(source).startswith(OPENML):
        if part == "test":
            return None
        table, default = read_openml(str(source))
        return of_table(table, targets=targets or [default]) if model is None else of_table(table)
    path = Path(source)
    if not path.exists():
        raise DataError(f"A source must exist. Got {source!r}, which does not. {ACCEPTED}")
    if path.is_dir():
        if any(path.glob("*.parquet")) or any(path.glob("*=*")):
            raise DataError(
                f"A table must be one file. Got {path}, a folder of Parquet files. Write it as one: "
                "pandas.read_parquet(folder).to_parquet('table.parquet')."
            )
        return read_idx(path, part)
    suffix = _suffix(path)
    if suffix == NPZ:
        return read_npz(path, part)
    if _is_xmc(path):
        return read_xmc(path, part)
    if part == "test":
        return None
    if suffix == PARQUET:
        table = read_parquet(path, drop)
        return of_table(table, targets=targets) if model is None else of_table(table)
    if suffix not in TABLE_SUFFIXES and (suffix in SVMLIGHT_SUFFIXES or looks_like_svmlight(path)):
        return read_svmlight(path, model)
    if suffix in TABLE_SUFFIXES + TEXT_SUFFIXES:
        if model is None:
            return of_table(read_csv(path, targets, targets, drop), targets=targets)
        names = [_name_or_number(column, name) for column, name in model.targets.items()]
        return of_table(read_csv(path, model.names or (), names, drop))
    raise DataError(f"The name of a file must end in a known suffix. Got {path.name!r}. {ACCEPTED}")


def _name_or_number(column: int, name: str | None) -> str:
    """What a column of a table is asked for by."""
    return name or str(column + 1)


def _recoded(inputs: np.ndarray, found: Features, features: Features, where: str) -> np.ndarray:
    """The rows with the codes of training, where they fit with a column for each category too."""
    if features.n_inputs > features.n_columns:
        require_fit(len(inputs), features.n_inputs, 8, where)
    return features.recoded(inputs, found)


def _check_n_targets(labels: np.ndarray, targets: Classes | TargetScaling, where: str) -> None:
    """Raise DataError unless labels to compare with have as many columns as those of training."""
    wanted = (len(targets),) if isinstance(targets, TargetScaling) or targets.several else ()
    if labels.shape[1:] != wanted:
        raise DataError(
            f"Labels or targets must have the shape of training, {('rows', *wanted)}. Got {labels.shape} in "
            f"{where}. Give the same columns, or none of them."
        )


def _labels(rows: Rows, where: str) -> np.ndarray:
    if rows.labels is None:
        raise DataError(
            f"Training and test rows must have labels. Got none in {where}. "
            "Add y or y_test to an NPZ file, the labels file to a folder."
        )
    return rows.labels


def _name(source: Source) -> str:
    if str(source).startswith(OPENML):
        return str(source).removeprefix(OPENML)
    return Path(Path(source).resolve().name.removesuffix(".gz")).stem


def _is_tabular(source: Source) -> bool:
    """Whether the columns are different quantities: neither pixels nor words."""
    return source != DIGITS and not Path(source).is_dir() and not _is_xmc(Path(source))


def _is_xmc(path: Path) -> bool:
    """Whether a file is text of the Extreme Classification Repository."""
    other = _suffix(path) in (NPZ, PARQUET, *TABLE_SUFFIXES)
    return not other and path.is_file() and looks_like_xmc(path)


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix

"""Data sets of openml.org, by name or number, through scikit-learn's loader and its cache."""

from typing import Any

import numpy as np

from fewfire.data.scikit import sklearn_datasets
from fewfire.data.table import Column, Table, require_names, require_rows
from fewfire.data.targets import LARGEST_WHOLE_FLOAT
from fewfire.errors import DataError

PREFIX = "openml:"


def read_openml(source: str) -> tuple[Table, str]:
    """Read a data set from the network, or from where scikit-learn keeps those read before.

    Parameters
    ----------
    source : str
        `openml:` and the name of the data set (its oldest active version) or its number.

    Returns
    -------
    (Table, str)
        And the name of its default target.

    Raises
    ------
    DataError
        scikit-learn or pandas is not installed, openml.org cannot be reached, it has no such data set,
        or there is no single target.

    Notes
    -----
    The folder of the cache is that of `sklearn.datasets.get_data_home`.
    """
    name = source.removeprefix(PREFIX)
    which = {"data_id": int(name)} if name.isdecimal() else {"name": name}
    fetch = sklearn_datasets("A data set of OpenML").fetch_openml
    try:
        import pandas  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"A data set of OpenML needs pandas. Got: {error}. Run pip install 'fewfire[openml]'."
        ) from error
    try:
        # The parser of pandas is faster, but takes categories such as 01 for numbers and then fails.
        bunch = fetch(**which, as_frame=True, parser="liac-arff")
    except Exception as error:  # of the network, the cache, or any of what a file may hold
        raise DataError(
            f"{source} must be a data set of openml.org that can be reached, or was read before. "
            f"Got: {error}. Check its name or number and the network, or give a file that you downloaded."
        ) from error
    if len(bunch.target_names) != 1:
        raise DataError(
            f"A data set of OpenML must have one target. Got {len(bunch.target_names)} for {source}. "
            "Save it as a CSV file and train with --target."
        )
    names = tuple(map(str, bunch.frame.columns))
    require_names(names, source)
    require_rows(len(bunch.frame), source)
    columns = [_column(bunch.frame[name], f"column {name!r} of {source}") for name in bunch.frame.columns]
    return Table(source, names, columns), str(bunch.target_names[0])


def _column(cells: Any, where: str) -> Column:
    kind = cells.dtype.kind
    if kind in "iuf":
        numbers = cells.to_numpy(np.float64, na_value=np.nan)
        # Whole numbers were floats while they were read.
        is_exact = kind != "f" and not (np.abs(numbers) >= LARGEST_WHOLE_FLOAT).any()
        integers = cells.to_numpy(f"{kind}8", na_value=0) if is_exact else None
        return Column.of_numbers(numbers, integers)
    if kind in "ObUT" or str(cells.dtype) in ("category", "string", "str"):
        missing = cells.isna().to_numpy()
        texts = cells.astype(object).to_numpy()
        return Column.of_texts(["" if m else str(t).strip() for t, m in zip(texts, missing, strict=True)])
    raise DataError(
        f"A column must be of numbers or texts. Got {cells.dtype} in {where}. Save the set as a CSV file "
        "without it."
    )

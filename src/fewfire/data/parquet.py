"""Tables in Apache Parquet files."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from fewfire.data.checks import require_fit
from fewfire.data.table import Column, Table, is_named, require_names, require_rows
from fewfire.errors import DataError, MemoryLimitError
from fewfire.system.memory import require_free_memory

INDEX_LEVEL = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name


def read_parquet(path: Path, drop: Collection[str] = ()) -> Table:
    """Read all columns: integers and floats as numbers, strings (also as a dictionary) and booleans as texts.

    The index of a pandas DataFrame is left out. Columns that will be dropped, by these names or numbers, may
    be of any type: they are read as cells without a value.

    Raises
    ------
    DataError
        pyarrow is not installed, the file is damaged or no Parquet, it has no rows, or a column is of
        another type.
    MemoryLimitError
        The table does not fit in memory.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"A Parquet file needs pyarrow. Got: {error}. Run pip install 'fewfire[parquet]'."
        ) from error
    try:
        with path.open("rb") as stream:
            file = pyarrow.parquet.ParquetFile(stream, page_checksum_verification=True)
            kept, n_rows = _columns_of(file.schema_arrow), file.metadata.num_rows
            require_fit(n_rows, len(kept), 8, path)
            _require_fit_unpacked(file.metadata, path)
            cells = file.read()
            columns = [
                Column.of_texts([""] * n_rows)
                if is_named(number, name, drop)
                else _column(cells.column(place), f"column {name!r} of {path}")
                for number, (place, name) in enumerate(kept)
            ]
    except (DataError, MemoryLimitError):
        raise
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise DataError(
            f"A Parquet file must be complete and undamaged. Got {path}: {error}. Write it again."
        ) from error
    names = tuple(name for _, name in kept)
    require_names(names, str(path), drop)
    require_rows(n_rows, str(path))
    return Table(str(path), names, columns)


def _columns_of(schema: Any) -> list[tuple[int, str]]:
    """Place and name of each column that is not the index of a pandas DataFrame."""
    about = schema.pandas_metadata
    indexes = about.get("index_columns") if isinstance(about, dict) else None
    if not isinstance(indexes, list):
        indexes = []
    return [
        (place, name)
        for place, name in enumerate(schema.names)
        if name not in indexes and not INDEX_LEVEL.fullmatch(name)
    ]


def _require_fit_unpacked(about: Any, path: Path) -> None:
    """Raise MemoryLimitError if the columns do not fit in memory once they are unpacked."""
    n_bytes = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
    require_free_memory(
        n_bytes, "The columns of a table must fit in memory. Got them", f"{path}. Keep fewer columns."
    )


def _column(cells: Any, where: str) -> Column:
    import pyarrow

    types, kind = pyarrow.types, cells.type
    if types.is_integer(kind) or types.is_floating(kind):
        numbers = cells.cast(pyarrow.float64(), safe=False).to_numpy().astype(np.float64)
        return Column.of_numbers(numbers, cells.fill_null(0).to_numpy() if types.is_integer(kind) else None)
    if types.is_dictionary(kind):
        kind = kind.value_type
    textual = (types.is_boolean, types.is_string, types.is_large_string, types.is_string_view)
    if any(is_of_kind(kind) for is_of_kind in textual):
        return Column.of_texts(["" if cell is None else str(cell).strip() for cell in cells.to_pylist()])
    raise DataError(
        f"A column must be of integers, floats, strings or booleans. Got {cells.type} in {where}. "
        "Convert or remove it."
    )

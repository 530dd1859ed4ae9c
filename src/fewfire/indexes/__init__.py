"""Who fires? One file a structure, one small abstract base."""

from fewfire.indexes.arrange import arrange
from fewfire.indexes.base import Index
from fewfire.indexes.drift import DriftIndex
from fewfire.indexes.exhaustive import ExhaustiveIndex

INDEXES: dict[str, type[Index]] = {index.name: index for index in (ExhaustiveIndex, DriftIndex)}


def index_named(name: str, memory_limit: int | None = None) -> Index:
    """A new index of this name: exhaustive or drift."""
    if name not in INDEXES:
        raise ValueError(f"the index must be one of {', '.join(INDEXES)}. Got {name!r}. Choose one of them.")
    return INDEXES[name](memory_limit=memory_limit)


__all__ = ["INDEXES", "DriftIndex", "ExhaustiveIndex", "Index", "arrange", "index_named"]

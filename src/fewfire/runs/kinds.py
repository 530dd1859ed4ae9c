"""What is read back from JSON has the kinds of values that were written."""

from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def record_of(kind: type[Record], values: Mapping[str, Any], where: str) -> Record:
    """A data class from its fields by name, each of the kind that its annotation says.

    Raises
    ------
    ValueError
        A value is of another kind.
    TypeError
        A field is missing, or unknown.
    """
    for name, annotation in get_type_hints(kind).items():
        if name in values and not _is_a(values[name], annotation):
            wanted = getattr(annotation, "__name__", str(annotation))
            raise ValueError(f"{where}: {name} must be {wanted}, got {values[name]!r}"[:200])
    return kind(**values)


def _is_a(value: object, annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(_is_a(value, one) for one in get_args(annotation))
    if get_origin(annotation) is list:
        (of_items,) = get_args(annotation)
        return isinstance(value, list) and all(_is_a(one, of_items) for one in value)
    if get_origin(annotation) is not None:  # a mapping of text to the second
        _, of_values = get_args(annotation)
        return isinstance(value, dict) and all(_is_a(one, of_values) for one in value.values())
    if isinstance(value, bool):
        return annotation is bool
    return isinstance(value, (int, float) if annotation is float else annotation)
